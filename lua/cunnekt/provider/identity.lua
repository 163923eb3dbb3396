-- SPDX-License-Identifier: MIT
-- Identities: how a recipient is written, and the key of a conversation, "<phone_number_id>:<customer>". The customer is a
-- number in digits with its country code ("919999999999") or, for people with a username, a user id ("IN.1349120865530274").
-- Only this file makes such keys, splits them and compares numbers; how people write numbers is in numbers.lua. It runs for
-- every event and message. No error repeats a number: errors end up in logs.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local limits = require "cunnekt.provider.limits"
local numbers = require "cunnekt.provider.numbers"

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

---The customer's number in a key.
---@param key string
---@return string? number nil where it names a user id, or nobody
function identity.number(key)
  local _, customer = core.contact_parts(key)
  return customer and customer:match "^%d+$"
end

---The business number's id in a key.
---@param key string
---@return string? phone_number_id nil when it is not known
function identity.phone_number_id(key)
  return (core.contact_parts(key))
end

---What comes right behind all keys of a business number, in the order of bytes.
---@type fun(phone_number_id: string?): string
identity.behind = core.contact_behind

---The id of a business number as keys have it.
---@param value string|integer
---@return string? phone_number_id nil when it cannot be one
function identity.line(value)
  return tostring(value):match "^[%w_-]+$"
end

---The phone_number_id of sample events (sandbox/samples.lua): a bot that was tried with one has no second number.
identity.sample_phone_number_id = "123456789"

---The key of the conversation that an event belongs to.
---@type fun(event: cunnekt.webhook.event): string
identity.of_event = core.contact_of_event

-- ---- recipients ----------------------------------------------------------------------------------------------------

local max_user_id = limits.user_id_characters
-- Up to here a float holds every whole number.
local max_whole = 2 ^ 53

---The digits of a country code.
---@param value string|integer "91" or "+91"
---@return string? digits nil when there is no such code
identity.country = numbers.country

---@class cunnekt.mobile.options
---@field mobile_format? "digits"|"plus" how the number is written on the wire; "digits" by default
---@field default_country? string|integer country code, such as "91", for numbers written without one

local function refuse(field, what)
  return nil, errors.new("invalid", ("%s %s"):format(field, what), { field = field })
end

local function is_user_id(text)
  return #text <= max_user_id and text:find "^%u%u%.[%w.]+$" ~= nil
end

-- A number of Lua as the digits that it stands for: spreadsheets and JSON have numbers.
local function as_text(value)
  if math.type(value) == "float" and value == value // 1 and value < max_whole then
    value = math.tointeger(value)
  end
  return math.type(value) == "integer" and value >= 0 and tostring(value) or nil
end

---Checks a recipient, and writes it as the provider takes it. What is not certain is refused; see numbers.lua.
---@param to string|number however people and spreadsheets write a number, or a link such as "https://wa.me/919999999999"; or a user id such as "IN.123"
---@param opts? cunnekt.mobile.options
---@param field? string the field's name, for the error; "to" by default
---@return string? recipient
---@return cunnekt.error? err kind "invalid"; never repeats the number
function identity.normalise(to, opts, field)
  opts, field = opts or {}, field or "to"
  if to == nil then
    return refuse(field, "is missing")
  elseif type(to) == "number" then
    to = as_text(to)
    if not to then
      return refuse(field, "is not a whole number")
    end
  elseif type(to) ~= "string" then
    return refuse(field, "must be a string, got " .. type(to))
  elseif is_user_id(to) then
    return to
  end
  local digits, reason = numbers.read(to, opts.default_country)
  if not digits then
    return refuse(field, reason)
  end
  return opts.mobile_format == "plus" and "+" .. digits or digits
end

---A number that is written as webhooks write one, which it may be or not.
---@param to any
---@return string? digits nil: it is not
function identity.as_webhooks(to)
  return core.is_number(to, limits.number_digits.min, limits.number_digits.max) and to or nil
end

---Checks whom an operator means: a recipient, or one conversation, as a key of it or as its business number's id and customer.
---@param who string as `normalise` takes it, or "<phone_number_id>:<customer>" with such a customer
---@param opts? cunnekt.mobile.options
---@param field string
---@return string? customer or key
---@return cunnekt.error? err kind "invalid"
function identity.meant(who, opts, field)
  local recipient, err = identity.normalise(who, opts, field)
  local line, customer = who:match "^([%w_-]*):(.+)$"
  if recipient or not line then -- a link has a colon as well
    return recipient, err
  end
  local country = opts and opts.default_country
  local digits = identity.as_webhooks(customer) -- a key has them, whichever country has such numbers
  if not digits then
    digits, err = identity.normalise(customer, { default_country = country }, field)
  end
  return digits and identity.key(line, digits), err
end

-- ---- comparing -----------------------------------------------------------------------------------------------------

---The form of a number in which two forms of it are equal: with Brazil's ninth digit and Argentina's 9, without Mexico's 1.
---It is for comparing, not for sending.
---@param digits string as webhooks write a number; anything else, such as a user id, stays as it is
---@return string canonical
identity.canonical = core.canonical_number

local function comparable(text)
  return identity.canonical(identity.normalise(text) or text)
end

---Whether two texts name the same customer, however their numbers are written, and in whichever form.
---@param a string
---@param b string
---@return boolean
function identity.same(a, b)
  return a == b or comparable(a) == comparable(b)
end

return identity
