-- SPDX-License-Identifier: MIT
-- Actions: ids of buttons and list rows that carry values. They are declared once; packing and unpacking check them, so that
-- a handler never gets a partial or foreign id.
--
-- An id such as "order:7:yes" has the name and then the fields in order. Values keep their type: strings that look like
-- numbers, and the separator, are percent-encoded.

local filter = require "cunnekt.bot.filter"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local receiver = require "cunnekt.base.receiver"

local action = {}

-- The limit is in characters; applied to bytes, it is safe.
local max_id_bytes = limits.characters.button_id.max

---@class cunnekt.action
---@field name string
---@field private _fields {name: string, type: string?}[]
---@operator band(any): cunnekt.filter
---@operator bor(any): cunnekt.filter
---@operator bnot: cunnekt.filter
local action_methods = {}
local action_mt = { __index = action_methods, __name = "cunnekt.action" }
filter.lend_operators(action_mt)

local types = { "string", "number", "integer", "boolean" }

-- ---- one value ---------------------------------------------------------------------------------------------------

-- The number or boolean of a token; nil for a string.
local function read_plain(token)
  if token == "true" or token == "false" then
    return token == "true"
  elseif not token:find "^%-?%d[%d.e+-]*$" then
    return nil
  end
  return tonumber(token)
end

local function write_number(value)
  if math.type(value) == "integer" then
    return ("%d"):format(value)
  end
  for digits = 15, 17 do
    local text = ("%%.%dg"):format(digits):format(value)
    if tonumber(text) == value then
      return text:find "[.e]" and text or text .. ".0"
    end
  end
end

local function escape(byte)
  return ("%%%02X"):format(byte:byte())
end

local function write(value)
  if type(value) == "number" then
    return write_number(value)
  elseif type(value) == "boolean" then
    return tostring(value)
  end
  local text = value:gsub("[%%:%c]", escape)
  if not utf8.len(text) then
    text = text:gsub("[\x80-\xff]", escape) -- an id is JSON text
  end
  if read_plain(text) ~= nil then
    text = text:gsub("^.", escape)
  end
  return text
end

-- An id must not end with a blank, which a value may. In front of each id is the action's name.
local function without_last_blank(text)
  return (text:gsub(" $", escape))
end

-- nil for a token that `write` does not produce.
local function read(token)
  local value = read_plain(token)
  if value == nil then
    value = token:gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
  end
  local its = write(value)
  if its ~= token and without_last_blank(its) ~= token then
    return nil
  end
  return value
end

local function is_of(value, kind)
  if kind == "integer" then
    return math.type(value) == "integer"
  elseif kind then
    return type(value) == kind
  end
  local its = type(value)
  return its == "string" or its == "boolean" or (its == "number" and value == value and math.abs(value) < math.huge)
end

-- ---- an action ---------------------------------------------------------------------------------------------------

---Declares ids: a name, and the values that they carry.
---@param name string letters, digits, "_", "-" and "."
---@param fields string[] names of the values, in order; "id:integer" allows only integers, likewise "string", "number" and "boolean"
---@return cunnekt.action
function action.new(name, fields)
  if type(name) ~= "string" or not name:find "^[%w_.-]+$" then
    error("cunnekt.action: the name must be letters, digits, '_', '-' and '.'", 2)
  elseif type(fields or {}) ~= "table" then
    error(("cunnekt.action('%s'): the fields must be a list of names, got %s"):format(name, type(fields)), 2)
  end
  local self, seen = setmetatable({ name = name, _fields = {} }, action_mt), {}
  for i, text in ipairs(fields or {}) do
    local field, kind = tostring(text):match "^([%a_][%w_]*):?(%a*)$"
    local is_type = kind == ""
    for _, known in ipairs(types) do
      is_type = is_type or known == kind
    end
    if not field or not is_type or seen[field] then
      error(("cunnekt.action('%s'): '%s' is not a field such as 'id' or 'id:integer'"):format(name, tostring(text)), 2)
    end
    self._fields[i], seen[field] = { name = field, type = kind ~= "" and kind or nil }, true
  end
  return self
end

local function check_names(self, values)
  local known, names = {}, {}
  for i, field in ipairs(self._fields) do
    known[field.name], names[i] = true, field.name
  end
  for name in pairs(values) do
    if not known[name] then
      local near = options.suggest(tostring(name), names)
      local hint = near and (" (did you mean '%s'?)"):format(near) or ""
      error(("action '%s': unknown field '%s'%s"):format(self.name, tostring(name), hint), 3)
    end
  end
end

---Encodes an id. Raises when a field is missing, unknown or of the wrong type, and when the id exceeds 256 bytes.
---@param values? table<string, string|number|boolean> each field of the action; may be left out where there is none
---@return string id
function action_methods:pack(values)
  if getmetatable(self) ~= action_mt then
    receiver.refuse("action", "pack", self)
  elseif type(values or {}) ~= "table" then
    error(("action '%s': the values must be a table, got %s"):format(self.name, type(values)), 2)
  end
  values = values or {}
  check_names(self, values)
  local tokens = { self.name }
  for i, field in ipairs(self._fields) do
    local value = values[field.name]
    if not is_of(value, field.type) or (type(value) == "number" and not is_of(value)) then
      local wanted = field.type and ("must be of type " .. field.type) or "must be a string, a number, true or false"
      error(("action '%s': field '%s' %s, got %s"):format(self.name, field.name, wanted, math.type(value) or type(value)), 2)
    end
    tokens[i + 1] = write(value)
  end
  local id = without_last_blank(table.concat(tokens, ":"))
  if #id > max_id_bytes then
    error(("action '%s': the id would be %d bytes long; at most %d fit"):format(self.name, #id, max_id_bytes), 2)
  end
  return id
end

---Decodes an id.
---@param id any
---@return table<string, string|number|boolean>? values nil when the id is not one of this action
function action_methods:unpack(id)
  if getmetatable(self) ~= action_mt then
    receiver.refuse("action", "unpack", self)
  elseif type(id) ~= "string" or id:match "^[^:]*" ~= self.name then
    return nil
  end
  local values, count = {}, 0
  for token in id:sub(#self.name + 1):gmatch ":([^:]*)" do
    count = count + 1
    local field, value = self._fields[count], read(token)
    if not field or value == nil or not is_of(value, field.type) then
      return nil
    end
    values[field.name] = value
  end
  return count == #self._fields and values or nil
end

---Whether an event is a reply with such an id; sets `event.action` to its values.
---@param event table
---@return boolean
function action_mt:__call(event)
  local values = self:unpack(event.reply and event.reply.id or event.payload)
  if not values then
    return false
  end
  event.action = values
  return true
end

return action
