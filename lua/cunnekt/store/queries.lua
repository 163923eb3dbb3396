-- SPDX-License-Identifier: MIT
-- The store's queries for operators: lists and counts of events and messages. Tables are scanned in small steps, each a
-- request of its own, so that commits never wait long behind one. Nothing is changed here; repair.lua does that.

local json = require "cunnekt.base.json"
local status_names = require "cunnekt.provider.status"
local hash_halves = require("cunnekt.core").hash_halves

local queries = {}

-- Rows per step.
local step = 2000

local states = status_names.outbox_numbers

-- ---- filters -----------------------------------------------------------------------------------------------------

---@class cunnekt.store.filter
---@field contact? string a customer's number or user id, or the whole key of a conversation
---@field before? number only those that failed, were accepted or changed before that time
---@field after? number and not before that time
---@field limit? integer rows; all by default

-- In a conversation's key the customer follows the first colon.
local contact_fits = "(? IS NULL OR contact = ? OR substr(contact, instr(contact, X'3A') + 1) = ?)"

local function time_fits(column)
  return ("coalesce(%s, 0) < ? AND coalesce(%s, 0) >= ?"):format(column, column)
end

-- The parameters of both.
local function values_of(filter)
  local contact = filter.contact
  return contact, contact, contact, filter.before or math.huge, filter.after or -math.huge
end

-- ---- scans -------------------------------------------------------------------------------------------------------

-- Scans a table along its key; `on_rows` gets the rows of a step, and returns true when there are enough.
local function walk(self, name, key, columns, where, values, on_rows)
  local bounds = ("SELECT max(%s) FROM (SELECT %s FROM %s WHERE %s > ? ORDER BY %s LIMIT ?)"):format(key, key, name, key, key)
  local list = ("SELECT %s FROM %s WHERE %s > ? AND %s <= ? AND %s ORDER BY %s"):format(columns, name, key, key, where, key)
  local at = math.mininteger
  while true do
    local results, err = self:_run { { bounds, at, step, want = "rows" } }
    local last = results and results[1][1][1]
    if not last then
      return results ~= nil, err
    end
    local statement = { list, at, last, table.unpack(values, 1, values.n) }
    statement.want = "rows"
    results, err = self:_run { statement }
    if not results then
      return nil, err
    elseif on_rows(results[1]) then
      return true
    end
    at = last
  end
end

-- For the other parts of the store.
queries._walk = walk
queries._filters = {
  contact = contact_fits,
  time = time_fits,
  values = values_of,
}

-- Appends rows up to a limit; returns whether it is reached.
local function append(list, rows, limit, shape)
  for _, row in ipairs(rows) do
    if #list >= limit then
      return true
    end
    list[#list + 1] = shape(row)
  end
  return #list >= limit
end

-- ---- events ------------------------------------------------------------------------------------------------------

local event_columns = {
  pending = "seq, contact, attempts, accepted_at, NULL, NULL, body",
  dead = "seq, contact, attempts, accepted_at, failed_at, error, body",
}
-- Lists need only an event's type and the first line of its error; a body may have megabytes.
local short = { body = "CASE WHEN length(body) <= 16384 THEN body END", error = "substr(error, 1, 400)" }
local event_tables = { pending = "event", dead = "dead" }
local event_times = { pending = "accepted_at", dead = "failed_at" }

local function event_of(state)
  return function(row)
    return {
      seq = row[1],
      contact = row[2],
      state = state,
      attempts = row[3],
      accepted_at = row[4],
      failed_at = row[5],
      error = row[6],
      body = row[7],
    }
  end
end

---The events of a state, in the order of acceptance. Waits.
---@param state "pending"|"dead"
---@param filter cunnekt.store.filter
---@param has_bodies? boolean false: only seq and contact
---@return table[]? events seq, contact, state, attempts, accepted_at, failed_at, error (truncated), body (nil for a large one)
---@return cunnekt.error? err kind store
function queries:list_events(state, filter, has_bodies)
  local columns = has_bodies and event_columns[state]:gsub("%l+", short) or "seq, contact"
  local where = contact_fits .. " AND " .. time_fits(event_times[state])
  local list = {}
  local ok, err = walk(self, event_tables[state], "seq", columns, where, table.pack(values_of(filter)), function(rows)
    return append(list, rows, filter.limit or math.huge, event_of(state))
  end)
  return ok and list or nil, err
end

---One event, whatever its state. Waits.
---@param seq integer
---@return table? event as in list_events, with the whole error and body; nil when there is none
---@return cunnekt.error? err kind store
function queries:find_event(seq)
  for _, state in ipairs { "dead", "pending" } do
    local sql = ("SELECT %s FROM %s WHERE seq = ?"):format(event_columns[state], event_tables[state])
    local results, err = self:_run { { sql, seq, want = "rows" } }
    if not results then
      return nil, err
    elseif results[1][1] then
      return event_of(state)(results[1][1])
    end
  end
  return nil
end

-- ---- messages ----------------------------------------------------------------------------------------------------

local names = {}
for name, number in pairs(states) do
  names[number] = name
end

local message_columns = "id, contact, state, attempts, changed_at, error, payload, track, unknown"

local function message_of(row)
  return {
    id = row[1],
    contact = row[2],
    state = names[row[3]],
    attempts = row[4],
    changed_at = row[5],
    error = row[6],
    payload = json.decode(row[7]),
    track = row[8] and json.decode(row[8]) or nil,
    unknown = row[9],
  }
end

local sent_columns = "outbox, contact, rank, changed_at, error, message_id, track"

local function sent_of(row)
  return {
    id = row[1],
    contact = row[2],
    state = status_names.state_of_rank(row[3]),
    changed_at = row[4],
    error = row[5],
    message_id = row[6],
    track = row[7] and json.decode(row[7]) or nil,
  }
end

-- "(1, 3)" for the named states that have a number; nil when none has.
local function numbers_of(wanted, numbers)
  local list = {}
  for _, name in ipairs(wanted) do
    list[#list + 1] = numbers[name]
  end
  return list[1] and ("(%s)"):format(table.concat(list, ", ")) or nil
end

-- Keeps the newest rows; the table's order is random.
local function keep_newest(list, limit)
  table.sort(list, function(a, b)
    return (a.changed_at or 0) > (b.changed_at or 0)
  end)
  for i = #list, limit + 1, -1 do
    list[i] = nil
  end
end

---The messages of some states: first those in the outbox, in the order of the script's calls, then the newest accepted ones.
---Waits.
---@param wanted string[] queued sending unknown rejected failed accepted sent delivered read played
---@param filter cunnekt.store.filter
---@return table[]? messages id, contact, state, attempts, changed_at, error, payload, track, unknown; message_id
---@return cunnekt.error? err kind store
function queries:list_messages(wanted, filter)
  local limit = filter.limit or math.huge
  local where = contact_fits .. " AND " .. time_fits "changed_at"
  local values = table.pack(values_of(filter))
  local list, accepted = {}, {}
  local kept, ranks = numbers_of(wanted, states), numbers_of(wanted, status_names.ranks)
  local ok, err = true, nil
  if kept then
    ok, err = walk(self, "outbox", "id", message_columns, "state IN " .. kept .. " AND " .. where, values, function(rows)
      return append(list, rows, limit, message_of)
    end)
  end
  if ok and ranks and #list < limit then
    ok, err = walk(self, "sent", "hash", sent_columns, "rank IN " .. ranks .. " AND " .. where, values, function(rows)
      append(accepted, rows, math.huge, sent_of)
      if #accepted > 2 * (limit - #list) then
        keep_newest(accepted, limit - #list)
      end
    end)
  end
  keep_newest(accepted, limit - #list)
  table.move(accepted, 1, #accepted, #list + 1, list)
  return ok and list or nil, err
end

---One message, by its outbox id or by the provider's id. Waits.
---@param id integer|string
---@return table? message as in list_messages; nil when there is none
---@return cunnekt.error? err kind store
function queries:find_message(id)
  local results, err
  if type(id) == "string" then
    results, err = self:_run {
      { "SELECT " .. sent_columns .. " FROM sent WHERE hash = ? AND message_id = ?", (hash_halves(id)), id, want = "rows" },
    }
    return results and results[1][1] and sent_of(results[1][1]), err
  end
  results, err = self:_run {
    { "SELECT " .. message_columns .. " FROM outbox WHERE id = ?", id, want = "rows" },
    { "SELECT " .. sent_columns .. " FROM sent WHERE outbox = ?", id, want = "rows" },
  }
  if not results then
    return nil, err
  end
  local kept, accepted = results[1][1], results[2][1]
  return kept and message_of(kept) or accepted and sent_of(accepted) or nil
end

-- ---- counts ------------------------------------------------------------------------------------------------------

---The numbers of dead letters and undelivered messages. Cheap, because there are few. Waits.
---@return table<string, integer>? counts dead, unknown, rejected, failed
---@return cunnekt.error? err kind store
function queries:count_dead_letters()
  local results, err = self:_run {
    { "SELECT count(*) FROM dead", want = "rows" },
    { "SELECT state, count(*) FROM outbox WHERE state > 1 GROUP BY state", want = "rows" },
  }
  if not results then
    return nil, err
  end
  local counts = { dead = results[1][1][1], unknown = 0, rejected = 0, failed = 0 }
  for _, row in ipairs(results[2]) do
    counts[names[row[1]]] = row[2]
  end
  return counts
end

---The numbers of waiting events and messages. Scans both tables, so not for a running host, which has counters. Waits.
---@return {pending: integer, queued: integer}? counts
---@return cunnekt.error? err kind store
function queries:count_waiting()
  local results, err = self:_run {
    { "SELECT count(*) FROM event", want = "rows" },
    { "SELECT count(*) FROM outbox WHERE state <= 1", want = "rows" },
  }
  return results and { pending = results[1][1][1], queued = results[2][1][1] } or nil, err
end

---The latest time in the store. Waits.
---@return number? seconds since 1970; nil when there is none
---@return cunnekt.error? err kind store
function queries:latest_time()
  local results, err = self:_run {
    {
      [[SELECT max((SELECT coalesce(max(failed_at), 0) FROM dead),
          (SELECT coalesce(max(accepted_at), 0) FROM (SELECT accepted_at FROM event ORDER BY seq DESC LIMIT 100)),
          (SELECT coalesce(max(changed_at), 0) FROM (SELECT changed_at FROM outbox ORDER BY id DESC LIMIT 100)),
          (SELECT coalesce(max(changed_at), 0) FROM
            (SELECT changed_at FROM sent WHERE outbox IS NOT NULL ORDER BY outbox DESC LIMIT 100)))]],
      want = "rows",
    },
  }
  local latest = results and results[1][1][1]
  return latest and latest > 0 and latest or nil, err
end

---Runs SQLite's integrity check on the whole database. Waits, and blocks all other requests.
---@return string[]? problems empty when there are none
---@return cunnekt.error? err kind store
function queries:check_integrity()
  local results, err = self:_run { { "PRAGMA integrity_check(20)", want = "rows" } }
  if not results then
    return nil, err
  end
  local problems = {}
  for _, row in ipairs(results[1]) do
    if row[1] ~= "ok" then
      problems[#problems + 1] = row[1]
    end
  end
  return problems
end

---The version of SQLite, and the size of the database in bytes. Waits.
---@return {sqlite: string, bytes: integer}? facts
---@return cunnekt.error? err kind store
function queries:facts()
  local results, err = self:_run {
    { "SELECT sqlite_version()", want = "rows" },
    { "PRAGMA page_count", want = "rows" },
  }
  -- Databases have SQLite's default page size of 4 KiB.
  return results and { sqlite = results[1][1][1], bytes = results[2][1][1] * 4096 } or nil, err
end

return queries
