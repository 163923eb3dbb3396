-- SPDX-License-Identifier: MIT
-- What the lists of events, messages and dialogs share: their filters, and a limit that says whether there is more. The
-- store does the filtering.

local clock = require "cunnekt.time.clock"
local identity = require "cunnekt.provider.identity"

local filters = {}

local default_limit = 100

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

---The filter for the store.
---@param args table contact: a number however it is written, or a user id; older, newer: seconds; limit
---@param is_unlimited? boolean
---@return cunnekt.store.filter filter asks for one row more than the limit, to know whether there are more
function filters.of(args, is_unlimited)
  local now = clock.now()
  return {
    contact = args.contact and identity.plain(args.contact),
    before = args.older and now - args.older,
    after = args.newer and now - args.newer,
    limit = not is_unlimited and (args.limit or default_limit) + 1 or nil,
  }
end

---Cuts a list to the limit.
---@param list table[] taken
---@param args table
---@return table[] list
---@return boolean has_more
function filters.cut(list, args)
  local limit = args.limit or default_limit
  local has_more = #list > limit
  for i = #list, limit + 1, -1 do
    list[i] = nil
  end
  return list, has_more
end

return filters
