-- SPDX-License-Identifier: MIT
local calendar = require "cunnekt.time.calendar"

describe("the calendar", function()
  it("counts days from 1970, both ways", function()
    assert.equal(0, calendar.days(1970, 1, 1))
    assert.equal(-1, calendar.days(1969, 12, 31))
    assert.equal(11016, calendar.days(2000, 2, 29))
    assert.same({ 2000, 3, 1 }, { calendar.date(11017) })
    assert.same({ 1, 1, 1 }, { calendar.date(-719162) })
  end)

  it("finds the date of every day again", function()
    for days = -200000, 200000, 37 do
      assert.equal(days, calendar.days(calendar.date(days)))
    end
  end)

  it("knows leap years and the lengths of months", function()
    assert.same({ true, true, false, false }, {
      calendar.is_leap(2000), calendar.is_leap(2024), calendar.is_leap(2100), calendar.is_leap(2023),
    })
    assert.same({ 29, 28, 31, 30 }, {
      calendar.month_length(2024, 2), calendar.month_length(2100, 2), calendar.month_length(2024, 12),
      calendar.month_length(2024, 4),
    })
  end)

  it("knows the day of the week", function()
    assert.equal(4, calendar.weekday(0)) -- a Thursday
    assert.equal(0, calendar.weekday(calendar.days(2026, 2, 1)))
    assert.equal(3, calendar.weekday(-1))
  end)

  it("turns times of day into seconds and back", function()
    local civil = { year = 2026, month = 1, day = 31, hour = 18, min = 30, sec = 5 }
    assert.equal(1769884205, calendar.seconds(civil))
    assert.same(civil, calendar.civil(1769884205))
    assert.same({ year = 1969, month = 12, day = 31, hour = 23, min = 59, sec = 59 }, calendar.civil(-1))
    assert.equal(0, calendar.seconds { year = 1970, month = 1, day = 1 })
  end)
end)
