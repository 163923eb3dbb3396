-- SPDX-License-Identifier: MIT
-- The half of the parser that walks expressions: tokens, scopes, tables, indexes and calls. It builds no tree, since the
-- precedence of operators does not matter for names.
--
-- The value of an expression is a small table, or nil when nothing is known:
--   {kind="string", value=}   {kind="text"} a string made of others   {kind="number"|"boolean"|"nil"}
--   {kind="table", id=, fields={{name=, line=, value=}, …}, items={…}, lines={…}}   {kind="function", id=}
--   {kind="object", type=, name=} of an annotation's type   {kind="globals"} _G   {kind="other"}
-- A target that may be assigned to is {kind="variable"}, or {kind="field"} of a table of the script's own, until `rvalue` reads it.

local flow = require "cunnekt.cli.check.flow"
local types = require "cunnekt.cli.check.types"

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

-- Declares a local; false: it has no value yet.
function walker:declare(name, value)
  local id = #self.flow.declared + 1
  self.flow.declared[id] = name
  self.scope[name] = id
  self.of_file[id] = self.returns == nil
  if value ~= false then
    self.flow:assign(id, value)
  end
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
local is_comparison = { ["=="] = true, ["~="] = true }
local ends_operand = { ["and"] = true, ["or"] = true }

-- Notes `event.kind == "mesage"`: an operand whose type is known, beside a string or a number.
function walker:note_comparison(value, before, line)
  local operator, word = self:peek(), self.tokens[self.at + 1]
  local is_whole = not is_binary[self.tokens[self.at + 2] and self.tokens[self.at + 2].kind] or
    ends_operand[self.tokens[self.at + 2].kind]
  local is_literal = word and (word.kind == "string" or word.kind == "number")
  if is_comparison[operator] and (not before or ends_operand[before]) and is_literal and is_whole and value and value.kind == "object" then
    table.insert(self.notes.comparisons, { type = value.type, name = value.name, word = word.value, line = line })
  end
end

-- An operand that is the text of any message, which a photo or a voice note may not have, where that fails. Only what surely runs
-- counts.
function walker:note_text(value, line)
  local access, returns = value and value.access, self.returns
  local is_text = access and access.name == "text" and (access.class == "cunnekt.event.message" or access.class == "cunnekt.event.any")
  if is_text and returns and returns.level == self.level and self.doubt == 0 then
    table.insert(returns.sure_texts, line)
  end
end

local is_matcher = { ["cunnekt.filter"] = true, ["cunnekt.action"] = true }

-- Notes a filter beside `and`, `or` or `not`: each of these gives one of the filters, or no filter. `a and b or c` is a choice.
function walker:note_choice(value, before, is_negated, line)
  local sign = self:peek()
  if value and value.kind == "object" and is_matcher[types.class(value.type) or ""] then
    local is_first = not before or before == "or" or (before == "and" and sign == "and")
    if is_negated or (ends_operand[sign] and is_first) then
      table.insert(self.notes.choices, { sign = is_negated and "not" or sign, line = line })
    end
  end
end

function walker:expression()
  local is_plain, is_text, is_signed, is_choice = true, true, false, false
  local value, operator
  while true do
    local unary
    while is_unary[self:peek()] do
      unary = self:next().kind
      is_plain, is_signed = false, true
    end
    local line = self:line()
    value = self:simple()
    self:note_comparison(value, operator, line)
    self:note_choice(value, operator, unary == "not", line)
    if operator == ".." or self:peek() == ".." then
      self:note_text(value, line)
    end
    if not is_binary[self:peek()] then
      break
    end
    operator = self:next().kind
    is_text = is_text and operator == ".."
    is_plain = false
    if ends_operand[operator] and not is_choice then
      is_choice, self.doubt = true, self.doubt + 1
    end
  end
  self.doubt = self.doubt - (is_choice and 1 or 0)
  if is_plain then
    return value
  end
  return is_text and not is_signed and operator and { kind = "text" } or nil
end

local is_constant = { number = "number", ["nil"] = "nil", ["true"] = "boolean", ["false"] = "boolean" }

function walker:simple()
  local kind = self:peek()
  if kind == "string" then
    local token = self:next()
    return { kind = "string", value = token.value, line = token.line }
  elseif is_constant[kind] then
    local token = self:next()
    return { kind = is_constant[kind], line = token.line, value = token.value, is_false = kind == "false" }
  elseif kind == "..." then
    self:next()
    return { kind = "many" }
  elseif kind == "{" then
    return self:table()
  elseif kind == "function" then
    self:next()
    return self:body()
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

function walker:table_field(value)
  local line = self:line()
  if self:accept "[" then
    local key = self:expression()
    self:next()
    self:next()
    local its_value = self:expression()
    if key and key.kind == "string" then
      table.insert(value.fields, { name = key.value, line = line, value = its_value })
    else
      value.is_open = true
    end
  elseif self:peek() == "name" and self.tokens[self.at + 1].kind == "=" then
    local name = self:next().value
    self:next()
    table.insert(value.fields, { name = name, line = line, value = self:expression() })
    self.notes.methods[name] = true
  else
    local item = self:expression() or false
    table.insert(value.items, item)
    value.lines[#value.items] = line
    value.is_open = value.is_open or (item and (item.kind == "many" or item.results ~= nil))
  end
end

function walker:table()
  local value = { kind = "table", id = self.flow:new_table(), fields = {}, items = {}, lines = {}, line = self:line(), of_file = self.returns == nil }
  self:next()
  while not self:accept "}" do
    self:table_field(value)
    self:accept(self:peek() == ";" and ";" or ",")
  end
  return value
end

-- ---- names, indexes and calls --------------------------------------------------------------------------------------

-- What precedes the suffixes. A name is not yet read: it may be assigned.
function walker:primary()
  if self:accept "(" then
    local value = self:expression()
    self:next()
    return value and value.kind == "string" and value or { kind = "other" }
  end
  local token = self:next()
  return { kind = "variable", name = token.value, line = token.line, id = self.scope[token.value], at = self.at }
end

local is_index = { ["."] = true, [":"] = true, ["["] = true }

-- Notes whether a variable with an answer that may be nil is ever looked at as a whole, and where a field of it is used.
function walker:note_use(target)
  local answer = self.notes.answers[-(target.id or 0)]
  if answer and is_index[self.tokens[target.at].kind] then
    answer.index_line = answer.index_line or target.line
  elseif answer then
    answer.is_tested = true
  end
end

-- The value of an expression that could be assigned to, when it is read.
function walker:rvalue(target, is_called)
  if target.kind == "variable" then
    self:note_use(target)
    if not target.id then
      if target.name == "_G" and self:peek() == "." then
        return { kind = "globals" }
      end
      self:read_global(target.name, target.line)
    end
    local value = self.flow:read(target.id or target.name, is_called)
    if value and value.kind == "table" then
      value.variable = target.name
    end
    return value or { kind = "other", global = not target.id and target.name or nil }
  elseif target.kind == "field" then
    local value = self.flow:read(target.id, is_called and not target.has_self)
    local is_plain = value and (value.kind == "function" or value.kind == "table")
      or (value and value.kind == "object" and self.flow:is_sure(target.owner))
    return is_plain and value or { kind = "other", field = target.field }
  elseif target.global_field then
    self:read_global(target.global_field, target.line)
  elseif target.access and not target.access.is_noted then
    target.access.is_noted, target.access.is_called = true, is_called
    table.insert(self.notes.accesses, target.access)
  elseif is_called and target.kind == "function" then -- as in require "setup" (bot)
    self.flow:explain(target)
  end
  return target
end

-- How the annotations' classes are called in messages.
local shown = {
  ["cunnekt.message"] = "msg", ["cunnekt.keys"] = "bot.store", ["cunnekt.filters"] = "cunnekt.filter",
  ["cunnekt.webhook.reply"] = "msg.reply", ["cunnekt.webhook.media"] = "msg.media", ["cunnekt.error"] = "err",
  ["cunnekt.http"] = "cunnekt.http", ["cunnekt.json"] = "cunnekt.json", ["cunnekt.build"] = "cunnekt.build",
  ["cunnekt.webhook"] = "cunnekt.webhook", cunnekt = "cunnekt", ["cunnekt.event.any"] = "event",
  ["cunnekt.event.message"] = "msg",
}

---What an object of a class is called in messages.
---@param class string
---@return string
function walker.shown(class)
  return shown[class] or class:match "^cunnekt%.event%." and "event" or class:match "[^.]*$"
end

local function is_string(its_type)
  for _, one in ipairs(types.alternatives(its_type)) do
    local is_fit = one.kind == "literal" or one.name == "string" or one.name == "nil"
    if not is_fit then
      return false
    end
  end
  return true
end

-- The class of a value, or "string".
local function class_of(value)
  if value and value.kind == "object" then
    return types.class(value.type) or (is_string(value.type) and "string") or nil
  elseif value and (value.kind == "string" or value.kind == "text") then
    return "string"
  end
  return nil
end

-- Lua's own modules, of which nothing else than their functions is known.
local is_library = {}
for name in ("string table math os io coroutine utf8"):gmatch "%S+" do
  is_library[name] = true
end

-- A field of one of these; `tokens` tell whether the script asks if it is there.
function walker:library_field(library, name, line)
  local before = self.tokens[self.at - 4]
  local is_tested = tests[self:peek()] or (before and tests[before.kind]) or false
  local member = _G[library][name] ~= nil and types.of "any" or nil
  local access = { class = library, name = name, line = line, sign = ".", member = member, is_library = true, is_tested = is_tested }
  return { kind = "other", field = name, access = access }
end

-- The value of a field, and how it is accessed: by "." or ":".
function walker:field_of(value, name, line, sign)
  if value and value.kind == "globals" then
    return { kind = "other", global_field = name, line = line, field = name, global = name }
  end
  if value and value.kind == "table" and value.id then
    self.flow:explain(value)
    return { kind = "field", id = flow.field(value.id, name), owner = value.id, field = name, has_self = sign == ":" }
  end
  if value and value.kind == "other" and is_library[value.global or ""] and sign == "." then
    return self:library_field(value.global, name, line)
  end
  local class = class_of(value)
  if not class or (class ~= "string" and not types.is_class(class)) then
    return { kind = "other", field = name }
  end
  local member
  if class == "string" then
    member = string[name] and types.of "any"
  else
    member = types.member(class, name)
  end
  local access = { class = class, name = name, line = line, sign = sign, member = member }
  local its_name = walker.shown(class) .. sign .. name
  return { kind = member and class ~= "string" and "object" or "other", type = member, name = its_name, field = name, access = access }
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

-- The result of a call: a module of require, what an annotation says.
function walker:result_of(call)
  local first = call.args[1]
  if call.global == "require" and first and first.kind == "string" then
    if first.value == "cunnekt" then
      return { kind = "object", type = types.of "cunnekt", name = "cunnekt" }
    end
    local file = self.find(first.value)
    return file and self.flow:read(flow.exported(file)) or { kind = "other" }
  end
  local results = call.fun and call.fun.results or {}
  if results[1] then
    return { kind = "object", type = results[1], name = call.name, results = results }
  end
  return { kind = "other", results = {} }
end

local ends_wait = { timeout = true, tries = true }

-- Whether a call asks a question that may end without an answer.
local function may_give_nil(call)
  local is_wait = call.class == "cunnekt.chat" and (call.member:find "^ask" or call.member == "collect" or call.member == "wait")
  for _, arg in ipairs(is_wait and call.args or {}) do
    for _, field in ipairs(arg and arg.fields or {}) do
      if ends_wait[field.name] and field.value and field.value.kind == "number" then -- what is computed may be none
        return true
      end
    end
  end
  return false
end

-- What is behind a call of these may not run.
local may_end = { error = true, assert = true }

function walker:call(value, method, line)
  local args = self:arguments()
  local callee = value
  if method then
    self:note_text(value, line)
    callee = self:rvalue(self:field_of(value, method, line, ":"), true)
  end
  local access = callee and callee.access
  local call = {
    fun = callee and callee.kind == "object" and types.fun(callee.type) or nil,
    name = callee and callee.name or method,
    class = access and access.class,
    member = access and access.name,
    access = access,
    global = not method and value and value.global or nil,
    method = method,
    subject = value and value.kind == "object" and value.name or nil,
    is_typed = class_of(value) ~= nil,
    line = line,
    args = args,
    level = self.level,
  }
  -- A method called as a function gets its object first.
  call.shift = call.fun and call.fun.is_method and not method and 1 or 0
  if access then
    access.args = args
  end
  if value and value.kind == "function" and not method then
    self.flow:call(value, args)
  end
  flow.settle_arguments(self.flow, call)
  for _, arg in ipairs(call.fun and args or {}) do
    self.flow:pass(arg)
  end
  table.insert(self.notes.calls, call)
  if self.returns and self.returns.level == self.level and self.doubt == 0 then
    table.insert(self.returns.sure_calls, call)
  end
  if self.returns and may_end[call.global] then
    self.returns.level = nil
  end
  local result = self:result_of(call)
  result.may_be_nil = may_give_nil(call) and call.name or nil
  return result
end

function walker:suffixed()
  local target = self:primary()
  while true do
    local kind, line = self:peek(), self:line()
    if target.may_be_nil and is_index[kind] then
      table.insert(self.notes.answers, { name = target.may_be_nil, index_line = line })
    end
    if kind == "." then
      self:next()
      local name = self:next().value
      target = self:field_of(self:rvalue(target), name, line, ".")
    elseif kind == "[" then
      self:next()
      local value = self:rvalue(target)
      local is_behind = self:peek() == "#" -- as in list[#list + 1]
      local key = self:expression()
      self:next()
      target = key and key.kind == "string" and self:field_of(value, key.value, line, ".") or
        { kind = "other", line = line, appended = is_behind and value or nil }
    elseif kind == ":" then
      self:next()
      local method = self:next()
      target = self:call(self:rvalue(target), method.value, method.line)
    elseif kind == "(" or kind == "string" or kind == "{" then
      target = self:call(self:rvalue(target, true), nil, line)
    else
      return target
    end
  end
end

return walker
