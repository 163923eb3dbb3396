-- SPDX-License-Identifier: MIT
-- What the engine asks of messages that have left a turn: how far one is, and which one a status is about. Everything here
-- waits, and raises a cunnekt.error of kind store when the store cannot be read.

local answer = require "cunnekt.provider.answer"
local json = require "cunnekt.base.json"
local records = require "cunnekt.store.records"

local messages = {}

---The state of a message, by its id.
---@param store cunnekt.open_store
---@param id integer
---@return string? state nil when it is unknown
---@return string? message_id
function messages.state(store, id)
  local rows = store:read("message", { id = id })
  local row = rows[2] or rows[1] -- an accepted one is the second
  if not row then
    return nil
  end
  return records.state_of(row), row.message_id
end

-- Among so many ids before it the message is looked for that came before another one.
local near = 10000

---The message to a contact before another one, where that was accepted and has not arrived.
---@param store cunnekt.open_store
---@param contact string
---@param id integer
---@return integer? id
---@return table? payload
function messages.previous_of(store, contact, id)
  local row = store:read("previous_message", { contact = contact, after = id - near, before = id })[1]
  if not (row and row.payload) then
    return nil
  end
  return row.id, json.decode(row.payload)
end

---Whether there are messages whose delivery is uncertain.
---@param store cunnekt.open_store
---@return boolean
function messages.has_unknown(store)
  return store:read("has_unknown")[1] ~= nil
end

local function accepted(store, message_id)
  return store:read("accepted_message", { message_id = message_id })[1]
end

---The id of an accepted message.
---@param store cunnekt.open_store
---@param message_id string the provider's
---@return integer? id
function messages.id_of(store, message_id)
  local row = accepted(store, message_id)
  return row and row.id
end

-- States of messages that their recipient has never got.
local never_left = { queued = true, rejected = true, expired = true }

---Whether a message has this id in webhooks. An id that the provider made up itself says nothing of the one that WhatsApp gave.
---@param store cunnekt.open_store
---@param id integer
---@param message_id string of a webhook
---@return boolean? is_it nil when that is not known
---@return string? state nil when nothing is known of the message
function messages.is_known_as(store, id, message_id)
  local rows = store:read("message", { id = id })
  local last = rows[#rows]
  if not last then
    return nil
  end
  for _, row in ipairs(rows) do -- one that was sent again may have been accepted twice
    if row.message_id == message_id then
      return true, records.state_of(row)
    end
  end
  local state = records.state_of(last)
  local has_such_id = last.message_id and answer.is_wamid(last.message_id) == answer.is_wamid(message_id)
  if has_such_id or never_left[state] then
    return false, state
  end
  return nil, state
end

---The option `track` of an accepted message, and how far that is.
---@param store cunnekt.open_store
---@param message_id string
---@return table? track an empty table without one; nil when the message is unknown
---@return integer? rank
function messages.track_of(store, message_id)
  local row = accepted(store, message_id)
  if not row then
    return nil
  end
  return row.track and json.decode(row.track) or {}, row.rank
end

---Queues the fallback of a message that the provider reported as failed, under the message's id.
---@param store cunnekt.open_store
---@param message_id string
---@param now number
---@return integer? id nil when it has none, or is unknown
function messages.queue_fallback(store, message_id, now)
  local id = messages.id_of(store, message_id)
  local changed, err = store:repair("queue_fallback", { ids = { id }, now = now })
  if not changed then
    error(err, 0)
  end
  return changed[1]
end

---Assigns a status to a contact's message whose delivery is uncertain, if there is exactly one: it was accepted.
---@param store cunnekt.open_store
---@param contact string
---@param status table an event of kind "status"
---@param latest number latest time of its send
---@param earliest number earliest time of its send
---@return table? track as track_of; nil when there is none, or more than one
---@return integer? id the message's
function messages.settle_unknown(store, contact, status, latest, earliest)
  local rows = store:read("unknown_messages", { contact = contact, earliest = earliest, latest = latest })
  if #rows ~= 1 then
    return nil
  end
  local track = rows[1].track and json.decode(rows[1].track) or nil
  local row = { id = rows[1].id, contact = contact, track = track }
  local ok, err = store:call("settle", { outcomes = { records.accepted(row, status.id, { status }) } })
  if not ok then
    error(err, 0)
  end
  return track or {}, row.id
end

return messages
