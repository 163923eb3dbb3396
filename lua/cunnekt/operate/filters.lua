-- SPDX-License-Identifier: MIT
-- What the lists of events, messages and dialogs share: their filters, and a limit that says whether there is more. The
-- store does the filtering.

local clock = require "cunnekt.time.clock"
local json = require "cunnekt.base.json"

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
---@param args table contact: a number as webhooks write it, a user id, or a key; older, newer: seconds; limit
---@param is_unlimited? boolean
---@return cunnekt.store.filter filter asks for one row more than the limit, to know whether there are more
function filters.of(args, is_unlimited)
  local now = clock.now()
  return {
    contact = args.contact,
    before = args.older and now - args.older,
    after = args.newer and now - args.newer,
    limit = not is_unlimited and (args.limit or default_limit) + 1 or nil,
  }
end

---The rows up to the limit, as they are shown.
---@param rows table[] of `filters.of`; more than the limit means that there are more
---@param args table
---@param shown fun(row: table, has_to_reveal: boolean?): table
---@return table views a JSON array
---@return boolean has_more
function filters.page(rows, args, shown)
  local limit = args.limit or default_limit
  local views = {}
  for i = 1, math.min(#rows, limit) do
    views[i] = shown(rows[i], args.reveal)
  end
  return json.array(views), #rows > limit
end

return filters
