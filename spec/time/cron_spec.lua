-- SPDX-License-Identifier: MIT
-- Cron lines: what each field may hold, and the moments that a line names, held against a walk through every minute.

local calendar = require "cunnekt.time.calendar"
local cron = require "cunnekt.time.cron"
local zone = require "cunnekt.time.zone"

local function utc(year, month, day, hour, min, sec)
  return calendar.seconds { year = year, month = month, day = day, hour = hour, min = min, sec = sec }
end

-- The next moments of a line as walls in that zone show them.
local function next_times(line, zone_name, after, count)
  local plan, it = assert(cron.parse(line)), assert(zone.load(zone_name))
  local list = {}
  for i = 1, count do
    after = plan:next(after, it)
    if not after then
      break
    end
    local c = it:civil(after)
    list[i] = ("%04d-%02d-%02d %02d:%02d"):format(c.year, c.month, c.day, c.hour, c.min)
  end
  return list
end

describe("cron", function()
  it("reads numbers, names, ranges, lists and steps", function()
    local start = utc(2024, 1, 1, 0, 0) -- a Monday
    assert.are.same({ "2024-01-01 09:00", "2024-01-02 09:00" }, next_times("0 9 * * *", "UTC", start, 2))
    assert.are.same({ "2024-01-05 09:00", "2024-01-08 09:00" }, next_times("0 9 * * mon-fri", "UTC", utc(2024, 1, 4, 9), 2))
    assert.are.same({ "2024-01-01 00:15", "2024-01-01 00:30" }, next_times("*/15 * * * *", "UTC", start, 2))
    assert.are.same({ "2024-01-01 08:05", "2024-01-01 08:25", "2024-01-01 10:05" },
      next_times("5-30/20 8-11/2 * * *", "UTC", start, 3))
    assert.are.same({ "2024-01-01 20:00", "2024-01-01 22:00" }, next_times("0 20/2 * * *", "UTC", start, 2))
    assert.are.same({ "2024-02-29 12:00", "2028-02-29 12:00" }, next_times("0 12 29 Feb *", "UTC", start, 2))
    assert.are.same({ "2024-01-06 00:00", "2024-01-07 00:00" }, next_times("0 0 * * 6,7", "UTC", start, 2))
    assert.are.same({ "2024-01-05 00:00", "2024-01-06 00:00", "2024-01-07 00:00", "2024-01-12 00:00" },
      next_times("0 0 * * fri-sun", "UTC", start, 4))
    assert.are.same({ "2024-03-01 00:00", "2024-06-01 00:00" }, next_times(" 0  0 1 MAR,jun *", "UTC", start, 2))
    -- A leap day on one of some weekdays may be long in coming: 2100 has none.
    assert.are.same({ "2104-02-29 00:00" }, next_times("0 0 29 2 */5", "UTC", utc(2096, 3, 1), 1))
  end)

  it("takes either when both fields of days name some, and both when one is a star", function()
    -- The 13th, and every Friday.
    assert.are.same({ "2024-09-06 00:00", "2024-09-13 00:00", "2024-09-20 00:00", "2024-09-27 00:00", "2024-10-04 00:00",
      "2024-10-11 00:00", "2024-10-13 00:00" }, next_times("0 0 13 * 5", "UTC", utc(2024, 9, 1), 7))
    -- Odd days that are Mondays: a step is a star.
    assert.are.same({ "2024-01-01 00:00", "2024-01-15 00:00", "2024-01-29 00:00", "2024-02-05 00:00" },
      next_times("0 0 */2 * 1", "UTC", utc(2023, 12, 31), 4))
  end)

  it("reads the short forms", function()
    local after = utc(2024, 2, 14, 10, 30)
    assert.are.same({ "2024-02-14 11:00" }, next_times("@hourly", "UTC", after, 1))
    assert.are.same({ "2024-02-15 00:00" }, next_times("@daily", "UTC", after, 1))
    assert.are.same({ "2024-02-15 00:00" }, next_times("@midnight", "UTC", after, 1))
    assert.are.same({ "2024-02-18 00:00" }, next_times("@weekly", "UTC", after, 1))
    assert.are.same({ "2024-03-01 00:00" }, next_times("@Monthly", "UTC", after, 1))
    assert.are.same({ "2025-01-01 00:00" }, next_times("@yearly", "UTC", after, 1))
    assert.are.same({ "2025-01-01 00:00" }, next_times("@annually", "UTC", after, 1))
  end)

  it("says what it cannot read", function()
    local cases = {
      ["0 9 * *"] = "it has 4 fields",
      [""] = "it has 0 fields",
      ["0 0 9 * * 1"] = "it has 6 fields",
      ["60 9 * * *"] = "'60' is no minute: use 0 to 59, lists",
      ["0 24 * * *"] = "'24' is no hour",
      ["0 9 0 * *"] = "'0' is no day of the month",
      ["0 9 * 13 *"] = "'13' is no month: use 1 to 12 or names",
      ["0 9 * jux *"] = "'jux' is no month",
      ["0 9 * * 8"] = "'8' is no day of the week",
      ["0 9 * * fri-mon"] = "'fri-mon' is no day of the week",
      ["*/0 * * * *"] = "'*/0' is no minute",
      ["1,,2 * * * *"] = "'1,,2' is no minute",
      ["5- * * * *"] = "'5-' is no minute",
      ["-5 * * * *"] = "'-5' is no minute",
      ["1.5 * * * *"] = "'1.5' is no minute",
      ["0 0 31 2 *"] = "no such day ever comes",
      ["0 0 31 4,6,9,11 *"] = "no such day ever comes",
      ["@dayly"] = "did you mean '@daily'?",
      ["@reboot"] = "'@reboot' is not known",
    }
    for line, words in pairs(cases) do
      local plan, err = cron.parse(line)
      assert.is_nil(plan, line)
      assert.equal("invalid", err.kind)
      assert.truthy(err.message:find(words, 1, true), line .. ": " .. err.message)
    end
    assert.equal("30 9 * * *", cron.daily("09:30").line)
    assert.equal("5 0 * * *", cron.daily("0:05").line)
    for _, time in ipairs { "24:00", "9", "9:60", "9:5", "09:00:00", "nine" } do
      local plan, err = cron.daily(time)
      assert.is_nil(plan)
      assert.truthy(err.message:find("'09:00'", 1, true))
    end
  end)

  it("runs a daily job once on the days on which clocks change", function()
    -- 02:30 does not exist on March 31, and is there twice on October 27.
    assert.are.same({ "2024-03-30 02:30", "2024-03-31 03:00", "2024-04-01 02:30" },
      next_times("30 2 * * *", "Europe/Berlin", utc(2024, 3, 29, 12), 3))
    assert.are.same({ "2024-10-26 02:30", "2024-10-27 02:30", "2024-10-28 02:30" },
      next_times("30 2 * * *", "Europe/Berlin", utc(2024, 10, 25, 12), 3))
    local berlin = assert(zone.load "Europe/Berlin")
    assert.equal(utc(2024, 10, 27, 0, 30), cron.parse("30 2 * * *"):next(utc(2024, 10, 26, 12), berlin))
    -- Several times that are jumped over make one run.
    assert.are.same({ "2024-03-31 01:45", "2024-03-31 03:00", "2024-04-01 01:00" },
      next_times("*/15 1,2 * * *", "Europe/Berlin", utc(2024, 3, 31, 0, 30), 3))
  end)

  it("keeps an hourly job hourly while clocks change", function()
    local berlin, plan = assert(zone.load "Europe/Berlin"), cron.parse "20 * * * *"
    for _, day in ipairs { { 3, 31 }, { 10, 27 } } do
      local at = plan:next(utc(2024, day[1], day[2]) - 7200, berlin)
      for _ = 1, 8 do
        local following = plan:next(at, berlin)
        assert.equal(3600, following - at)
        at = following
      end
    end
  end)

  -- The lines, and what they say in other words.
  local lines = {
    { "0 9 * * *", function(c) return c.hour == 9 and c.min == 0 end },
    { "30 2 * * *", function(c) return c.hour == 2 and c.min == 30 end },
    { "*/20 0-3 * * *", function(c) return c.hour <= 3 and c.min % 20 == 0 end },
    { "15 1,2,23 * * *", function(c) return (c.hour == 1 or c.hour == 2 or c.hour == 23) and c.min == 15 end },
    { "*/15 * * * *", function(c) return c.min % 15 == 0 end, true },
    { "7 * * * *", function(c) return c.min == 7 end, true },
    { "45 */6 * 3,4,9,10,11 *", function(c)
      return c.hour % 6 == 0 and c.min == 45 and (c.month == 3 or c.month == 4 or (c.month >= 9 and c.month <= 11))
    end },
    { "0 0 1,15 * sun", function(c)
      local weekday = calendar.weekday(calendar.days(c.year, c.month, c.day))
      return c.hour == 0 and c.min == 0 and (c.day == 1 or c.day == 15 or weekday == 0)
    end },
  }

  -- The moments of a line in some days, found by looking at every minute, and at each time that the wall left out.
  local function walk(fits, goes_by_time, it, from, to)
    local found, shown = {}, math.mininteger
    for at = from - 2 * 86400, to, 60 do
      local wall = at + it:offset_at(at)
      local hits
      if goes_by_time then
        hits = fits(calendar.civil(wall))
      else
        for missed = math.max(shown + 60, wall - 90000), wall, 60 do
          hits = hits or fits(calendar.civil(missed))
        end
        shown = math.max(shown, wall)
      end
      if hits and at > from then
        found[#found + 1] = at
      end
    end
    return found
  end

  it("names the same moments as a walk through every minute", function()
    math.randomseed(11)
    local zones = { "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Godthab",
      "Asia/Kathmandu", "Pacific/Apia", "America/Havana", "Antarctica/Troll" }
    for _, name in ipairs(zones) do
      local it = assert(zone.load(name))
      local change = it:change_after(utc(2009, 1, 1)) or utc(2009, 6, 1)
      for _ = 1, 2 do
        local from = change // 60 * 60 - 60 * math.random(0, 2880)
        local to = from + 3 * 86400
        for _, case in ipairs(lines) do
          local plan, at, found = cron.parse(case[1]), from, {}
          while true do
            at = plan:next(at, it)
            if not at or at > to then
              break
            end
            found[#found + 1] = at
          end
          assert.are.same(walk(case[2], case[3], it, from, to), found, ("%s in %s from %d"):format(case[1], name, from))
        end
        change = it:change_after(change + 86400 * math.random(0, 400)) or change + 86400 * 100
      end
    end
  end)
end)
