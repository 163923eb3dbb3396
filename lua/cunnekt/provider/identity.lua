-- SPDX-License-Identifier: MIT
-- Identities: how a recipient is written, and the key of a conversation, "<phone_number_id>:<customer>". The customer is a
-- number in digits with its country code ("919999999999") or, for people with a username, a user id ("IN.1349120865530274").
-- Only this file makes such keys, splits them and compares numbers. It runs for every event and message. No error repeats a
-- number: errors end up in logs.

local errors = require "cunnekt.base.errors"
local limits = require "cunnekt.provider.limits"

local identity = {}

local find, sub = string.find, string.sub

-- ---- the key of a conversation -------------------------------------------------------------------------------------

---Makes a key. Events with the same key are handled in order.
---@param phone_number_id string? the business number's id
---@param id string? the customer's number or user id
---@return string key what is not known is empty in it
function identity.key(phone_number_id, id)
  return (phone_number_id or "") .. ":" .. (id or "")
end

---Splits a key.
---@param key string
---@return string phone_number_id "" when it is not known
---@return string id of the customer; "" when it is not known
function identity.parts(key)
  local colon = find(key, ":", 1, true)
  if not colon then
    return "", key
  end
  return sub(key, 1, colon - 1), sub(key, colon + 1)
end

---The business number's id in a key.
---@param key string
---@return string? phone_number_id nil when it is not known
function identity.phone_number_id(key)
  local colon = find(key, ":", 1, true)
  return colon and colon > 1 and sub(key, 1, colon - 1) or nil
end

---The key of the conversation that an event belongs to.
---@param event cunnekt.webhook.event
---@return string key
function identity.of_event(event)
  return (event.phone_number_id or "") .. ":" .. (event.from or event.user_id or event.recipient or "")
end

-- ---- numbers -------------------------------------------------------------------------------------------------------

---A number that a person typed, as webhooks write it: "+91 99999-99999" becomes "919999999999". No check: anything else,
---such as a user id, stays as it is.
---@param text string
---@return string
function identity.plain(text)
  if find(text, "^%d+$") then
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

-- Up to here a number without "+" is taken as a national one, when a default country is set.
local national_digits = 10
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
  if #to <= max_digits and #to > national_digits and opts.mobile_format ~= "plus" and to:find "^[1-9]%d+$" then
    -- As webhooks write it: nothing to do. Most recipients are customers who wrote first.
    return to
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
