-- SPDX-License-Identifier: MIT
-- The handle of a message: its states move up only, and whoever waits for one is woken. How a dialog waits is in
-- spec/dialog.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local sent = require "cunnekt.bot.sent"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"

describe("the handle of a message", function()
  local time

  before_each(function()
    time = clock.virtual(1700000000):install()
  end)

  after_each(function()
    time:uninstall()
  end)

  -- Begins to wait in a task; gives a table in which the outcome appears.
  local function wait(handle, wanted, timeout)
    local outcome = {}
    outcome.task = task.spawn(function()
      outcome.handle, outcome.err = sent.wait_until(handle, wanted, timeout or 60)
      outcome.is_over = true
    end)
    return outcome
  end

  it("begins as queued, with what is sent", function()
    local payload = { text = "hi" }
    local handle = sent.new(payload)
    assert.are.same({ "queued", nil, nil }, { handle.state, handle.message_id, handle.err })
    assert.equal(payload, handle.payload)
  end)

  it("moves up, in whatever order its statuses come", function()
    local handle = sent.new {}
    for _, step in ipairs {
      { "sending", true }, { "accepted", true }, { "delivered", true }, { "sent", false }, { "delivered", false }, { "read", true },
      { "queued", false }, { "played", true },
    } do
      assert.equal(step[2], sent.advance(handle, step[1]), step[1])
    end
    assert.equal("played", handle.state)
  end)

  it("stays in a final state", function()
    for _, final in ipairs { "rejected", "failed", "dropped" } do
      local handle, why = sent.new {}, errors.new("rejected", "no")
      assert.is_true(sent.advance(handle, final, why))
      assert.is_false(sent.advance(handle, "read"))
      assert.are.same({ final, why }, { handle.state, handle.err })
    end
  end)

  it("leaves the uncertain state when a status settles it", function()
    local handle = sent.new {}
    sent.advance(handle, "unknown", errors.new("unknown_outcome", "lost"))
    assert.is_true(sent.advance(handle, "delivered"))
    assert.are.same({ "delivered", nil }, { handle.state, handle.err })
  end)

  it("goes back to the queue with a reason", function()
    local handle, why = sent.new {}, errors.new("network", "no route")
    sent.advance(handle, "sending")
    sent.requeue(handle, why)
    assert.are.same({ "queued", why }, { handle.state, handle.err })
    assert.is_true(sent.advance(handle, "sending"))
    assert.is_nil(handle.err)
  end)

  -- It became the handle's state, and the next status raised in the middle of the inbox: the events that came with it were
  -- stored and not handled before the next start.
  it("is not moved by a status that this version does not know", function()
    local handle = sent.new {}
    sent.advance(handle, "accepted")
    assert.is_false(sent.advance(handle, "warned"))
    assert.equal("accepted", handle.state)
    assert.is_true(sent.advance(handle, "delivered"))
  end)

  it("reads well in a log", function()
    local handle = sent.new {}
    assert.equal("cunnekt.sent: queued", tostring(handle))
    handle.message_id = "wamid.1"
    assert.equal("cunnekt.sent: queued wamid.1", tostring(handle))
  end)

  describe("that is waited for", function()
    it("wakes who waits once it is so far, or further", function()
      local handle = sent.new {}
      local delivered, read = wait(handle, "delivered"), wait(handle, "read")
      sent.advance(handle, "accepted")
      assert.is_nil(delivered.is_over)
      sent.advance(handle, "read")
      assert.are.same({ true, true }, { delivered.is_over, read.is_over })
      assert.equal(handle, delivered.handle)
    end)

    it("wakes any number of those who wait", function()
      local handle, outcomes = sent.new {}, {}
      for i = 1, 1000 do
        outcomes[i] = wait(handle, "accepted")
      end
      sent.advance(handle, "accepted")
      for i = 1, 1000 do
        assert.is_true(outcomes[i].is_over)
      end
    end)

    it("does not let wait for what has happened", function()
      local handle = sent.new {}
      sent.advance(handle, "read")
      assert.is_true(wait(handle, "delivered").is_over)
    end)

    it("says why it failed", function()
      local handle, why = sent.new {}, errors.new("rejected", "no")
      local outcome = wait(handle, "delivered")
      sent.advance(handle, "rejected", why)
      assert.are.same({ nil, why }, { outcome.handle, outcome.err })
      assert.equal(why, wait(handle, "delivered").err)
    end)

    it("says that it failed where nobody knows why", function()
      local handle = sent.new {}
      sent.advance(handle, "dropped")
      assert.equal("rejected: the message is dropped", tostring(wait(handle, "accepted").err))
    end)

    it("says that its delivery is uncertain", function()
      local handle, lost = sent.new {}, errors.new("unknown_outcome", "lost")
      local outcome = wait(handle, "accepted")
      sent.advance(handle, "unknown", lost)
      assert.equal(lost, outcome.err)
    end)

    it("says how far it is when the time is up, counted once for all changes", function()
      local handle = sent.new {}
      local outcome = wait(handle, "read", 60)
      time:advance(59)
      sent.advance(handle, "accepted")
      assert.is_nil(outcome.is_over)
      time:advance(1)
      assert.equal("timeout: the message is accepted, not yet read", tostring(outcome.err))
    end)

    it("does not wait at all with a timeout of 0", function()
      assert.equal("timeout", wait(sent.new {}, "accepted", 0).err.kind)
    end)

    it("may be let go by a task that is cancelled", function()
      local handle = sent.new {}
      local outcome = wait(handle, "read")
      task.cancel(outcome.task)
      sent.advance(handle, "read")
      assert.is_nil(outcome.is_over)
    end)
  end)
end)

describe("sent:wait", function()
  it("in a turn without a run commits what was said before, and goes on", function()
    local it_ = engine_rig.new()
    finally(function()
      it_:close()
    end)
    local state, before
    assert.is_nil(it_:turn(nil, function(current)
      local row = it_:row(contact, "first")
      current:send(row)
      before = row.handle.state
      state = assert(row.handle:wait("accepted", 5)).state
      current:send(it_:row(contact, "second"))
    end))
    it_:settle()
    assert.are.same({ "queued", "accepted", { "first", "second" } }, { before, state, it_:texts() })
  end)

  it("outside of turns waits until then", function()
    local it_ = engine_rig.new()
    finally(function()
      it_:close()
    end)
    local handle = it_:send(it_:row(contact, "a"))
    assert.equal(handle, it_:run(function()
      return handle:wait "accepted"
    end))
  end)

  it("blames the script's line for a mistake", function()
    local handle = sent.new {}
    for _, case in ipairs {
      { "queued", nil, "sent:wait: 'queued' is not one of: accepted, sent, delivered, read" },
      { nil, nil, "sent:wait: 'nil' is not one of" },
      { "read", "5", "sent:wait: the timeout must be a number of seconds, got string" },
    } do
      local ok, message = pcall(function()
        local result = handle:wait(case[1], case[2])
        return result
      end)
      assert.is_false(ok)
      assert.matches("^%S*sent_spec.lua:%d+: ", message)
      assert.truthy(message:find(case[3], 1, true), message)
    end
  end)
end)
