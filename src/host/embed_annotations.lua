-- SPDX-License-Identifier: MIT
-- Writes what scripts can call as a Lua module on standard output: embed_annotations.lua FILE …, with the Lua sources and the
-- stubs. `cunnekt check` reads it (lua/cunnekt/cli/check/types.lua), so that it knows what the LuaCATS annotations say, and
-- nothing else. Only classes that a script can get hold of are written.

package.path = "lua/?.lua;" .. package.path
local types = require "cunnekt.cli.check.types"

-- What scripts begin with, and the events that handlers get by their kind.
local root, event_class = "cunnekt", "^cunnekt%.event%."

local classes = {}

local function class_of(name)
  classes[name] = classes[name] or { parents = {}, fields = {}, functions = {} }
  return classes[name]
end

local function type_of(text, is_optional)
  local _, last = types.read(text)
  local its_text = text:sub(1, last - 1)
  return is_optional and ("(%s)|nil"):format(its_text) or its_text
end

-- ---- one comment ---------------------------------------------------------------------------------------------------

local tags = {}

function tags.class(state, rest)
  local name, parents = rest:match "^([%w_.]+)%s*:%s*([%w_., ]+)"
  state.class = name or rest:match "^[%w_.]+"
  local class = class_of(state.class)
  for parent in (parents or ""):gsub("(cunnekt[%w_.]*) .*$", "%1"):gmatch "[%w_.]+" do
    table.insert(class.parents, parent)
  end
end

function tags.alias(_, rest)
  local name, text = rest:match "^([%w_.]+)%s+(.*)$"
  class_of(name).alias = type_of(text)
end

function tags.field(state, rest)
  local name, mark, text = rest:match "^([%w_]+)(%??)%s+(.*)$"
  if name and name ~= "private" and state.class then
    class_of(state.class).fields[name] = type_of(text, mark == "?")
  end
end

function tags.param(state, rest)
  local name, mark, text = rest:match "^([%w_.]+)(%??)%s+(.*)$"
  local its_type = type_of(text, mark == "?" or text:find "may be left out" or name == "...")
  table.insert(state.params, { name, its_type })
end

tags["return"] = function(state, rest)
  table.insert(state.results, type_of(rest))
end

function tags.overload(state, rest)
  table.insert(state.overloads, type_of(rest))
end

-- ---- one file ------------------------------------------------------------------------------------------------------

local function new_comment()
  return { params = {}, results = {}, overloads = {} }
end

-- Metatables say which class the methods beside them are of: `local x_mt = { __name = "cunnekt.x" }`, `x_methods`.
local function classes_of_methods(text)
  local names = {}
  for variable, name in text:gmatch 'local ([%w_]+)_mt = {[^}]-__name = "(cunnekt[%w_.]*)"' do
    names[variable .. "_methods"] = name
  end
  return names
end

local function add_function(class_name, comment, sign, name)
  class_of(class_name).functions[name] = {
    is_method = sign == ":",
    params = comment.params,
    results = comment.results,
    overloads = comment.overloads[1] and comment.overloads,
  }
end

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  local class_by, comment, is_comment = classes_of_methods(text), new_comment(), false
  for line in text:gmatch "([^\n]*)\n" do
    local tag, rest = line:match "^%-%-%-@(%a+)%s+(.*)$"
    if line:find "^%-%-%-" then
      if not is_comment then
        comment, is_comment = new_comment(), true
      end
      if tags[tag] then
        tags[tag](comment, rest)
      end
    else
      local variable = line:match "^local ([%w_]+) = "
      local owner, sign, name = line:match "^function ([%w_]+)([.:])([%a][%w_]*)%("
      if not owner then
        owner, sign, name = line:match "^function ([%w_]+_methods)(%.)([%a][%w_]*)%(self"
      end
      if variable and comment.class and is_comment then
        class_by[variable] = class_by[variable] or comment.class
      elseif owner and class_by[owner] and is_comment then
        add_function(class_by[owner], comment, sign, name)
      end
      is_comment = false
    end
  end
end

for _, path in ipairs(arg) do
  read_file(path)
end

-- ---- what can be reached, as Lua -------------------------------------------------------------------------------------

local reached = {}

local reach

local function reach_text(text)
  for name in text:gmatch "cunnekt[%w_.]*" do
    reach((name:gsub("%.+$", "")))
  end
end

function reach(name)
  local class = classes[name]
  if reached[name] or not class then
    return
  end
  reached[name] = class
  reach_text(table.concat(class.parents, " ") .. " " .. (class.alias or ""))
  for _, text in pairs(class.fields) do
    reach_text(text)
  end
  for _, fn in pairs(class.functions) do
    for _, param in ipairs(fn.params) do
      reach_text(param[2])
    end
    reach_text(table.concat(fn.results, " ") .. table.concat(fn.overloads or {}, " "))
  end
end

reach(root)
for name in pairs(classes) do
  if name:find(event_class) then
    reach(name)
  end
end

local function write(value, indent)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local keys, parts = {}, {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, key in ipairs(keys) do
    local is_empty = type(value[key]) == "table" and next(value[key]) == nil and key ~= "params" and key ~= "results"
    if not is_empty then
      local name = type(key) == "string" and ("[%q] = "):format(key) or ""
      parts[#parts + 1] = name .. write(value[key], indent .. " ")
    end
  end
  local separator = #indent < 2 and "\n" or " "
  return ("{%s%s}"):format(separator, table.concat(parts, "," .. separator))
end

io.write("-- Made by src/host/embed_annotations.lua.\nreturn ", write(reached, ""), "\n")
