-- SPDX-License-Identifier: MIT
-- `pairs` and `next` of scripts: in a run they go through a table in an order that depends on its keys alone, and so is the same at
-- every replay. Outside runs they are Lua's own.

local canonical = require "cunnekt.base.canonical"
local steps = require "cunnekt.engine.steps"

local order = {}

local has_order = { number = true, string = true, boolean = true }

-- Keys that are tables or functions are ordered by their addresses, which differ at a replay.
local function check_keys(t, level)
  local count = 0
  for key in next, t do
    count = count + (has_order[type(key)] and 0 or 1)
  end
  if count > 1 then
    steps.refuse("iterating over a table with keys that are tables or functions", level + 1)
  end
end

-- The next of the keys that is still there, with its value, from a place on; and its place.
local function find_next(t, keys, place)
  for i = place, #keys do
    local value = t[keys[i]]
    if value ~= nil then
      return keys[i], value, i
    end
  end
  return nil
end

local function iterate(state)
  local key, value, place = find_next(state.t, state.keys, state.place)
  state.place = place and place + 1 or #state.keys + 1
  return key, value
end

---`pairs`
---@param t any
---@return function, any, any
function order.pairs(t)
  local mt = getmetatable(t)
  if not steps.outside_step() or type(t) ~= "table" or (type(mt) == "table" and mt.__pairs) then
    return pairs(t)
  end
  check_keys(t, 2)
  return iterate, { t = t, keys = canonical.keys(t), place = 1 }, nil
end

-- Table → its keys in order, and the place of each, while somebody goes through it with `next`.
local walks = setmetatable({}, { __mode = "k" })

local function begin_walk(t)
  local keys, places = canonical.keys(t), {}
  for i, key in ipairs(keys) do
    places[key] = i
  end
  walks[t] = { keys = keys, places = places }
  return walks[t]
end

-- A key that the loop itself has removed, or that another loop went on from, has its place in the order all the same.
local function place_after(walk, key)
  local place = walk.places[key]
  if place then
    return place + 1
  end
  for i, other in ipairs(walk.keys) do
    if canonical.before(key, other) then
      return i
    end
  end
  return #walk.keys + 1
end

-- Most who ask for a table's first key want to know whether there is one: it is found without putting all in order.
local function first(t)
  local least = next(t)
  for key in next, t do
    if canonical.before(key, least) then
      least = key
    end
  end
  walks[t] = nil -- there may be new keys
  return least, t[least]
end

---`next`
---@param t any
---@param key any
---@return any key
---@return any value
function order.next(t, key)
  if not steps.outside_step() or type(t) ~= "table" or (key == nil and next(t) == nil) then
    return next(t, key)
  end
  if key == nil then
    check_keys(t, 2)
    return first(t)
  end
  local walk = walks[t] or begin_walk(t)
  local found, value = find_next(t, walk.keys, place_after(walk, key))
  if found == nil then
    walks[t] = nil
  end
  return found, value
end

return order
