-- SPDX-License-Identifier: MIT
-- bot.store: values that all conversations share. Changes hold with the turn that made them; outside a turn, at once.

local errors = require "cunnekt.errors"
local json = require "cunnekt.json"
local turn = require "cunnekt.turn"

local keys = {}

local keys_methods = {}
local keys_mt = { __index = keys_methods, __name = "cunnekt.keys" }

-- Stands for "deleted" among a turn's changes.
local gone = {}
keys.gone = gone

---@class cunnekt.keys
---@param bot table
function keys.new(bot)
  return setmetatable({ _bot = bot }, keys_mt)
end

local function check_key(where, key)
  if type(key) ~= "string" or key == "" then
    error(("%s: the key must be a string, got %s"):format(where, key == "" and "an empty one" or type(key)), 3)
  end
end

local function encode(where, key, value)
  local ok, text = pcall(json.encode, value)
  if not ok then
    error(("%s('%s'): %s"):format(where, key, text), 3)
  end
  return text
end

-- The text under a key: as this turn has changed it, or as it is kept.
local function read(self, key)
  local current = turn.current(self._bot)
  local changed = current and current.values[key]
  if changed == gone then
    return nil
  end
  return changed or self._bot._store:value(key)
end

local function write(self, key, text)
  return turn.within(self._bot, function(current)
    current.values[key] = text
    return true
  end)
end

---The value under a key.
---@param key string
---@param otherwise? any given back where there is none
---@return any
function keys_methods:get(key, otherwise)
  check_key("store:get", key)
  local text = read(self, key)
  if text == nil then
    return otherwise
  end
  return (json.decode(text))
end

---Keeps a value: anything that JSON can hold; nil deletes.
---@param key string
---@param value any
---@return boolean? ok
---@return cunnekt.error? err kind store, outside a turn only
function keys_methods:set(key, value)
  check_key("store:set", key)
  return write(self, key, value == nil and gone or encode("store:set", key, value))
end

---Adds to a number, which is 0 where there is none.
---@param key string
---@param amount? number 1 by default
---@return number? sum
---@return cunnekt.error? err
function keys_methods:add(key, amount)
  check_key("store:add", key)
  local sum = self:get(key, 0)
  if type(sum) ~= "number" then
    error(("store:add('%s'): the value is a %s, not a number"):format(key, type(sum)), 2)
  end
  sum = sum + (amount or 1)
  local ok, err = write(self, key, encode("store:add", key, sum))
  if not ok then
    return nil, err
  end
  return sum
end

---Deletes a key.
---@param key string
---@return boolean? ok
---@return cunnekt.error? err
function keys_methods:delete(key)
  check_key("store:delete", key)
  return write(self, key, gone)
end

return keys
