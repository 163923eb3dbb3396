-- SPDX-License-Identifier: MIT
-- Where a script gives an API key itself, to cunnekt.bot or cunnekt.client.

local code = require "cunnekt.base.source.code"
local parser = require "cunnekt.cli.check.parser"

local keys = {}

---@class cunnekt.check.key
---@field line integer
---@field name string of the function that gets it
---@field is_literal boolean it is written in the script

---The first place that gives a key.
---@param source string of a script; one that does not compile gives none
---@return cunnekt.check.key?
function keys.find(source)
  if not code.compile(source, "=script", "t") then
    return nil
  end
  for _, call in ipairs(parser.walk(source)[1].calls) do
    local opts = (call.name == "cunnekt.bot" or call.name == "cunnekt.client") and call.args[1]
    for _, field in ipairs(opts and opts.fields or {}) do
      if field.name == "api_key" then
        return { line = field.line, name = call.name, is_literal = field.value ~= nil and field.value.kind == "string" }
      end
    end
  end
  return nil
end

return keys
