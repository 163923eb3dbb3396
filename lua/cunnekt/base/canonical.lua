-- SPDX-License-Identifier: MIT
-- Values as text, equal for equal values whatever the order of a table's keys: dialogs compare by it what a script does
-- now with what it did before. It is not meant to be read back.
-- Journals hold it, so it never changes: src/json/canonical.h.

local core = require "cunnekt.core"

local canonical = {}

---Whether a key comes before another one.
---@param a any
---@param b any
---@return boolean
function canonical.before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then
    return kind_a < kind_b
  elseif kind_a == "number" or kind_a == "string" then
    return a < b
  end
  return tostring(a) < tostring(b)
end

---The keys of a table, in an order that depends on nothing but the keys: numbers, then strings.
---@param t table
---@return any[]
function canonical.keys(t)
  local keys = {}
  for key in next, t do
    keys[#keys + 1] = key
  end
  table.sort(keys, canonical.before)
  return keys
end

---The text of a value made of tables, strings, numbers and booleans.
---@type fun(value: any): string
canonical.text = core.canonical

return canonical
