-- SPDX-License-Identifier: MIT
-- The timers of dialogs: an event for each wait whose time is up, once, by a wall clock that may jump.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local due = require "cunnekt.dialog.engine.due"
local engine_rig = require "spec.support.rigs.engine_rig"
local record_of = require "cunnekt.engine.record"
local records = require "cunnekt.store.records"
local rig = require "spec.support.rigs.store_rig"

local now, year = 1700000000, 365 * 86400

describe("the timers of dialogs", function()
  local it_, time, its_due, told

  before_each(function()
    time, told = clock.virtual(now):install(), {}
    it_ = engine_rig.new {
      on_turn = function(record, done)
        local event = record_of.read_body(record.body)
        told[#told + 1] = event
        assert(it_.store:commit_turn { event = record.id })
        done()
      end,
    }
    its_due = due.new(it_.engine)
  end)

  after_each(function()
    its_due:stop()
    it_:close()
    time:uninstall()
  end)

  -- A stored dialog that waits until then.
  local function waiting(at, contact)
    local its_run = rig.run_of(it_.store, { contact = contact, waiting = { due = at, n = 4 } })
    assert(it_.store:commit_turn { run = records.dialog_change(its_run) })
    return its_run.id
  end

  -- Lets time pass, and everything happen that is due then.
  local function pass(seconds)
    time:advance(seconds)
    for _ = 1, 6 do
      it_.store:value "anything" -- the store works in order
      time:advance(0)
      core.step(false)
    end
  end

  local function count()
    return #told
  end

  it("tell a dialog when its time is up, by an event of its own", function()
    local id = waiting(now + 100)
    its_due:check_at(now + 100)
    pass(99)
    assert.equal(0, count())
    pass(1)
    assert.are.same({ { kind = "own", status = "dialog_timeout", run = id, seed = "seed 1", n = 4 } }, told)
    pass(1000)
    assert.equal(1, count())
  end)

  it("look at the next one by themselves", function()
    waiting(now + 10, "1:2")
    waiting(now + 500, "1:3")
    its_due:check_at(now + 10)
    pass(10)
    for _ = 1, 9 do
      pass(60)
    end
    assert.equal(2, count())
  end)

  it("look earlier when they are told so, and never later", function()
    waiting(now + 10)
    its_due:check_at(now + 1000)
    its_due:check_at(now + 10)
    its_due:check_at(now + 500)
    its_due:check_at(nil)
    pass(10)
    assert.equal(1, count())
  end)

  it("tell at once what was due while nobody looked", function()
    waiting(now - year)
    its_due:check_at(now - year)
    pass(0)
    assert.equal(1, count())
  end)

  it("are up within a minute when the clock is put forward", function()
    waiting(now + year)
    its_due:check_at(now + year)
    time:set_wall(now + 2 * year)
    pass(60)
    assert.equal(1, count())
  end)

  it("are not up before their time when the clock is put back", function()
    waiting(now + 100)
    its_due:check_at(now + 100)
    time:set_wall(now - 1000)
    for _ = 1, 18 do
      pass(60)
    end
    assert.equal(0, count())
    pass(60)
    assert.equal(1, count())
  end)

  it("look again a second later when the store cannot be read, and say so", function()
    waiting(now + 10)
    its_due:check_at(now + 10)
    it_.store.fire = function()
      error "no disk"
    end
    pass(10)
    assert.matches("the timers of dialogs could not be checked: .*no disk", it_.lines[1])
    it_.store.fire = nil
    pass(1)
    assert.equal(1, count())
  end)

  it("stop for good", function()
    waiting(now + 10)
    its_due:check_at(now + 10)
    its_due:stop()
    its_due:check_at(now + 5)
    pass(1000)
    assert.equal(0, count())
  end)

  it("of thousands that are due together are all told", function()
    for i = 1, 2100 do
      waiting(now + 10, "1:" .. i)
    end
    its_due:check_at(now + 10)
    pass(10)
    it_:step_until(function()
      time:advance(0)
      return count() == 2100
    end)
  end)
end)
