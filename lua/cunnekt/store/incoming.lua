-- SPDX-License-Identifier: MIT
-- Webhooks on their way into the store: what memory learns when their events are accepted, and the errors of calls.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"

local incoming = {}

---The error of a call that failed.
---@param message string
---@param code string?
---@return cunnekt.error
function incoming.error_of(message, code)
  if code == "conflict" then
    return errors.new("conflict", message)
  end
  return errors.new("store", message, { code = code })
end

---Events that the store has put into another conversation than they said are that one's.
---@param events table[]?
function incoming.place(events)
  for _, event in ipairs(events or {}) do
    event.contact = event.conversation or event.contact
  end
end

---Notes what has come of events that the store has accepted, and puts them into the conversations where they belong.
---@param self cunnekt.open_store
---@param fresh table[] those that are new, with `contact`, `conversation`, `others` and what `conversations` notes of persons
---@param joins integer as the verb gives it
function incoming.note(self, fresh, joins)
  if self.persons.has_aliases then
    self.persons:note_places(fresh)
  end
  incoming.place(fresh)
  if not self._conversations.cache.is_empty then
    self._conversations:note_inbound(fresh)
  end
  if joins ~= self.joins then
    self.joins = joins
    self.persons:note_joins(fresh) -- it forgets what an event said before the one that joined its conversation
  end
end

local refusals = { no_room = "busy", invalid = "invalid", too_large = "too_large" }

---Stores the events of a webhook; see store:accept.
---@param self cunnekt.open_store
---@param body string
---@param room integer so many events may be taken
---@param describe fun(event: cunnekt.webhook.event, batch: table?): string?, string?, string? see core.accept_webhook
---@param done fun(fresh: cunnekt.inbox.record[], err: cunnekt.error?) those that are no duplicates. Stored events are handled even if others failed: the sender repeats the webhook, and they are duplicates then
---@return integer? count of the events; nil: nothing is stored, and `done` is not called
---@return cunnekt.error? err kind invalid, too_large or busy (no room) for what no retry of the store would change; store
function incoming.accept(self, body, room, describe, done)
  local missing, all, failure
  local function on_part(fresh, joins)
    if fresh then
      incoming.note(self, fresh, joins)
      all = all and table.move(fresh, 1, #fresh, #all + 1, all) or fresh
    else
      failure = joins -- an error
    end
    missing = missing - 1
    if missing == 0 then
      done(all or {}, failure)
    end
  end
  local count, calls, message, code = core.accept_webhook(self._db, body, room, describe, identity.same, on_part)
  if not count then
    message, code = calls, message
    local kind = refusals[code]
    return nil, kind and errors.new(kind, message) or incoming.error_of(message, code)
  end
  missing = calls
  failure = message and incoming.error_of(message, code)
  return count
end

return incoming
