-- SPDX-License-Identifier: MIT
-- The store's part for messages: on their way, accepted, and those that came to no good end.

local clock = require "cunnekt.clock"
local json = require "cunnekt.json"
local keys = require "cunnekt.store.keys"

local messages = {}

local states = keys.message_states

-- Rows read at once when the outbox is looked up at a start.
local page = 10000

---Marks a message as being sent, before it is: found so after a crash, its outcome is unknown. Waits.
---@param row cunnekt.outbox.row
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function messages:mark_sending(row)
  return self:_run { { self._sql.change_outbox, states.sending, row.attempts, nil, clock.now(), row.id } }
end

---Notes what became of a message.
---@param row cunnekt.outbox.row
---@param state "accepted"|"queued"|"rejected"|"failed"|"unknown"
---@param message_id string?
---@param err cunnekt.error?
---@param record cunnekt.inbox.record? an event that tells the script, kept with it
---@param done fun()? called after the commit
function messages:settle(row, state, message_id, err, record, done)
  local sql, job = self._sql, nil
  if state == "accepted" then
    job = { { sql.delete_outbox, row.id } }
    if message_id then
      local hash = keys.halves(message_id)
      local track = row.track and json.encode(row.track) or nil
      job[2] = { sql.put_sent, hash, message_id, row.contact, track, keys.today() }
    end
  else
    job = { { sql.change_outbox, states[state], row.attempts, err and tostring(err), clock.now(), row.id } }
  end
  if record then
    self:add_own(job, record)
  end
  self:_insist(job, done)
end

---The messages that are on their way, in the order in which they were said. Waits.
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
      }
    end
  until #results[1] < page
  return rows
end

---What was given with a message that the provider accepted. Waits.
---@param message_id string
---@return table? track an empty table when nothing was given; nil when the message is not known
function messages:track_of(message_id)
  local results = assert(self:_run { { self._sql.get_sent, (keys.halves(message_id)), message_id } })
  local row = results[1][1]
  return row and (row[1] and json.decode(row[1]) or {})
end

return messages
