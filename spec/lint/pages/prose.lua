-- SPDX-License-Identifier: MIT
-- What of a file is English. What is code is replaced by blanks, so that every word keeps its line.

package.path = "lua/?.lua;" .. package.path
local lexer = require "cunnekt.base.source.lexer"

local prose = {}

-- The line ends of a text, in its place.
local function blank(text)
  return (text:gsub("[^\n]+", " "))
end

-- A span of code may go on in the next line, but not in the next paragraph.
local function without_spans(text)
  return (text:gsub("``.-``", blank):gsub("`[^`]*`", function(span)
    return span:find "\n%s*\n" and span or blank(span)
  end))
end

---A page without its code blocks.
---@param text string
---@return string
function prose.outside_of_blocks(text)
  return (("\n" .. text .. "\n"):gsub("\n[ ]*```.-\n[ ]*```[^\n]*", blank):sub(2, -2))
end

---The English of a page: no code, no addresses, no HTML.
---@param text string
---@return string
function prose.of_page(text)
  text = without_spans(prose.outside_of_blocks(text))
  text = text:gsub("<!%-%-.-%-%->", blank):gsub("<[^<>\n]*>", " ")
  return (text:gsub("%]%([^)\n]*%)", "]"):gsub("https?://[^%s)]+", " "))
end

-- A message: format directives and what a user would type are no English.
local function of_message(text)
  text = without_spans(prose.outside_of_blocks(text)):gsub("%%%-?%d*[cdfgiqsux]", " "):gsub("%%%.%d+f", " "):gsub("'[^'\n]*'", " "):gsub('"[^"\n]*"', " ")
  return (text:gsub("https?://%S+", " "):gsub("%f[%w-]%-%-?%a[%w%-]*", " "))
end

-- A comment; annotations begin with a name and a type.
local function of_comment(text)
  text = text:gsub("^%-%-%-@(%a+)%s*(.*)$", function(tag, rest)
    if tag == "field" or tag == "param" then
      return rest:gsub("^[%w_.]+%??%s+%S+", "")
    end
    return tag == "return" and rest:gsub("^%S+", "") or ""
  end)
  return (of_message(text):gsub("{.-}", " "))
end

-- Lists of names have none of these.
local signs = { "the", "a", "is", "of", "to", "be", "an", "no", "as", "has", "are", "with" }

local function is_sentence(text)
  for _, sign in ipairs(signs) do
    if text:find("%f[%a]" .. sign .. " %a") and not text:find "[;\n]%s*local " then
      return true
    end
  end
  return false
end

---The English of a Lua source: comments, and strings that are sentences. Lines that hold neither are empty.
---@param text string
---@return string
function prose.of_lua(text)
  local lines, number = {}, 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local comment = line:match "^%s*(%-%-.*)$" or line:match "%s(%-%- [^\"']*)$"
    lines[number] = comment and not comment:find "luacheck:" and of_comment(comment) or ""
  end
  for _, token in ipairs(lexer.tokens(text)) do
    if token.kind == "string" and is_sentence(token.value) then
      local its_number = token.line
      for line in (of_message(token.value) .. "\n"):gmatch "(.-)\n" do
        lines[its_number] = (lines[its_number] or "") .. " " .. line
        its_number = math.min(its_number + 1, number)
      end
    end
  end
  return table.concat(lines, "\n")
end

-- No words: names of code, paths, sizes, units of measure, and words of other alphabets.
local function is_word(text)
  return not text:find "[%d_/\\=()<>@#$*+|^~&%%{}\128-\255]" and not text:find "%a%.%a" and not text:find "%a:%a" and not text:find "^%u+s?$"
end

---Calls a function with each English word, and its line.
---@param text string
---@param fn fun(word: string, line: integer)
function prose.each_word(text, fn)
  local number = 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    -- Dashes, ellipses and quotation marks of other alphabets stand between words.
    for piece in line:gsub("\226\128[\147-\157\166]", " "):gsub("[%[%]|,;!?\"]", " "):gmatch "%S+" do
      piece = piece:gsub("^[^%w\128-\255]+", ""):gsub("[^%w\128-\255]+$", "")
      for part in (is_word(piece) and piece or ""):gmatch "[%a']+" do
        part = part:gsub("^'+", ""):gsub("'+$", ""):gsub("'s$", "")
        if #part > 1 then
          fn(part, number)
        end
      end
    end
  end
end

return prose
