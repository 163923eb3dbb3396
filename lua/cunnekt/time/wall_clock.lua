-- SPDX-License-Identifier: MIT
-- The real time, as well as a bot can know it while the system's clock may be set. It compares the wall clock with the
-- monotonic clock, which shows how much time has passed, and with the timestamps of the provider's events. It waits for
-- nothing and corrects no clock; it keeps a wrong clock from closing windows or deleting rows too early.

local clock = require "cunnekt.time.clock"
local units = require "cunnekt.time.units"

local wall_clock = {}

-- Seconds by which the provider's clock and ours may differ, transport included; and by which a clock may be set back
-- unnoticed.
local close_enough, slack = 300, 1
-- Seconds: a bot may receive nothing for so long, and its old rows are still deleted in time.
local longest_silence = units.day

local wall_clock_methods = {}
local wall_clock_mt = { __index = wall_clock_methods, __name = "cunnekt.wall_clock" }

---@class cunnekt.wall_clock
function wall_clock.new()
  return setmetatable({ _last = clock.now(), _steady = clock.monotonic(), _behind = 0, _newest = nil }, wall_clock_mt)
end

---The time by which service windows end. A clock that is set back does not reopen them: the old time continues until an
---event arrives whose timestamp agrees with the new time.
---@return number seconds since 1970
function wall_clock_methods:now()
  local now, steady = clock.now(), clock.monotonic()
  local jump = now - self._last - (steady - self._steady)
  if jump < -slack then
    self._behind = self._behind - jump
  elseif jump > slack then
    self._behind = math.max(0, self._behind - jump)
  end
  self._last, self._steady = now, steady
  return now + self._behind
end

---Notes the time of an accepted event.
---@param timestamp number by the provider's clock
function wall_clock_methods:witness(timestamp)
  self:now()
  if math.abs(clock.now() - timestamp) < close_enough then
    self._behind = 0
  end
  self._newest = math.max(self._newest or timestamp, timestamp)
end

---A time that has certainly passed: not after the clock's, and at most a day after the newest event. Old rows are deleted by
---it, which a clock that runs ahead must not cause too early.
---@return number? seconds since 1970; nil before the first event
function wall_clock_methods:certain()
  return self._newest and math.min(clock.now(), self._newest + longest_silence)
end

return wall_clock
