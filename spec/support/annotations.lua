-- SPDX-License-Identifier: MIT
-- Reads LuaCATS annotations, as far as the specs need it: which functions a stub file declares, whether a function has a
-- comment that names its parameters and results, and which classes are declared and used.

local lexer = require "cunnekt.base.source.lexer"

local annotations = {}

local function read_lines(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

-- The `---` lines directly above a line.
local function comment_above(lines, at)
  local comment = {}
  at = at - 1
  while lines[at] and lines[at]:find "^%s*%-%-%-" do
    table.insert(comment, 1, (lines[at]:gsub("^%s*", "")))
    at = at - 1
  end
  return comment
end

-- Adds what the comment of a function lacks.
local function check_comment(name, comment, parameters, has_results, problems)
  if #comment == 0 then
    table.insert(problems, name .. ": no annotation above it")
    return
  end
  local text = table.concat(comment, "\n") .. "\n"
  for _, parameter in ipairs(parameters) do
    if not text:find(("\n---@param %s[? \n]"):format(parameter:gsub("%p", "%%%0"))) and
      not text:find(("^---@param %s[? \n]"):format(parameter:gsub("%p", "%%%0"))) then
      table.insert(problems, ("%s: no @param %s"):format(name, parameter))
    end
  end
  if has_results and not text:find "%-%-%-@return " then
    table.insert(problems, name .. ": returns something, but has no @return")
  end
end

-- ---- functions in the sources --------------------------------------------------------------------------------------

local function parameters_of(fn)
  local info, list = debug.getinfo(fn, "u"), {}
  for i = 1, info.nparams do
    local name = debug.getlocal(fn, i)
    if name ~= "self" then
      list[#list + 1] = name
    end
  end
  if info.isvararg then
    list[#list + 1] = "..."
  end
  return list
end

local opens = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }
local ends_nothing = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true, [";"] = true, ["end of file"] = true }

-- Whether the function that begins at the first `function` of a source returns a value itself; those inside it don't count.
local function returns_value(source)
  local blocks, depth = {}, 0
  local tokens = lexer.tokens(source)
  for i, token in ipairs(tokens) do
    local kind = token.kind
    if opens[kind] then
      blocks[#blocks + 1] = kind
      depth = depth + (kind == "function" and 1 or 0)
    elseif kind == "end" or kind == "until" then
      depth = depth - (table.remove(blocks) == "function" and 1 or 0)
      if #blocks == 0 then
        return false
      end
    elseif kind == "return" and depth == 1 and not ends_nothing[tokens[i + 1].kind] then
      return true
    end
  end
  return false
end

---Adds to `problems` what the annotation of a function lacks.
---@param name string what to call it
---@param fn function of Lua, whose source is a file
---@param problems string[]
function annotations.check_function(name, fn, problems)
  local info = debug.getinfo(fn, "S")
  -- The host names its embedded files after where they come from.
  local path = info.source:match "^@(.+)$"
  local file = path and io.open(path)
  if not file then
    path = "lua/" .. (path or ""):match "cunnekt.*$"
  else
    file:close()
  end
  local lines = read_lines(path)
  local source = table.concat(lines, "\n", info.linedefined, info.lastlinedefined)
  source = source:sub((source:find("function", 1, true)))
  check_comment(name, comment_above(lines, info.linedefined), parameters_of(fn), returns_value(source), problems)
end

-- ---- stubs -----------------------------------------------------------------------------------------------------------

local function read_stubs(path, stubs)
  local lines, class, class_of = read_lines(path), nil, {}
  for i, line in ipairs(lines) do
    class = line:match "^%-%-%-@class ([%w_.]+)" or class
    local field = line:match "^%-%-%-@field ([%w_]+)"
    local variable = line:match "^local ([%w_]+) = {}"
    local owner, sign, name, words = line:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%) end$"
    if field then
      stubs.fields[class] = stubs.fields[class] or {}
      stubs.fields[class][class .. "." .. field] = true
    elseif variable then
      class_of[variable] = class
    elseif owner then
      local parameters = {}
      for word in words:gmatch "[^%s,]+" do
        parameters[#parameters + 1] = word
      end
      stubs.functions[class_of[owner] .. sign .. name] = { comment = comment_above(lines, i), parameters = parameters }
    end
  end
end

---Reads stub files.
---@param ... string their paths
---@return {functions: table<string, table>, fields: table<string, table<string, boolean>>} functions by "module.name" or "class:name"; fields by class
function annotations.stubs(...)
  local stubs = { functions = {}, fields = {} }
  for _, path in ipairs { ... } do
    read_stubs(path, stubs)
  end
  return stubs
end

---Adds to `problems` what a stub lacks.
---@param name string
---@param stub table
---@param problems string[]
function annotations.check_stub(name, stub, problems)
  check_comment(name, stub.comment, stub.parameters, false, problems)
end

-- ---- classes ---------------------------------------------------------------------------------------------------------

---Every class of ours that annotations declare, and every one that they use.
---@param folder string
---@return table<string, string> declared name → file
---@return table<string, string> used name → file
function annotations.classes(folder)
  local declared, used = {}, {}
  local listing = assert(io.popen(("find '%s' -name '*.lua'"):format(folder)))
  for path in listing:lines() do
    for line in io.lines(path) do
      local tag, rest = line:match "^%-%-%-@(%a+)%s+(.*)$"
      if tag == "class" or tag == "alias" then
        declared[rest:match "^[%w_.]+"] = path
      end
      -- In prose a file or a function may be named the same way, so the first words are looked at alone.
      local types = (tag == "param" or tag == "field") and rest:match "^%S+%s+(%S+)" or tag == "return" and rest:match "^%S+"
      for name in (types or ""):gmatch "cunnekt[%w_.]*" do
        used[name:gsub("%.+$", "")] = path
      end
    end
  end
  listing:close()
  return declared, used
end

---The value of a function's upvalue.
---@param fn function
---@param wanted string
---@return any
function annotations.upvalue(fn, wanted)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if not name or name == wanted then
      return value
    end
  end
end

---The methods of an object, whatever its __index is.
---@param object table
---@return table<string, function>
function annotations.methods_of(object)
  local index = getmetatable(object).__index
  if type(index) == "table" then
    return index
  end
  for i = 1, math.huge do
    local name, value = debug.getupvalue(index, i)
    if not name then
      error "no methods found"
    elseif name:find "_methods$" then
      return value
    end
  end
end

return annotations
