-- SPDX-License-Identifier: MIT
-- The store's part for events: accepting them without duplicates, reading pending ones, attempts and dead letters. An event is
-- deleted by the commit of its turn (turns.lua).

local clock = require "cunnekt.time.clock"
local limits = require "cunnekt.provider.limits"
local status_names = require "cunnekt.provider.status"
local units = require "cunnekt.time.units"
local hash_halves = require("cunnekt.core").hash_halves

local events = {}

-- Per request: a webhook of 3 MB may have tens of thousands of events.
local max_records = 1000
-- Rows per request when pending events are read at a start.
local page = 10000

-- Appends the update of a status's message, if the previous statement stored a new event.
local function add_status(self, request, status, now)
  local rank, why = status_names.rank_of(status)
  if rank then
    request[#request + 1] = { self._sql.raise_sent_if_new, rank, why, now, (hash_halves(status.id)), rank }
  end
end

-- Appends the statements for a record; returns the index of the one whose result says whether it was new.
local function add_record(self, request, record, day)
  local sql, now, event = self._sql, clock.now(), record.event
  self._seq = self._seq + 1
  record.seq = self._seq
  if not record.dedupe_key then
    request[#request + 1] = { sql.put_event, record.seq, record.contact, record.body, now }
    return #request
  end
  local hash, rest = hash_halves(record.dedupe_key)
  request[#request + 1] = { sql.see, hash, rest, day }
  request[#request + 1] = { sql.put_event_if_new, record.seq, record.contact, record.body, now }
  local result_at = #request
  if event and event.kind == "status" then
    add_status(self, request, event, now)
  end
  return result_at
end

local function accept_some(self, records, first, last, done)
  local request, result_at, day = { nil, nil }, {}, clock.now() // units.day
  for i = first, last do
    result_at[i] = add_record(self, request, records[i], day)
  end
  self:_start(request, function(results, err)
    if not results then
      return done(nil, err)
    end
    local fresh = {}
    for i = first, last do
      local changes = results[result_at[i]]
      if changes and changes > 0 then
        fresh[#fresh + 1] = records[i]
      end
    end
    done(fresh)
  end)
end

---Stores events; calls back after the commit.
---@param records cunnekt.inbox.record[] their `seq` is set
---@param done fun(fresh: cunnekt.inbox.record[]?, err: cunnekt.error?) those that are not duplicates
function events:accept(records, done)
  -- A request may be refused at once, before the next begins.
  local fresh, missing, failure = {}, math.ceil(#records / max_records), nil
  for first = 1, #records, max_records do
    accept_some(self, records, first, math.min(first + max_records - 1, #records), function(some, err)
      failure = failure or err
      table.move(some or {}, 1, #(some or {}), #fresh + 1, fresh)
      missing = missing - 1
      if missing == 0 then
        -- Stored events are handled even if others failed: the sender repeats the webhook, and they are duplicates then.
        done(fresh, failure)
      end
    end)
  end
  if #records == 0 then
    done({})
  end
end

---Appends the statements for an own event.
---@param request table[]
---@param record cunnekt.inbox.record its `seq` is set
---@param if_changed? boolean only if the previous statement changed a row
---@return integer place of the statement whose result says whether it was stored
function events:add_own(request, record, if_changed)
  local place = add_record(self, request, record)
  if if_changed then
    request[place][1] = self._sql.put_event_if_new
  end
  return place
end

---Stores an own event. Waits.
---@param record cunnekt.inbox.record its `seq` is set
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function events:put_own(record)
  local request = {}
  self:add_own(request, record)
  return self:_run(request)
end

---Stores an event for each watched window that ends soon, and ends its watch. Waits.
---@param make fun(contact: string, ends_at: number): cunnekt.inbox.record
---@return cunnekt.inbox.record[]? records
---@return cunnekt.error? err kind store
function events:closing_windows(make)
  local results, err = self:_run { { self._sql.get_closing, clock.now() } }
  if not results then
    return nil, err
  end
  local records, request = {}, {}
  for i, row in ipairs(results[1]) do
    records[i] = make(row[1], row[2] + limits.service_window)
    request[#request + 1] = { self._sql.unwatch_window, row[1] }
    self:add_own(request, records[i])
  end
  if #request == 0 then
    return records
  end
  local ok
  ok, err = self:_run(request)
  return ok and records or nil, err
end

---The body of a stored event. Waits.
---@param seq integer
---@return string? body nil when it was dropped
---@return cunnekt.error? err kind store
function events:event_body(seq)
  local results, err = self:_run { { self._sql.get_body, seq } }
  if not results then
    return nil, err
  end
  return results[1][1] and results[1][1][1]
end

---The unfinished events in order, without their bodies. Waits.
---@return cunnekt.inbox.record[]? records
---@return cunnekt.error? err kind store
function events:pending()
  local records, after = {}, 0
  repeat
    local results, err = self:_run { { self._sql.get_pending, after, page } }
    if not results then
      return nil, err
    end
    for _, row in ipairs(results[1]) do
      after = row[1]
      records[#records + 1] = { seq = row[1], contact = row[2], attempts = row[3] }
    end
  until #results[1] < page
  return records
end

---Stores the number of an event's attempts.
---@param record cunnekt.inbox.record
function events:note_attempt(record)
  self:_run_until_committed { { self._sql.note_attempt, record.attempts, record.seq } }
end

---Makes an event and the texts joined to it dead letters.
---@param record cunnekt.inbox.record
---@param err cunnekt.error
function events:bury(record, err)
  local request, why = {}, tostring(err.traceback or err)
  for _, one in ipairs { record, table.unpack(record.joined or {}) } do
    request[#request + 1] = { self._sql.put_dead, why, record.attempts, clock.now(), one.seq }
    request[#request + 1] = { self._sql.delete_event, one.seq }
  end
  self:_run_until_committed(request)
end

return events
