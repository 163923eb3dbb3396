-- SPDX-License-Identifier: MIT
-- Matchers that are Lua patterns, and do not find what they look like: words with a sign in them, as check-in, and the regular
-- expressions of other languages. What is no pattern at all, bot/pattern.lua refuses.

local pattern = require "cunnekt.bot.pattern"

local patterns = {}

-- Whether it has a sign that only a pattern has. The others stand in words, too: check-in, Tea (large), 50% off, How much?
local function is_surely_pattern(text)
  local rest = text:gsub("%%[^%w%p]", ""):gsub("%%[be-fh-km-oqrtvyzBE-FH-KM-OQRTVYZ]", ""):gsub("%?%f[%s%)%z]", "")
  return rest:find "[%^%$%%%[%]%*%+%?]" ~= nil or rest:find(".-", 1, true) ~= nil
end

-- Signs of regular expressions, and what Lua has for them; the first that is there counts.
local elsewhere = {
  { "\\[dwsDWSbB%.%?%+%*%(%)%[%]%^%$|/%-]", "Lua patterns have % where others have \\, as in %d+" },
  { "%(%?[:=!<%a]", "Lua patterns have no (?…); words without any sign are found in whatever case they are typed" },
  { "%S%s*|%s*%S", "Lua patterns have no | for one or the other; give a list: { \"…\", \"…\" }" },
}

---Why a matcher does not find what it looks like, and what to write; nil: it may be meant so.
---@param text string a Lua pattern
---@return string? doubt
function patterns.doubt(text)
  -- In a set each of them is a sign of its own.
  local outside = text:gsub("%%|", ""):gsub("%[.-%]", "")
  for _, one in ipairs(elsewhere) do
    if outside:find(one[1]) then
      return ("'%s': %s"):format(text, one[2])
    end
  end
  if is_surely_pattern(text) or text:find(text) then
    return nil
  end
  local sign = text:match "[%-%(%%]"
  return sign and ("'%s' does not find these words, since %s is a sign of Lua patterns; write '%s'"):format(text, sign, pattern.quote(text))
end

return patterns
