-- SPDX-License-Identifier: MIT
-- What a turn has read outside of the run that goes on in it: functions of bot:use read and change states before the run does. The
-- run's replay must not see that, so it is set aside until the run is where it waited.

local outer = {}

---@class cunnekt.turn.outer
---@field states table<string, cunnekt.state> contact → the state that was loaded
---@field reads table<string, table> as in cunnekt.turn
---@field is_aside boolean

---Sets aside what was read so far.
---@param its_turn cunnekt.turn
function outer.set_aside(its_turn)
  its_turn.outer = { states = its_turn.states, reads = its_turn.reads, is_aside = true }
  its_turn:clear_reads()
end

---Takes back what was set aside, if it still is.
---@param its_turn cunnekt.turn
function outer.restore(its_turn)
  local its_outer = its_turn.outer
  if not its_outer.is_aside then
    return
  end
  its_outer.is_aside = false
  for contact, state in pairs(its_outer.states) do
    its_turn:buffer("states")[contact] = state
  end
  for name, read in pairs(its_outer.reads) do
    if its_turn.reads[name] == nil then
      its_turn:buffer("reads")[name] = read
    end
  end
end

return outer
