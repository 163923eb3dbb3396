-- SPDX-License-Identifier: MIT
-- All operations by their names: the one way to them, for the socket of a running host and for the command line alone.

local errors = require "cunnekt.base.errors"
local options = require "cunnekt.base.options"

local operations = {}

local known = {}
for _, part in ipairs { "events", "messages", "dialogs", "host" } do
  for name, operation in pairs(require("cunnekt.operate." .. part).operations) do
    known[name] = operation
  end
end

---Runs an operation. May wait.
---@param target cunnekt.control.target
---@param name string such as "events.list"
---@param args? table
---@return table? result what can be JSON
---@return cunnekt.error? err kind invalid, not_found or store
function operations.run(target, name, args)
  local operation = known[name]
  if not operation then
    return nil, errors.new("invalid", ("there is no operation '%s'"):format(name))
  end
  local ok, problem = pcall(options.check, name, args or {}, operation.types, 0)
  if not ok then
    return nil, errors.new("invalid", tostring(problem))
  end
  return operation.run(target, args or {})
end

return operations
