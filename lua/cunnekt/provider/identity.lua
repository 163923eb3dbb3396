-- SPDX-License-Identifier: MIT
-- Who is who: how a recipient is written, and the key of a conversation, "<phone_number_id>:<customer>". The customer is a
-- number in digits with its country code ("919999999999") or, for people with a username, a user id ("IN.1349120865530274").
-- This is the only place that makes such a key, takes it apart or compares numbers. It runs for every event and message.
-- No error repeats a number: errors end up in logs.


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

---Takes a key apart.
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

return identity
