-- SPDX-License-Identifier: MIT
-- When a job is due. The texts are pinned in spec/store/formats_spec.lua, lines of cron in spec/time/cron_spec.lua.

local cron = require "cunnekt.time.cron"
local timing = require "cunnekt.jobs.timing"

local day = 86400
-- 2023-11-14 22:13:20 UTC.
local now = 1700000000

describe("a timing", function()
  local nine

  setup(function()
    nine = assert(timing.cron(assert(cron.daily "09:00"), "UTC"))
  end)

  local at_nine = 1700038800 -- 2023-11-15 09:00 UTC

  it("is due for the first time after its seconds, or at its line", function()
    assert.equal(now + 60, timing.after(60):first(now))
    assert.equal(now, timing.after(0):first(now))
    assert.equal(now + 0.5, timing.every(0.5):first(now))
    assert.equal(at_nine, nine:first(now))
  end)

  it("that is due once is never due again", function()
    assert.is_nil(timing.after(60):next(now, now + 1000))
  end)

  it("stays on its grid, however late a run is", function()
    local every = timing.every(60)
    assert.equal(now + 60, every:next(now, now))
    assert.equal(now + 60, every:next(now, now + 59.9))
    assert.equal(now + 120, every:next(now, now + 60))
    assert.equal(now + 660, every:next(now, now + 605))
  end)

  it("comes after the moment that is given, also with seconds that binary fractions do not hold", function()
    for _, seconds in ipairs { 0.1, 1 / 3, 0.001, 7.3 } do
      local every, due = timing.every(seconds), now
      for i = 1, 1000 do
        local after = now + i * seconds
        local following = every:next(due, after)
        assert.is_true(following > after and following <= after + 2 * seconds)
        due = following
      end
    end
  end)

  it("by a line is due at its next line after both times", function()
    assert.equal(at_nine + day, nine:next(at_nine, now))
    assert.equal(at_nine + 3 * day, nine:next(at_nine, at_nine + 2.5 * day))
  end)

  it("finds the first due time that still counts", function()
    assert.equal(now, timing.every(60):at_or_after(now, now - 5))
    assert.equal(now + 60, timing.every(60):at_or_after(now, now + 1))
    assert.equal(at_nine + day, nine:at_or_after(at_nine, at_nine + day))
    assert.equal(at_nine + day, nine:at_or_after(at_nine, at_nine + 0.5))
    assert.equal(at_nine, nine:at_or_after(at_nine, at_nine))
    assert.is_nil(timing.after(60):at_or_after(now, now + 1))
  end)

  it("is corrected when the clock was put back since it was planned", function()
    assert.equal(now + 60, timing.every(60):corrected(now + 10 * day, now))
    assert.equal(now + 30, timing.after(60):corrected(now + 30, now))
    assert.equal(at_nine, nine:corrected(at_nine + 100 * day, now))
  end)

  it("by a line is not due again for a time that it ran for before the clock was put back", function()
    assert.equal(at_nine + day, nine:corrected(at_nine + day, at_nine - 1800, at_nine))
    -- But a clock that was a day ahead was wrong: what ran then does not count.
    assert.equal(at_nine, nine:corrected(at_nine + 100 * day, at_nine - 1800, at_nine + 99 * day))
  end)

  it("is the same timing when it is read from its text", function()
    for _, one in ipairs { timing.after(0.1), timing.every(1 / 3), timing.every(1e-7), timing.after(1e15), nine } do
      local again = assert(timing.parse(one.text))
      assert.are.same({ one.kind, one.text, one:first(now) }, { again.kind, again.text, again:first(now) })
    end
  end)

  it("tells timings apart by their texts", function()
    assert.are_not.equal(timing.after(60).text, timing.every(60).text)
    assert.are_not.equal(timing.after(0.1).text, timing.after(0.1000000001).text)
    assert.equal(timing.after(60).text, timing.after(60.0).text)
    assert.are_not.equal(nine.text, assert(timing.cron(assert(cron.daily "09:00"), "Europe/Berlin")).text)
    assert.are_not.equal(nine.text, assert(timing.cron(assert(cron.daily "09:00"))).text)
  end)

  it("says what is wrong with a text or a zone", function()
    for _, text in ipairs { "", "after", "after x", "never 60", "cron", "cron 0 9 * * *", "cron 99 9 * * * @ UTC", "after 60 60", "\0" } do
      local its_timing, err = timing.parse(text)
      assert.are.same({ nil, "invalid" }, { its_timing, err and err.kind }, text)
    end
    local its_timing, err = timing.parse "cron 0 9 * * * @ Nowhere/Town"
    assert.are.same({ nil, "invalid" }, { its_timing, err.kind })
  end)
end)
