-- SPDX-License-Identifier: MIT
-- The removal of old rows: seen keys, accepted messages, dead letters, undelivered messages, broken dialogs. Each call is one
-- small step, so that no commit waits long behind it; service/maintenance.lua repeats it.

local limits = require "cunnekt.provider.limits"
local units = require "cunnekt.time.units"

local sweep = {}

-- A day longer than webhooks are repeated; statuses do not arrive later either.
local days_seen = limits.webhook_days + 1

-- The two tables with random keys are scanned one after the other.
local walks = {
  { clear = "clear_seen", next = "next_seen" },
  { clear = "clear_sent", next = "next_sent" },
}

---Deletes some old rows. Waits.
---@param keep_days integer days to keep dead letters, undelivered messages and broken dialogs
---@param now number seconds since 1970; a time that has certainly come, see time/wall_clock.lua
---@return boolean? is_done the whole store was scanned; nil when the store cannot be written
---@return cunnekt.error? err kind store
function sweep:clear_old(keep_days, now)
  local at = self._sweep_at or { walk = 1, hash = math.mininteger }
  self._sweep_at = at
  local walk, sql = walks[at.walk], self._sql
  local results, err = self:_run {
    { sql[walk.next], at.hash },
    { sql[walk.clear], at.hash, now // units.day - days_seen },
  }
  if not results then
    return nil, err
  end
  local last = results[1][1][1]
  if last then
    at.hash = last
    return false
  elseif at.walk < #walks then
    at.walk, at.hash = at.walk + 1, math.mininteger
    return false
  end
  self._sweep_at = nil
  local before = now - keep_days * units.day
  results, err = self:_run {
    { sql.clear_dead, before },
    { sql.clear_outbox, before },
    { sql.clear_broken_steps, before },
    { sql.clear_broken, before },
    { sql.clear_kept },
  }
  return results and true or nil, err
end

return sweep
