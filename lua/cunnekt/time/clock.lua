-- SPDX-License-Identifier: MIT
-- The one clock and the one source of chance: everything that waits or draws lots in Lua asks here, so that tests and
-- the sandbox can drive both. The time is the C core's, and a virtual clock takes its place there as well: timeouts of
-- HTTP requests and deadlines of connections follow it. For the few who need the system's time in any case, there are
-- core.real_monotonic and core.real_timer.

local core = require "cunnekt.core"
local units = require "cunnekt.time.units"

local clock = {}

---Seconds since 1970, with fractions.
---@type fun(): number
clock.now = core.now

---A time in 2001. Before it no clock that was set can be, and what is less is meant as seconds; a machine without a clock of its own
---begins in 1970.
clock.first_time = 1e9

local years = 10 * 365 * units.day

---Raises for seconds from now that are a time, as in bot:after(os.time() + 60, …): nothing would happen for half a century. What is as
---near to the present time, counted from 1970, is taken for one, unless the clock is not set.
---@param where string the function's name, for the message
---@param seconds number
---@param level integer as in `error`
function clock.refuse_time(where, seconds, level)
  local now = core.now()
  if now >= clock.first_time and seconds >= now - units.day and seconds < now + years then
    error(("%s: seconds count from now, and these are %d years; leave os.time() out"):format(where, seconds // (365.25 * units.day)), level + 1)
  end
end

---Seconds after which whoever waits for a time of `now` asks again, for the wall clock may be set meanwhile.
clock.longest_wait = 60

---Seconds on a clock that never jumps.
---@type fun(): number
clock.monotonic = core.monotonic

---Calls `fn` once, after some seconds. Closing the timer calls the wait off; closing twice is fine.
---@type fun(seconds: number, fn: fun()): cunnekt.timer
clock.after = core.timer

---A number in [0, 1); one half while a virtual clock is installed.
---@return number
function clock.random()
  return core.is_virtual() and 0.5 or math.random()
end

---A clock that stands still until it is told to go on. Its timers fire inside `advance`, in the order of their time. It
---does nothing until it is installed.
---@param start? number seconds since 1970
---@return cunnekt.virtual_clock
function clock.virtual(start)
  return core.virtual_clock(start)
end

return clock
