-- SPDX-License-Identifier: MIT
-- Lets time pass in `cunnekt dev`: the clock of the process is moved from one timer to the next, and what falls due is done before it
-- goes on, so that a reminder comes before the deadline behind it.

local core = require "cunnekt.core"

local moving = {}

-- Steps for the whole way at most: of timers that lie close together several are passed at once.
local max_steps = 2000

---Moves the clock. Waits.
---@param seconds number
---@param settle fun() waits until what is due is done
function moving.go(seconds, settle)
  local left, least = seconds, seconds / max_steps
  settle()
  while left > 0 do
    local jump = math.min(left, math.max(core.next_timer() or left, least))
    left = left - jump
    core.skip_time(jump)
    settle()
  end
end

---Reads a time that is to pass: "+2h", "+1h30m", "+90s", "2d".
---@param text string
---@return number? seconds
function moving.read(text)
  local units, seconds = { s = 1, m = 60, h = 3600, d = 86400 }, 0
  local rest = text:gsub("^%+", ""):gsub("(%d+%.?%d*)([smhd])", function(number, unit)
    seconds = seconds + tonumber(number) * units[unit]
    return ""
  end)
  return rest == "" and seconds > 0 and seconds < 1e9 and seconds or nil
end

return moving
