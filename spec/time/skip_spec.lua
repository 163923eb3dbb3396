-- SPDX-License-Identifier: MIT
-- The real clock, moved ahead: `cunnekt dev` lets time pass. It stays so for the rest of this process.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local task = require "cunnekt.base.task"

local function settle()
  task.await(function(done)
    clock.after(0, done)
  end)
end

describe("time that is moved ahead", function()
  it("has passed on both clocks", function()
    local wall, steady = clock.now(), clock.monotonic()
    core.skip_time(7200)
    assert.is_true(clock.now() - wall >= 7200 and clock.now() - wall < 7210)
    assert.is_true(clock.monotonic() - steady >= 7200 and clock.monotonic() - steady < 7210)
  end)

  it("fires what falls due on the way, in its order, and nothing else", function()
    local order = {}
    local far = clock.after(300, function()
      order[#order + 1] = "far"
    end)
    for _, seconds in ipairs { 200, 100 } do
      clock.after(seconds, function()
        order[#order + 1] = seconds
      end)
    end
    settle()
    assert.same({}, order)
    core.skip_time(250)
    settle()
    assert.same({ 100, 200 }, order)
    far:close()
  end)

  it("is known by its next timer", function()
    assert.is_nil(core.next_timer())
    local timer = clock.after(100, function() end)
    local before = core.next_timer()
    assert.is_true(before > 99 and before <= 100)
    core.skip_time(60)
    assert.is_true(core.next_timer() <= 40)
    core.skip_time(60)
    assert.equal(0, core.next_timer())
    timer:close()
  end)

  it("goes forward only", function()
    assert.error(function()
      core.skip_time(-1)
    end)
    assert.error(function()
      core.skip_time(0 / 0)
    end)
  end)
end)
