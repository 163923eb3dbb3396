-- SPDX-License-Identifier: MIT
-- When a message may be sent: not before a time, not after one, and only in some hours of the day. It decides; the outbox
-- waits.

local clock = require "cunnekt.time.clock"
local cron = require "cunnekt.time.cron"
local errors = require "cunnekt.base.errors"
local zone = require "cunnekt.time.zone"

local send_times = {}

---@class cunnekt.send_hours
---@field from string time of the day, such as "09:00"
---@field to string such as "20:00"; earlier than `from`: of the next day
---@field tz string? name of a time zone; the computer's by default

local function invalid(field, message)
  return errors.new("invalid", field .. ": " .. message, { field = field })
end

local hour_fields = { from = true, to = true, tz = true }

-- The opening and closing of some hours as cron lines, and their zone.
local function read_hours(hours)
  for name in pairs(hours) do
    if not hour_fields[name] then
      return nil, invalid("send_between", ("unknown field '%s'; from, to and tz are known"):format(tostring(name)))
    end
  end
  local its_zone, err
  if hours.tz ~= nil then
    its_zone, err = zone.load(tostring(hours.tz))
  else
    its_zone, err = zone.here()
  end
  if not its_zone then
    return nil, invalid("send_between", err.message)
  end
  local opens = cron.daily(tostring(hours.from))
  local closes = cron.daily(tostring(hours.to))
  if not opens or not closes or hours.from == hours.to then
    return nil, invalid("send_between", 'from and to must be two times of the day, such as "09:00" and "20:00"')
  end
  return { opens = opens, closes = closes, zone = its_zone }
end

---The next moment that is in the hours: now, where it is in them. It is open when it closes before it opens the next time.
---@param hours cunnekt.send_hours that were read without an error before
---@param now number seconds since 1970
---@return number at
function send_times.next_open(hours, now)
  local read = read_hours(hours)
  if not read then
    return now -- zone data that are gone must not hold a message for ever
  end
  local opens, closes = read.opens:next(now, read.zone), read.closes:next(now, read.zone)
  return opens and closes and opens < closes and opens or now
end

---The options of a send.
---@param opts table? expires, not_before, send_between
---@return {due: number?, expires: number?, hours: cunnekt.send_hours?}? times
---@return cunnekt.error? err kind invalid
function send_times.read(opts)
  if not opts or not (opts.expires or opts.not_before or opts.send_between) then
    return nil, nil
  end
  local now, hours, err = clock.now(), opts.send_between, nil
  if hours then
    hours, err = read_hours(opts.send_between)
  end
  if err then
    return nil, err
  elseif opts.expires and not (opts.expires > 0 and opts.expires < math.huge) then
    return nil, invalid("expires", "it must be a number of seconds above 0")
  elseif opts.not_before and not (opts.not_before == opts.not_before and math.abs(opts.not_before) < math.huge) then
    return nil, invalid("not_before", "it must be a time in seconds since 1970, as os.time gives")
  elseif opts.not_before and opts.not_before > 0 and opts.not_before < clock.first_time and now >= clock.first_time then
    return nil, invalid("not_before", "it is a time in seconds since 1970; for seconds from now write os.time() + seconds")
  elseif opts.not_before and opts.expires and opts.not_before >= now + opts.expires then
    return nil, invalid("expires", "it ends before not_before, so the message would never be sent")
  end
  local earliest = math.max(now, opts.not_before or now)
  local due = hours and send_times.next_open(opts.send_between, earliest) or earliest
  local given, expires = opts.send_between, opts.expires and now + opts.expires or nil
  return {
    due = due > now and math.min(due, expires or due) or nil, -- one that expires before is looked at then
    expires = expires,
    hours = given and { from = given.from, to = given.to, tz = given.tz } or nil,
  }
end

return send_times
