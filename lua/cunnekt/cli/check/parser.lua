-- SPDX-License-Identifier: MIT
-- Walks Lua 5.4 source that compiles, and records what the rules need: globals that are read and written, what is accessed of
-- our objects, and calls with their literal arguments. It follows scopes exactly. Statements are here, expressions in
-- walker.lua, what variables hold in flow.lua.

local expressions = require "cunnekt.cli.check.walker"
local flow = require "cunnekt.cli.check.flow"
local lexer = require "cunnekt.base.source.lexer"
local types = require "cunnekt.cli.check.types"

local parser = {}

-- A walker extended by statements.
local walker = setmetatable({}, { __index = expressions })
walker.__index = walker

---@class cunnekt.check.call
---@field fun? cunnekt.check.type what is called
---@field name? string as messages call it: "msg:reply_text"
---@field class? string of the object, if that is known
---@field member? string its name there
---@field access? cunnekt.check.access
---@field method? string the name after the colon
---@field shift integer 1: the object is the first argument
---@field subject? string what the object is called in messages: "msg.chat", "bot:chat"
---@field is_typed boolean the object is known
---@field global? string the name of a global function
---@field args table[] what is known of each argument; false where nothing is
---@field line integer
---@field level integer of blocks and functions around it; 0: it surely runs, once

---@class cunnekt.check.access
---@field class string
---@field name string
---@field line integer
---@field sign "."|":"
---@field member? cunnekt.check.type nil: the class has none of that name
---@field is_called? boolean
---@field args? table[] when it is called

---@class cunnekt.check.notes
---@field reads {name: string, line: integer, is_tested: boolean}[] of globals
---@field writes table<string, boolean> globals that are assigned
---@field accesses cunnekt.check.access[]
---@field calls cunnekt.check.call[]
---@field comparisons {type: cunnekt.check.type, name: string, word: string|number, line: integer}[]
---@field methods table<string, boolean> names in tables of the script's own
---@field fields table<string, boolean> names that the script assigns to something
---@field changes {name: string, line: integer, is_global: boolean?}[] what functions do to variables of the file
---@field choices {sign: string, line: integer}[] filters beside and, or, not
---@field answers table<integer, {name: string, index_line: integer?, is_tested: boolean?}> what may be nil after its time; in a variable: at its negative id
---@field is_dynamic boolean it does something with _G or _ENV that hides what is global

local is_literal = { table = true, number = true, string = true }

-- Notes what a function does to a variable of the file: it sets it anew, or appends to its table.
function walker:note_change(target, value)
  local list = target.appended
  if list and list.kind == "table" and list.of_file then
    table.insert(self.notes.changes, { name = list.variable, line = target.line })
  elseif target.kind == "variable" and value and is_literal[value.kind] and not value.is_shared then
    if not target.id then -- a variable of the file that is set anew may be a cache
      table.insert(self.notes.changes, { name = target.name, line = target.line, is_global = true })
    end
  end
end

function walker:assign(target, value)
  if self.returns then
    self:note_change(target, value)
  end
  if target.kind == "field" then
    self.flow:assign(target.id, value, target.owner)
    self.flow:change(target.owner)
  end
  if target.kind == "variable" then
    local answer = self.notes.answers[-(target.id or 0)]
    if answer then
      answer.is_tested = true -- another value may be in it
    end
    if not target.id then
      self.notes.writes[target.name] = true
    end
    self.flow:assign(target.id or target.name, value)
  elseif target.global_field then
    self.notes.writes[target.global_field] = true
    self.notes.methods[target.global_field] = true
  elseif target.field then
    self.notes.methods[target.field], self.notes.fields[target.field] = true, true
    if target.access then
      table.insert(self.notes.assigned, target.access)
    end
  end
end

-- The values of so many targets: the last call gives several.
local function spread(values, count)
  local last = values[#values]
  for place = 2, last and last.results and count - #values + 1 or 0 do
    local its_type = last.results[place]
    values[#values + 1] = its_type and { kind = "object", type = its_type, name = last.name } or false
  end
  return values
end

function walker:expression_statement()
  local target = self:suffixed()
  if self:peek() ~= "=" and self:peek() ~= "," then
    self.flow:explain(self:rvalue(target)) -- a require alone
    return
  end
  local targets = { target }
  while self:accept "," do
    targets[#targets + 1] = self:suffixed()
  end
  self:next()
  local values = spread(self:list(), #targets)
  for i, one in ipairs(targets) do
    self:assign(one, values[i])
  end
end

-- Declares the parameters; gives their names, "..." among them.
function walker:parameters(id)
  local place, names = 0, {}
  self:next()
  while not self:accept ")" do
    local token = self:next()
    if token.kind == "..." then
      names[#names + 1] = "..."
    elseif token.kind == "name" then
      place = place + 1
      names[place] = token.value
      local its_type = self.flow:parameter(id, place)
      self:declare(token.value, its_type and { kind = "object", type = its_type, name = token.value } or nil)
    end
  end
  return names
end

-- Whether a function is `function(…) return true end`, behind its parameters.
local function is_just_true(tokens, at)
  return tokens[at].kind == "return" and tokens[at + 1].kind == "true" and tokens[at + 2].kind == "end"
end

-- Parameters, block and `end` of a function.
function walker:body(has_self, id)
  if not id then
    self.flow.functions = self.flow.functions + 1
    id = self.flow.functions
  end
  local outer, doubt = self.returns, self.doubt
  self.level, self.doubt = self.level + 1, 0
  self.returns = { may_pass = false, level = self.level, sure_calls = {}, sure_texts = {} }
  self:open_scope()
  if has_self then
    self:declare("self", nil)
  end
  local names = self:parameters(id)
  local is_true = is_just_true(self.tokens, self.at)
  local first_call, first_change = #self.notes.calls + 1, #self.notes.changes + 1
  self:block()
  self:next()
  self:close_scope()
  self.level = self.level - 1
  local value = { kind = "function", id = id, may_pass = self.returns.may_pass, names = names, is_true = is_true }
  value.first_call, value.last_call = first_call, #self.notes.calls -- those of its body, in the notes
  value.first_change, value.last_change = first_change, #self.notes.changes
  value.gives_nothing, value.is_never_true = not self.returns.has_values, not self.returns.may_be_true
  value.sure_calls, value.odd_next = self.returns.sure_calls, self.returns.odd_next
  value.sure_texts = self.returns.sure_texts
  self.returns, self.doubt = outer, doubt
  return value
end

function walker:function_statement()
  local target = self:primary()
  local has_self = false
  while self:peek() == "." or self:peek() == ":" do
    has_self = self:next().kind == ":"
    target = self:field_of(self:rvalue(target), self:next().value, self:line(), ".")
  end
  local value = self:body(has_self)
  self:assign(target, not has_self and value or nil)
end

function walker:local_statement()
  if self:accept "function" then
    local name = self:next().value
    self.flow.functions = self.flow.functions + 1
    local id = self.flow.functions
    self:declare(name, { kind = "function", id = id, may_pass = true })
    local local_id = self.scope[name]
    local value = self:body(false, id)
    self.flow:redefine(local_id, value)
    return
  end
  local names = {}
  repeat
    names[#names + 1] = self:next().value
    if self:accept "<" then
      self:next()
      self:next()
    end
  until not self:accept ","
  local has_values = self:accept "="
  local values = has_values and spread(self:list(), #names) or {}
  for i, name in ipairs(names) do
    local value = values[i]
    if not has_values then
      value = false
    end
    self:declare(name, value or (has_values and nil))
    if value and value.may_be_nil and not names[2] then -- with a second name the script may look at the error
      self.notes.answers[-self.scope[name]] = { name = value.may_be_nil }
    end
  end
end

-- The block of a loop or a branch.
function walker:scoped_block()
  self.level = self.level + 1
  self:open_scope()
  self:block()
  self:close_scope()
  self.level = self.level - 1
end

function walker:for_statement()
  local names = {}
  repeat
    names[#names + 1] = self:next().value
  until not self:accept ","
  self:next()
  self:list()
  self:next()
  self:open_scope()
  for _, name in ipairs(names) do
    self:declare(name, nil)
  end
  self:scoped_block()
  self:close_scope()
  self:next()
end

-- Calls in it may not run: it may be that of an `elseif`.
function walker:condition()
  self.doubt = self.doubt + 1
  self:expression()
  self.doubt = self.doubt - 1
end

function walker:if_statement()
  repeat
    self:condition()
    self:next()
    self:scoped_block()
  until not self:accept "elseif"
  if self:accept "else" then
    self:scoped_block()
  end
  self:next()
end

local statements = {
  ["if"] = walker.if_statement,
  ["for"] = walker.for_statement,
  ["function"] = walker.function_statement,
  ["local"] = walker.local_statement,
  ["while"] = function(self)
    self:condition()
    self:next()
    self:scoped_block()
    self:next()
  end,
  ["do"] = function(self)
    self:scoped_block()
    self:next()
  end,
  -- The condition sees the locals of the block.
  ["repeat"] = function(self)
    self.level = self.level + 1
    self:open_scope()
    self:block()
    self:next()
    self:expression()
    self:close_scope()
    self.level = self.level - 1
  end,
  ["goto"] = function(self)
    self:next()
    if self.returns then
      self.returns.level = nil
    end
  end,
  ["::"] = function(self)
    self:next()
    self:next()
  end,
  ["break"] = function() end,
  [";"] = function() end,
}

local ends_block = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true, ["end of file"] = true }

-- Values that are not the word "next", with which a handler forwards its event.
local function may_be_next(value)
  if not value then
    return true
  elseif value.kind == "string" then
    return value.value == "next"
  end
  return value.kind == "other" or value.kind == "text" or value.kind == "many" or
    (value.kind == "object" and not types.class(value.type))
end

-- Of a function, or of the file: then it is what a module gives to those who require it.
function walker:return_statement()
  local has_values = not ends_block[self:peek()] and self:peek() ~= ";"
  local line = self:line()
  local value = has_values and self:list()[1] or nil
  if self.returns then
    self.returns.level = nil -- what follows does not surely run
  end
  if not self.returns then
    self.flow:assign(flow.exported(self.flow.file), self.level == 0 and value or nil)
  elseif has_values then
    self.returns.has_values = true
    local is_false = value and (value.kind == "nil" or (value.kind == "boolean" and value.is_false))
    local is_word = value and value.kind == "string" and value.value ~= "next" and value.value:lower() == "next"
    local is_function = value and value.kind == "other" and value.global == "next"
    self.returns.odd_next = self.returns.odd_next or ((is_word or is_function) and line or nil)
    self.returns.may_be_true = self.returns.may_be_true or not is_false
    self.returns.may_pass = self.returns.may_pass or may_be_next(value)
  end
end

function walker:block()
  while not ends_block[self:peek()] do
    local statement = statements[self:peek()]
    if statement then
      self:next()
      statement(self)
    elseif self:accept "return" then
      self:return_statement()
    else
      self:expression_statement()
    end
  end
end

local function walk_once(tokens, its_flow, find)
  local notes = {
    reads = {}, writes = {}, accesses = {}, assigned = {}, calls = {}, comparisons = {}, methods = {}, fields = {}, changes = {}, choices = {}, answers = {},
  }
  local self = setmetatable({
    tokens = tokens, at = 1, scope = {}, of_file = {}, notes = notes, flow = its_flow, find = find, level = 0, doubt = 0,
  }, walker)
  self:block()
  return notes
end

-- Walks until nothing new is found, at most so often.
local most_walks = 8

local function nothing()
  return nil
end

---Walks a source that compiles, and those that it requires.
---@param source string
---@param find? fun(name: string): string?, integer? gives the source of a module when it is first asked for, and its number: from 2 on
---@return cunnekt.check.notes[] notes of each, in the order of their numbers
function parser.walk(source, find)
  local files, notes = { lexer.tokens(source) }, {}
  local function number_of(name)
    local its_source, number = (find or nothing)(name)
    if its_source then
      files[number] = lexer.tokens(its_source)
    end
    return number
  end
  local its_flow, summary
  for walk = 1, most_walks do
    its_flow = flow.new(its_flow)
    local i = 1
    while files[i] do -- the first walk finds more of them
      its_flow.file = i
      notes[i] = walk_once(files[i], its_flow, number_of)
      i = i + 1
    end
    local now = its_flow:summary()
    if now == summary then
      break
    end
    summary = walk > 1 and now or nil -- the first one knows of no variable where it is assigned again
  end
  return notes
end

return parser
