-- SPDX-License-Identifier: MIT
-- Which handle belongs to which message, by its id and by the provider's, as long as somebody holds it. Statuses advance
-- handles as they arrive; some overtake the response that tells the message's id, and wait for it here. What the store does
-- with a status, it does as the event is accepted.

local answer = require "cunnekt.provider.answer"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local messages = require "cunnekt.store.messages"
local personal = require "cunnekt.provider.personal"
local status_names = require "cunnekt.provider.status"

local handles = {}

local handles_methods = {}
local handles_mt = { __index = handles_methods, __name = "cunnekt.handles" }

-- Maximum of statuses that wait for the response with their message id.
local max_early = 1000

---@class cunnekt.handles
---@field by_id table<integer, cunnekt.sent> those that are still held by somebody
---@field by_message_id table<string, cunnekt.sent>
---@field early_count integer statuses that wait
---@param parts {store: table, maker: table, is_sending: fun(): boolean} `maker`: bot/sent.lua, which creates and advances handles; `by_id` and `by_message_id` are set by the outbox
---@return cunnekt.handles
function handles.new(parts)
  return setmetatable({
    early_count = 0,
    _early = {},
    _store = parts.store,
    _maker = parts.maker,
    _is_sending = parts.is_sending,
  }, handles_mt)
end

---Gives a handle to a row from the store.
---@param row cunnekt.outbox.row
function handles_methods:attach(row)
  local handle = self.by_id[row.id] or self._maker.new(row.payload)
  row.handle, self.by_id[row.id] = handle, handle
  handle.id, handle.track = row.id, row.track
end

---The outbox id of an accepted message. May wait.
---@param message_id string the provider's
---@return integer? id nil when it is unknown
function handles_methods:id_of(message_id)
  local handle = self.by_message_id[message_id]
  return handle and handle.id or messages.id_of(self._store, message_id)
end

---The handle of an earlier message, of this process or an earlier one. May wait.
---@param id integer
---@param payload table
---@return cunnekt.sent
function handles_methods:of(id, payload)
  local handle = self.by_id[id]
  if handle then
    return handle
  end
  handle = self._maker.new(payload)
  handle.id = id
  self.by_id[id] = handle
  local state, message_id = messages.state(self._store, id)
  handle.state, handle.message_id = state or "rejected", message_id
  if message_id then
    self.by_message_id[message_id] = handle
  end
  return handle
end

local function error_of(status, payload)
  if status.status ~= "failed" then
    return nil
  end
  local title, code = status_names.reason(status)
  return errors.new(answer.kind_of_failure(code), personal.error(title, payload), { code = code })
end

---A status has told the provider's id of a message whose response was lost.
---@param id integer the message's in the outbox
---@param status table an event of kind "status"
function handles_methods:on_found(id, status)
  local handle = self.by_id[id]
  if handle then
    handle.message_id, self.by_message_id[status.id] = status.id, handle
    self._maker.advance(handle, status.status, error_of(status, handle.payload))
  end
end

---A message that was given up is sent anew, maybe with other content: what was said of it until now is over.
---@param id integer
---@param payload table
function handles_methods:begin_anew(id, payload)
  local handle = self.by_id[id]
  if not handle then
    return -- no id of the provider leads to one either
  end
  local message_id = core.sent_now(handle, "message_id")
  if message_id then
    self.by_message_id[message_id] = nil
  end
  handle.payload, handle.message_id = payload, nil
  self._maker.requeue(handle)
end

---Applies a status that the store had before it knew the message by this id, where the message is not as far.
---@param status table an event of kind "status"
---@param rank integer how far its message is by now
function handles_methods:apply_late(status, rank)
  local its_rank, why = status_names.rank_of(status)
  if not its_rank or its_rank <= rank then
    return
  end
  self._store:persist("note_status", { message_id = status.id, rank = its_rank, reason = why })
  local handle = self.by_message_id[status.id]
  if handle then
    self._maker.advance(handle, status.status, error_of(status, handle.payload))
  end
end

---Advances the handle of the message that a status is about.
---@param status table an event of kind "status"
---@param record? cunnekt.inbox.record of the event, if it was just stored
function handles_methods:on_status(status, record)
  local handle = status.id and self.by_message_id[status.id]
  if handle then
    if record and record.rank and not record.is_applied then
      -- It was stored before the message was as accepted; this comes behind that.
      self._store:persist("note_status", { message_id = status.id, rank = record.rank, reason = record.error })
    end
    self._maker.advance(handle, status.status, error_of(status, handle.payload))
  elseif status.id and self.early_count < max_early and self._is_sending() then
    local waiting = self._early[status.id] or {}
    self._early[status.id] = waiting
    waiting[#waiting + 1] = status
    self.early_count = self.early_count + 1
  end
end

---The statuses of a message that came before the response with its id.
---@param message_id string
---@return table[]?
function handles_methods:early(message_id)
  return self._early[message_id]
end

---Applies them, when the response has come.
---@param message_id string
---@param is_last boolean no other response is missing
function handles_methods:apply_early(message_id, is_last)
  local waiting = self._early[message_id] or {}
  self._early[message_id] = nil
  self.early_count = self.early_count - #waiting
  for _, status in ipairs(waiting) do
    self:on_status(status)
  end
  -- Statuses of messages that other programs sent from this number must not stay in the list.
  if is_last then
    self._early, self.early_count = {}, 0
  end
end

return handles
