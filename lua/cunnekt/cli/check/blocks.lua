-- SPDX-License-Identifier: MIT
-- What is wrong with a source that does not compile, in the words of whoever wrote it. Lua names the place where it could not go
-- on; a missing `end` belongs to a block far above, which the indentation tells.

local lexer = require "cunnekt.cli.check.lexer"

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

-- Goes through the blocks. Gives those that are open at the end, and the first `end` that is indented less than the block that it
-- closes.
local function walk(source)
  local indents, open, odd, head, before = indents_of(source), {}, nil, nil, nil
  for _, token in ipairs(lexer.tokens(source)) do
    local kind = token.kind
    if heads[kind] then
      head = { kind = kind, line = token.line }
    elseif opens[kind] then
      local block = { kind = kind, line = token.line, indent = indents[token.line] }
      if kind == "if" and before and before.kind == "else" and before.line == token.line and open[1] then
        open[#open].else_if = token.line -- its `end` closes the inner one
      end
      if kind == "do" and head then
        block.head, block.line, block.indent = head.kind, head.line, indents[head.line]
        head = nil
      end
      open[#open + 1] = block
    elseif kind == "end" or kind == "until" then
      local block = table.remove(open)
      if not block then
        return open, odd, token.line
      end
      -- The `end` stands at the beginning of its line, so its indentation means something.
      local is_first = source:sub(1, token.at - 1):match "\n[ \t]*$" ~= nil
      if is_first and indents[token.line] < block.indent and not odd then
        odd = { block = block, line = token.line }
      end
    end
    before = token
  end
  return open, odd, nil
end

local function explain_missing(source)
  local open, odd = walk(source)
  local block = odd and odd.block or open[#open]
  if not block then
    return nil
  end
  local word = block.kind == "repeat" and "until" or "end"
  local text = ("this '%s' has no '%s'"):format(name_of(block), word)
  if block.else_if then
    return block.else_if, ("'else if' needs an 'end' of its own: write elseif, or add one for the 'if' in line %d"):format(block.line)
  elseif odd then
    text = text .. (": the 'end' in line %d stands further left"):format(odd.line)
  end
  return block.line, text
end

-- Where something else is wrong as well, only what the indentation tells.
local function explain_odd(source)
  local _, odd = walk(source)
  if odd then
    return explain_missing(source)
  end
end

local function explain_extra(source)
  local _, _, extra = walk(source)
  return extra, extra and "this 'end' closes nothing: there is one too many above, or a block's beginning is missing"
end

-- What Lua says, and what it means; the first that fits counts.
local meanings = {
  { "'end' expected", explain_missing },
  { "'until' expected", explain_missing },
  { "<eof>'? expected near 'end'", explain_extra },
  { "near '%)'", explain_odd },
  { "near '<eof>'", explain_missing },
  { "near <eof>", explain_missing },
  { "near '!'", nil, "Lua writes ~= for not equal, and not for not" },
  { "near '&'", nil, "Lua writes and in place of &&" },
  { "near '|'", nil, "Lua writes or in place of ||" },
  { "near '[%+%-%*]='", nil, "Lua has no +=: write x = x + 1" },
  { "unexpected symbol near '/'", nil, "a comment begins with --" },
  { "unexpected symbol near '#'", nil, "a comment begins with --" },
  { "'then' expected near '='", nil, "== compares, = assigns" },
  { "'then' expected", nil, "write: if … then" },
  { "'do' expected", nil, "write: for … do, while … do" },
  { "near '<\\226>'", nil, "that may be a typographic quotation mark or dash: write \" or '" },
  { "unfinished string", nil, "its closing quotation mark is missing" },
  { "'}' expected", nil, "a comma or a closing brace is missing" },
  { "'%)' expected %(to close", nil, "a closing parenthesis is missing: bot:on(…, function(msg) … end) ends with `end)`" },
}

---Explains why a source does not compile.
---@param problem string as load gives it: "NAME:LINE: …"
---@param source string
---@return string? problem nil: nothing is known beyond what Lua says
function blocks.explain(problem, source)
  local place = problem:match "^(.-):%d+: "
  for _, meaning in ipairs(meanings) do
    if place and problem:find(meaning[1]) then
      if not meaning[2] then
        return ("%s (%s)"):format(problem, meaning[3])
      end
      local line, text = meaning[2](source)
      if line then
        return ("%s:%d: %s\n%s"):format(place, line, text, problem)
      end
    end
  end
  return nil
end

return blocks
