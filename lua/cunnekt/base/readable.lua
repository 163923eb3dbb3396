-- SPDX-License-Identifier: MIT
-- Texts made comparable: without the escapes that servers put into them, and without what does not count when two texts say
-- the same, case and punctuation. What is looked for in them is redact.lua's business.

local readable = {}

-- Escapes within escapes, as of JSON in a string of JSON.
local most_passes = 3

-- ---- escapes --------------------------------------------------------------------------------------------------------

-- A control character would break a log's line.
local function character(code)
  if not code or code > 0x10ffff or (code >= 0xd800 and code < 0xe000) then
    return "\u{fffd}"
  end
  return (code < 0x20 or code == 0x7f) and " " or utf8.char(code)
end

local simple = { n = " ", r = " ", t = " ", b = " ", f = " ", ['"'] = '"', ["'"] = "'", ["\\"] = "\\", ["/"] = "/" }

local function backslash(sign, hex)
  if sign == "u" and #hex == 4 then
    return character(tonumber(hex, 16))
  end
  return simple[sign] and simple[sign] .. hex
end

local function surrogates(high, low)
  return character(0x10000 + ((tonumber(high, 16) & 0x3ff) << 10) + (tonumber(low, 16) & 0x3ff))
end

-- Characters of one to four bytes, each byte as %XX.
local percent_encoded = {
  "%%[0-7]%x",
  "%%[c-dC-D]%x%%[89abAB]%x",
  "%%[eE]%x%%[89abAB]%x%%[89abAB]%x",
  "%%[fF][0-4]%%[89abAB]%x%%[89abAB]%x%%[89abAB]%x",
}

local function from_percents(signs)
  local bytes = signs:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return utf8.len(bytes) and character(utf8.codepoint(bytes)) or nil
end

local entities = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = "\u{a0}" }

local function entity(name)
  local code = tonumber(name:match "^#(%d+)$") or tonumber(name:match "^#[xX](%x+)$" or "", 16)
  return code and character(math.tointeger(code)) or entities[name]
end

local function unescaped(text)
  text = text:gsub("\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", surrogates)
  text = text:gsub("\\u{(%x%x?%x?%x?%x?%x?)}", function(hex)
    return character(tonumber(hex, 16))
  end)
  text = text:gsub("\\x(%x%x)", "%%%1")
  text = text:gsub("\\(.)(%x?%x?%x?%x?)", backslash)
  for _, encoded in ipairs(percent_encoded) do
    text = text:gsub(encoded, from_percents)
  end
  return (text:gsub("&(#?%w+);", entity))
end

---A text without the escapes of JSON, URLs and HTML that are in it.
---@param text string
---@return string
function readable.unescape(text)
  for _ = 1, most_passes do
    if not text:find "[\\%%&]" then
      break
    end
    text = unescaped(text)
  end
  return text
end

-- ---- case and punctuation -------------------------------------------------------------------------------------------

-- Capital letters of two bytes → small ones, which have two as well, so that places stay what they are: Latin, Greek and
-- Cyrillic. Other scripts of our customers have no case.
local small = {}

local function add_capitals(from, to, step, distance)
  for code = from, to, step do
    small[utf8.char(code)] = utf8.char(code + distance)
  end
end

add_capitals(0xc0, 0xde, 1, 32) -- the sign of multiplication among them does no harm
add_capitals(0x100, 0x136, 2, 1)
add_capitals(0x139, 0x147, 2, 1)
add_capitals(0x14a, 0x176, 2, 1)
add_capitals(0x179, 0x17d, 2, 1)
add_capitals(0x386, 0x386, 1, 38)
add_capitals(0x388, 0x38a, 1, 37)
add_capitals(0x391, 0x3ab, 1, 32)
add_capitals(0x3c2, 0x3c2, 1, 1) -- the sigma at the end of a word
add_capitals(0x400, 0x40f, 1, 80)
add_capitals(0x410, 0x42f, 1, 32)
add_capitals(0x460, 0x480, 2, 1)
add_capitals(0x48a, 0x4be, 2, 1)
add_capitals(0x4d0, 0x52e, 2, 1)

-- Signs beyond ASCII that are no part of a word: quotes, dashes, dots, spaces, what stands for a character that is none.
local signs = {
  "\xC2[\x80-\xBF]",
  "\xE2[\x80\x81][\x80-\xBF]",
  "\xE3\x80[\x80-\xBF]",
  "\xEF\xBC[\x81-\x8F\x9A-\xA0]",
  "\xEF\xBB\xBF",
  "\xEF\xBF\xBD",
}

local function spaces(sign)
  return (" "):rep(#sign)
end

---A text of the same length in which letters are small and signs beyond ASCII are spaces.
---@param text string
---@return string
function readable.fold(text)
  text = text:lower()
  if not text:find "[\x80-\xff]" then
    return text
  end
  for _, sign in ipairs(signs) do
    text = text:gsub(sign, spaces)
  end
  return (text:gsub("[\xC3-\xD4][\x80-\xBF]", small))
end

return readable
