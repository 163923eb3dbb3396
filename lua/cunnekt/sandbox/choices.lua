-- SPDX-License-Identifier: MIT
-- What a customer can tap in a message of the business: its buttons, or the rows of its list.

local choices = {}

---@class cunnekt.sandbox.choice
---@field kind "button"|"list"
---@field id string
---@field title string
---@field description string?
---@field entry cunnekt.sandbox_entry the message

local kinds = { button = "buttons", list = "list" }

---The choices of a message, in order.
---@param entry cunnekt.sandbox_entry?
---@return cunnekt.sandbox.choice[]
function choices.of(entry)
  local payload, found = entry and entry.payload, {}
  local field = payload and kinds[payload.type]
  for i, one in ipairs(field and payload[field] or {}) do
    local its = payload.type == "button" and one.reply or one
    found[i] = { kind = payload.type, id = its.id, title = its.title, description = its.description, entry = entry }
  end
  return found
end

---The choice of a message with an id, or its first one.
---@param entry cunnekt.sandbox_entry?
---@param kind string
---@param id string?
---@return cunnekt.sandbox.choice?
function choices.find(entry, kind, id)
  for _, one in ipairs(choices.of(entry)) do
    if one.kind == kind and (not id or one.id == id) then
      return one
    end
  end
  return nil
end

return choices
