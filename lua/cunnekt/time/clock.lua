-- SPDX-License-Identifier: MIT
-- The one clock and the one source of chance: everything that waits or draws lots in Lua asks here, so that tests and
-- the sandbox can drive both. Deadlines of sockets stay with the real clock.

local core = require "cunnekt.core"

local clock = {}

-- What answers now: the real clock, or a virtual one while it is installed.
local source = {
  now = core.now,
  monotonic = core.monotonic,
  after = core.timer,
  random = math.random,
}
local real = source

---Seconds since 1970, with fractions.
---@return number
function clock.now()
  return source.now()
end

---Seconds on a clock that never jumps.
---@return number
function clock.monotonic()
  return source.monotonic()
end

---Calls `fn` once, after some seconds.
---@param seconds number
---@param fn fun()
---@return {close: fun(self)} timer closing it calls the wait off; closing twice is fine
function clock.after(seconds, fn)
  return source.after(seconds, fn)
end

---A number in [0, 1).
---@return number
function clock.random()
  return source.random()
end

local virtual_methods = {}
local virtual_mt = { __index = virtual_methods, __name = "cunnekt.virtual_clock" }

---A clock that stands still until it is told to go on. Its timers fire inside `advance`, in the order of their time.
---@param start? number seconds since 1970
---@return cunnekt.virtual_clock
function clock.virtual(start)
  local v = { _wall = start or 1700000000, _steady = 0, _timers = {}, _serial = 0 }
  v.now = function()
    return v._wall
  end
  v.monotonic = function()
    return v._steady
  end
  v.random = function()
    return 0.5
  end
  v.after = function(seconds, fn)
    v._serial = v._serial + 1
    local timer = { due = v._steady + math.max(0, seconds), serial = v._serial, fn = fn }
    timer.close = function(self)
      v._timers[self] = nil
    end
    v._timers[timer] = true
    return timer
  end
  return setmetatable(v, virtual_mt)
end

---Puts this clock in place of the real one.
function virtual_methods:install()
  source = self
  return self
end

---Puts the real clock back.
function virtual_methods:uninstall()
  source = real
end

-- The timer that is due first, and not after `limit`.
local function first_due(timers, limit)
  local first
  for timer in pairs(timers) do
    if
      timer.due <= limit
      and (not first or timer.due < first.due or (timer.due == first.due and timer.serial < first.serial))
    then
      first = timer
    end
  end
  return first
end

---Moves time on and fires what falls due on the way.
---@param seconds number
function virtual_methods:advance(seconds)
  local target = self._steady + seconds
  while true do
    local timer = first_due(self._timers, target)
    if not timer then
      break
    end
    self._timers[timer] = nil
    self._wall = self._wall + (timer.due - self._steady)
    self._steady = timer.due
    timer.fn()
  end
  self._wall = self._wall + (target - self._steady)
  self._steady = target
end

---Sets the wall clock alone, as an administrator or a time server does.
---@param now number seconds since 1970
function virtual_methods:set_wall(now)
  self._wall = now
end

return clock
