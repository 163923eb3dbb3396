-- SPDX-License-Identifier: MIT
-- Named jobs that raise: how often each is tried again, and who hears of it.

local lives = require "spec.support.rigs.lives"

local hour, day = 3600, 86400

describe("schedule with a job that fails", function()
  local all, note

  before_each(function()
    all = lives.new()
    note = all.note
  end)

  after_each(function()
    all:close()
  end)

  it("tries it again, then goes on with the next time", function()
    local fails = 0
    all:live(function(it)
      it:every(hour, "bad", function(job)
        it.store:increment "runs"
        fails = fails + 1
        note(job)
        if fails <= 7 then
          error "no luck"
        end
      end)
    end)
    all:pass(hour + 200, 20)
    assert.equal(5, fails)
    assert.equal(5, #all.errs)
    assert.truthy(all.errs[1].message:find("the job 'bad' failed: ", 1, true))
    assert.truthy(all.errs[1].traceback:find("no luck", 1, true))
    assert.are.same({ 1, false, 5, true }, { all.errs[1].attempts, all.errs[1].is_final, all.errs[5].attempts, all.errs[5].is_final })
    assert.equal(nil, all.bot.store:get "runs")
    all:pass(hour, 20)
    -- Two more failures, then it works.
    assert.equal(8, fails)
    assert.equal(2 * hour, all.ran[8].due)
    assert.equal(1, all.bot.store:get "runs")
  end)

  it("gives one that runs once up after its tries", function()
    local fails = 0
    local function script(it)
      it:after(10, "bad 919999999999", function()
        fails = fails + 1
        error "no luck"
      end)
    end
    all:live(script, { attempts = 2 })
    all:pass(60, 5)
    assert.equal(2, fails)
    assert.is_nil(all.errs[1].message:find("919999999999", 1, true)) -- numbers are not for logs
    all:die()
    all:live(function() end)
    assert.are.same({}, all.lines) -- nothing is left of it
  end)

  it("tries it again also where missed runs are skipped, and says when it is over", function()
    local function script(it)
      it:after(100, { catch_up = "skip" }, "once", function()
        error "no luck"
      end)
      it:daily("22:15", { tz = "UTC", catch_up = "skip" }, "letter", function()
        error "no luck"
      end)
    end
    -- Without a restart, and with one between the fourth and the last try.
    for _, is_restarted in ipairs { false, true } do
      all.clock:set_wall(lives.start + (is_restarted and day or 0))
      all.errs = {}
      all:live(script)
      all:pass(125, 1)
      assert.equal(8, #all.errs)
      if is_restarted then
        all:die()
        all.clock:advance(40)
        all:live(script)
      end
      all:pass(200, 5)
      local ends = {}
      for _, err in ipairs(all.errs) do
        ends[err.job.name] = err.is_final and err.attempts or nil
        assert.equal(err.is_final, err.job.next_try == nil)
      end
      assert.are.same({ 10, { once = 5, letter = 5 } }, { #all.errs, ends })
      all:die()
    end
  end)
end)
