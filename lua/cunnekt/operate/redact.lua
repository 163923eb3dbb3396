-- SPDX-License-Identifier: MIT
-- Hides customers' data in what operators are shown, unless they ask to see it: terminals are logged and shared. A number
-- becomes 9199…99; of a message id, which contains the number, only the end is left; texts are left out.

local identity = require "cunnekt.provider.identity"

local redact = {}

-- A run of this many digits may be a telephone number.
local min_digits = 8
-- A shorter text also occurs in words that are not the customer's, and replacing it would make an error unreadable.
local min_text = 4

---@param number string a telephone number or user id
---@return string
function redact.number(number)
  if #number <= min_digits then
    return "…"
  end
  return number:sub(1, 4) .. "…" .. number:sub(-2)
end

---@param id string the provider's id of a message
---@return string
function redact.id(id)
  return #id > 12 and "…" .. id:sub(-6) or "…"
end

---The customer of a conversation.
---@param contact string the conversation's key
---@param has_to_reveal? boolean
---@return string
function redact.contact(contact, has_to_reveal)
  local _, customer = identity.parts(contact)
  return has_to_reveal and customer or customer ~= "" and redact.number(customer) or ""
end

-- What the customer wrote, the longest text first, since one may contain another.
local function texts_of(event)
  local media = event.media or {}
  local reply = event.reply or {}
  local texts = {}
  for _, text in ipairs {
    event.text or false, event.name or false, media.caption or false, media.filename or false, reply.title or false,
  } do
    if type(text) == "string" and #text >= min_text then
      texts[#texts + 1] = text
    end
  end
  table.sort(texts, function(a, b)
    return #a > #b
  end)
  return texts
end

local function replace(text, part, by)
  local pattern = part:gsub("%W", "%%%0")
  return (text:gsub(pattern, by))
end

---An error message without telephone numbers, message ids and what the customer wrote.
---@param text string
---@param event? table the event that was handled
---@return string
function redact.error(text, event)
  for _, written in ipairs(event and texts_of(event) or {}) do
    text = replace(text, written, "…")
  end
  text = text:gsub("wamid%.[%w+/=_-]+", redact.id)
  return (text:gsub(("%d"):rep(min_digits) .. "%d*", redact.number):gsub(("%d"):rep(min_digits), "…"))
end

return redact
