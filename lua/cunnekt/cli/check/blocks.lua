-- SPDX-License-Identifier: MIT
-- What is wrong with a source that does not compile, in the words of whoever wrote it. Lua names the place where it could not go
-- on; a missing `end` belongs to a block far above, which the indentation tells.

local lexer = require "cunnekt.base.source.lexer"

local blocks = {}

local opens = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local heads = { ["for"] = true, ["while"] = true }

-- The first byte of each line's code, by which blocks are compared.
local function indents_of(source)
  local indents, line = {}, 0
  for text in (source .. "\n"):gmatch "([^\n]*)\n" do
    line = line + 1
    indents[line] = #text:match "^%s*":gsub("\t", "        ")
  end
  return indents
end

local function name_of(block)
  return block.head or block.kind
end

local closes = { [")"] = "(", ["}"] = "{", ["]"] = "[" }
local brackets = { ["("] = ")", ["{"] = "}", ["["] = "]" }

-- A walk through the blocks and brackets of a source, as far as they fit.
local walk_methods = {}
local walk_mt = { __index = walk_methods }

function walk_methods:top()
  return self.open[#self.open]
end

function walk_methods:open_block(token, before)
  local kind, outer = token.kind, self:top()
  local block = { kind = kind, line = token.line, indent = self.indents[token.line] }
  if kind == "if" and before and before.kind == "else" and before.line == token.line and outer then
    outer.else_if = token.line -- its `end` closes the inner one
  end
  if kind == "do" and self.head then
    block.head, block.line, block.indent = self.head.kind, self.head.line, self.indents[self.head.line]
    self.head = nil
  end
  table.insert(self.open, block)
end

-- A closing bracket; one that comes while a block is open lacks that block's `end`.
function walk_methods:close_bracket(token)
  local place = #self.open
  while place > 0 and self.open[place].kind ~= closes[token.kind] do
    place = place - 1
  end
  if place == 0 then
    return
  elseif not self.early and not brackets[self:top().kind] then
    self.early = { block = self:top(), line = token.line, sign = token.kind, closed = self:top().closed }
  end
  for at = #self.open, place, -1 do
    self.open[at] = nil
  end
end

-- Whether an `end` at `at` that comes inside a bracket is too many: the bracket closes right behind it.
local function is_extra(tokens, at, bracket)
  while tokens[at].kind == "end" do
    at = at + 1
  end
  return tokens[at].kind == brackets[bracket.kind] or (bracket.kind == "{" and tokens[at].kind == ",")
end

-- Gives the line of an `end` that nothing is open for.
function walk_methods:close_block(tokens, at)
  local token = tokens[at]
  local is_first = self.source:sub(1, token.at - 1):match "\n[ \t]*$" ~= nil
  local indent = is_first and self.indents[token.line]
  while self:top() and brackets[self:top().kind] do
    local bracket = self:top()
    if token.kind == "end" and bracket.closed and is_extra(tokens, at, bracket) then
      self.extra = self.extra or { line = token.line, closed = bracket.closed }
      return nil
    end
    table.remove(self.open)
  end
  local block = table.remove(self.open)
  if not block then
    return token.line
  elseif self:top() then
    self:top().closed = { block = block, line = token.line, is_deeper = indent and indent > block.indent }
  end
  -- The `end` stands at the beginning of its line, so its indentation means something.
  if indent and indent < block.indent and not self.odd then
    self.odd = { block = block, line = token.line }
  end
  return nil
end

---@class cunnekt.check.walk
---@field open table[] blocks and brackets that are open at the end
---@field odd? table the first `end` that is indented less than the block that it closes
---@field early? table the first closing bracket that comes while a block is open
---@field extra? table the first `end` too many inside a bracket
---@field nothing? integer the line of an `end` that closes nothing, where the walk ends
local function walk(source)
  local self = setmetatable({ source = source, indents = indents_of(source), open = {} }, walk_mt)
  local tokens = lexer.tokens(source)
  for at, token in ipairs(tokens) do
    local kind = token.kind
    if heads[kind] then
      self.head = { kind = kind, line = token.line }
    elseif opens[kind] then
      self:open_block(token, tokens[at - 1])
    elseif brackets[kind] then
      table.insert(self.open, { kind = kind, line = token.line })
    elseif closes[kind] then
      self:close_bracket(token)
    elseif kind == "end" or kind == "until" then
      self.nothing = self:close_block(tokens, at)
      if self.nothing then
        break
      end
    end
  end
  return self
end

local function innermost(open)
  for at = #open, 1, -1 do
    if not brackets[open[at].kind] then
      return open[at]
    end
  end
  return nil
end

-- What the closing bracket shows that comes too early.
local function early_text(early)
  local text = (" before the '%s' in line %d"):format(early.sign, early.line)
  local closed = early.closed
  if closed and closed.line == early.line then
    text = text .. (": the 'end' there closes the '%s' in line %d"):format(name_of(closed.block), closed.block.line)
  end
  return text
end

local function explain_missing(source)
  local found = walk(source)
  local odd, early = found.odd, found.early
  local block = odd and odd.block or early and early.block or innermost(found.open)
  if not block then
    return nil
  end
  local word = block.kind == "repeat" and "until" or "end"
  local text = ("this '%s' has no '%s'"):format(name_of(block), word)
  if block.else_if then
    return block.else_if, ("'else if' needs an 'end' of its own: write elseif, or add one for the 'if' in line %d"):format(block.line)
  elseif odd then
    text = text .. (": the 'end' in line %d stands further left"):format(odd.line)
  elseif early then
    text = text .. early_text(early)
  end
  return block.line, text
end

-- Where something else is wrong as well, only what the indentation tells, or a bracket that closes where Lua stopped.
local function explain_odd(source, line)
  local found = walk(source)
  if found.odd or (found.early and found.early.line == line) then
    return explain_missing(source)
  end
end

-- A comma behind a function in a table, whose `end` is missing.
local function explain_comma(source, line)
  local found = walk(source)
  local early = found.early
  if early and early.sign ~= "]" and early.block.line <= line and early.line >= line then
    return explain_missing(source)
  end
end

local function explain_extra(source)
  local line = walk(source).nothing
  return line, line and "this 'end' closes nothing: there is one too many above, or a block's beginning is missing"
end

-- An `end` too many inside a call or a table.
local function explain_inner(source)
  local extra = walk(source).extra
  if not extra then
    return nil
  end
  local closed, text = extra.closed, "this 'end' is one too many: "
  local name = name_of(closed.block)
  if closed.is_deeper then
    return closed.line, text .. ("it closes the '%s' in line %d, before the 'end' in line %d"):format(name, closed.block.line, extra.line)
  end
  return extra.line, text .. ("the '%s' in line %d ends in line %d already"):format(name, closed.block.line, closed.line)
end

-- Whether the token before the one where Lua stopped is `end`: of a function among a call's arguments.
local function follows_end(source, line)
  local tokens = lexer.tokens(source)
  for at, token in ipairs(tokens) do
    if token.line >= line then
      return at > 1 and tokens[at - 1].kind == "end"
    end
  end
  return false
end

-- A call without its closing parenthesis.
local function explain_parenthesis(source, line, problem)
  local opened = tonumber(problem:match "to close '%(' at line (%d+)")
  if opened and not follows_end(source, line) then
    return opened, "this call's '(' has no ')', or a comma is missing"
  end
end

-- What Lua says, and what it means; the first that fits counts.
local meanings = {
  { "'[%)}]' expected.* near 'end'", explain_inner },
  { "'end' expected", explain_missing },
  { "'until' expected", explain_missing },
  { "<eof>'? expected near 'end'", explain_extra },
  { "near '[%)}]'", explain_odd },
  { "near ','", explain_comma },
  { "syntax error near ','", nil, "a call with several arguments needs parentheses: f(a, b)" },
  { "near '<eof>'", explain_missing },
  { "near <eof>", explain_missing },
  { "near '!'", nil, "Lua writes ~= for not equal, and not for not" },
  { "near '&'", nil, "Lua writes and in place of &&" },
  { "near '|'", nil, "Lua writes or in place of ||" },
  { "near '[%+%-%*]='", nil, "Lua has no +=: write x = x + 1" },
  { "unexpected symbol near '//'", nil, "a comment begins with --" },
  { "near '<\\194>'", nil, "that may be a no-break space, as code from web pages has: delete the blanks there, and type them" },
  { "near '<\\25[45]>'", nil, "the file is UTF-16: save it as UTF-8" },
  { "unexpected symbol near '/'", nil, "a comment begins with --" },
  { "unexpected symbol near '#'", nil, "a comment begins with --" },
  { "'then' expected near '='", nil, "== compares, = assigns" },
  { "'then' expected", nil, "write: if … then" },
  { "'do' expected", nil, "write: for … do, while … do" },
  { "near '<\\226>'", nil, "that may be a typographic quotation mark or dash: write \" or '" },
  { "unfinished string", nil, "its closing quotation mark is missing" },
  { "'}' expected", nil, "a comma or a closing brace is missing" },
  { "'%)' expected %(to close", explain_parenthesis },
  { "'%)' expected %(to close", nil, "a closing parenthesis is missing: bot:on(…, function(msg) … end) ends with `end)`" },
  { "'%)' expected near", nil, "a comma or a closing parenthesis is missing" },
}

---Explains why a source does not compile.
---@param problem string as load gives it: "NAME:LINE: …"
---@param source string
---@return string? problem nil: nothing is known beyond what Lua says
function blocks.explain(problem, source)
  local place, at = problem:match "^(.-):(%d+): "
  for _, meaning in ipairs(meanings) do
    if place and problem:find(meaning[1]) then
      if not meaning[2] then
        return ("%s (%s)"):format(problem, meaning[3])
      end
      local line, text = meaning[2](source, tonumber(at), problem)
      if line then
        return ("%s:%d: %s\n%s"):format(place, line, text, problem)
      end
    end
  end
  return nil
end

return blocks
