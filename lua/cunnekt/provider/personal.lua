-- SPDX-License-Identifier: MIT
-- What is a customer's in an event or a message, and sentences without it: for logs, errors and what operators are shown,
-- unless they ask to see it, since terminals are logged and shared. How texts are searched is base/redact.lua's business.

local identity = require "cunnekt.provider.identity"
local redact = require "cunnekt.base.redact"
local webhook = require "cunnekt.provider.webhook"

local personal = {}

---Whether all customers are made up, in `cunnekt dev` and `cunnekt test`: the log shows a script's errors as they are then.
personal.are_made_up = false

-- Bytes and texts of one event or message that are looked for. Messages have at most 4096 characters.
local max_bytes, max_texts = 64 * 1024, 500
local max_depth = 12

-- Fields of events and payloads that are the script's or the provider's words: what an error about them must be able to say.
local not_personal = {
  kind = true, type = true, status = true, errors = true, error = true, templateid = true, language = true, mime_type = true,
  sha256 = true, timestamp = true, id = true, chat = true, mobile = true, from = true, user_id = true, recipient = true,
  phone_number_id = true, display_phone_number = true, conversation = true, pricing = true, voice = true, animated = true,
}

-- The texts in a value. Names that begin with _ are ours; `raw` repeats what the event has, unless the event is unknown.
local function gather(value, found, depth, has_raw)
  if type(value) == "string" then
    if value ~= "" and #found < max_texts and found.bytes + #value <= max_bytes then
      found.bytes, found[#found + 1] = found.bytes + #value, value
    end
  elseif type(value) == "number" then
    gather(tostring(value), found, depth, has_raw)
  elseif type(value) == "table" and depth < max_depth then
    for name, item in next, value do
      local is_ours = type(name) == "string" and (not_personal[name] or name:find "^_" or (name == "raw" and not has_raw))
      if not is_ours then
        gather(item, found, depth + 1, has_raw)
      end
    end
  end
end

---The texts of an event or a payload that are a customer's, or were written for one.
---@param about table
---@return string[]
function personal.texts(about)
  local found = { bytes = 0 }
  gather(about, found, 0, false)
  if about.kind == "unknown" or about.type == "unknown" then
    gather(webhook.raw(about), found, 1, true)
  end
  return found
end

---The customer of a conversation.
---@param contact string the conversation's key
---@param has_to_reveal? boolean
---@return string
function personal.contact(contact, has_to_reveal)
  local _, customer = identity.parts(contact)
  return has_to_reveal and customer or customer ~= "" and redact.number(customer) or ""
end

---An error's sentence without telephone numbers, message ids and what the customer wrote or was written to.
---@param text string
---@param about? table the event that was handled, the payload that was sent, or the handle of one
---@return string
function personal.error(text, about)
  local is_handle = type(about) == "userdata"
  local source = about and (is_handle and about.payload or not is_handle and rawget(about, "payload")) or nil
  source = type(source) == "table" and source or about
  return redact.sentence(text, source and personal.texts(source))
end

---The same for the log, where it stays as it is when customers are made up, but for our own secrets: they are looked for first, for
---nobody finds what is left of one that looks like a number.
---@param text string
---@param about? table
---@return string
function personal.logged(text, about)
  text = redact.own_secrets(text)
  return personal.are_made_up and text or personal.error(text, about)
end

---The same for what the provider says of a message.
---@param text string
---@param payload table
---@param contact string the recipient's number or id
---@return string
function personal.refusal(text, payload, contact)
  local digits = contact:gsub("%D", "")
  text = text:gsub("%+?" .. contact:gsub("%W", "%%%0"), "the recipient")
  return redact.sentence(text, personal.texts(payload), { [digits] = "the recipient" })
end

return personal
