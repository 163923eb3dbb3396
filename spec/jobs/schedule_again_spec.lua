-- SPDX-License-Identifier: MIT
-- A repeating job that is given again with the same schedule, by a turn: it has its new function and arguments with that turn's
-- commit, and after a restart as before it.

local inside = require("cunnekt.service").of
local lives = require "spec.support.rigs.lives"
local task = require "cunnekt.base.task"

local hour = 3600

describe("a repeating job that is given again", function()
  local all, seen, script

  before_each(function()
    all, seen = lives.new(), {}
  end)

  after_each(function()
    all:close()
  end)

  -- Notes the arguments of a run.
  local function see(job)
    seen[#seen + 1] = job.args
  end

  -- Begins a life whose job "plan" makes, after a second, a job of `seconds` with the arguments "first".
  local function live(its_script, seconds)
    script = its_script
    all:live(function(it)
      script(it)
      it:after(1, "plan", function()
        it:every(seconds, { args = "first" }, "tick", "see")
      end)
    end, { attempts = 1 })
    all:pass(2, 1)
  end

  local function restart()
    all:die()
    seen = {}
    all:live(script, { attempts = 1 })
  end

  it("by its own run goes on where it was after a restart", function()
    live(function(it)
      it:job("see", function(job)
        see(job)
        it:every(hour, { args = job.args .. "+" }, "tick", "see")
      end)
    end, hour)
    all:pass(2 * hour, 600)
    assert.are.same({ "first", "first+" }, seen)
    restart()
    all:pass(hour, 600)
    assert.are.same({ "first++" }, seen)
  end)

  local function give(args, seconds)
    all.bot:every(seconds or hour, { args = args }, "tick", "see")
  end

  local several = {
    ["twice"] = function()
      give "second"
      give "third"
    end,
    ["and called off, and planned anew,"] = function()
      give "second"
      all.bot:cancel_job "tick"
      give "third"
    end,
    ["with another schedule and back"] = function()
      give "second"
      give("other", 2 * hour)
      give "third"
    end,
  }
  for how, change in pairs(several) do
    it(how .. " in a turn has what was given last", function()
      live(function(it)
        it:job("see", see)
      end, hour)
      all.bot:after(3, "change", change)
      all:pass(hour + 10, 600)
      assert.are.same({ "third" }, seen)
      restart()
      all:pass(hour, 600)
      assert.are.same({ "third" }, seen)
    end)
  end

  it("stays as it was when the turn fails, and so does one that fails itself", function()
    live(function(it)
      it:job("see", function(job)
        see(job)
        it:every(hour, { args = "never" }, "tick", "see")
        error "no luck"
      end)
    end, hour)
    all.bot:after(3, "other", function()
      give "never"
      error "no luck"
    end)
    all:pass(2 * hour, 600)
    assert.are.same({ "first", "first" }, seen)
    restart()
    all:pass(hour, 600)
    assert.are.same({ "first" }, seen)
  end)

  it("has the new arguments also when it runs before the turn is over", function()
    live(function(it)
      it:job("see", see)
    end, 10)
    local wake
    all.bot:after(3, "slow", function()
      give("second", 10)
      task.await(function(done)
        wake = done
      end)
    end)
    for _ = 1, 12 do
      all.clock:advance(1)
      all.bot.store:get "anything"
    end
    assert.are.same({ "first" }, seen)
    wake()
    all:pass(10, 1)
    assert.are.same({ "first", "second" }, seen)
    restart()
    all:pass(10, 1)
    assert.are.same({ "second" }, seen)
  end)

  it("keeps what another turn gave it while it ran", function()
    local runs = 0
    live(function(it)
      it:job("see", function(job)
        see(job)
        runs = runs + 1
        if runs == 1 then
          task.await(function(done)
            inside(all.bot).engine.turns:run(nil, function()
              it:every(10, { args = "second" }, "tick", "see")
            end, done)
          end)
        end
      end)
    end, 10)
    all:pass(20, 1)
    assert.are.same({ "first", "second" }, seen)
    restart()
    all:pass(10, 1)
    assert.are.same({ "second" }, seen)
  end)
end)
