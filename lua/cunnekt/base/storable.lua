-- SPDX-License-Identifier: MIT
-- What is said of a value that JSON cannot hold, and so cannot be stored: where a message or a chat is in it, rather than the first
-- of the many functions in that. Values are encoded by their owners; json.lua says what it can hold.

local canonical = require "cunnekt.base.canonical"
local json = require "cunnekt.base.json"

local storable = {}

local named = { ["cunnekt.message"] = "a message", ["cunnekt.event"] = "an event", ["cunnekt.chat"] = "a chat", ["cunnekt.bot"] = "a bot" }

-- What the first object of ours in a value is, and where; nil: there is none.
local function object_in(value, place, seen)
  if type(value) ~= "table" or seen[value] then
    return nil
  end
  seen[value] = true
  local mt = debug.getmetatable(value)
  local name = type(mt) == "table" and named[mt.__name]
  if name then
    return name, place
  end
  for _, key in ipairs(canonical.keys(value)) do
    local shown = type(key) == "string" and "." .. key or ("[%s]"):format(tostring(key))
    local found, at = object_in(value[key], place .. shown, seen)
    if found then
      return found, at
    end
  end
  return nil
end

---Why a value cannot be stored, in words.
---@param value any
---@param problem string what json.encode raised
---@return string
function storable.reason(value, problem)
  local found, at = object_in(value, "value", {})
  if not found then
    return problem
  end
  return ("%s is %s; store what you need of it, such as msg.from"):format(at, found)
end

---A value as the store will give it back, which later changes of the script's tables do not affect. Raises, blaming the line that
---gives it, for one that cannot be stored.
---@param where string the function that gets it
---@param what string
---@param value any
---@param level integer as in `error`
---@return any copy
function storable.copy(where, what, value, level)
  if value == nil then
    return nil
  end
  local ok, text = pcall(json.encode, value)
  if not ok then
    error(("%s: %s cannot be stored: %s"):format(where, what, storable.reason(value, text)), level + 1)
  end
  return (json.decode(text))
end

return storable
