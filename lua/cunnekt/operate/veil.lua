-- SPDX-License-Identifier: MIT
-- What an operator sees of customers unless asked for more: terminals are logged, and shown to others. Numbers become
-- 9199…99, ids of messages (which hold the number) their end, texts nothing at all.

local veil = {}

-- So many digits in a row may be a telephone number.
local fewest_digits = 8
-- A shorter text would be found in words that are not the customer's.
local shortest_text = 4

---@param number string a number or user id
---@return string
function veil.number(number)
  if #number <= fewest_digits then
    return "…"
  end
  return number:sub(1, 4) .. "…" .. number:sub(-2)
end

---@param id string the provider's id of a message
---@return string
function veil.id(id)
  return #id > 12 and "…" .. id:sub(-6) or "…"
end

---The customer of a conversation.
---@param contact string the conversation's key
---@param has_to_reveal? boolean
---@return string
function veil.contact(contact, has_to_reveal)
  local customer = contact:match ":(.*)$" or contact
  return has_to_reveal and customer or customer ~= "" and veil.number(customer) or ""
end

-- What a customer wrote in an event, longest first.
local function texts_of(event)
  local media = event.media or {}
  local reply = event.reply or {}
  local texts = {}
  for _, text in ipairs {
    event.text or false, event.name or false, media.caption or false, media.filename or false, reply.title or false,
  } do
    if type(text) == "string" and #text >= shortest_text then
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

---An error as it may be shown: without the numbers, ids and texts of an event in it.
---@param text string
---@param event? table
---@return string
function veil.error(text, event)
  for _, written in ipairs(event and texts_of(event) or {}) do
    text = replace(text, written, "…")
  end
  text = text:gsub("wamid%.[%w+/=_-]+", veil.id)
  return (text:gsub(("%d"):rep(fewest_digits) .. "%d*", veil.number):gsub(("%d"):rep(fewest_digits), "…"))
end

return veil
