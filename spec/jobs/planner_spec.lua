-- SPDX-License-Identifier: MIT
-- What bot:after, every, daily, cron, job and cancel_job ask of the schedule, before the start, in a turn and outside of any.
-- Mistakes are in spec/jobs/schedule_spec.lua, and so is when jobs run.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local planner = require "cunnekt.jobs.planner"
local recovery = require "cunnekt.store.recovery"
local schedule = require "cunnekt.jobs.schedule"

local now = 1700000000

local function fn() end

describe("planning a job", function()
  local it_, time, its_schedule, its_planner
  local bot = {}

  before_each(function()
    time = clock.virtual(now):install()
    it_ = engine_rig.new()
    its_schedule = schedule.new {
      store = it_.store,
      attempts = 2,
      keep_days = 30,
      run = function(run, done)
        it_.turns:run(nil, run, done)
      end,
      fail = function() end,
    }
    it_.turns:connect(function(change)
      its_schedule:apply(change.jobs)
    end)
    its_planner = planner.new { schedule = its_schedule, turns = it_.turns, bot = bot }
  end)

  after_each(function()
    its_schedule:stop(false)
    it_:close()
    time:uninstall()
  end)

  local function load()
    assert(its_schedule:load())
  end

  -- The jobs in the store: name, timing, due from now on, catch_up.
  local function stored()
    local list = {}
    for i, row in ipairs(recovery.jobs(it_.store)) do
      list[i] = ("%s: %s, %g, %s"):format(row.name, row.spec, row.due - now, row.catch_up)
    end
    return list
  end

  it("returns the bot, before and after the start", function()
    assert.equal(bot, its_planner:job("f", fn))
    assert.equal(bot, its_planner:after(5, "a", fn))
    load()
    assert.equal(bot, its_planner:every(5, "b", fn))
    assert.equal(bot, its_planner:daily("09:00", { tz = "UTC" }, "c", fn))
    assert.equal(bot, its_planner:cron("* * * * *", "d", fn))
  end)

  it("before the start waits for it", function()
    its_planner:after(60, "once", fn)
    its_planner:every(30, { catch_up = "all" }, "tick", fn)
    assert.are.same({}, stored())
    load()
    local list = stored()
    table.sort(list)
    assert.are.same({ "once: after 60, 60, once", "tick: every 30, 30, all" }, list)
  end)

  it("outside of turns is done at once", function()
    load()
    its_planner:after(60, "once", fn)
    assert.are.same({ "once: after 60, 60, once" }, stored())
  end)

  it("in a turn is done with it, and not when it fails", function()
    load()
    it_:turn(nil, function()
      its_planner:after(60, "never", fn)
      error "no luck"
    end)
    assert.are.same({}, stored())
    assert.is_nil(it_:turn(nil, function()
      its_planner:after(60, "once", fn)
      assert.are.same({}, stored())
    end))
    assert.are.same({ "once: after 60, 60, once" }, stored())
  end)

  it("keeps what the function is given, and the name of a function", function()
    its_planner:job("remind", fn)
    load()
    its_planner:after(60, { args = { to = "ä\0", list = { 1 } } }, "once", "remind")
    local row = recovery.jobs(it_.store)[1]
    assert.equal("remind", row.runs)
    assert.are.same({ { to = "ä\0", list = { 1 } } }, require("cunnekt.base.json").decode(row.args))
  end)

  it("keeps args that are false", function()
    load()
    its_planner:after(60, { args = false }, "once", fn)
    assert.equal("[false]", recovery.jobs(it_.store)[1].args)
  end)

  it("takes any seconds that are a number, for after also none", function()
    load()
    assert.equal(bot, its_planner:after(0, "a", fn))
    assert.equal(bot, its_planner:every(1e-3, "b", fn))
    for _, wrong in ipairs { -1, 0 / 0, math.huge, "5", {} } do
      assert.is_false((pcall(its_planner.after, its_planner, wrong, "c", fn)))
      assert.is_false((pcall(its_planner.every, its_planner, wrong, "c", fn)))
    end
    assert.is_false((pcall(its_planner.every, its_planner, 0, "c", fn)))
  end)

  it("of the same timing again keeps its due time, with the new function and args", function()
    load()
    its_planner:every(60, { args = 1 }, "tick", fn)
    time:advance(20)
    its_planner:every(60, { args = 2, catch_up = "skip" }, "tick", fn)
    assert.are.same({ "tick: every 60, 60, skip" }, stored())
    assert.equal("[2]", recovery.jobs(it_.store)[1].args)
  end)

  it("of another timing plans it anew", function()
    load()
    its_planner:every(60, "tick", fn)
    time:advance(20)
    its_planner:every(100, "tick", fn)
    assert.are.same({ "tick: every 100, 120, once" }, stored())
  end)

  it("of a job that runs once counts from now each time", function()
    load()
    its_planner:after(60, "once", fn)
    time:advance(20)
    its_planner:after(60, "once", fn)
    assert.are.same({ "once: after 60, 80, once" }, stored())
  end)

  it("says what the store says, outside of turns", function()
    load()
    it_.store:close()
    local result, err = its_planner:after(60, "once", fn)
    assert.are.same({ nil, "store" }, { result, err.kind })
    result, err = its_planner:cancel_job "once"
    assert.are.same({ nil, "store" }, { result, err.kind })
  end)

  describe("and calling it off", function()
    it("before the start says whether it was planned", function()
      its_planner:after(60, "once", fn)
      assert.are.same({ true, false, false }, {
        its_planner:cancel_job "once", its_planner:cancel_job "once", its_planner:cancel_job "never",
      })
      load()
      assert.are.same({}, stored())
    end)

    it("after the start says so, too", function()
      load()
      its_planner:after(60, "once", fn)
      assert.are.same({ true, false }, { its_planner:cancel_job "once", its_planner:cancel_job "once" })
      assert.are.same({}, stored())
    end)

    it("in the turn that planned it leaves nothing", function()
      load()
      assert.is_nil(it_:turn(nil, function()
        its_planner:after(60, "once", fn)
        assert.is_true(its_planner:cancel_job "once")
        assert.is_false(its_planner:cancel_job "once")
      end))
      assert.are.same({}, stored())
    end)

    it("in a turn that plans it again leaves the new one", function()
      load()
      its_planner:every(60, "tick", fn)
      time:advance(20)
      assert.is_nil(it_:turn(nil, function()
        its_planner:cancel_job "tick"
        its_planner:every(60, "tick", fn)
      end))
      assert.are.same({ "tick: every 60, 80, once" }, stored())
    end)

    it("reaches a job of an earlier life that the script has no function for", function()
      load()
      its_planner:every(60, "old", fn)
      local later = schedule.new { store = it_.store, attempts = 2, keep_days = 30, run = error, fail = error }
      assert(later:load())
      local other = planner.new { schedule = later, turns = it_.turns, bot = bot }
      assert.is_true(other:cancel_job "old")
      assert.are.same({}, stored())
    end)
  end)
end)
