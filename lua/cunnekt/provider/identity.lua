-- SPDX-License-Identifier: MIT
-- Identities: how a recipient is written, and the key of a conversation, "<phone_number_id>:<customer>". The customer is a
-- number in digits with its country code ("919999999999") or, for people with a username, a user id ("IN.1349120865530274").
-- Only this file makes such keys, splits them and compares numbers. It runs for every event and message. No error repeats a
-- number: errors end up in logs.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local limits = require "cunnekt.provider.limits"

local identity = {}

-- ---- the key of a conversation -------------------------------------------------------------------------------------

---Makes a key of the business number's id and the customer's number or user id; what is not known is empty in it. Events
---with the same key are handled in order.
---@type fun(phone_number_id: string?, id: string?): string
identity.key = core.contact_key

---Splits a key.
---@param key string
---@return string phone_number_id "" when it is not known
---@return string id of the customer; "" when it is not known
function identity.parts(key)
  local phone_number_id, id = core.contact_parts(key)
  return phone_number_id or "", id or key
end

---The business number's id in a key.
---@param key string
---@return string? phone_number_id nil when it is not known
function identity.phone_number_id(key)
  return (core.contact_parts(key))
end

---The key of the conversation that an event belongs to.
---@type fun(event: cunnekt.webhook.event): string
identity.of_event = core.contact_of_event

-- ---- numbers -------------------------------------------------------------------------------------------------------

---A number that a person typed, as webhooks write it: "+91 99999-99999" becomes "919999999999". No check: anything else,
---such as a user id, stays as it is.
---@param text string
---@return string
function identity.plain(text)
  if text:find "^%d+$" then
    return text
  end
  return text:gsub("[ ().-]", ""):match "^%+?(%d+)$" or text
end

---Whether two texts name the same customer, however their numbers are written.
---@param a string
---@param b string
---@return boolean
function identity.same(a, b)
  return a == b or identity.plain(a) == identity.plain(b)
end

---The digits of a country code.
---@param value string|integer "91" or "+91"
---@return string? digits nil when it is none
function identity.country(value)
  return tostring(value):match "^%+?([1-9]%d?%d?)$"
end

-- ---- recipients ----------------------------------------------------------------------------------------------------

local national_digits = limits.national_digits
local min_digits, max_digits = limits.number_digits.min, limits.number_digits.max
local max_user_id = limits.user_id_characters

local example = "give the country code and the number, such as 919999999999"

---@class cunnekt.mobile.options
---@field mobile_format? "digits"|"plus" how the number is written on the wire; "digits" by default
---@field default_country? string country code, such as "91", for numbers written without one

local function refuse(field, what)
  return nil, errors.new("invalid", ("%s %s; %s"):format(field, what, example), { field = field })
end

-- A number without "+" may be national. A leading 0 is a trunk prefix, which no country code begins with; and a number
-- that is longer than a national one has its country code already.
local function with_country(digits, country)
  local national = digits:match "^0+(.*)$"
  if national then
    return country .. national
  end
  return #digits <= national_digits and country .. digits or digits
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
    return with_country(digits, identity.country(opts.default_country)), true
  end
  return digits, true
end

---Checks a recipient, and writes it as the provider takes it.
---@param to string|integer digits, or with "+", spaces, dashes, dots, brackets; or a user id such as "IN.123"
---@param opts? cunnekt.mobile.options
---@param field? string the field's name, for the error; "to" by default
---@return string? recipient
---@return cunnekt.error? err kind "invalid"
function identity.normalise(to, opts, field)
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
  if opts.mobile_format ~= "plus" and core.is_number(to, national_digits + 1, max_digits) then
    return to -- as webhooks write it
  elseif to:find "^%u%u%.[%w.]+$" and #to <= max_user_id then
    return to
  end
  local digits = to_digits(to, opts)
  if not digits then
    return refuse(field, "is not a phone number")
  end
  if #digits < min_digits or #digits > max_digits then
    return refuse(field, ("has %d digits, not %d to %d"):format(#digits, min_digits, max_digits))
  end
  if digits:sub(1, 1) == "0" then
    return refuse(field, "begins with 0, which no country code does")
  end
  return opts.mobile_format == "plus" and "+" .. digits or digits
end

return identity
