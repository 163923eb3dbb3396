-- SPDX-License-Identifier: MIT
-- Times and ages as text, and back: for the terminal, for messages, and for the dates of HTTP. Times are seconds since
-- 1970. Time zones are in zone.lua.

local calendar = require "cunnekt.time.calendar"
local clock = require "cunnekt.time.clock"
local units = require "cunnekt.time.units"

local format = {}

-- ---- ages ----------------------------------------------------------------------------------------------------------

local suffixes = { s = 1, m = units.minute, h = units.hour, d = units.day }

---Reads "90", "15m", "2h" or "3d" as seconds; for argparse.
---@param text string
---@return number? seconds
---@return string? problem
function format.read_age(text)
  local number, suffix = text:match "^(%d+%.?%d*)([smhd]?)$"
  if not number then
    return nil, ("'%s' is not an age such as 90s, 15m, 2h or 3d"):format(text)
  end
  return tonumber(number) * (suffixes[suffix] or 1)
end

local function span(seconds)
  for _, suffix in ipairs { "d", "h", "m" } do
    if seconds >= 2 * suffixes[suffix] then
      return ("%d%s"):format(seconds // suffixes[suffix], suffix)
    end
  end
  return ("%ds"):format(seconds // 1)
end

---How long ago a time is, in the largest unit of which it is at least two: "90s", "15m", "3d".
---@param at number? seconds since 1970
---@return string "-" without a time
function format.age(at)
  return at and span(math.max(0, clock.now() - at)) or "-"
end

---How long until a time: "in 90s", or "now" when it has come.
---@param at number? seconds since 1970
---@return string "-" without a time
function format.wait(at)
  local seconds = at and at - clock.now()
  return not seconds and "-" or seconds > 0 and "in " .. span(seconds) or "now"
end

-- ---- times ---------------------------------------------------------------------------------------------------------

---"2026-01-31 18:30:00" in the computer's own zone.
---@param at number
---@return string
function format.local_time(at)
  return os.date("%Y-%m-%d %H:%M:%S", math.floor(at)) --[[@as string]]
end

---The same in UTC.
---@param at number
---@return string
function format.utc_time(at)
  return os.date("!%Y-%m-%d %H:%M:%S", math.floor(at)) --[[@as string]]
end

-- ---- dates of HTTP -------------------------------------------------------------------------------------------------

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }
local short_days = { Sun = true, Mon = true, Tue = true, Wed = true, Thu = true, Fri = true, Sat = true }
local long_days = {
  Sunday = true, Monday = true, Tuesday = true, Wednesday = true, Thursday = true, Friday = true, Saturday = true,
}

-- RFC 9110 has two-digit years of the obsolete form mean the nearest past or near future.
local function full_year(text)
  local year = math.tointeger(tonumber(text))
  if #text > 2 then
    return year
  end
  return year < 70 and 2000 + year or 1900 + year
end

-- The three forms: the usual one, that of RFC 850, and that of asctime. Each gives the names of its days and its parts.
local function split_http_date(text)
  local weekday, day, month, year, hour, minute, second =
    text:match "^(%a+), (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if weekday then
    return short_days[weekday], day, month, year, hour, minute, second
  end
  weekday, day, month, year, hour, minute, second = text:match "^(%a+), (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if weekday then
    return long_days[weekday], day, month, year, hour, minute, second
  end
  weekday, month, day, hour, minute, second, year = text:match "^(%a+) (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$"
  return weekday and short_days[weekday], day, month, year, hour, minute, second
end

---Reads an HTTP date in any of its three forms (RFC 9110, 5.6.7). A day that its month has not is none, nor is an hour that
---the day has not; whether the name of the day is right is not checked.
---@param text string
---@return integer? seconds since 1970; nil when it is none
function format.read_http_date(text)
  local is_day, day, name, year, hour, minute, second = split_http_date(text)
  local month = is_day and months[name]
  if not month then
    return nil
  end
  local date = {
    year = full_year(year), month = month, day = math.tointeger(tonumber(day)),
    hour = tonumber(hour), min = tonumber(minute), sec = tonumber(second),
  }
  if date.day < 1 or date.day > calendar.month_length(date.year, month) or date.hour > 23 or date.min > 59
    or date.sec > 60 -- a leap second
  then
    return nil
  end
  return math.tointeger(calendar.seconds(date))
end

return format
