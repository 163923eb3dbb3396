-- SPDX-License-Identifier: MIT
-- Telephone numbers as people and spreadsheets write them: which digits, with the country code, are meant. What is certain is
-- taken, all else is refused with the reason: a wrong number is a stranger who gets a customer's message. A reason never
-- repeats the number, since it ends up in logs. Which lengths and country codes there are is in number_plans.lua.

local core = require "cunnekt.core"
local limits = require "cunnekt.provider.limits"
local plans = require "cunnekt.provider.number_plans"

local numbers = {}

local min_digits, max_digits = limits.number_digits.min, limits.number_digits.max
-- Up to here the default country decides about digits that may be national or another country's.
local national_digits = limits.national_digits
local advice = "write it with + and its country code, such as +919999999999"
-- Bytes of a text, and of one that is no link with a message in it: no number is that long.
local max_text, max_written = 8192, 128

-- ---- signs ----------------------------------------------------------------------------------------------------------

-- The zeros of Unicode's decimal digits; the other nine follow each.
local zeros = {
  0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0,
  0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
  0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0,
  0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0,
  0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0,
  0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
}

-- What stands for a sign of ASCII: ranges of code points.
local signs = {
  { 0x00A0, 0x00A0, " " }, { 0x1680, 0x1680, " " }, { 0x2000, 0x200A, " " }, { 0x2028, 0x2029, "\n" }, { 0x202F, 0x202F, " " },
  { 0x205F, 0x205F, " " }, { 0x3000, 0x3000, " " },
  -- soft hyphen, Arabic letter mark, zero-width blanks and joiners, bidi marks and isolates, byte order mark
  { 0x00AD, 0x00AD, "" }, { 0x061C, 0x061C, "" }, { 0x180E, 0x180E, "" }, { 0x200B, 0x200F, "" }, { 0x202A, 0x202E, "" },
  { 0x2060, 0x2064, "" }, { 0x2066, 0x2069, "" }, { 0xFEFF, 0xFEFF, "" },
  { 0x2010, 0x2015, "-" }, { 0x2043, 0x2043, "-" }, { 0x2212, 0x2212, "-" }, { 0xFE58, 0xFE58, "-" }, { 0xFE63, 0xFE63, "-" },
  { 0xFF0D, 0xFF0D, "-" },
  { 0x00B7, 0x00B7, "." }, { 0xFF0E, 0xFF0E, "." }, { 0x2044, 0x2044, "/" }, { 0x2215, 0x2215, "/" }, { 0xFF0F, 0xFF0F, "/" },
  { 0xFE62, 0xFE62, "+" }, { 0xFF0B, 0xFF0B, "+" }, { 0xFF08, 0xFF08, "(" }, { 0xFF09, 0xFF09, ")" }, { 0x066B, 0x066C, "," },
  { 0xFF0C, 0xFF0C, "," }, { 0x2019, 0x2019, "'" },
}

local function sign_of(code)
  for _, zero in ipairs(zeros) do
    if code >= zero and code <= zero + 9 then
      return tostring(code - zero)
    end
  end
  for _, range in ipairs(signs) do
    if code >= range[1] and code <= range[2] then
      return range[3]
    end
  end
  return nil
end

-- The text in ASCII; or nil and what is wrong with it.
local function as_ascii(text)
  if #text > max_text then
    return nil, "is too long for a phone number"
  elseif not text:find "[\x80-\xFF]" then
    return text
  elseif not utf8.len(text) then
    return nil, "is not UTF-8"
  end
  local position = 0
  local stranger
  text = text:gsub(utf8.charpattern, function(char)
    position = position + 1
    local sign = char:byte() < 0x80 and char or sign_of(utf8.codepoint(char))
    stranger = stranger or (not sign and position) or nil
    return sign
  end)
  if stranger then
    return nil, ("has a sign that no telephone number has: its character %d"):format(stranger)
  end
  return text
end

-- ---- what may be around a number ------------------------------------------------------------------------------------

local link_hosts = { ["wa.me"] = true, ["api.whatsapp.com"] = true, ["web.whatsapp.com"] = true }

local function decoded(text)
  return (text:gsub("%+", "%%2B"):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- The number in a link that opens a chat; nil where the text is no link. Its number has a country code, by their rules.
local function link_number(text)
  local host, rest = text:match "^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)(.*)$"
  if not host then
    host, rest = text:match "^([%a.]+)(/.*)$"
  end
  if not host or not link_hosts[host:lower()] then
    rest = text:match "^[Ww][Hh][Aa][Tt][Ss][Aa][Pp][Pp]:/+send/?(%?.*)$"
    host = rest and "api.whatsapp.com"
  end
  if not host then
    return nil
  end
  local path, query = rest:match "^([^?#]*)%??([^#]*)"
  local number = query:match "^phone=([^&]*)" or query:match "&phone=([^&]*)"
  return decoded(number or path:match "^/([^/]*)/?$" or "")
end

-- Digits that a program took for an amount: 919876543210.0
local function without_decimals(text)
  return text:match "^(%+?%d%d%d%d%d%d+)[.,]0$" or text:match "^(%d%d%d%d%d%d+)[.,]00$" or text
end

local function count_digits(text)
  return select(2, text:gsub("%d", ""))
end

-- Whether at least two parts of a text, which match a pattern, are as long as numbers.
local function has_two_parts(text, pattern)
  local found = 0
  for part in text:gmatch(pattern) do
    found = found + (count_digits(part) >= min_digits and 1 or 0)
  end
  return found > 1
end

local function has_two_numbers(text)
  return select(2, text:gsub("%+", "")) > 1
    or text:find "%d[^%d]*\n[^%d]*%d" ~= nil
    or has_two_parts(text, "[^,;|&]+")
    or count_digits(text) > max_digits + 2 and has_two_parts(text, "[^%s/]+")
end

-- Whether a '/' follows so much of a number that another one, or another end of it, may begin there: 089 1234567/68.
local function has_late_slash(text)
  local before = text:match "^(.*%d)[%s()-]*/[%s()-]*%d"
  before = before and before:gsub("^%s*%(?%+%d%d?%d?", ""):gsub("^%s*00%d%d", ""):gsub("%(%s*0%s*%)", "")
  return before and count_digits(before) > 5
end

-- What is wrong with a text that cannot be a number.
local function oddity(text)
  local lower = text:lower()
  if text:find "^[%d.,]+[Ee][+-]?%d+$" then
    return "looks like a number that a spreadsheet has shortened, so digits are missing; format its column as text"
  elseif lower:find "%d[%s,;.]*e?xt?[%s.:=]*%d+$" or lower:find "%d[%s,;]*ext%a*[%s.:=]*%d+$" or lower:find "%d%s*#%s*%d+$" then
    return "has an extension, which WhatsApp cannot reach"
  elseif has_two_numbers(text) then
    return "holds two numbers; give one"
  elseif text:find "%a" then
    return "is not a phone number: it has letters"
  elseif text:find "[^%d%s()./+-]" then
    return ("is not a phone number: it has a '%s'"):format(text:match "[^%d%s()./+-]":gsub("%c", "?"))
  elseif has_late_slash(text) then
    return "has a '/' behind most of its digits, where another number or another end of it may begin; give one, without '/'"
  elseif text:find "^%+?%d%d%d%d%d%d+%.%d%d?$" or text:find "^%+?%d%d%d%d%d%d+%.000+$" then
    return "looks like an amount, with decimals behind a point"
  elseif text:find "%.0$" then
    return "ends with '.0', which may be no part of it; write it without"
  end
  return nil
end

-- ---- which number the digits are ------------------------------------------------------------------------------------

local or_default = advice .. ", or set default_country"

-- What people dial at home in front of a number, which its length tells from a mistyped digit. Mexico's prefixes of mobile and of
-- long-distance calls; in Brazil 0 and the code of a carrier, for mobile numbers only: with the ten digits of others it looks like
-- a mobile number that has a digit too many.
local prefixes = {
  ["36"] = { { "^06", 2, 8, 9 } },
  ["52"] = { { "^04[45]", 3, 10, 10 }, { "^01", 2, 10, 10 } },
  ["55"] = { { "^0[1-9]%d", 3, 11, 11 } },
}

local function without_prefix(plan, national)
  for _, prefix in ipairs(prefixes[plan.code] or {}) do
    local pattern, size, least, most = table.unpack(prefix)
    local rest = national:sub(size + 1)
    if national:find(pattern) and #rest >= least and #rest <= most then
      return rest
    end
  end
  return national
end

-- The digits of an Argentine mobile number as at home: a 15 behind the area code, which abroad is a 9 in front. Some write both.
local function argentine_at_home(national)
  local digits = #national == 13 and national:match "^9(.*)$" or national
  return #digits == 12 and digits or nil
end

-- The whole number of a national one; nil where the country has none like it.
local function complete(plan, national, is_explicit)
  local at_home = plan.code == "54" and argentine_at_home(national)
  if at_home then
    local whole = plan.code .. at_home
    local abroad = core.canonical_number(whole)
    return abroad ~= whole and abroad or nil
  end
  national = without_prefix(plan, national)
  return plans.fits(plan, national, is_explicit) and plan.code .. national or nil
end

local function wrong_length(plan, national)
  local least, most = plans.range(plan)
  if #national < least or #national > most then
    local wanted = least == most and tostring(least) or ("%d to %d"):format(least, most)
    return ("has %d digits after its country code %s, not %s"):format(#national, plan.code, wanted)
  end
  return ("is no number of its country code %s: a digit is missing, too many or wrong"):format(plan.code)
end

-- Digits whose writer said that they begin with the country code.
local function read_international(digits)
  if digits:find "^0" then
    return nil, "begins with 0, which no country code does; " .. advice
  end
  local plan, national = plans.find(digits)
  if not plan then
    return nil, "begins with no country code that is in use; " .. advice
  end
  local whole = complete(plan, national, true)
  if not whole and plan.trunk == "0" and national:find "^0[1-9]" then
    whole = complete(plan, national:sub(2), true) -- +49 0151 …
  end
  if not whole then
    return nil, wrong_length(plan, national)
  end
  return whole
end

local function is_whole(digits)
  local plan, national = plans.find(digits)
  return plan ~= nil and plans.fits(plan, national)
end

-- Digits of the default country, with its trunk prefix in front; nil where they have none.
local function read_trunk(digits, plan)
  local trunk = plan.trunk
  if trunk and digits:sub(1, #trunk) == trunk and not digits:find "^00" then
    local national = digits:sub(#trunk + 1)
    local whole = not (trunk == "0" and national:find "^0") and complete(plan, national, true)
    return whole or complete(plan, digits, true)
  elseif not trunk and digits:find "^0" then
    return complete(plan, digits) -- the 0 is part of it, as in Italy
  end
  return nil
end

-- Whether digits may as well begin with the code of their own country, or of another one, as be national ones.
local function is_doubtful(digits, plan, is_own, is_foreign)
  if is_own then
    return true
  end
  -- Where a 0 belongs in front, its absence means something; where numbers have one length, it is what tells.
  local least, most = plans.range(plan)
  local has_own_code = digits:sub(1, #plan.code) == plan.code
  local is_strange = has_own_code and least ~= most or is_foreign and #digits > national_digits
  return plan.trunk == "0" and not plan.is_bare and is_strange
end

-- Digits that may be national ones of the default country, or begin with a country code.
local function read_with_default(digits, plan)
  local whole = read_trunk(digits, plan)
  if whole then
    return whole
  elseif digits:find "^0" then
    return nil, ("begins with 0, and is no number of the default country %s; %s"):format(plan.code, advice)
  end
  local national = complete(plan, digits, plan.trunk == nil)
  local is_own = digits:sub(1, #plan.code) == plan.code and plans.fits(plan, digits:sub(#plan.code + 1), true)
  local is_foreign = not is_own and is_whole(digits)
  if national and is_doubtful(digits, plan, is_own, is_foreign) then
    return nil, ("may be a number of the default country %s or begin with a country code; %s"):format(plan.code, advice)
  elseif national then
    return national
  elseif is_own or is_foreign then
    return digits
  end
  return nil, ("is no number of the default country %s, and begins with no other country code; %s"):format(plan.code, advice)
end

local function read_bare(digits, plan)
  if plan and plan.code == "1" and digits:find "^011[2-9]" then
    return read_international(digits:sub(4)) -- how North America dials abroad; no number there begins with 0
  elseif plan then
    return read_with_default(digits, plan)
  elseif digits:find "^0" then
    return nil, "begins with 0, so it has no country code; " .. or_default
  elseif is_whole(digits) then
    return digits
  end
  return nil, "lacks its country code, or some of its digits; " .. or_default
end

-- ---- reading --------------------------------------------------------------------------------------------------------

-- +49 (0) 151 …: the 0 is for calls within the country.
local function without_bracketed_zero(text)
  local before, after = text:match "^(.-)%(%s*0%s*%)(.*)$"
  if not before then
    return text
  end
  local code = before:gsub("[%s()./-]", ""):gsub("^%+", ""):gsub("^00", "")
  if code == "" then
    return not before:find "%d" and not before:find "%+" and "0" .. after or nil
  end
  local plan = plans.of(code)
  local is_certain = plan and plan.trunk == "0" and not after:find "%(%s*0%s*%)"
  return is_certain and "+" .. code .. after or nil
end

-- Brazil's 0xx11: xx stands for the code of any carrier.
local function without_carrier_sign(text, plan)
  local before, after = text:match "^(.-0)%s*[Xx][Xx](.*)$"
  local code = before and before:gsub("[%s()./+-]", "")
  local is_certain = code == "550" or code == "00550" or code == "0" and plan and plan.code == "55"
  return is_certain and before .. after or text
end

-- Digits, and whether the writer said that they begin with a country code; or nil and what is wrong.
local function digits_of(text, plan)
  local link = link_number(text)
  text = link or text:gsub("^[Tt][Ee][Ll]:", ""):gsub("^'", "")
  if link and not link:find "%d" then
    return nil, "is a link without a number"
  end
  if #text > max_written then
    return nil, "is too long for a phone number; " .. advice
  end
  text = without_carrier_sign(without_decimals(text), plan)
  local problem = oddity(text)
  if problem then
    return nil, problem
  end
  local plain = without_bracketed_zero(text)
  if not plain then
    return nil, "has a (0) whose meaning is not certain; write it without"
  end
  local plus, digits = plain:gsub("[%s()./-]", ""):match "^(%+?)(%d*)$"
  if not plus then
    return nil, "has a + between its digits"
  elseif plus == "" and digits:find "^00" then
    return digits:sub(3), true
  end
  return digits, plus ~= "" or link ~= nil
end

---Reads a telephone number.
---@param text string
---@param default_country? string|integer country code of numbers that are written without one
---@return string? digits with the country code, as webhooks write them
---@return string? reason why it is refused: the rest of a sentence that begins with the field's name
function numbers.read(text, default_country)
  local plan = default_country and plans.of(numbers.country(default_country) or "") or nil
  if core.is_number(text, min_digits, max_digits) then
    return read_bare(text, plan) -- most are written so, and need no cleaning
  end
  local plain, problem = as_ascii(text)
  if not plain then
    return nil, problem
  end
  local digits, is_explicit = digits_of(plain:match "^%s*(.-)%s*$", plan)
  if not digits then
    return nil, is_explicit --[[@as string]]
  elseif digits == "" then
    return nil, "is empty; " .. advice
  end
  local least = plan and not is_explicit and min_digits - #plan.code or min_digits -- national numbers are shorter
  local most = is_explicit and max_digits + 1 or max_digits -- a 0 that does not belong there, as in +49 0151
  if #digits < least or #digits > most then
    return nil, ("has %d digits, not %d to %d; %s"):format(#digits, min_digits, max_digits, advice)
  elseif is_explicit then
    return read_international(digits)
  end
  return read_bare(digits, plan)
end

---The digits of a country code.
---@param value string|integer "91" or "+91"
---@return string? digits nil when there is no such code
function numbers.country(value)
  local code = tostring(value):match "^%+?(%d+)$" or tostring(value):match "^(%d+)%.0$"
  return code and plans.of(code) and code or nil
end

return numbers
