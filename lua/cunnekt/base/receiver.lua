-- SPDX-License-Identifier: MIT
-- Public methods that were called with a dot: what should be the object is the first argument then. They are refused with the
-- script's line and the way to write it, before they fail in one of ours. The methods check themselves: a wrapper around each
-- would be one more function for the collector to visit.

local receiver = {}

---The metatable of the value that a method was called on. Lua's own `getmetatable` looks for a field `__metatable` by its name first,
---which costs ten times as much, and ours have none.
---@type fun(self: any): table?
receiver.metatable_of = debug.getmetatable

---Refuses a call of a method.
---@param owner string what scripts call the object: "chat"
---@param name string the method's
---@param got any what it was called on
---@param level? integer as in `error`; 3 by default: the caller of the function that calls this
function receiver.refuse(owner, name, got, level)
  local kind = got == nil and "nothing" or "a " .. type(got)
  error(("%s:%s: got %s instead of the %s; write %s:%s(…), with a colon"):format(owner, name, kind, owner, owner, name), level or 3)
end

return receiver
