-- SPDX-License-Identifier: MIT
-- Modules that are needed at a start, and never again: what they take of memory is free afterwards, and the collector need not look at it.

local once = {}

---Calls a function with a module, and forgets that module then, with those whose names begin with its own. They must not keep state.
---@param name string
---@param fn fun(module: any): ...
---@return any ... what the function returns
function once.use(name, fn)
  local results = table.pack(fn(require(name)))
  for other in pairs(package.loaded) do
    if other == name or other:sub(1, #name + 1) == name .. "." then
      package.loaded[other] = nil
    end
  end
  return table.unpack(results, 1, results.n)
end

return once
