-- SPDX-License-Identifier: MIT
-- Types as LuaCATS annotations write them, and what an object of a class has. The classes are those of public.lua, which the
-- build makes of the annotations in the sources (src/host/embed_annotations.lua).

local types = {}

---@class cunnekt.check.type
---@field kind "name"|"literal"|"union"|"list"|"map"|"shape"|"fun"
---@field name? string of a class or a basic type
---@field value? string of a literal
---@field of? cunnekt.check.type of a list's items, of a map's values
---@field fields? table<string, cunnekt.check.type> of a shape
---@field params? {name: string, type: cunnekt.check.type}[] of a fun
---@field results? cunnekt.check.type[] of a fun

-- ---- reading -------------------------------------------------------------------------------------------------------

local read_type

local function skip_blanks(text, at)
  return text:find("%S", at) or #text + 1
end

-- `name: type`, `name?: type` or `name`, as between the parentheses of a fun and the braces of a shape.
local function read_named(text, at)
  local name, mark, next_at = text:match("^([%w_.]+)(%??)()", at)
  if not name then
    return nil
  end
  local colon = text:match("^%s*:%s*()", next_at)
  local its_type, last = { kind = "name", name = "any" }, next_at
  if colon then
    its_type, last = read_type(text, colon)
  end
  if mark == "?" then
    its_type = { kind = "union", its_type, { kind = "name", name = "nil" } }
  end
  return { name = name, type = its_type }, last
end

local function read_members(text, at, closing)
  local members = {}
  at = skip_blanks(text, at)
  while text:sub(at, at) ~= closing do
    local member, last = read_named(text, at)
    if not member then
      return members, text:find(closing, at, true) + 1
    end
    members[#members + 1] = member
    at = text:match("^%s*,?%s*()", last)
  end
  return members, at + 1
end

local function read_results(text, at)
  local results = {}
  at = text:match("^%s*:%s*()", at) or at
  while true do
    local its_type, last = read_type(text, at)
    results[#results + 1] = its_type
    local next_at = text:match("^%s*,%s*()", last)
    -- What follows the comma may be the next parameter of the function around this one.
    if not next_at or text:find("^[%w_]+%??%s*:", next_at) then
      return results, last
    end
    at = next_at
  end
end

local function read_fun(text, at)
  local params, last = read_members(text, at, ")")
  local results = {}
  if text:find("^%s*:", last) then
    results, last = read_results(text, last)
  end
  return { kind = "fun", params = params, results = results }, last
end

local function read_generic(text, name, at)
  local inner = {}
  repeat
    local its_type, last = read_type(text, skip_blanks(text, at))
    inner[#inner + 1] = its_type
    at = text:match("^%s*,()", last)
    if not at then
      at = text:match("^%s*>()", last)
      break
    end
  until false
  local is_map = name == "table" and inner[2]
  return is_map and { kind = "map", of = inner[2] } or { kind = "name", name = name }, at
end

local function read_atom(text, at)
  local value, last = text:match('^"([^"]*)"()', at)
  if value then
    return { kind = "literal", value = value }, last
  elseif text:sub(at, at) == "(" then
    local inner, after = read_type(text, at + 1)
    return inner, text:match("^%s*%)()", after)
  elseif text:sub(at, at) == "{" then
    local members, after = read_members(text, at + 1, "}")
    local fields = {}
    for _, member in ipairs(members) do
      fields[member.name] = member.type
    end
    return { kind = "shape", fields = fields }, after
  elseif text:find("^fun%(", at) then
    return read_fun(text, at + 4)
  end
  local name, after = text:match("^([%a_][%w_.]*)()", at)
  if not name then
    return { kind = "name", name = "any" }, text:match("^%.*()", at)
  elseif text:sub(after, after) == "<" then
    return read_generic(text, name, after + 1)
  end
  -- A full stop after a type ends a sentence.
  local trimmed = name:gsub("%.+$", "")
  return { kind = "name", name = trimmed }, after - (#name - #trimmed)
end

local function read_postfixed(text, at)
  local its_type, last = read_atom(text, at)
  while true do
    if text:find("^%[%]", last) then
      its_type, last = { kind = "list", of = its_type }, last + 2
    elseif text:sub(last, last) == "?" then
      its_type, last = { kind = "union", its_type, { kind = "name", name = "nil" } }, last + 1
    else
      return its_type, last
    end
  end
end

function read_type(text, at)
  local first, last = read_postfixed(text, at)
  if not text:find("^|", last) then
    return first, last
  end
  local union = { kind = "union", first }
  while text:find("^|", last) do
    union[#union + 1], last = read_postfixed(text, last + 1)
  end
  return union, last
end

---Reads a type at the beginning of a text.
---@param text string
---@return cunnekt.check.type
---@return integer last the place behind it
function types.read(text)
  return read_type(text, skip_blanks(text, 1))
end

local read_before = {}

-- The type of an annotation; each text is read once.
local function read_once(text)
  local its_type = read_before[text]
  if not its_type then
    its_type = types.read(text)
    read_before[text] = its_type
  end
  return its_type
end

-- ---- classes -------------------------------------------------------------------------------------------------------

local classes

local function class_of(name)
  classes = classes or require "cunnekt.cli.check.public"
  return classes[name]
end

local function add_alternatives(its_type, list)
  if its_type.kind == "union" then
    for _, one in ipairs(its_type) do
      add_alternatives(one, list)
    end
    return
  end
  local class = its_type.kind == "name" and class_of(its_type.name)
  if class and class.alias then
    return add_alternatives(read_once(class.alias), list)
  end
  list[#list + 1] = its_type
end

local alternatives_of = setmetatable({}, { __mode = "k" })

---The members of a union, or the type alone; what an alias names in its place.
---@param its_type cunnekt.check.type
---@return cunnekt.check.type[]
function types.alternatives(its_type)
  local list = alternatives_of[its_type]
  if not list then
    list = {}
    add_alternatives(its_type, list)
    alternatives_of[its_type] = list
  end
  return list
end

---The only class that a type may be, apart from nil.
---@param its_type? cunnekt.check.type
---@return string? name
function types.class(its_type)
  local found
  for _, one in ipairs(its_type and types.alternatives(its_type) or {}) do
    local is_nil = one.kind == "name" and one.name == "nil"
    if not is_nil then
      if found or one.kind ~= "name" or not class_of(one.name) then
        return nil
      end
      found = one.name
    end
  end
  return found
end

---Whether a value may be left out.
---@param its_type cunnekt.check.type
---@return boolean
function types.is_optional(its_type)
  for _, one in ipairs(types.alternatives(its_type)) do
    if one.kind == "name" and (one.name == "nil" or one.name == "any") then
      return true
    end
  end
  return false
end

---The function among the alternatives of a type.
---@param its_type? cunnekt.check.type
---@return cunnekt.check.type?
function types.fun(its_type)
  for _, one in ipairs(its_type and types.alternatives(its_type) or {}) do
    if one.kind == "fun" then
      return one
    end
  end
  return nil
end

-- A function of public.lua as a type.
local function as_fun(def)
  if not def.type then
    local fun = { kind = "fun", params = {}, results = {}, is_method = def.is_method }
    for i, param in ipairs(def.params) do
      fun.params[i] = { name = param[1], type = read_once(param[2]) }
    end
    for i, result in ipairs(def.results) do
      fun.results[i] = read_once(result)
    end
    fun.overloads = {}
    for i, text in ipairs(def.overloads or {}) do
      fun.overloads[i] = read_once(text)
      if fun.overloads[i].params[1] and fun.overloads[i].params[1].name == "self" then
        table.remove(fun.overloads[i].params, 1)
      end
    end
    def.type = fun
  end
  return def.type
end

local unions = {}

-- What the parents have under a name; where they differ, as the kinds of events do, any of it.
local function member_of_parents(class, name)
  local found, union = nil, nil
  for _, parent in ipairs(class.parents or {}) do
    local its_type = types.member(parent, name)
    if its_type and its_type.kind == "fun" then
      return its_type
    elseif its_type and found and its_type ~= found then
      union = union or { kind = "union", found }
      union[#union + 1] = its_type
    end
    found = found or its_type
  end
  if not union then
    return found
  end
  local by_name = unions[class] or {}
  unions[class] = by_name
  by_name[name] = by_name[name] or union
  return by_name[name]
end

---What a class has under a name.
---@param class_name string
---@param name string
---@return cunnekt.check.type? its_type nil: nothing
function types.member(class_name, name)
  local class = class_of(class_name)
  if not class then
    return nil
  elseif class.functions and class.functions[name] then
    return as_fun(class.functions[name])
  elseif class.fields and class.fields[name] then
    return read_once(class.fields[name])
  end
  return member_of_parents(class, name)
end

local function add_members(class_name, members)
  local class = class_of(class_name) or {}
  for _, kind in ipairs { "functions", "fields" } do
    for name in pairs(class[kind] or {}) do
      members[name] = members[name] or types.member(class_name, name)
    end
  end
  for _, parent in ipairs(class.parents or {}) do
    add_members(parent, members)
  end
end

local members_of = {}

---Everything that a class has, by name; not to be changed.
---@param class_name string
---@return table<string, cunnekt.check.type>
function types.members(class_name)
  local members = members_of[class_name]
  if not members then
    members = {}
    add_members(class_name, members)
    members_of[class_name] = members
  end
  return members
end

---Whether a name is that of a class of which everything is known.
---@param name string
---@return boolean
function types.is_class(name)
  return class_of(name) ~= nil and next(types.members(name)) ~= nil
end

---Whether the objects of a class have methods: then no table that is written out is one.
---@param name string
---@return boolean
function types.is_object(name)
  for _, member in pairs(types.members(name)) do
    if member.kind == "fun" and member.is_method then
      return true
    end
  end
  return false
end

---Whether a name is that of a class, also of one whose objects are only handed around.
---@param name string
---@return boolean
function types.is_known(name)
  return class_of(name) ~= nil
end

---A type by its text.
---@param text string
---@return cunnekt.check.type
function types.of(text)
  return read_once(text)
end

return types
