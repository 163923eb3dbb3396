-- SPDX-License-Identifier: MIT
-- Webhooks on their way into the store: what memory learns when their events are accepted, and the errors of calls.

local errors = require "cunnekt.base.errors"

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
  if not self.conversations.cache.is_empty then
    self.conversations:note_inbound(fresh)
  end
  if joins ~= self.joins then
    self.joins = joins
    self.persons:note_joins(fresh) -- it forgets what an event said before the one that joined its conversation
  end
end

local refusals = { no_room = "busy", invalid = "invalid", too_large = "too_large" }

---Why nothing of a webhook was taken.
---@param message string
---@param code string
---@return cunnekt.error err kind invalid, too_large or busy (no room) for what no retry of the store would change; store
function incoming.refusal(message, code)
  local kind = refusals[code]
  return kind and errors.new(kind, message) or incoming.error_of(message, code)
end

return incoming
