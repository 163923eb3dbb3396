-- SPDX-License-Identifier: MIT
-- Named jobs while the script is loaded again. What cunnekt dev shows of it is in spec/cli/dev_reload_spec.lua.

local inside = require("cunnekt.service").of
local lives = require "spec.support.rigs.lives"
local planner = require "cunnekt.jobs.planner"
local replacement = require "cunnekt.jobs.replacement"
local task = require "cunnekt.base.task"

describe("jobs of a script that is loaded again", function()
  local all, note

  before_each(function()
    all = lives.new()
    note = all.note
  end)

  after_each(function()
    all:close()
  end)

  -- Puts what `script` says of jobs in the place of what there is.
  local function reload(script)
    local service, said = inside(all.bot), replacement.stand_in()
    script(planner.new { schedule = said, turns = service.engine.turns, bot = all.bot })
    local replacing = task.spawn(function()
      assert(replacement.replace(service.schedule, service.engine.turns, said))
    end)
    all:settle()
    assert.is_true(replacing.is_done)
  end

  local function with_function(it)
    it:job("remind", function(job)
      note { name = job.name .. job.args, due = job.due }
    end)
  end

  local function without_function() end

  -- Begins with a job at 100 and one each 150 seconds that a handler made.
  local function live()
    all:live(with_function)
    all.bot:after(100, { args = "!" }, "once", "remind")
    all.bot:every(150, { args = "?" }, "again", "remind")
  end

  it("go on, at the time that they had, when their function is back after it was away", function()
    live()
    all:pass(10, 5)
    reload(without_function)
    all:pass(10, 5)
    reload(with_function)
    all:pass(300, 10)
    assert.are.same({ "once! 100", "again? 150", "again? 300" }, all:times())
    all:die()
    all:live(with_function)
    all:pass(150, 10)
    assert.are.same({ "again? 450" }, { table.unpack(all:times(), 4) })
  end)

  it("make up for what they missed meanwhile", function()
    live()
    reload(without_function)
    all:pass(320, 10)
    assert.are.same({}, all.ran)
    reload(with_function)
    all:pass(150, 10)
    local list = all:times()
    table.sort(list)
    assert.are.same({ "again? 320", "again? 450", "once! 320" }, list)
  end)

  it("go on when their function was away since the start", function()
    live()
    all:die()
    all:live(without_function)
    all:pass(50, 10)
    reload(with_function)
    all:pass(60, 10)
    assert.are.same({ "once! 100" }, all:times())
  end)

  it("go on when the script itself plans them by the name of a function", function()
    local function script(it)
      with_function(it)
      it:after(100, { args = "!" }, "once", "remind")
    end
    all:live(script)
    reload(without_function)
    all:pass(20, 10)
    reload(script)
    all:pass(200, 10)
    assert.are.same({ "once! 100" }, all:times())
  end)

  it("stay off when they were called off while their function was away", function()
    live()
    reload(without_function)
    assert.is_true(all.bot:cancel_job "once")
    reload(with_function)
    all:pass(110, 10)
    assert.are.same({}, all.ran)
  end)
end)
