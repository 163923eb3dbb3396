-- SPDX-License-Identifier: MIT
-- Rules of daylight saving time without an end, in the format of POSIX TZ with the extensions of RFC 8536:
-- "EST5EDT,M3.2.0,M11.1.0". Every file of zone data ends with one, and the variable TZ may hold one.

local calendar = require "cunnekt.time.calendar"
local units = require "cunnekt.time.units"

local zone_rule = {}

---@class cunnekt.zone_rule
---@field std {offset: integer, name: string}
---@field dst? {offset: integer, name: string} nil where clocks never change
---@field private _from table? when daylight saving begins in a year
---@field private _to table? when it ends
local rule_methods = {}
local rule_mt = { __index = rule_methods, __name = "cunnekt.zone_rule" }

-- ---- reading -----------------------------------------------------------------------------------------------------

-- Hours between a zone and UTC, and from the day of a change until the change: what POSIX and RFC 8536 allow.
local most_west, most_later = 24, 167

-- "hh[:mm[:ss]]" with a sign; seconds and what follows.
local function read_time(text, most_hours)
  local sign, hours, rest = text:match "^([+-]?)(%d%d?%d?)(.*)$"
  if not hours or tonumber(hours) > most_hours then
    return nil
  end
  local seconds = tonumber(hours) * units.hour
  for _, unit in ipairs { units.minute, 1 } do
    local digits, after = rest:match "^:([0-5]%d)(.*)$"
    if not digits then
      break
    end
    seconds, rest = seconds + tonumber(digits) * unit, after
  end
  return math.tointeger(sign == "-" and -seconds or seconds), rest
end

local function read_name(text)
  local name, rest = text:match "^<([%w+-]+)>(.*)$"
  if not name then
    name, rest = text:match "^(%a%a%a+)(.*)$"
  end
  return name, rest
end

-- One end of daylight saving: "M3.2.0/2", "J60" (1 to 365, never February 29) or "59" (0 to 365).
local function read_change(text)
  local change, rest
  local month, week, weekday, after = text:match "^M(%d%d?)%.(%d)%.(%d)(.*)$"
  if month then
    change, rest = { month = tonumber(month), week = tonumber(week), weekday = tonumber(weekday) }, after
    if change.month < 1 or change.month > 12 or change.week < 1 or change.week > 5 or change.weekday > 6 then
      return nil
    end
  else
    local mark, day
    mark, day, rest = text:match "^(J?)(%d%d?%d?)(.*)$"
    if not day then
      return nil
    end
    if tonumber(day) > 365 or (mark == "J" and tonumber(day) == 0) then
      return nil
    end
    change = { [mark == "J" and "julian" or "yearday"] = tonumber(day) }
  end
  change.time = 7200
  if rest:sub(1, 1) == "/" then
    change.time, rest = read_time(rest:sub(2), most_later)
  end
  return change.time and change, rest
end

-- What follows the names: both changes, or the rule that every C library assumes without them.
local function read_changes(text)
  if text == "" then
    text = ",M3.2.0,M11.1.0"
  end
  local from, rest = read_change(text:match "^,(.*)$" or "")
  if not from then
    return nil
  end
  local to, last = read_change(rest:match "^,(.*)$" or "")
  if not to or last ~= "" then
    return nil
  end
  return from, to
end

---Reads a rule.
---@param text string
---@return cunnekt.zone_rule? rule nil when it is none
function zone_rule.parse(text)
  local name, rest = read_name(text)
  local west, after = read_time(rest or "", most_west)
  if not west then
    return nil
  end
  local rule = setmetatable({ std = { offset = -west, name = name } }, rule_mt)
  if after == "" then
    return rule
  end
  local dst_name, tail = read_name(after)
  if not dst_name then
    return nil
  end
  local dst_west, more = read_time(tail, most_west)
  rule.dst = { offset = dst_west and -dst_west or rule.std.offset + units.hour, name = dst_name, is_dst = true }
  rule._from, rule._to = read_changes(dst_west and more or tail)
  return rule._from and rule or nil
end

-- ---- asking ------------------------------------------------------------------------------------------------------

-- The day of a change in a year.
local function day_of(change, year)
  if change.julian then
    local is_past_leap_day = change.julian >= 60 and calendar.is_leap(year)
    return calendar.days(year, 1, 1) + change.julian - (is_past_leap_day and 0 or 1)
  elseif change.yearday then
    return calendar.days(year, 1, 1) + change.yearday
  end
  local first = calendar.days(year, change.month, 1)
  local day = first + (change.weekday - calendar.weekday(first)) % 7 + (change.week - 1) * 7
  -- The fifth week means the last.
  return day >= first + calendar.month_length(year, change.month) and day - 7 or day
end

-- The changes of the years around a time, in order. Each is given on the wall that it ends.
local function changes_around(self, utc)
  local year = calendar.date(utc // units.day)
  local list = {}
  for y = year - 1, year + 1 do
    list[#list + 1] = { at = day_of(self._from, y) * units.day + self._from.time - self.std.offset, to = self.dst }
    list[#list + 1] = { at = day_of(self._to, y) * units.day + self._to.time - self.dst.offset, to = self.std }
  end
  -- Daylight saving that ends as it begins anew lasts all year.
  table.sort(list, function(a, b)
    return a.at < b.at or (a.at == b.at and a.to == self.std and b.to == self.dst)
  end)
  return list
end

---What holds at a time.
---@param utc integer seconds since 1970
---@return {offset: integer, name: string, is_dst: boolean?}
function rule_methods:type_at(utc)
  local held = self.std
  if self.dst then
    for _, change in ipairs(changes_around(self, utc)) do
      if change.at <= utc then
        held = change.to
      end
    end
  end
  return held
end

---The next change of clocks after a time.
---@param utc integer
---@return integer? at nil where clocks never change
function rule_methods:change_after(utc)
  if self.dst then
    for _, change in ipairs(changes_around(self, utc)) do
      if change.at > utc then
        return change.at
      end
    end
  end
  return nil
end

return zone_rule
