-- SPDX-License-Identifier: MIT
-- What becomes of an event whose turn failed, by the kind of the failure and the number of its attempts.

local budget = require "cunnekt.engine.budget"
local clock = require "cunnekt.time.clock"
local counts = require "cunnekt.engine.counts"
local errors = require "cunnekt.base.errors"
local failure = require "cunnekt.engine.failure"
local log = require "cunnekt.base.log"

describe("a failed turn", function()
  local time, write, lines, heard, numbers, its_failure, record, event

  -- The parts around it note what they are asked.
  local function note(name)
    return function(...)
      heard[#heard + 1] = { name, select(2, ...) }
    end
  end

  before_each(function()
    time = clock.virtual():install()
    write, lines, heard = log.write, {}, {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
    numbers = counts.new()
    its_failure = failure.new {
      store = { note_attempt = note "attempt", bury = note "bury" },
      inbox = { try_later = note "later" },
      counts = numbers,
      budget = budget.new { seconds = 0, memory = 0 },
      attempts = 3,
      on_failure = function(...)
        heard[#heard + 1] = { "told", ... }
      end,
      break_run = function(...)
        heard[#heard + 1] = { "broken", ... }
      end,
    }
    record, event = { seq = 5, contact = "1:2", attempts = 0 }, { kind = "message" }
  end)

  after_each(function()
    log.write = write
    time:uninstall()
  end)

  local function names()
    local list = {}
    for i, one in ipairs(heard) do
      list[i] = one[1]
    end
    return list
  end

  -- Gives the pause with which the lane goes on, "none" when it just ended, nil when it did not.
  local function fail(err, what)
    local pause
    what = what or {}
    what.event = event
    its_failure:on_turn(record, err, what, function(seconds)
      pause = seconds or "none"
    end)
    return pause
  end

  local function handler_error()
    return errors.new("handler", "no luck")
  end

  it("is tried again, each time after a longer pause, and its attempts are stored", function()
    local pauses = {}
    for attempt = 1, 2 do
      local err = handler_error()
      assert.is_nil(fail(err))
      assert.are.same({ attempt, false }, { err.attempts, err.is_final })
      pauses[attempt] = heard[#heard][3]
    end
    assert.are.same({ "attempt", "told", "later", "attempt", "told", "later" }, names())
    assert.is_true(pauses[1] > 0 and pauses[2] > pauses[1])
    assert.are.same({ 2, 2, 0 }, { record.attempts, numbers.events_failed, numbers.events_dead })
  end)

  it("hands the lane's end on to the inbox, which decides who waits", function()
    local function done() end
    its_failure:on_turn(record, handler_error(), { event = event }, done)
    assert.are.same({ "later", record, heard[#heard][3], done }, heard[#heard])
  end)

  it("is set aside after its last attempt", function()
    record.attempts = 2
    local err = handler_error()
    assert.equal("none", fail(err))
    assert.are.same({ "bury", "told" }, names())
    assert.are.same({ 3, true }, { err.attempts, err.is_final })
    assert.are.same({ "bury", record, err }, heard[1])
    assert.are.same({ 1, 1 }, { numbers.events_failed, numbers.events_dead })
  end)

  it("that its budget stopped has one attempt only, and the script hears of it when the store has it", function()
    local err = errors.new("budget", "bot.lua:12: the turn has used its budget of 5 seconds of CPU time")
    assert.equal("none", fail(err))
    assert.are.same({ { "bury", "told" }, 1, true }, { names(), err.attempts, err.is_final })
  end)

  it("tells the script with the event", function()
    local err = handler_error()
    fail(err)
    assert.are.same({ "told", err, event }, heard[2])
  end)

  it("is repeated without counting where the store could not keep it", function()
    assert.equal(1, fail(errors.new("store", "disk is full")))
    assert.are.same({ {}, 0, 0 }, { heard, record.attempts, numbers.events_failed })
    assert.matches("a turn could not be committed: disk is full", lines[1])
  end)

  -- A disk that was full for a day filled the log as well, which is often on it: each turn said it each second.
  it("that the store cannot keep is in the log once a minute for each reason", function()
    local full = errors.new("store", "disk is full", { code = "full" })
    for _ = 1, 100 do
      fail(full)
    end
    fail(errors.new("store", "disk I/O error", { code = "io" }))
    assert.equal(2, #lines)
    time:advance(60)
    fail(full)
    assert.equal(3, #lines)
  end)

  it("is repeated at once where another turn was quicker, and then has to run alone", function()
    assert.equal(0, fail(errors.new("conflict", "another turn")))
    assert.are.same({ {}, 0, true }, { heard, record.attempts, record.had_conflict })
  end)

  for _, kind in ipairs { "store", "conflict", "handler" } do
    it("whose event is finished is told of and not repeated: " .. kind, function()
      local err = errors.new(kind, "after a commit")
      assert.equal("none", fail(err, { is_finished = true }))
      assert.are.same({ { "told" }, true }, { names(), err.is_final })
      assert.equal(0, numbers.events_dead)
    end)
  end

  it("breaks the dialog that was in it after its last attempt", function()
    record.attempts = 2
    local its_run, err = { id = 9 }, handler_error()
    fail(err, { run = its_run })
    assert.are.same({ "broken", "bury", "told" }, names())
    assert.are.same({ "broken", its_run, err, record }, heard[1])
  end)

  it("leaves the dialog alone while it is tried again", function()
    fail(handler_error(), { run = { id = 9 } })
    assert.are.same({ "attempt", "told", "later" }, names())
  end)

  it("breaks a dialog that does something else now, and gives its event to the handlers at once", function()
    local its_run, err = { id = 9 }, errors.new("diverged", "does not do what it did")
    assert.equal(0, fail(err, { run = its_run }))
    assert.are.same({ { "broken", its_run, err }, { "told", err, event } }, heard)
    assert.are.same({ 0, 0 }, { record.attempts, numbers.events_failed })
  end)

  it("counts as any other where nothing diverged that is stored", function()
    fail(errors.new("diverged", "x"))
    assert.are.same({ "attempt", "told", "later" }, names())
  end)
end)
