-- SPDX-License-Identifier: MIT
-- The store's repairs for operators: retry or delete dead letters and undelivered messages; and the backup. Which ones is
-- operate's choice; so is telling a running service.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local states = require("cunnekt.provider.status").outbox_numbers
local task = require "cunnekt.base.task"

local repair = {}

-- Rows per request, so that commits never wait long behind it.
local step = 200

-- Calls `add(request, item)`, which appends statements, for each item; returns the items whose statement `result_at` changed
-- a row.
local function change_each(self, items, add, result_at)
  local changed = {}
  for first = 1, #items, step do
    local request, places = {}, {}
    for i = first, math.min(first + step - 1, #items) do
      places[i] = #request + result_at
      add(request, items[i])
    end
    local results, err = self:_run(request)
    if not results then
      return nil, err
    end
    for i = first, math.min(first + step - 1, #items) do
      local changes = results[places[i]]
      if changes and changes > 0 then
        changed[#changed + 1] = items[i]
      end
    end
  end
  return changed
end

---Makes dead letters pending events again, without attempts. Waits.
---@param seqs integer[]
---@return integer[]? requeued those that were dead letters
---@return cunnekt.error? err kind store
function repair:requeue_events(seqs)
  return change_each(self, seqs, function(request, seq)
    request[#request + 1] = {
      [[INSERT INTO event (seq, contact, body, accepted_at)
          SELECT seq, contact, body, accepted_at FROM dead WHERE seq = ?]],
      seq,
    }
    request[#request + 1] = { "DELETE FROM dead WHERE seq = ?", seq, want = "changes" }
  end, 2)
end

---Deletes events. One that is being handled finishes nevertheless. Waits.
---@param state "pending"|"dead"
---@param seqs integer[]
---@return integer[]? dropped those that existed
---@return cunnekt.error? err kind store
function repair:drop_events(state, seqs)
  local sql = state == "dead" and "DELETE FROM dead WHERE seq = ?" or "DELETE FROM event WHERE seq = ?"
  return change_each(self, seqs, function(request, seq)
    request[#request + 1] = { sql, seq, want = "changes" }
  end, 1)
end

---Queues undelivered messages again. Waits.
---@param ids integer[]
---@return integer[]? queued those that were unknown, rejected or failed
---@return cunnekt.error? err kind store
function repair:requeue_messages(ids)
  return change_each(self, ids, function(request, id)
    request[#request + 1] = {
      "UPDATE outbox SET state = ?, attempts = 0, error = NULL, changed_at = ? WHERE id = ? AND state > ?",
      states.queued,
      clock.now(),
      id,
      states.sending,
      want = "changes",
    }
  end, 1)
end

---Deletes messages that are not being sent. Waits.
---@param ids integer[]
---@return integer[]? dropped those that existed
---@return cunnekt.error? err kind store
function repair:drop_messages(ids)
  return change_each(self, ids, function(request, id)
    request[#request + 1] = { "DELETE FROM outbox WHERE id = ? AND state <> ?", id, states.sending, want = "changes" }
  end, 1)
end

---A queued message as a row for the outbox. Waits.
---@param id integer
---@return cunnekt.outbox.row? row nil when it is not queued
---@return cunnekt.error? err kind store
function repair:queued_message(id)
  local results, err = self:_run {
    {
      "SELECT contact, payload, unknown, track, attempts, follows, fallback FROM outbox WHERE id = ? AND state = ?",
      id,
      states.queued,
      want = "rows",
    },
  }
  local row = results and results[1][1]
  return row and {
    id = id,
    contact = row[1],
    payload = json.decode(row[2]),
    state = "queued",
    unknown = row[3],
    track = row[4] and json.decode(row[4]) or nil,
    attempts = row[5],
    after = row[6],
    fallback = row[7] and json.decode(row[7]) or nil,
  }, err
end

---Copies a consistent snapshot of the store to a file while it is in use. The file appears when it is complete. Waits.
---@param path string
---@return boolean? ok
---@return cunnekt.error? err kind store
function repair:backup(path)
  local ok, message, code = task.await(function(done)
    local is_taken, problem = self._db:backup(path, done)
    if not is_taken then
      done(nil, problem, "busy")
    end
  end)
  if not ok then
    return nil, errors.new("store", message, { code = code })
  end
  return true
end

return repair
