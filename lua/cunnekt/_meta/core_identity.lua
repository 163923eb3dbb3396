---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- What core.lua leaves to this file: who talks with whom (src/bind/identity.c), and how words are compared (src/bind/words.c).
-- The contracts are in src/whatsapp/identity.h and words.h.

---@class cunnekt.core
local core = {}

---The key of a conversation: `<phone_number_id>:<customer>`, empty where something is not known. Keys are stored.
---@param phone_number_id? string the provider's id of the business number
---@param customer? string a number or a user id, as the provider gives it
---@return string contact
function core.contact_key(phone_number_id, customer) end

---The key of the conversation that a webhook's event belongs to.
---@param event cunnekt.webhook.event
---@return string contact
function core.contact_of_event(event) end

---Takes a key apart.
---@param contact string
---@return string? phone_number_id nil: not known
---@return string? customer "": not known; nil: this is no key
function core.contact_parts(contact) end

---@param contact string
---@param who string a key, or a customer alone
---@return boolean is_meant whether that is the conversation of this key
function core.contact_is(contact, who) end

---Whether a value is a number as webhooks write it: so many digits, the first of which is not 0.
---@param text any
---@param least integer digits
---@param most integer digits
---@return boolean
function core.is_number(text, least, most) end

---The form in which two forms of one number are equal: Brazil's ninth digit, Mexico's 1, Argentina's 9 and 15. Not for sending.
---@param number string digits, as webhooks write them; any other text stays as it is
---@return string canonical
function core.canonical_number(number) end

---What comes right behind all keys of a number, in the order of bytes.
---@param phone_number_id? string
---@return string text
function core.contact_behind(phone_number_id) end

---The form in which words that people type are compared: NFKC_Casefold, with every i of Turkish as an i. What is not UTF-8, or
---longer than 64 KiB, gets small letters of ASCII alone.
---@param text string
---@param is_trimmed? boolean without the blanks around it
---@return string folded
function core.fold(text, is_trimmed) end

return core
