-- SPDX-License-Identifier: MIT
-- bot.store: values that all conversations share. Changes are committed with the turn that made them; outside a turn,
-- immediately. Each turn records what it read, and is retried when another turn changed that first; but not for what it
-- listed: a turn that lists values would meet all that change one.

local json = require "cunnekt.base.json"
local receiver = require "cunnekt.base.receiver"
local steps = require "cunnekt.engine.steps"
local storable = require "cunnekt.base.storable"

local values = {}

local values_methods = {}
local values_mt = { __index = values_methods, __name = "cunnekt.keys" }

-- A value in a field would be gone at the next start.
function values_mt.__newindex(_, name)
  local what = type(name) == "string" and ("%q"):format(name) or tostring(name)
  error(("bot.store keeps nothing in its fields: call bot.store:set(%s, value)"):format(what), 2)
end

-- Values that are read at once; more are read when the script has gone through them.
local page_size = 100

---@class cunnekt.keys
---@param engine cunnekt.engine
---@return cunnekt.keys
function values.new(engine)
  return setmetatable({ _engine = engine }, values_mt)
end

local function check_key(name, self, key)
  if getmetatable(self) ~= values_mt then
    receiver.refuse("bot.store", name, self, 4)
  end
  if type(key) ~= "string" or key == "" then
    error(("store:%s: the key must be a string, got %s"):format(name, key == "" and "an empty one" or type(key)), 3)
  end
end

local function encode(where, key, value)
  if value == nil then
    return false
  end
  local ok, text = pcall(json.encode, value)
  if not ok then
    error(("%s('%s'): %s"):format(where, key, storable.reason(value, text)), 3)
  end
  return text
end

local function is_finite(number)
  return number - number == 0
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
  check_key("get", self, key)
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
  check_key("set", self, key)
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
  check_key("add", self, key)
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
  check_key("increment", self, key)
  if amount ~= nil and type(amount) ~= "number" then
    error(("store:increment: the amount must be a number, got %s"):format(type(amount)), 2)
  elseif amount and not is_finite(amount) then
    error(("store:increment('%s'): the amount is %s, which cannot be stored"):format(key, amount), 2)
  end
  return within(self, "increment", key, amount or 1, function(current)
    local text = read(self._engine, current, key)
    local value = text and json.decode(text) or 0
    if type(value) ~= "number" then
      error(("store:increment('%s'): the value is a %s, not a number"):format(key, type(value)), 0)
    end
    value = value + (amount or 1)
    if not is_finite(value) then
      error(("store:increment('%s'): the sum is %s, which cannot be stored"):format(key, value), 0)
    end
    current:buffer("values")[key] = json.encode(value)
    return value
  end)
end

---Deletes a key.
---@param key string
---@return boolean? ok
---@return cunnekt.error? err
function values_methods:delete(key)
  check_key("delete", self, key)
  return self:set(key, nil)
end

-- ---- lists ----------------------------------------------------------------------------------------------------------

---@class cunnekt.keys.page
---@field rows string[] keys and their values as JSON, in turns
---@field next string? the key after which the next page begins; nil: there is none

---@class cunnekt.keys.own what the turn had changed when a list began
---@field keys string[]? those of the list, sorted; nil before its first page
---@field at integer? the first one that the list has not reached

local function check_prefix(name, self, prefix)
  if getmetatable(self) ~= values_mt then
    receiver.refuse("bot.store", name, self, 4)
  end
  if prefix ~= nil and type(prefix) ~= "string" then
    error(("store:%s: the prefix must be a string, got %s"):format(name, type(prefix)), 3)
  end
  return prefix or ""
end

-- Notes what the turn has changed, once: noted for each page, a turn that changes all that it goes through would take time
-- with the square of it.
local function note_own(own, changes, prefix, after)
  if own.keys then
    return
  end
  local keys = {}
  for key in pairs(changes) do
    if key > after and key:sub(1, #prefix) == prefix then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys)
  own.keys, own.at = keys, 1
end

-- A page of the values under a prefix, behind a key, as the running turn sees them.
---@return cunnekt.keys.page
local function read_page(engine, prefix, after, own)
  local found = engine.store:read("scan_values", { prefix = prefix, after = after, limit = page_size })
  local current = engine.turns:current()
  local changes = current and current.values or {}
  note_own(own, changes, prefix, after)
  local rows = json.array {}
  local function put(key, text)
    if text then
      rows[#rows + 1], rows[#rows + 2] = key, text
    end
  end
  local function put_own(before)
    while own.keys[own.at] and (not before or own.keys[own.at] < before) do
      put(own.keys[own.at], changes[own.keys[own.at]])
      own.at = own.at + 1
    end
  end
  for i = 1, #found do
    local key, changed = found[i].key, changes[found[i].key]
    put_own(key)
    own.at = own.keys[own.at] == key and own.at + 1 or own.at
    if changed == nil then
      put(key, found[i].value)
    else
      put(key, changed)
    end
  end
  if found[page_size] then
    return { rows = rows, next = found[page_size].key }
  end
  put_own(nil)
  return { rows = rows }
end

---The keys that begin with a prefix, sorted by their bytes. Sees no conflicts: the turn is not retried when others add or
---delete some meanwhile.
---@param prefix? string all keys by default
---@return string[] keys
function values_methods:keys(prefix)
  prefix = check_prefix("keys", self, prefix)
  return steps.within("keys", prefix, function()
    local keys, own, after = json.array {}, {}, ""
    repeat
      local page = read_page(self._engine, prefix, after, own)
      for i = 1, #page.rows, 2 do
        keys[#keys + 1] = page.rows[i]
      end
      after = page.next
    until not after
    return keys
  end)
end

---Goes through the keys that begin with a prefix, sorted by their bytes, and their values: `for key, value in
---bot.store:each "order:" do`. Values may be changed meanwhile, and a page of 100 is read at once: what is changed, added or
---deleted behind the present key is seen as it was or as it is. Sees no conflicts, as `keys`.
---@param prefix? string all keys by default
---@return fun(): string?, any next
function values_methods:each(prefix)
  prefix = check_prefix("each", self, prefix)
  local page, at, own = { rows = {}, next = "" }, 0, {}
  return function()
    while at >= #page.rows do
      local after = page.next
      if not after then
        return nil
      end
      page, at = steps.within("each", { prefix, after }, function()
        return read_page(self._engine, prefix, after, own)
      end), 0
    end
    at = at + 2
    return page.rows[at - 1], (json.decode(page.rows[at]))
  end
end

return values
