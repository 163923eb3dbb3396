-- SPDX-License-Identifier: MIT
-- The address of a recipient: what people write ("+91 99999-99999") made into what the provider takes ("919999999999").
-- An error never repeats the number: it would end up in logs.

local errors = require "cunnekt.base.errors"

local mobile = {}

-- ITU-T E.164 allows 15 digits with the country code; the shortest numbers in use have 7.
local MOST_DIGITS, LEAST_DIGITS = 15, 7
-- Up to here a number without "+" is taken as a national one, when a default country is set.
local NATIONAL_DIGITS = 10
-- Users with usernames have ids such as "IN.1349120865530274" instead of a number; WhatsApp allows 128 characters
-- after the country.
local LONGEST_USER_ID = 131

local EXAMPLE = "give the country code and the number, such as 919999999999"

---@class cunnekt.mobile.options
---@field mobile_format? "digits"|"plus" how the number is written on the wire; "digits" by default
---@field default_country? string country code, such as "91", for numbers written without one

local function refuse(field, what)
  return nil, errors.new("invalid", ("%s %s; %s"):format(field, what, EXAMPLE), { field = field })
end

---The digits of a country code.
---@param value string|integer "91" or "+91"
---@return string? digits nil when it is none
function mobile.country(value)
  return tostring(value):match "^%+?([1-9]%d?%d?)$"
end

-- A number without "+" may be national. A leading 0 is a trunk prefix, which no country code begins with; and a number
-- that is longer than a national one, or that begins with the country's code and is long enough, has its code already.
local function with_country(digits, country)
  local national = digits:match "^0+(.*)$"
  if national then
    return country .. national
  end
  return #digits <= NATIONAL_DIGITS and country .. digits or digits
end

local function to_digits(text, opts)
  local plus, rest = text:match "^%s*(%+?)(.-)%s*$"
  local digits = rest:gsub("[%s%-%.%(%)]", "")
  if digits:find "%D" then
    return nil
  end
  if plus == "" and digits:sub(1, 2) == "00" then
    return digits:sub(3), true
  end
  if plus == "" and opts.default_country then
    return with_country(digits, mobile.country(opts.default_country)), true
  end
  return digits, true
end

---Makes a recipient's address as the provider takes it.
---@param to string|integer digits, or with "+", spaces, dashes, dots, brackets; or a user id such as "IN.123"
---@param opts? cunnekt.mobile.options
---@param field? string the field's name, for the error; "to" by default
---@return string? address
---@return cunnekt.error? err kind "invalid"
function mobile.normalise(to, opts, field)
  opts, field = opts or {}, field or "to"
  if math.type(to) == "integer" then
    to = tostring(to)
  end
  if to == nil then
    return refuse(field, "is missing")
  end
  if type(to) ~= "string" then
    return refuse(field, "must be a string, got " .. type(to))
  end
  if #to <= MOST_DIGITS and #to > NATIONAL_DIGITS and opts.mobile_format ~= "plus" and to:find "^[1-9]%d+$" then
    -- As the provider writes it, and so most of those that are answered. What a default country would add is there.
    return to
  elseif to:find "^%u%u%.[%w.]+$" and #to <= LONGEST_USER_ID then
    return to
  end
  local digits = to_digits(to, opts)
  if not digits then
    return refuse(field, "is not a phone number")
  end
  if #digits < LEAST_DIGITS or #digits > MOST_DIGITS then
    return refuse(field, ("has %d digits, not %d to %d"):format(#digits, LEAST_DIGITS, MOST_DIGITS))
  end
  if digits:sub(1, 1) == "0" then
    return refuse(field, "begins with 0, which no country code does")
  end
  return opts.mobile_format == "plus" and "+" .. digits or digits
end

return mobile
