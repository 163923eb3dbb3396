-- SPDX-License-Identifier: MIT
-- bot.store: values that all conversations share. Changes are committed with the turn that made them; outside a turn,
-- immediately. Each turn records what it read, and is retried when another turn changed that first.

local json = require "cunnekt.base.json"
local steps = require "cunnekt.engine.steps"

local values = {}

local values_methods = {}
local values_mt = { __index = values_methods, __name = "cunnekt.keys" }

---@class cunnekt.keys
---@param engine cunnekt.engine
---@return cunnekt.keys
function values.new(engine)
  return setmetatable({ _engine = engine }, values_mt)
end

local function check_key(where, key)
  if type(key) ~= "string" or key == "" then
    error(("%s: the key must be a string, got %s"):format(where, key == "" and "an empty one" or type(key)), 3)
  end
end

local function encode(where, key, value)
  if value == nil then
    return false
  end
  local ok, text = pcall(json.encode, value)
  if not ok then
    error(("%s('%s'): %s"):format(where, key, text), 3)
  end
  return text
end

-- The JSON under a key: as changed by this turn, or from the store.
local function read(engine, current, key)
  local changed = current.values[key]
  if changed ~= nil then
    return changed or nil
  end
  local text, version = engine.store:value(key)
  current:record_read("value", key, version)
  return text
end

-- Makes a change in the running turn, as a step of its run.
local function within(self, kind, key, given, change)
  local err
  local result = steps.within(kind, { key, given }, function()
    local value
    value, err = self._engine.turns:within(change)
    return value
  end)
  return result, err
end

---The value under a key.
---@param key string
---@param otherwise? any returned when there is none
---@return any
function values_methods:get(key, otherwise)
  check_key("store:get", key)
  local text = steps.within("get", key, function()
    return read(self._engine, self._engine.turns:current() or self._engine.turns:new(), key)
  end)
  if text == nil then
    return otherwise
  end
  return (json.decode(text))
end

---Saves a value: anything that JSON can represent; nil deletes.
---@param key string
---@param value any
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside a turn
function values_methods:set(key, value)
  check_key("store:set", key)
  local text = encode("store:set", key, value)
  return within(self, "set", key, value, function(current)
    current:buffer("values")[key] = text
    return true
  end)
end

---Saves a value if the key does not exist.
---@param key string
---@param value any not nil
---@return boolean is_first false when the key exists
---@return cunnekt.error? err kind store; only outside a turn
function values_methods:add(key, value)
  check_key("store:add", key)
  if value == nil then
    error(("store:add('%s'): expected a value, got nil"):format(key), 2)
  end
  local text = encode("store:add", key, value)
  return within(self, "add", key, value, function(current)
    if read(self._engine, current, key) ~= nil then
      return false
    end
    current:buffer("values")[key] = text
    return true
  end)
end

---Adds to a number; a missing one is 0.
---@param key string
---@param amount? number 1 by default
---@return number? sum
---@return cunnekt.error? err kind store; only outside a turn
function values_methods:increment(key, amount)
  check_key("store:increment", key)
  return within(self, "increment", key, amount or 1, function(current)
    local text = read(self._engine, current, key)
    local value = text and json.decode(text) or 0
    if type(value) ~= "number" then
      error(("store:increment('%s'): the value is a %s, not a number"):format(key, type(value)), 0)
    end
    value = value + (amount or 1)
    current:buffer("values")[key] = json.encode(value)
    return value
  end)
end

---Deletes a key.
---@param key string
---@return boolean? ok
---@return cunnekt.error? err
function values_methods:delete(key)
  return self:set(key, nil)
end

return values
