-- SPDX-License-Identifier: MIT
-- The store's part for messages: those in the outbox (queued, sending, unknown, rejected, failed) and accepted ones with
-- their latest status. The states are provider/status.lua's. What a turn sends is stored by turns.lua.

local clock = require "cunnekt.time.clock"
local json = require "cunnekt.base.json"
local status_names = require "cunnekt.provider.status"
local units = require "cunnekt.time.units"
local hash_halves = require("cunnekt.core").hash_halves

local messages = {}

local states = status_names.outbox_numbers

-- The statement that stores an accepted message. `statuses`: those that arrived before its response.
local function put_sent(self, message_id, contact, track, id, statuses)
  local rank, why = status_names.ranks.accepted, nil
  for _, status in ipairs(statuses or {}) do
    local its_rank, its_why = status_names.rank_of(status)
    if its_rank and its_rank > rank then
      rank, why = its_rank, its_why
    end
  end
  local hash = hash_halves(message_id)
  return { self._sql.put_sent, hash, message_id, contact, track, rank, why, clock.now(), clock.now() // units.day, id }
end

-- Rows per request when the outbox is read at a start.
local page = 10000

---Marks a message as being sent, before it is: found so after a crash, its delivery is uncertain. Waits.
---@param row cunnekt.outbox.row
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function messages:mark_sending(row)
  return self:_run { { self._sql.change_outbox, states.sending, row.attempts, nil, clock.now(), row.id } }
end

---Replaces a message's payload by its fallback. Waits.
---@param row cunnekt.outbox.row
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function messages:replace_payload(row)
  return self:_run { { self._sql.change_payload, json.encode(row.payload), row.id } }
end

---Stores the outcome of a message.
---@param row cunnekt.outbox.row
---@param state "accepted"|"queued"|"rejected"|"failed"|"unknown"
---@param message_id string?
---@param err cunnekt.error?
---@param records cunnekt.inbox.record[]? events that report it, stored with it
---@param done fun()? called after the commit
---@return integer seq of the last event that was stored before it
function messages:settle(row, state, message_id, err, records, done)
  local sql, request = self._sql, {}
  if state == "accepted" then
    request[1] = { sql.delete_outbox, row.id }
    if message_id then
      local track = row.track and json.encode(row.track) or nil
      request[2] = put_sent(self, message_id, row.contact, track, row.id, row.statuses)
    end
  else
    -- After a crash the time of the send is kept, because settle_unknown compares a status with it.
    local at = row.lost_at or clock.now()
    request[1] = { sql.change_outbox, states[state], row.attempts, err and tostring(err), at, row.id }
  end
  for _, record in ipairs(records or {}) do
    self:add_own(request, record)
  end
  self:_run_until_committed(request, done)
  return self._seq
end

---Applies a status that was stored before the message was stored as accepted.
---@param status table an event of kind "status"
function messages:raise_sent(status)
  local rank, why = status_names.rank_of(status)
  if rank then
    self:_run_until_committed { { self._sql.raise_sent, rank, why, clock.now(), (hash_halves(status.id)), rank } }
  end
end

---The queued messages and those being sent, in the order of the script's calls. Waits.
---@return table[]? rows id, contact, payload, state ("queued" or "sending"), unknown, track, attempts
---@return cunnekt.error? err kind store
function messages:outgoing()
  local rows, after = {}, 0
  repeat
    local results, err = self:_run { { self._sql.get_outgoing, after, page } }
    if not results then
      return nil, err
    end
    for _, row in ipairs(results[1]) do
      after = row[1]
      rows[#rows + 1] = {
        id = row[1],
        contact = row[2],
        payload = json.decode(row[3]),
        state = row[4] == states.sending and "sending" or "queued",
        unknown = row[5],
        track = row[6] and json.decode(row[6]) or nil,
        attempts = row[7],
        after = row[8],
        fallback = row[9] and json.decode(row[9]) or nil,
        changed_at = row[10],
      }
    end
  until #results[1] < page
  return rows
end

---The state of a message, by its outbox id. Waits.
---@param id integer
---@return string? state nil when it is unknown
---@return string? message_id
function messages:message_state(id)
  local results = assert(self:_run { { self._sql.get_sent_by_id, id }, { self._sql.get_outbox_state, id } })
  local accepted, kept = results[1][1], results[2][1]
  if accepted then
    return status_names.state_of_rank(accepted[2]), accepted[1]
  end
  for name, number in pairs(states) do
    if kept and kept[1] == number then
      return name
    end
  end
  return nil
end

---Whether there are messages whose delivery is uncertain. Waits.
---@return boolean
function messages:has_unknown()
  local results = assert(self:_run { { self._sql.has_unknown, states.unknown } })
  return results[1][1] ~= nil
end

---Assigns a status to a contact's message whose delivery is uncertain, if there is exactly one: it was accepted. Waits.
---@param contact string
---@param status table an event of kind "status"
---@param latest number latest time of its send
---@param earliest number earliest time of its send
---@return table? track as track_of; nil when there is none, or more than one
function messages:settle_unknown(contact, status, latest, earliest)
  local sql = self._sql
  local results = assert(self:_run { { sql.get_unknown, contact, states.unknown, earliest, latest } })
  local rows = results[1]
  if #rows ~= 1 then
    return nil
  end
  local id, track = table.unpack(rows[1])
  assert(self:_run {
    { sql.delete_outbox, id },
    put_sent(self, status.id, contact, track, id, { status }),
  })
  return track and json.decode(track) or {}
end

---The outbox id of a message, by the provider's id. Waits.
---@param message_id string
---@return integer?
function messages:outbox_id_of(message_id)
  local results = assert(self:_run { { self._sql.get_sent, (hash_halves(message_id)), message_id } })
  return results[1][1] and results[1][1][2]
end

---The option `track` of an accepted message. Waits.
---@param message_id string
---@return table? track an empty table without one; nil when the message is unknown
function messages:track_of(message_id)
  local results = assert(self:_run { { self._sql.get_sent, (hash_halves(message_id)), message_id } })
  local row = results[1][1]
  return row and (row[1] and json.decode(row[1]) or {})
end

return messages
