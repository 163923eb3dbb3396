-- SPDX-License-Identifier: MIT
-- Named jobs while the wall clock jumps: each runs once for its due time, and continues by the new time.

local clock = require "cunnekt.time.clock"
local lives = require "spec.support.rigs.lives"
local zone = require "cunnekt.time.zone"

local hour, day, year = 3600, 86400, 365 * 86400

describe("schedule while the clock jumps", function()
  local all, note

  before_each(function()
    all = lives.new()
    note = all.note
  end)

  after_each(function()
    all:close()
  end)

  local berlin = assert(zone.load "Europe/Berlin")

  local function daily(it)
    it:daily("09:00", { tz = "Europe/Berlin" }, "daily", note)
    it:after(2 * hour, "once", note)
    it:every(6 * hour, "six", note)
  end

  -- No job ran twice for one due time.
  local function check_repeats()
    local seen = {}
    for _, one in ipairs(all.ran) do
      local key = one.name .. " " .. one.due
      assert.is_nil(seen[key], key .. " ran twice")
      seen[key] = true
    end
  end

  local jumps = {
    { "an hour ahead", hour }, { "an hour back", -hour }, { "ten years ahead", 10 * year }, { "ten years back", -10 * year },
  }
  for _, case in ipairs(jumps) do
    local label, jump = table.unpack(case)
    it("runs each job once for its due time: " .. label, function()
      all:live(daily)
      all:pass(hour, 600)
      all.clock:set_wall(clock.now() + jump)
      all:pass(120, 30)
      all:pass(4 * hour, 600)
      check_repeats()
      assert.equal(1, all:count "once")
      -- And goes on by the new time.
      local before = all:count "daily"
      all:pass(3 * day, hour)
      check_repeats()
      assert.equal(3, all:count "daily" - before)
      assert.is_true(berlin:civil(all.ran[#all.ran].at + lives.start).year == berlin:civil(clock.now()).year)
    end)
  end

  it("takes seconds for seconds while the clock is not set", function()
    all:live(function(it)
      all.clock:set_wall(60)
      it:after(2 * hour, "once", note)
    end)
    all:pass(3 * hour, 600)
    assert.equal(1, all:count "once")
  end)

  it("comes back to its daily time when the clock was wrong for a while", function()
    all:live(daily)
    all:pass(hour, 600)
    all.clock:set_wall(clock.now() + 10 * year)
    all:pass(hour, 600)
    assert.equal(1, all:count "daily")
    all.clock:set_wall(clock.now() - 10 * year)
    all:pass(4 * day, hour)
    check_repeats()
    -- The day that the jump made up for is not done again; the three after it are.
    assert.equal(4, all:count "daily")
    assert.is_true(all:count "six" >= 15)
    -- Nor by a restart.
    all:die()
    all:live(daily)
    check_repeats()
  end)

  it("does not run a daily job twice when the clock is put back over it", function()
    all:live(daily)
    all:pass(9 * hour + 47 * 60, 600) -- 09:00 in Berlin
    assert.equal(1, all:count "daily")
    for _ = 1, 3 do
      all.clock:set_wall(clock.now() - 1800)
      all:pass(2400, 60)
    end
    assert.equal(1, all:count "daily")
    all:die()
    all.clock:set_wall(clock.now() - hour)
    all:live(daily)
    all:pass(2 * hour, 300)
    assert.equal(1, all:count "daily")
    all:pass(day, hour)
    assert.equal(2, all:count "daily")
  end)

  it("keeps the hour of the wall across daylight saving", function()
    -- 2024-03-29 12:00 to 2024-04-03, and 2024-10-25 12:00 on.
    for _, from in ipairs { 1711710000, 1729850400 } do
      all.clock:set_wall(from)
      all.ran = {}
      all:live(function(it)
        it:daily("02:30", { tz = "Europe/Berlin" }, "night " .. from, note)
      end)
      all:pass(4 * day, 1800)
      all:die()
      local hours = {}
      for i, one in ipairs(all.ran) do
        local c = berlin:civil(one.due + lives.start)
        hours[i] = ("%d:%02d"):format(c.hour, c.min)
      end
      assert.are.same({ "2:30", from == 1711710000 and "3:00" or "2:30", "2:30", "2:30" }, hours)
    end
  end)
end)
