-- SPDX-License-Identifier: MIT
-- What time it really is, as far as a bot can know while somebody sets the system's clock. Two things help: the steady
-- clock, which tells how much time has passed since the last look, and the timestamps of what the provider sends.
-- Nothing here waits, and nothing is corrected: it only keeps a wrong clock from undoing what counts days and hours.

local clock = require "cunnekt.time.clock"
local units = require "cunnekt.time.units"

local wall = {}

-- Seconds by which the provider's clock and ours may differ, its way to us included; and by which a clock may be put back
-- without being noticed.
local close_enough, slack = 300, 1
-- Seconds by which the newest event may be older than now without anything being cleared too late to matter.
local longest_silence = units.day

local wall_methods = {}
local wall_mt = { __index = wall_methods, __name = "cunnekt.wall" }

---@class cunnekt.wall
function wall.new()
  return setmetatable({ _last = clock.now(), _steady = clock.monotonic(), _behind = 0, _newest = nil }, wall_mt)
end

---The time by which service windows end. A clock that is put back does not open what was closed: until an event comes
---whose own timestamp agrees with the new time, the old time goes on.
---@return number seconds since 1970
function wall_methods:now()
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

---Hears of an event that was accepted.
---@param timestamp number when it happened, by the provider's clock
function wall_methods:witness(timestamp)
  self:now()
  if math.abs(clock.now() - timestamp) < close_enough then
    self._behind = 0
  end
  self._newest = math.max(self._newest or timestamp, timestamp)
end

---A time that has come for certain: neither later than the clock says, nor much later than anything the provider sent.
---By it old rows are cleared, which a clock that runs ahead must not hurry.
---@return number? seconds since 1970; nil when nothing was sent yet
function wall_methods:certain()
  return self._newest and math.min(clock.now(), self._newest + longest_silence)
end

return wall
