-- SPDX-License-Identifier: MIT
-- Walks Lua 5.4 source that compiles, and records what the rules need: globals that are read and written, and calls of
-- functions known by name, with their literal arguments. It follows scopes exactly. Statements are here, expressions in
-- walker.lua.

local lexer = require "cunnekt.cli.check.lexer"
local expressions = require "cunnekt.cli.check.walker"

local parser = {}

-- A walker extended by statements.
local walker = setmetatable({}, { __index = expressions })
walker.__index = walker

---@class cunnekt.check.call
---@field path? string "cunnekt.client", or nil for a method
---@field method? string the name after the colon
---@field class? string what the method's object is, if that is known
---@field args table[] what is known of each argument; false where nothing is
---@field line integer

---@class cunnekt.check.notes
---@field reads {name: string, line: integer, is_tested: boolean}[] of globals
---@field writes table<string, boolean> globals that are assigned
---@field paths {path: string, line: integer}[] every path below a required module that is read
---@field path_writes table<string, boolean>
---@field calls cunnekt.check.call[]
---@field methods table<string, boolean> names of functions that the script itself puts into tables
---@field requires string[]
---@field is_dynamic boolean it does something with _G or _ENV that hides what is global

function walker:assign(target)
  if target.kind == "variable" then
    if target.known then
      target.known.value = nil
    else
      self.notes.writes[target.name] = true
    end
  elseif target.field then
    self:note_method(target.field)
    if target.path then
      self.notes.path_writes[target.path] = true
      self.notes.writes[target.path:match "^_G%.(.*)$" or ""] = true
    end
  end
end

function walker:expression_statement()
  local target = self:suffixed()
  if self:peek() ~= "=" and self:peek() ~= "," then
    self:rvalue(target)
    return
  end
  local targets = { target }
  while self:accept "," do
    targets[#targets + 1] = self:suffixed()
  end
  self:next()
  self:list()
  for _, one in ipairs(targets) do
    self:assign(one)
  end
end

function walker:parameters(first_class)
  local first = first_class and { kind = "object", class = first_class } or false
  self:next()
  while not self:accept ")" do
    local token = self:next()
    if token.kind == "name" then
      self:declare(token.value, first)
      first = false
    end
  end
end

-- Parameters, block and `end` of a function.
function walker:body(has_self)
  local class = self.handler_class
  self.handler_class = nil
  self:open_scope()
  if has_self then
    self:declare("self", false)
  end
  self:parameters(class)
  self:block()
  self:next()
  self:close_scope()
  self.handler_class = class
end

function walker:function_statement()
  local target = self:primary()
  local has_self = false
  while self:peek() == "." or self:peek() == ":" do
    has_self = self:next().kind == ":"
    target = walker.field_of(self:rvalue(target), self:next().value, self:line())
  end
  self:assign(target)
  self:body(has_self)
end

function walker:local_statement()
  if self:accept "function" then
    self:declare(self:next().value, false)
    self:body()
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
  local values = self:accept "=" and self:list() or {}
  for i, name in ipairs(names) do
    self:declare(name, values[i])
  end
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
    self:declare(name, false)
  end
  self:block()
  self:close_scope()
  self:next()
end

function walker:scoped_block()
  self:open_scope()
  self:block()
  self:close_scope()
end

function walker:if_statement()
  repeat
    self:expression()
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
    self:expression()
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
    self:open_scope()
    self:block()
    self:next()
    self:expression()
    self:close_scope()
  end,
  ["goto"] = function(self)
    self:next()
  end,
  ["::"] = function(self)
    self:next()
    self:next()
  end,
  ["break"] = function() end,
  [";"] = function() end,
}

local ends_block = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true, ["end of file"] = true }

function walker:block()
  while not ends_block[self:peek()] do
    local statement = statements[self:peek()]
    if statement then
      self:next()
      statement(self)
    elseif self:accept "return" then
      if not ends_block[self:peek()] and self:peek() ~= ";" then
        self:list()
      end
    else
      self:expression_statement()
    end
  end
end

---Walks a source that compiles.
---@param source string
---@return cunnekt.check.notes
function parser.walk(source)
  local notes = { reads = {}, writes = {}, paths = {}, path_writes = {}, calls = {}, methods = {}, requires = {} }
  local self = setmetatable({ tokens = lexer.tokens(source), at = 1, scope = {}, notes = notes }, walker)
  self:block()
  return notes
end

return parser
