-- SPDX-License-Identifier: MIT
-- How often the log says the same: once a minute for a reason, however often it happens. What is said, and of which reasons, is the
-- caller's.

local clock = require "cunnekt.time.clock"

local log_pace = {}

-- Seconds.
local between = 60

---@class cunnekt.log_pace
local pace_methods = {}
local pace_mt = { __index = pace_methods, __name = "cunnekt.log_pace" }

---@return cunnekt.log_pace
function log_pace.new()
  return setmetatable({ _counts = {}, _said_at = {} }, pace_mt)
end

---Notes that something has happened.
---@param reason string one of a few, which are kept
---@param count integer? how often it has, by default once
---@return integer? times it has since it was said last, where it is to be said now
function pace_methods:note(reason, count)
  local times = (self._counts[reason] or 0) + (count or 1)
  local now = clock.monotonic()
  if now < (self._said_at[reason] or -math.huge) + between then
    self._counts[reason] = times
    return nil
  end
  self._counts[reason], self._said_at[reason] = nil, now
  return times
end

return log_pace
