-- SPDX-License-Identifier: MIT
-- Cron lines: five fields, or @daily and the like; and the next time that matches one, in a time zone.
--
-- Lines that name hours follow local time: a time that is skipped when clocks change comes right after the change, and one
-- that occurs twice comes once. Lines for every hour follow elapsed time, so "*/5 * * * *" has no gap and no repetition.

local canonical = require "cunnekt.base.canonical"
local calendar = require "cunnekt.time.calendar"
local errors = require "cunnekt.base.errors"
local options = require "cunnekt.base.options"
local units = require "cunnekt.time.units"

local cron = {}

---@class cunnekt.cron
---@field line string as it was given, with single spaces
---@field private min table<integer, boolean>
---@field private hour table<integer, boolean>
---@field private day table<integer, boolean>
---@field private month table<integer, boolean>
---@field private weekday table<integer, boolean>
local cron_methods = {}
local cron_mt = { __index = cron_methods, __name = "cunnekt.cron" }

local short = {
  ["@yearly"] = "0 0 1 1 *",
  ["@annually"] = "0 0 1 1 *",
  ["@monthly"] = "0 0 1 * *",
  ["@weekly"] = "0 0 * * 0",
  ["@daily"] = "0 0 * * *",
  ["@midnight"] = "0 0 * * *",
  ["@hourly"] = "0 * * * *",
}

local function numbered(from, ...)
  local names = {}
  for i, name in ipairs { ... } do
    names[name] = from + i - 1
  end
  return names
end

local fields = {
  { key = "min", name = "minute", first = 0, last = 59 },
  { key = "hour", name = "hour", first = 0, last = 23 },
  { key = "day", name = "day of the month", first = 1, last = 31 },
  {
    key = "month",
    name = "month",
    first = 1,
    last = 12,
    names = numbered(1, "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
  },
  {
    key = "weekday",
    name = "day of the week",
    first = 0,
    last = 7, -- Sunday again
    names = numbered(0, "sun", "mon", "tue", "wed", "thu", "fri", "sat"),
  },
}

-- ---- reading -----------------------------------------------------------------------------------------------------

local function read_number(field, text)
  local number = field.names and field.names[text:lower()]
  if not number and text:find "^%d+$" then
    number = math.tointeger(tonumber(text))
  end
  return number and number >= field.first and number <= field.last and number or nil
end

-- "*", "a", "a-b", each with "/step"; a single number with a step means from there to the end.
local function read_range(field, text)
  local range, step = text:match "^([^/]+)/(%d+)$"
  step = math.tointeger(tonumber(step or 1))
  range = range or text
  local from, to = range:match "^([^-]+)-([^-]+)$"
  if range == "*" then
    from, to = field.first, field.key == "weekday" and 6 or field.last
  elseif from then
    from, to = read_number(field, from), read_number(field, to)
    if to == 0 and field.key == "weekday" and from and from > 0 then
      to = 7 -- "fri-sun"
    end
  else
    from = read_number(field, range)
    to = text:find "/" and (field.key == "weekday" and 6 or field.last) or from
  end
  if from and to and from <= to and step and step > 0 then
    return from, to, step
  end
  return nil
end

local function read_field(field, text)
  local set = {}
  for part in (text .. ","):gmatch "([^,]*)," do
    local from, to, step = read_range(field, part)
    if not from then
      local message = "'%s' is no %s: use %d to %d%s, lists, ranges or steps"
      local names = field.names and " or names" or ""
      return nil, message:format(text, field.name, field.first, field.last, names)
    end
    for number = from, to, step do
      set[field.key == "weekday" and number % 7 or number] = true
    end
  end
  return set
end

-- Whether there is such a day at all: "0 0 31 2 *" has none.
local function has_a_day(plan)
  if not plan.has_any_weekday then
    return true
  end
  for month = 1, 12 do
    for day = 1, calendar.month_length(2000, month) do
      if plan.month[month] and plan.day[day] then
        return true
      end
    end
  end
  return false
end

local function not_a_line(line, why)
  return nil, errors.new("invalid", ("the cron line '%s' cannot be read: %s"):format(line, why))
end

local function expand(line)
  local word = line:match "^%s*(@%S*)%s*$"
  if not word then
    return line
  elseif short[word:lower()] then
    return short[word:lower()]
  end
  local near = options.suggest(word, canonical.keys(short))
  return nil, ("'%s' is not known%s"):format(word, near and (" (did you mean '%s'?)"):format(near) or "")
end

---Reads a line.
---@param line string "minute hour day month weekday" as in crontab(5), or @hourly, @daily, @weekly, @monthly, @yearly
---@return cunnekt.cron?
---@return cunnekt.error? err kind invalid
function cron.parse(line)
  local text, problem = expand(line)
  if not text then
    return not_a_line(line, problem)
  end
  local words = {}
  for word in text:gmatch "%S+" do
    words[#words + 1] = word
  end
  if #words ~= #fields then
    return not_a_line(line, ("it has %d fields; minute, hour, day, month and weekday are five"):format(#words))
  end
  local plan = { line = table.concat(words, " ") }
  for i, field in ipairs(fields) do
    plan[field.key], problem = read_field(field, words[i])
    if problem then
      return not_a_line(line, problem)
    end
  end
  plan.has_any_day, plan.has_any_weekday = words[3]:sub(1, 1) == "*", words[5]:sub(1, 1) == "*"
  plan.has_every_hour = true
  for hour = 0, 23 do
    plan.has_every_hour = plan.has_every_hour and plan.hour[hour] or false
  end
  if not has_a_day(plan) then
    return not_a_line(line, "no such day ever comes")
  end
  return setmetatable(plan, cron_mt)
end

---The line of a time of day.
---@param time string "9:00" or "09:00"
---@return cunnekt.cron?
---@return cunnekt.error? err kind invalid
function cron.daily(time)
  local hour, min = time:match "^(%d%d?):(%d%d)$"
  if not hour or tonumber(hour) > 23 or tonumber(min) > 59 then
    return nil, errors.new("invalid", ("'%s' is no time of day such as '09:00'"):format(time))
  end
  return cron.parse(("%d %d * * *"):format(tonumber(min), tonumber(hour)))
end

-- ---- asking ------------------------------------------------------------------------------------------------------

-- As every cron does it since Vixie's: when both fields of days name some, either will do.
local function is_day(plan, month_day, weekday)
  local by_day, by_weekday = plan.day[month_day] or false, plan.weekday[weekday] or false
  if plan.has_any_day or plan.has_any_weekday then
    return by_day and by_weekday
  end
  return by_day or by_weekday
end

local function next_time_of_day(plan, from)
  local hour, min = from // 60, from % 60
  while hour < 24 do
    if plan.hour[hour] then
      while min < 60 do
        if plan.min[min] then
          return hour * 60 + min
        end
        min = min + 1
      end
    end
    hour, min = hour + 1, 0
  end
  return nil
end

-- Days looked through: a leap day on one certain weekday comes after 40 years at the latest.
local most_days = 41 * 366

-- The first time on the wall that fits, from `wall` on.
local function next_on_wall(plan, wall)
  local minute = -(-wall // 60)
  local days, of_day = minute // 1440, minute % 1440
  local last = days + most_days
  while days <= last do
    local year, month, day = calendar.date(days)
    if not plan.month[month] then
      days, of_day = days + calendar.month_length(year, month) - day + 1, 0
    else
      local found = is_day(plan, day, calendar.weekday(days)) and next_time_of_day(plan, of_day)
      if found then
        return days * units.day + found * units.minute
      end
      days, of_day = days + 1, 0
    end
  end
  return nil
end

-- By time that passes: between two changes of the clocks, the wall and the time go alike.
local function next_passing(plan, from, zone)
  while true do
    local offset, change = zone:offset_at(from), zone:change_after(from)
    local wall = next_on_wall(plan, from + offset)
    local utc = wall and wall - offset
    if utc and (not change or utc < change) then
      return utc
    elseif not change then
      return nil
    end
    from = change
  end
end

-- By the clock on the wall.
local function next_shown(plan, after, zone)
  local wall = after + zone:offset_at(after)
  while true do
    wall = next_on_wall(plan, wall + 1)
    local utc = wall and zone:to_utc_seconds(wall)
    if not utc or utc > after then
      return utc
    end
  end
end

---The first moment after another one that the line names.
---@param after number seconds since 1970
---@param zone cunnekt.zone
---@return integer? utc nil when it never comes again
function cron_methods:next(after, zone)
  after = math.floor(after)
  if self.has_every_hour then
    return next_passing(self, after + 1, zone)
  end
  return next_shown(self, after, zone)
end

return cron
