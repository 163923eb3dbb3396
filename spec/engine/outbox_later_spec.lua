-- SPDX-License-Identifier: MIT
-- The outbox, later: what an earlier process left, what an operator changes, and statuses, in whatever order they come.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local lists = require "cunnekt.store.lists"
local messages = require "cunnekt.store.messages"
local records = require "cunnekt.store.records"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"

describe("outbox", function()
  local it_, time, answers

  before_each(function()
    time = clock.virtual(1700000000):install()
    it_ = engine_rig.new()
    answers = it_.answers
  end)

  after_each(function()
    it_:close()
    time:uninstall()
  end)

  local function send(text, delivery)
    return (it_:send(it_:row(contact, text, delivery)))
  end

  local function send_and_settle(...)
    local handle = send(...)
    it_:settle()
    return handle
  end

  local function state_in_store(handle)
    return (messages.state(it_.store, handle.id))
  end

  local network = errors.new("network", "no route")
  local lost = errors.new("unknown_outcome", "the answer was lost", { sent = true })

  -- ---- after a restart -------------------------------------------------------------------------------------------------

  describe("recovering what an earlier process left", function()
    -- A message in the store, in this state.
    local function left(text, state, unknown, who)
      local row = rig.message(it_.store, who or contact, text, { is_marked = state == "sending", unknown = unknown, track = { n = 1 } })
      assert(it_.store:commit_turn { messages = { records.message(row) } })
      return row.id
    end

    local function recover()
      it_.outbox:recover(assert(recovery.park(it_.store)), assert(recovery.count_parked(it_.store)))
      it_:settle()
    end

    it("sends what was queued, in order", function()
      left("a", "queued")
      left("b", "queued")
      recover()
      assert.are.same({ "a", "b" }, it_:texts())
      assert.are.same({ n = 1 }, messages.track_of(it_.store, "wamid.a"))
    end)

    it("leaves alone what this process has sent before it recovered", function()
      local id = left("a", "sending", "fail")
      left("b", "sending", "fail")
      it_.outbox:recover(assert(recovery.park(it_.store, id + 1)), assert(recovery.count_parked(it_.store)))
      it_:settle()
      assert.are.same({ "failed", 1 }, { messages.state(it_.store, id), #it_.heard.failures })
    end)

    it("lets a message wait until the one before has arrived, which an earlier process had sent", function()
      local first = left("a", "sending", "hold")
      it_.store:settle { records.accepted({ id = first, contact = contact, track = nil }, "wamid.early") }
      it_.store:value "anything"
      local row = it_:row(contact, "b", { after = "delivered" })
      it_:send(row)
      it_:step_until(function()
        return it_.outbox:active() == 1
      end)
      it_.store:value "anything"
      it_.store:value "anything"
      assert.are.same({}, it_:texts())
      it_.outbox:on_status { kind = "status", id = "wamid.early", status = "delivered" }
      it_:settle()
      assert.are.same({ "b" }, it_:texts())
    end)

    it("holds what was being sent, with the time at which it was", function()
      local id = left("a", "sending", "hold")
      time:advance(600)
      recover()
      assert.are.same({ {}, "unknown" }, { it_:texts(), messages.state(it_.store, id) })
      assert.equal(1700000000, lists.message(it_.store, id).changed_at)
      assert.are.same({ "unknown_outcome", true }, { it_.heard.failures[1].err.kind, it_.heard.failures[1].err.sent })
    end)

    it("gives it up, or sends it again, as its policy says", function()
      local failed = left("a", "sending", "fail")
      left("b", "sending", "resend")
      recover()
      assert.are.same({ { "b" }, "failed" }, { it_:texts(), messages.state(it_.store, failed) })
    end)

    it("gives a dialog the handle of an earlier message, as far as it came", function()
      local id, queued = left("a", "queued"), rig.message(it_.store, contact, "b").id
      assert.equal("queued", it_.outbox:handle_of(id, {}).state)
      assert.equal(it_.outbox:handle_of(id, {}), it_.outbox:handle_of(id, {}))
      assert.equal("rejected", it_.outbox:handle_of(queued, {}).state, "a message that nobody knows")
    end)

    it("recalls a message that was accepted, and its statuses advance it", function()
      local id = left("a", "queued")
      recover()
      collectgarbage()
      collectgarbage()
      local handle = it_.outbox:handle_of(id, { text = "a" })
      assert.are.same({ "accepted", "wamid.a" }, { handle.state, handle.message_id })
      it_.outbox:on_status({ id = "wamid.a", status = "read" }, { is_applied = true })
      assert.equal("read", handle.state)
    end)
  end)

  -- ---- the operator ----------------------------------------------------------------------------------------------------

  it("drops a message that waits, and none that is being sent", function()
    it_:hold(1)
    local first, second = it_:send(it_:row(contact, "a"), it_:row(contact, "b"))
    assert.is_false(it_.outbox:drop(first.id, contact))
    assert.is_true(it_.outbox:drop(second.id, contact))
    assert.is_true(it_.outbox:drop(99, contact))
    it_:let_go(1, 1)
    it_:settle()
    assert.are.same({ { "a" }, "dropped", "cancelled" }, { it_:texts(), second.state, second.err.kind })
  end)

  it("drops at once a message that waits for another try", function()
    answers[1] = network
    local handle = send_and_settle "a"
    assert.is_true(it_.outbox:drop(handle.id, contact))
    it_:settle()
    assert.are.same({ { "a" }, "dropped", 0 }, { it_:texts(), handle.state, it_.outbox:count() })
  end)

  it("sends a failed message again before all others to its contact", function()
    answers[1] = errors.new("rejected", "no")
    local handle = send_and_settle "failed"
    it_:hold(1)
    it_:send(it_:row(contact, "a"), it_:row(contact, "b"))
    it_.store:repair("requeue_message", { ids = { handle.id }, now = 0 })
    it_.outbox:retry_first((lists.queued_message(it_.store, handle.id)))
    it_:let_go(1, 4)
    it_:settle()
    assert.are.same({ "failed", "a", "failed", "b" }, it_:texts())
    assert.equal("accepted", state_in_store(handle))
  end)

  -- Its handle stayed "failed" with the old id: an event of the second send told that id, and statuses of the first one went on.
  it("begins the handle of a failed message anew that is sent again", function()
    local handle = send_and_settle "a"
    local failed = { kind = "status", id = "wamid.a", status = "failed", errors = { { title = "gone", code = 131026 } } }
    it_.store:persist("note_status", { message_id = "wamid.a", rank = 9, reason = "gone" })
    it_.outbox:on_status(failed, { is_applied = true })
    it_.store:repair("requeue_message", { ids = { handle.id }, now = 0 })
    answers[1] = "hold"
    it_.outbox:retry_first((lists.queued_message(it_.store, handle.id)))
    assert.are.same({ "sending" }, { handle.state, handle.message_id, handle.err })
    it_.outbox:on_status(failed, { is_applied = true })
    it_:step_until(function()
      return it_.held[1]
    end, "the second send")
    it_.held[1] { message_id = "wamid.b", status = 200 }
    it_:settle()
    assert.are.same({ "accepted", "wamid.b" }, { handle.state, handle.message_id })
  end)

  -- ---- statuses ----------------------------------------------------------------------------------------------------------

  describe("hearing of statuses", function()
    local function status(name, id)
      return { kind = "status", id = id or "wamid.a", status = name, timestamp = 1700000000 }
    end

    it("advances the handle, and never back", function()
      local handle = send_and_settle "a"
      it_.outbox:on_status(status "delivered", { is_applied = true })
      it_.outbox:on_status(status "sent", { is_applied = true })
      assert.equal("delivered", handle.state)
    end)

    it("stores one that was stored before the message's acceptance was", function()
      local handle = send_and_settle "a"
      it_.outbox:on_status(status "delivered", { rank = 2, is_applied = true })
      it_:settle()
      assert.equal("accepted", state_in_store(handle))
      it_.outbox:on_status(status "delivered", { rank = 2, is_applied = false })
      it_:settle()
      assert.equal("delivered", state_in_store(handle))
    end)

    it("says why a message failed", function()
      local handle, failed = send_and_settle "a", status "failed"
      failed.errors = { { title = "gone", code = 131026 } }
      it_.outbox:on_status(failed, { is_applied = true })
      assert.are.same({ "failed", "rejected: gone (code 131026)" }, { handle.state, tostring(handle.err) })
    end)

    it("says of a message that failed outside of the window what errors say of that", function()
      local handle, failed = send_and_settle "a", status "failed"
      failed.errors = { { title = "Re-engagement message", code = 131047 } }
      it_.outbox:on_status(failed, { is_applied = true })
      assert.are.same({ "failed", "window_closed", 131047 }, { handle.state, handle.err.kind, handle.err.code })
    end)

    it("sends the fallback of a message that was accepted and then found outside of the window, before what waits", function()
      local row = it_:row(contact, "free")
      row.fallback = { mobile = "919999999999", templateid = "tpl", text = "tpl" }
      it_:send(row)
      it_:settle()
      local handle, failed = row.handle, status("failed", "wamid.free")
      failed.errors = { { title = "Re-engagement message", code = 131047 } }
      assert.is_false(it_:run(function()
        return it_.outbox:send_fallback(status("delivered", "wamid.free")) or it_.outbox:send_fallback(failed) -- that is not stored yet
      end))
      it_.store:persist("note_status", { message_id = "wamid.free", rank = 9, reason = "closed" })
      it_.outbox:on_status(failed, { is_applied = true })
      it_:hold(1)
      it_:send(it_:row(contact, "a"), it_:row(contact, "b"))
      assert.is_true(it_:run(function()
        return it_.outbox:send_fallback(failed)
      end))
      assert.are.same({ "queued", "tpl" }, { handle.state, handle.payload.templateid })
      assert.is_false(it_:run(function()
        return it_.outbox:send_fallback(failed)
      end))
      it_:let_go(1, 4)
      it_:settle()
      assert.are.same({ "free", "a", "tpl", "b" }, it_:texts())
      it_.outbox:on_status(status("delivered", "wamid.tpl"), { is_applied = true })
      assert.are.same({ "delivered", "wamid.tpl", "accepted" }, { handle.state, handle.message_id, state_in_store(handle) })
    end)

    it("ignores those that this version does not know", function()
      local handle = send_and_settle "a"
      it_.outbox:on_status(status "warned", { is_applied = true })
      it_.outbox:on_status(status "delivered", { is_applied = true })
      assert.equal("delivered", handle.state)
    end)

    it("ignores those of others, and those without an id", function()
      local handle = send_and_settle "a"
      it_.outbox:on_status(status("read", "wamid.other"), { is_applied = true })
      it_.outbox:on_status({ kind = "status", status = "read" }, { is_applied = true })
      assert.equal("accepted", handle.state)
    end)

    it("keeps those that overtake the answer with the message's id", function()
      it_:hold(1)
      local handle = send "a"
      it_.outbox:on_status(status "delivered", {})
      assert.equal("sending", handle.state)
      it_:let_go(1, 1)
      it_:settle()
      assert.are.same({ "delivered", "delivered" }, { handle.state, state_in_store(handle) })
    end)

    it("keeps a bounded number of those", function()
      it_:hold(1)
      local handle = send "a"
      for i = 1, 5000 do
        it_.outbox:on_status(status("delivered", "wamid.other " .. i), {})
      end
      it_.outbox:on_status(status "delivered", {})
      it_:let_go(1, 1)
      it_:settle()
      assert.equal("accepted", handle.state) -- the status is in the store, and its turn will find the message
    end)

    it("settles by one the only message to that contact whose answer was lost", function()
      assert.is_nil(it_.outbox:settle_by_status(contact, status "delivered"))
      answers[1] = lost
      local handle = send_and_settle("a", { track = { n = 7 } })
      assert.are.same({ n = 7 }, it_.outbox:settle_by_status(contact, status("delivered", "wamid.late")))
      assert.equal("delivered", state_in_store(handle))
    end)

    it("lets a status wait for the answer of the message that is being sent", function()
      it_:hold(1)
      send "a"
      local is_over
      task.spawn(function()
        it_.outbox:wait_for_answer(contact)
        is_over = true
      end)
      assert.is_nil(is_over)
      it_:let_go(1, 1)
      it_:settle()
      assert.is_true(is_over)
      it_.outbox:wait_for_answer(contact)
    end)
  end)

  it("says of a message whose turn failed that it was dropped", function()
    local row = it_:row(contact, "a")
    it_.outbox:discard(row)
    assert.are.same({ "dropped", "cancelled" }, { row.handle.state, row.handle.err.kind })
  end)
end)
