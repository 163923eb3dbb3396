-- SPDX-License-Identifier: MIT
-- What an earlier process left: events, messages and jobs, read at a start, page by page; and queued messages, of which memory
-- holds some. Ids do not order, so the events and the messages of each conversation are put into the order of their sequence
-- numbers here.

local records = require "cunnekt.store.records"

local recovery = {}

-- Rows per question. A message has its payload with it, an event does not.
local many, some = 10000, 1000

---Whether an event or a message of a conversation was stored before another one.
---@param a {id: integer, seq: integer?}
---@param b {id: integer, seq: integer?}
---@return boolean
function recovery.comes_before(a, b)
  local first, second = a.seq or 0, b.seq or 0
  if first ~= second then
    return first < second
  end
  return a.id < b.id
end

-- Sorts a list that is in order of id: the places of a conversation's items stay, and in them they are in order of sequence.
-- So what many conversations left is done on the whole in the order in which it came.
local function sort(list)
  local places_of = {}
  for i, item in ipairs(list) do
    local places = places_of[item.contact] or {}
    places_of[item.contact] = places
    places[#places + 1] = i
  end
  for _, places in pairs(places_of) do
    local items = {}
    for i, place in ipairs(places) do
      items[i] = list[place]
    end
    table.sort(items, recovery.comes_before)
    for i, place in ipairs(places) do
      list[place] = items[i]
    end
  end
  return list
end

-- A row that is what is wanted as it is: a table less for each.
local function itself(row)
  return row
end

-- All rows of a question that is asked in pages.
local function walk(store, what, limit, key, first, shape, parameters)
  local list, after = {}, first
  parameters = parameters or {}
  parameters.limit = limit
  repeat
    parameters.after = after
    local rows, err = store:query(what, parameters)
    if not rows then
      return nil, err
    end
    for _, row in ipairs(rows) do
      after = row[key]
      list[#list + 1] = shape(row)
    end
  until #rows < limit
  return list
end

---The unfinished events in order, without their bodies. Waits.
---@param store cunnekt.open_store
---@return cunnekt.inbox.record[]? records
---@return cunnekt.error? err kind store
function recovery.events(store)
  local list, err = walk(store, "pending", many, "id", 0, itself)
  return list and sort(list), err
end

---The queued messages and those being sent, in the order of the script's calls. Waits.
---@param store cunnekt.open_store
---@return cunnekt.outbox.row[]? rows
---@return cunnekt.error? err kind store
function recovery.messages(store)
  local list, err = walk(store, "outgoing", some, "id", 0, records.outgoing, { parked = 1 })
  return list and sort(list), err
end

---The messages that an earlier process was sending, in the order of the script's calls. The others that it had in memory are parked. Waits.
---@param store cunnekt.open_store
---@param first_own integer? ids from this one on are of messages that this process has sent already: the top of its script may
---@return cunnekt.outbox.row[]? rows
---@return cunnekt.error? err kind store
function recovery.park(store, first_own)
  local list, err = walk(store, "outgoing", some, "id", 0, records.outgoing, { parked = 0 })
  if not list then
    return nil, err
  end
  local sending, queued = {}, {}
  for _, row in ipairs(list) do
    if row.id >= (first_own or math.huge) then
      goto continue
    elseif row.state == "sending" then
      sending[#sending + 1] = row
    else
      queued[#queued + 1] = row.id
    end
    ::continue::
  end
  local parked
  parked, err = store:repair("park_message", { ids = queued })
  return parked and sort(sending), err
end

---The numbers of parked messages: that are queued, and in no memory. Waits.
---@param store cunnekt.open_store
---@return {replies: integer, bulk: integer, timed: integer}? counts `timed`: of both kinds, that have a time before which they are not sent
---@return cunnekt.error? err kind store
function recovery.count_parked(store)
  local rows, err = store:query "count_parked"
  return rows and rows[1], err
end

---Some parked messages. Waits.
---@param store cunnekt.open_store
---@param what "parked_messages"|"due_messages"|"parked_of" the question
---@param parameters table<string, any>
---@return cunnekt.outbox.row[]? rows
---@return cunnekt.error? err kind store
function recovery.page(store, what, parameters)
  local rows, err = store:query(what, parameters)
  if not rows then
    return nil, err
  end
  for i, row in ipairs(rows) do
    rows[i] = records.outgoing(row)
  end
  return rows
end

---All named jobs. Waits.
---@param store cunnekt.open_store
---@return table[]? rows name, version, spec, due, catch_up, runs, args, ran, last, attempts
---@return cunnekt.error? err kind store
function recovery.jobs(store)
  return walk(store, "jobs", some, "name", "", itself)
end

---One named job. Waits.
---@param store cunnekt.open_store
---@param name string
---@return table? row nil when there is none
---@return cunnekt.error? err kind store
function recovery.job(store, name)
  local rows, err = store:query("job", { name = name })
  if not rows then
    return nil, err
  end
  return rows[1]
end

return recovery
