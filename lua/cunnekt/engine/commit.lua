-- SPDX-License-Identifier: MIT
-- What a turn changes, as the store takes it: struct cnk_turn of src/store/store.h, from the buffers of a turn. It decides
-- nothing and keeps nothing; turn.lua commits it.

local records = require "cunnekt.store.records"

local commit = {}

---Most turns buffer one or two kinds; the others share this empty table.
commit.nothing = setmetatable({}, {
  __newindex = function()
    error("call turn:buffer first", 2)
  end,
})
local nothing = commit.nothing

-- The states that changed. What they were changed from counts as read, even where it was read before an earlier commit.
local function changed_states(its_turn)
  local list = nothing
  if its_turn.states == nothing then
    return list
  end
  for contact, state in pairs(its_turn.states) do
    local text, is_changed = state:encode()
    if is_changed then
      state:record_version(its_turn)
      list = list == nothing and {} or list
      list[#list + 1] = { contact = contact, state = text }
    end
  end
  return list
end

---Begins a change with the states.
---@param its_turn cunnekt.turn
---@return table change
function commit.begin(its_turn)
  -- With the usual keys preallocated.
  return { event = nil, resume = nil, states = changed_states(its_turn), run = nil, messages = nil, joins = its_turn.joins }
end

---Whether a commit would change anything.
---@param its_turn cunnekt.turn
---@param change table with what its run has added
---@return boolean
function commit.is_empty(its_turn, change)
  if its_turn.record or change.run or change.ended or change.states[1] then
    return false
  end
  for _, kind in ipairs(its_turn.kinds) do
    -- Of states only those that did change are written.
    if kind ~= "states" and kind ~= "reads" and next(its_turn[kind]) ~= nil then
      return false
    end
  end
  return true
end

-- A buffer as a list: `shape` makes an item of each entry.
local function list_of(buffer, shape)
  local list = {}
  for key, value in pairs(buffer) do
    list[#list + 1] = shape(key, value)
  end
  return list
end

local function itself(_, value)
  return value
end

local function id_of(_, record)
  return record.id
end

-- Kind of buffer → puts it into the change.
local writers = {}

function writers.sends(change, rows)
  local messages = { records.message(rows[1]) }
  for i = 2, #rows do
    messages[i] = records.message(rows[i])
  end
  change.messages = messages
end

function writers.own_events(change, events)
  change.events = events
end

function writers.reads(change, reads)
  change.reads = list_of(reads, itself)
end

function writers.cuts(change, cuts)
  change.cuts = list_of(cuts, itself)
end

function writers.jobs(change, jobs)
  change.jobs = change.jobs or {}
  for _, job in pairs(jobs) do
    table.insert(change.jobs, job)
  end
end
writers.bindings = writers.jobs

function writers.values(change, values)
  change.values = list_of(values, function(key, text)
    return { key = key, value = text or nil }
  end)
end

function writers.watches(change, watches)
  change.watches = list_of(watches, function(contact, before)
    return { contact = contact, before = before }
  end)
end

function writers.pauses(change, pauses)
  change.pauses = list_of(pauses, function(contact, is_paused)
    return { contact = contact, is_paused = is_paused }
  end)
end

for _, kind in ipairs { "taken", "kept", "ends", "taken_events", "kept_events" } do
  writers[kind] = function(change, list)
    change[kind] = list
  end
end

-- `begin` has them.
function writers.states() end

---Adds the event, and what the turn has buffered.
---@param its_turn cunnekt.turn
---@param change table
function commit.complete(its_turn, change)
  local record, kinds = its_turn.record, its_turn.kinds
  if record then
    change.event, change.joined = record.id, record.joined and list_of(record.joined, id_of)
  end
  for i = 1, #kinds do
    local kind = kinds[i]
    writers[kind](change, its_turn[kind])
  end
end

return commit
