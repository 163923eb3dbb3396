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

-- ---- persons ---------------------------------------------------------------------------------------------------------

-- Types of a `system` message by which a person gets another number or user id.
local changes = {
  user_changed_number = true, customer_changed_number = true, user_changed_user_id = true, user_id_update = true,
}

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

-- What a `system` message says of a change of ids; nil when it does not.
local function change_of(event)
  local system = event.type == "system" and event.system
  return type(system) == "table" and changes[system.type] and system or nil
end

-- The ids in an event: the new ones of a change first, then the number, then the others.
local function gather(event)
  local ids, seen, left = {}, {}, {}
  local function add(id, has_left)
    id = text_of(id)
    if id and not seen[id] then
      seen[id], ids[#ids + 1], left[id] = true, id, has_left
    end
  end
  local change, raw, contact = change_of(event), type(event.raw) == "table" and event.raw or {}, event.contact or {}
  if change then
    local new = text_of(change.wa_id) or text_of(change.new_wa_id)
    add(new)
    add(change.user_id)
    add(event.from, new ~= nil and new ~= event.from)
    add(change.customer, new ~= nil)
    add(change.previous_user_id)
  end
  add(event.from)
  add(contact.wa_id)
  add(event.recipient)
  add(event.user_id)
  add(contact.user_id)
  add(raw.recipient_user_id)
  for _, one in ipairs { change or raw, contact } do
    add(one.from_parent_user_id)
    add(one.parent_user_id)
    add(one.previous_parent_user_id)
  end
  return ids, left
end

-- Whether an event tells of one id only, as most do.
local function is_plain(event)
  local contact = event.contact
  return not event.user_id and event.type ~= "system" and not (event.raw and event.raw.recipient_user_id)
    and not (contact and (contact.user_id or contact.parent_user_id or (contact.wa_id and contact.wa_id ~= event.from)))
end

---Says in a record for the store who the person of its event is: `contact`, `others`, `user_id` and `username`, as in struct
---cnk_event.
---@param event cunnekt.webhook.event
---@param record cunnekt.inbox.record
function identity.add_person(event, record)
  local contact = event.contact or {}
  if event.kind == "message" then
    record.user_id = event.user_id
    record.username = text_of(event.username) or text_of(type(contact.profile) == "table" and contact.profile.username)
  end
  if is_plain(event) then
    return
  elseif change_of(event) then
    record.is_from_contact = false -- the provider says so, not they
  end
  local ids, left = gather(event)
  record.contact = identity.key(event.phone_number_id, ids[1])
  for i = 2, #ids do
    record.others = record.others or {}
    record.others[i - 1] = { key = identity.key(event.phone_number_id, ids[i]), is_left = left[ids[i]] }
  end
end

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
