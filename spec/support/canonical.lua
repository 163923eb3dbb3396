-- SPDX-License-Identifier: MIT
-- JSON with sorted keys and no spaces: two texts mean the same when these are the same bytes. 0, 0.0 and "0" differ.

local json = require "cunnekt.base.json"

local canonical = {}

local function write(value)
  if type(value) ~= "table" then
    return json.encode(value)
  end
  local parts = {}
  if #value > 0 or json.encode(value) == "[]" then
    for i, item in ipairs(value) do
      parts[i] = write(item)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(value) do
    parts[#parts + 1] = json.encode(key) .. ":" .. write(item)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

---@param value any a Lua value; a string is taken as JSON text
---@return string
function canonical.of(value)
  if type(value) == "string" then
    value = assert(json.decode(value))
  end
  return write(value)
end

return canonical
