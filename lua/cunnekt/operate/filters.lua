-- SPDX-License-Identifier: MIT
-- What the operations on events and on messages share: filters, and lists that say whether there is more.

local clock = require "cunnekt.time.clock"

local filters = {}

-- Rows of a list unless asked for otherwise.
local usual_limit = 100

---@type table<string, string> the options of every filter, for options.check
filters.types = { contact = "string", older = "number", newer = "number", limit = "integer", reveal = "boolean" }

---Those, and more.
---@param more table<string, string|string[]>
---@return table<string, string|string[]>
function filters.types_with(more)
  local types = {}
  for _, part in ipairs { filters.types, more } do
    for name, kind in pairs(part) do
      types[name] = kind
    end
  end
  return types
end

-- "+91 99999-99999" as the provider writes it; anything else as it stands.
local function plain_contact(contact)
  local digits = contact and contact:gsub("[ ()-]", ""):match "^%+?(%d+)$"
  return digits or contact
end

---The filter for the store.
---@param args table contact; older, newer: seconds; limit
---@param is_unlimited? boolean
---@return cunnekt.store.filter filter with one row more than is wanted, to know whether there are more
function filters.of(args, is_unlimited)
  local now = clock.now()
  return {
    contact = plain_contact(args.contact),
    before = args.older and now - args.older,
    after = args.newer and now - args.newer,
    limit = not is_unlimited and (args.limit or usual_limit) + 1 or nil,
  }
end

---Cuts a list to what is wanted.
---@param list table[]
---@param args table
---@return table[] list the same
---@return boolean has_more
function filters.cut(list, args)
  local limit = args.limit or usual_limit
  local has_more = #list > limit
  for i = #list, limit + 1, -1 do
    list[i] = nil
  end
  return list, has_more
end

return filters
