-- SPDX-License-Identifier: MIT
-- Splits Lua 5.4 source into tokens, with their lines. What does not compile is split as well as can be: a string that is not
-- closed ends with its line. What tokens mean is in cli/check/: parser.lua, walker.lua and blocks.lua.

local code = require "cunnekt.base.source.code"

local lexer = {}

---@class cunnekt.source.token
---@field kind "name"|"string"|"number"|"end"|string a keyword or an operator is its own kind
---@field value? string|number of names, strings and numbers
---@field line integer
---@field at integer its first byte

local keywords = {}
for word in
  ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until while]])
    :gmatch "%a+"
do
  keywords[word] = true
end

local operators = {}
for word in ("... == ~= <= >= // :: << >> .."):gmatch "%S+" do
  operators[word] = true
end

local function count_lines(text)
  return select(2, text:gsub("\n", ""))
end

-- The end of the long bracket at `at`, or nil.
local function long_bracket(source, at)
  local level = source:match("^%[(=*)%[", at)
  if not level then
    return nil
  end
  return select(2, source:find("]" .. level .. "]", at, true))
end

local function line_end(source, at)
  return (source:find("\n", at, true) or #source + 1) - 1
end

-- The byte behind the escape at `at`: some go on in the next line.
local function behind_escape(source, at)
  return source:match("^\\z%s*()", at) or source:match("^\\\r\n()", at) or at + 2
end

local function quoted_end(source, at)
  local quote = source:sub(at, at)
  local i = at + 1
  while true do
    i = source:find('[\\"\'\n]', i)
    local char = i and source:sub(i, i)
    if not i or char == "\n" then
      return line_end(source, i or at)
    elseif char == quote then
      return i
    end
    i = char == "\\" and behind_escape(source, i) or i + 1
  end
end

-- The value of a string literal; Lua itself reads those with escapes.
local function string_value(written)
  if written:find("\\", 1, true) or written:sub(1, 1) == "[" then
    local chunk = load("return " .. written)
    return chunk and chunk() or ""
  end
  return written:sub(2, -2)
end

local function number_end(source, at)
  local last = select(2, source:find("^0[xX][%x.]*", at)) or select(2, source:find("^[%d.]+", at))
  local exponent = source:find("^0[xX]", at) and "^[pP][+-]?%d+" or "^[eE][+-]?%d+"
  return select(2, source:find(exponent, last + 1)) or last
end

local function operator_end(source, at)
  for length = 3, 2, -1 do
    if operators[source:sub(at, at + length - 1)] then
      return at + length - 1
    end
  end
  return at
end

-- The token at `at`: its kind, its value and its last byte.
local function read(source, at)
  local char = source:sub(at, at)
  if char:find "[%a_]" then
    local word = source:match("^[%w_]+", at)
    return keywords[word] and word or "name", word, at + #word - 1
  elseif source:find("^%.?%d", at) then
    local last = number_end(source, at)
    return "number", tonumber(source:sub(at, last)), last
  elseif char == '"' or char == "'" or source:find("^%[=*%[", at) then
    local last = long_bracket(source, at) or (char == "[" and line_end(source, at)) or quoted_end(source, at)
    return "string", string_value(source:sub(at, last)), last
  end
  local last = operator_end(source, at)
  return source:sub(at, last), nil, last
end

-- The tokens, the lines of those one-line comments that stand behind all of them, and the lines of all comments.
local function split(source)
  local tokens, line, last_comments, comments = {}, 1, {}, {}
  local at = code.begin(source)
  while true do
    local blank = select(2, source:find("^%s+", at))
    local is_comment = not blank and source:find("^%-%-", at) ~= nil
    local stop = blank or (is_comment and long_bracket(source, at + 2))
    if stop then
      local first = line
      line = line + count_lines(source:sub(at, stop))
      for one = first, is_comment and line or 0 do
        comments[one] = true
      end
      at = stop + 1
    elseif is_comment then
      last_comments[line], comments[line] = true, true
      at = line_end(source, at) + 1
    elseif at > #source then
      tokens[#tokens + 1] = { kind = "end of file", line = line, at = at }
      return tokens, last_comments, comments
    else
      local kind, value, last = read(source, at)
      tokens[#tokens + 1] = { kind = kind, value = value, line = line, at = at }
      line = line + count_lines(source:sub(at, last))
      at, last_comments = last + 1, next(last_comments) and {} or last_comments
    end
  end
end

---@param source string
---@return cunnekt.source.token[] tokens the last is of kind "end of file"
function lexer.tokens(source)
  return (split(source))
end

---The comments of one line behind all code, and all comments.
---@param source string
---@return table<integer, true> last
---@return table<integer, true> all lines, also of long ones
function lexer.comments(source)
  local _, last, all = split(source)
  return last, all
end

return lexer
