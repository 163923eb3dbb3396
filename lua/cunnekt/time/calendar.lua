-- SPDX-License-Identifier: MIT
-- The Gregorian calendar in whole numbers: days since 1970-01-01 and dates, for any year. It knows no zones.
-- Times of day are counted as if every day had 86400 seconds; what clocks show in a zone is in zone.lua.

local units = require "cunnekt.time.units"

local calendar = {}

local a_minute, an_hour, a_day = units.minute, units.hour, units.day

local month_lengths = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

---@param year integer
---@return boolean
function calendar.is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

---Days in a month.
---@param year integer
---@param month integer 1 to 12
---@return integer
function calendar.month_length(year, month)
  return month == 2 and calendar.is_leap(year) and 29 or month_lengths[month]
end

---The number of a day: 0 for 1970-01-01.
---@param year integer
---@param month integer 1 to 12
---@param day integer
---@return integer
function calendar.days(year, month, day)
  -- Years begin in March here, so that the leap day is the last of its year.
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local day_of_year = (153 * (month - 3) + 2) // 5 + day - 1
  return 365 * year + year // 4 - year // 100 + year // 400 + day_of_year - 719468
end

---The date of a day's number.
---@param days integer
---@return integer year
---@return integer month
---@return integer day
function calendar.date(days)
  days = days + 719468
  local era = days // 146097 -- 400 years
  local day_of_era = days - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local month = (5 * day_of_year + 2) // 153
  local day = day_of_year - (153 * month + 2) // 5 + 1
  month = month < 10 and month + 3 or month - 9
  local year = year_of_era + era * 400
  return month <= 2 and year + 1 or year, month, day
end

---The day of the week of a day's number.
---@param days integer
---@return integer weekday 0 for Sunday to 6
function calendar.weekday(days)
  return (days + 4) % 7
end

---Seconds from 1970-01-01 00:00 to a date and time in the same zone, without its changes.
---@param civil cunnekt.civil
---@return integer
function calendar.seconds(civil)
  local days = calendar.days(civil.year, civil.month, civil.day)
  return days * a_day + (civil.hour or 0) * an_hour + (civil.min or 0) * a_minute + (civil.sec or 0)
end

---A date and a time of day; fields as in os.date "*t".
---@class cunnekt.civil
---@field year integer
---@field month integer 1 to 12
---@field day integer
---@field hour? integer
---@field min? integer
---@field sec? integer

---The date and time that so many seconds since 1970-01-01 00:00 are.
---@param seconds integer
---@return cunnekt.civil
function calendar.civil(seconds)
  local year, month, day = calendar.date(seconds // a_day)
  local rest = seconds % a_day
  return {
    year = year, month = month, day = day, hour = rest // an_hour, min = rest // a_minute % 60, sec = rest % a_minute,
  }
end

return calendar
