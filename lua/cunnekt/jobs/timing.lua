-- SPDX-License-Identifier: MIT
-- When a job is due: after some seconds, at an interval, or by a cron expression in a time zone. A timing has a text form,
-- which the store keeps; it holds no due time itself.

local cron = require "cunnekt.time.cron"
local errors = require "cunnekt.base.errors"
local units = require "cunnekt.time.units"
local zone = require "cunnekt.time.zone"

local timing = {}

---@class cunnekt.timing
---@field kind "after"|"every"|"cron"
---@field text string equal for equal timings; persisted
---@field private seconds number?
---@field private plan cunnekt.cron?
---@field private zone cunnekt.zone?
local timing_methods = {}
local timing_mt = { __index = timing_methods, __name = "cunnekt.timing" }

local function of_seconds(kind, seconds)
  return setmetatable({ kind = kind, seconds = seconds, text = ("%s %.17g"):format(kind, seconds) }, timing_mt)
end

---Once.
---@param seconds number from now
---@return cunnekt.timing
function timing.after(seconds)
  return of_seconds("after", seconds)
end

---At an interval.
---@param seconds number from one due time to the next
---@return cunnekt.timing
function timing.every(seconds)
  return of_seconds("every", seconds)
end

---By a cron expression in a zone.
---@param plan cunnekt.cron
---@param tz? string the computer's zone by default
---@return cunnekt.timing?
---@return cunnekt.error? err kind invalid
function timing.cron(plan, tz)
  local its_zone, err
  if tz then
    its_zone, err = zone.load(tz)
  else
    its_zone, err = zone.here()
  end
  if not its_zone then
    return nil, err
  end
  local text = ("cron %s @ %s"):format(plan.line, tz or "here")
  return setmetatable({ kind = "cron", plan = plan, zone = its_zone, text = text }, timing_mt)
end

---The timing with a text form.
---@param text string
---@return cunnekt.timing?
---@return cunnekt.error? err kind invalid: not such a text, or its zone is unknown
function timing.parse(text)
  local kind, seconds = text:match "^(%a+) (%S+)$"
  if (kind == "after" or kind == "every") and tonumber(seconds) then
    return of_seconds(kind, tonumber(seconds))
  end
  local line, tz = text:match "^cron (.+) @ (%S+)$"
  if not line then
    return nil, errors.new("invalid", ("a job's timing '%s' cannot be read"):format(text))
  end
  local plan, err = cron.parse(line)
  if not plan then
    return nil, err
  end
  return timing.cron(plan, tz ~= "here" and tz or nil)
end

---The first due time of a job that is scheduled now.
---@param now number seconds since 1970
---@return number?
function timing_methods:first(now)
  if self.kind == "cron" then
    return self.plan:next(now, self.zone)
  end
  return now + self.seconds
end

---The next due time after a given time.
---@param due number one due time
---@param after number
---@return number? due nil: there is none
function timing_methods:next(due, after)
  if self.kind == "after" then
    return nil
  elseif self.kind == "cron" then
    return self.plan:next(math.max(due, after), self.zone)
  end
  -- On the same grid, so that a slow job does not drift.
  local steps = math.max(1, math.floor((after - due) / self.seconds) + 1)
  local following = due + steps * self.seconds
  return following > after and following or following + self.seconds
end

---The first due time at or after a given time.
---@param due number the earliest one that counts
---@param from number
---@return number? due nil: there is none
function timing_methods:at_or_after(due, from)
  if due >= from then
    return due
  elseif self.kind == "cron" then
    return self.plan:next(math.ceil(from) - 1, self.zone)
  end
  return self:next(due, from)
end

-- A clock that was ahead by more was wrong: its runs are repeated. By less, it was only adjusted.
local far = units.day

---Corrects a due time in the future: an earlier one when the clock was set back since.
---@param due number
---@param now number
---@param ran number? the due time of the last run
---@return number? due
function timing_methods:corrected(due, now, ran)
  if self.kind == "cron" then
    return self.plan:next(ran and ran > now and ran <= now + far and ran or now, self.zone)
  end
  return math.min(due, now + self.seconds)
end

return timing
