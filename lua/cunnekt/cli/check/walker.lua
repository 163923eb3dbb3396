-- SPDX-License-Identifier: MIT
-- The half of the parser that walks expressions: tokens, scopes, tables, indexes and calls. It builds no tree, since the
-- precedence of operators does not matter for names.
--
-- The value of an expression is a small table, or nil when it is not known:
--   {kind="string", value=}   {kind="table", fields={{name=, line=, value=}, …}, items={…}}
--   {kind="path", path="cunnekt.client"}   {kind="object", class="cunnekt.bot"} the result of a call of that path

local walker = {}

-- ---- tokens and scopes ---------------------------------------------------------------------------------------------

function walker:peek()
  return self.tokens[self.at].kind
end

function walker:line()
  return self.tokens[self.at].line
end

function walker:next()
  local token = self.tokens[self.at]
  self.at = self.at + 1
  return token
end

function walker:accept(kind)
  if self:peek() == kind then
    return self:next()
  end
  return nil
end

function walker:open_scope()
  self.scope = setmetatable({}, { __index = self.scope })
end

function walker:close_scope()
  self.scope = getmetatable(self.scope).__index
end

-- Declares a local; false: its value is not known.
function walker:declare(name, value)
  self.scope[name] = { value = value }
end

-- Tokens beside a name that may be undefined, as in `local unpack = table.unpack or unpack`.
local tests = { ["and"] = true, ["or"] = true, ["not"] = true, ["=="] = true, ["~="] = true, ["then"] = true }

function walker:read_global(name, line)
  local notes = self.notes
  if name == "_ENV" or (name == "_G" and self:peek() ~= ".") then
    notes.is_dynamic = true
  end
  local before = self.tokens[self.at - 2]
  local is_tested = tests[self:peek()] or (before and tests[before.kind]) or false
  notes.reads[#notes.reads + 1] = { name = name, line = line, is_tested = is_tested }
end

-- ---- expressions ---------------------------------------------------------------------------------------------------

local is_binary = {}
for word in ("+ - * / // ^ % & ~ | >> << .. < <= > >= == ~= and or"):gmatch "%S+" do
  is_binary[word] = true
end
local is_unary = { ["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true }

function walker:expression()
  local is_plain = true
  local value
  while true do
    while is_unary[self:peek()] do
      self:next()
      is_plain = false
    end
    value = self:simple()
    if not is_binary[self:peek()] then
      return is_plain and value or nil
    end
    self:next()
    is_plain = false
  end
end

local is_constant = { number = true, ["nil"] = true, ["true"] = true, ["false"] = true, ["..."] = true }

function walker:simple()
  local kind = self:peek()
  if kind == "string" then
    return { kind = "string", value = self:next().value }
  elseif is_constant[kind] then
    self:next()
    return nil
  elseif kind == "{" then
    return self:table()
  elseif kind == "function" then
    self:next()
    self:body()
    return { kind = "function" }
  end
  return self:rvalue(self:suffixed())
end

function walker:list()
  local values = {}
  repeat
    values[#values + 1] = self:expression() or false
  until not self:accept ","
  return values
end

function walker:table_field(fields, items)
  local line = self:line()
  if self:accept "[" then
    local key = self:expression()
    self:next()
    self:next()
    local value = self:expression()
    if key and key.kind == "string" then
      fields[#fields + 1] = { name = key.value, line = line, value = value }
    end
  elseif self:peek() == "name" and self.tokens[self.at + 1].kind == "=" then
    local name = self:next().value
    self:next()
    local value = self:expression()
    fields[#fields + 1] = { name = name, line = line, value = value }
    self:note_method(name)
  else
    items[#items + 1] = self:expression() or false
  end
end

function walker:table()
  local value = { kind = "table", fields = {}, items = {} }
  self:next()
  while not self:accept "}" do
    self:table_field(value.fields, value.items)
    self:accept(self:peek() == ";" and ";" or ",")
  end
  return value
end

function walker:note_method(name)
  self.notes.methods[name] = true
end

-- ---- names, indexes and calls --------------------------------------------------------------------------------------

-- What precedes the suffixes. A name is not yet read: it may be assigned.
function walker:primary()
  if self:accept "(" then
    self:expression()
    self:next()
    return { kind = "other" }
  end
  local token = self:next()
  return { kind = "variable", name = token.value, line = token.line, known = self.scope[token.value] }
end

-- The value of an expression that could be assigned to, when it is read.
function walker:rvalue(target)
  if target.kind == "variable" then
    if target.known then
      return target.known.value or nil
    end
    self:read_global(target.name, target.line)
    return { kind = "path", path = target.name == "_G" and "_G" or nil, global = target.name }
  elseif target.kind == "path" and target.line then
    self:note_path(target)
  end
  return target
end

function walker:note_path(target)
  local notes = self.notes
  local global = target.path:match "^_G%.([%a_][%w_]*)$"
  if global then
    self:read_global(global, target.line)
  elseif target.path:find(".", 1, true) then
    notes.paths[#notes.paths + 1] = { path = target.path, line = target.line }
  end
end

-- The value of a field.
function walker.field_of(value, name, line)
  if value and value.kind == "path" and value.path then
    return { kind = "path", path = value.path .. "." .. name, line = line, field = name }
  elseif value and value.class == "cunnekt.message" and name == "chat" then
    return { kind = "object", class = "cunnekt.chat", field = name }
  end
  return { kind = "field", field = name }
end

function walker:arguments()
  local kind = self:peek()
  if kind == "string" or kind == "{" then
    return { self:simple() or false }
  end
  self:next()
  local args = self:peek() ~= ")" and self:list() or {}
  self:next()
  return args
end

-- The arguments of functions that are given to a bot, and the results of its methods.
local handler_classes = { on = "cunnekt.message", dialog = "cunnekt.chat" }
local result_classes = { chat = "cunnekt.chat" }

local function class_by(classes, value, method)
  return value and value.class == "cunnekt.bot" and classes[method] or nil
end

-- The result of a call: a module of require, an object of a known constructor.
local function result_of(call)
  local first = call.args[1]
  if call.global == "require" and first and first.kind == "string" then
    return { kind = "path", path = first.value }
  end
  local class = call.path or class_by(result_classes, call, call.method)
  if class then
    return { kind = "object", class = class }
  end
  return { kind = "other" }
end

function walker:call(value, method, line)
  local outer = self.handler_class
  self.handler_class = class_by(handler_classes, value, method)
  local args = self:arguments()
  self.handler_class = outer
  local call = {
    path = not method and value and value.path or nil,
    global = not method and value and value.global or nil,
    class = method and value and value.class or nil,
    method = method,
    line = line,
    args = args,
  }
  self.notes.calls[#self.notes.calls + 1] = call
  local result = result_of(call)
  if result.kind == "path" then
    table.insert(self.notes.requires, result.path)
  end
  return result
end

function walker:suffixed()
  local target = self:primary()
  while true do
    local kind, line = self:peek(), self:line()
    if kind == "." then
      self:next()
      local name = self:next().value
      target = walker.field_of(self:rvalue(target), name, line)
    elseif kind == "[" then
      self:next()
      local value = self:rvalue(target)
      local key = self:expression()
      self:next()
      target = key and key.kind == "string" and walker.field_of(value, key.value, line) or { kind = "other" }
    elseif kind == ":" then
      self:next()
      local method = self:next().value
      target = self:call(self:rvalue(target), method, line)
    elseif kind == "(" or kind == "string" or kind == "{" then
      target = self:call(self:rvalue(target), nil, line)
    else
      return target
    end
  end
end

return walker
