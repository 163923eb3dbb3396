-- SPDX-License-Identifier: MIT
-- JSON. The only module that requires lua-cjson, which it reads with; src/bind/json/json.c makes up for its defects: integers
-- stay integers, [] stays a list, text is UTF-8, and only what RFC 8259 allows is JSON. It has its own instance of lua-cjson, so
-- settings that a script makes on `require "cjson"` have no effect here. src/bind/json/encode.c writes.

local cjson = require "cjson".new()
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"

local array_mt = core.json_array_mt

-- As in src/json/scan.h, which refuses deeper texts before lua-cjson sees them.
local max_depth = 128

cjson.decode_max_depth(max_depth)

---@class cunnekt.json
---@field null lightuserdata JSON's null, which differs from every other value of Lua
local json = {}

---JSON's null, which differs from every other value of Lua. It counts as true in a condition.
---@type lightuserdata
json.null = cjson.null

---Marks a table as a list, so that it is encoded as `[]` even when empty. An empty list that comes out of
---`json.decode` is marked already.
---@generic T : table
---@param list? T taken and returned; a new table by default
---@return T list
function json.array(list)
  if list == nil then list = {} end
  if type(list) ~= "table" then error("json.array: expected a table, got " .. type(list), 2) end
  return setmetatable(list, array_mt)
end

---Reads a JSON text (RFC 8259; a leading byte order mark is skipped, at most 128 levels).
---
---Numbers without fraction and exponent are integers when they fit 64 bits, other numbers are floats. Bytes that are
---not UTF-8 and halves of surrogate pairs become U+FFFD. Of equal keys in an object the last one counts.
---@type fun(text: string): any, cunnekt.error? the value; or nil and an error of kind "invalid", which says what is wrong and at which byte (null is `json.null`)
json.decode = nil

---Writes a value as JSON. Tables with string keys are objects, tables with the keys 1..n are lists, an empty table is
---`{}` and an empty `json.array()` is `[]`. Metatables have no other effect. Members are in the order of their names' bytes, so
---that equal values give equal texts. Bytes that are not UTF-8 become U+FFFD.
---
---Raises, naming the place, for what JSON cannot hold: nil, functions, userdata, nan and infinities, lists with holes
---or with string keys, other keys, and more than 128 levels.
---@type fun(value: any): string
json.encode = nil

---As json.decode, for a text from outside: one with more values (scalars, lists and objects, all counted) costs little, and is
---an error of kind "too_large".
---@type fun(text: string, most: integer): any, cunnekt.error?
json.decode_bounded = nil

json.decode, json.decode_bounded = core.json_codec(cjson.decode, errors.new)
json.encode = core.json_encoder()

return json
