-- SPDX-License-Identifier: MIT
-- The outbox: messages leave in order, only what surely was not accepted is sent again, and statuses advance the handles.
-- The store is real; the provider is the spec. What comes later, restarts, operators and statuses, is in
-- spec/engine/outbox_later_spec.lua.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local messages = require "cunnekt.store.messages"
local process = require "spec.support.process"
local recorder = require "recorder"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"

local contact, other_contact = "1:919999999999", "1:918888888888"

describe("outbox", function()
  local it_, time, answers

  before_each(function()
    time = clock.virtual(1700000000):install()
  end)

  after_each(function()
    it_:close()
    time:uninstall()
  end)

  local function new(opts)
    it_ = engine_rig.new(opts)
    answers = it_.answers
    return it_
  end

  local function send(text, delivery, who)
    return (it_:send(it_:row(who or contact, text, delivery)))
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

  -- ---- order -------------------------------------------------------------------------------------------------------

  it("sends the messages of a contact one after the other, and contacts side by side", function()
    new()
    it_:hold(2)
    it_:send(it_:row(contact, "a"), it_:row(contact, "b"), it_:row(other_contact, "c"))
    assert.are.same({ "a", "c" }, it_:texts())
    assert.are.same({ 3, 2 }, { it_.outbox:count(), it_.outbox:active() })
    it_:let_go(1, 3)
    assert.are.same({ "a", "c", "b" }, it_:texts())
    it_:let_go(2, 3)
    it_:settle()
  end)

  it("sends so many at once", function()
    new { sends = 1 }
    it_:hold(1)
    it_:send(it_:row(contact, "a"), it_:row(other_contact, "b"))
    assert.are.same({ "a" }, it_:texts())
    it_:let_go(1, 2)
    assert.are.same({ "a", "b" }, it_:texts())
  end)

  it("marks those of a turn that leave at once: the first of each contact that nothing is sent to", function()
    new()
    it_:hold(1)
    send("busy", nil, other_contact)
    local rows = { it_:row(contact, "a"), it_:row(contact, "b"), it_:row(other_contact, "c") }
    it_.outbox:mark(rows)
    assert.are.same({ true, false, false }, { rows[1].is_marked, rows[2].is_marked, rows[3].is_marked })
  end)

  it("begins nothing once it is stopped, and says when all is quiet", function()
    new()
    it_:hold(1)
    it_:send(it_:row(contact, "a"), it_:row(contact, "b"))
    it_.outbox:stop()
    local quiet = 0
    it_.outbox:when_quiet(function()
      quiet = quiet + 1
    end)
    assert.equal(0, quiet)
    it_:let_go(1, 1)
    it_:settle()
    assert.are.same({ { "a" }, 1, 1 }, { it_:texts(), quiet, #recovery.messages(it_.store) })
  end)

  -- ---- outcomes ----------------------------------------------------------------------------------------------------

  it("gives a row the bot's policy, or its own, and what is tracked with it", function()
    new { unknown = "fail" }
    local row = it_:row(contact, "a", { track = { n = 1 }, after = "delivered" })
    assert.are.same({ "fail", { n = 1 }, "delivered", 0 }, { row.unknown, row.track, row.after, row.attempts })
    assert.are.same({ "queued", row.id, { n = 1 } }, { row.handle.state, row.handle.id, row.handle.track })
    assert.equal("resend", it_:row(contact, "b", { unknown = "resend" }).unknown)
    assert.equal(row.id + 1, it_:row(contact, "b").id - 1)
  end)

  it("notes an accepted message with the provider's id", function()
    new()
    local handle = send_and_settle "a"
    assert.are.same({ "accepted", "wamid.a" }, { handle.state, handle.message_id })
    assert.are.same({ "accepted", "wamid.a" }, { messages.state(it_.store, handle.id) })
    assert.equal(handle.id, it_.outbox:id_of "wamid.a")
    assert.are.same({ 1, 1 }, { it_.counts.messages_queued, it_.counts.messages_accepted })
  end)

  it("takes an answer without an id", function()
    new()
    answers[1] = { status = 200 }
    local handle = send_and_settle "a"
    assert.are.same({ "accepted", nil }, { handle.state, handle.message_id })
    assert.are.same({}, recovery.messages(it_.store))
    assert.matches("warning: a message was accepted without an id, so nobody will hear what becomes of it %(message %d+ to ", table.concat(it_.lines, "\n"))
  end)

  it("stores the events that report an outcome with it, and queues them", function()
    local seen, told = {}, {}
    new {
      on_answer = function(row, outcome, err)
        told[#told + 1] = { row.payload.text, outcome, err and err.kind }
        return { rig.record(contact, outcome) }
      end,
      on_turn = function(record, done)
        seen[#seen + 1] = record.body
        done()
      end,
    }
    answers[2], answers[3] = errors.new("rejected", "no"), lost
    answers[1] = { message_id = "wamid.a" }
    it_:send(it_:row(contact, "a"), it_:row(contact, "b"), it_:row(contact, "c"))
    it_:settle()
    assert.are.same({ { "a", "accepted" }, { "b", "rejected", "rejected" }, { "c", "unknown_outcome", "unknown_outcome" } }, told)
    assert.are.same({ "accepted", "rejected", "unknown_outcome" }, seen)
    assert.equal(3, #recovery.events(it_.store))
  end)

  -- The handle got the id only after the usual answer was reported: a script heard of an acceptance without an id.
  it("reports an acceptance when its handle has the id, whether the answer is the usual one or not", function()
    local told = {}
    new {
      on_answer = function(row)
        told[#told + 1] = row.handle.message_id or "none"
      end,
    }
    it_:send(it_:row(contact, "usual"), it_:row(contact, "tracked", { track = { n = 1 } }))
    it_:settle()
    assert.are.same({ "wamid.usual", "wamid.tracked" }, told)
  end)

  it("keeps a message that was rejected, and tells the script", function()
    new()
    local refused = errors.new("rejected", "no such number", { code = 100 })
    answers[1] = refused
    local handle = send_and_settle "a"
    assert.are.same({ "rejected", refused }, { handle.state, handle.err })
    assert.equal("rejected", state_in_store(handle))
    assert.are.same({ { err = refused, about = handle } }, it_.heard.failures)
    assert.equal(1, it_.counts.messages_rejected)
  end)

  describe("whose message surely was not accepted", function()
    for _, kind in ipairs { "network", "tls", "timeout", "rate_limited", "auth", "http" } do
      it("sends it again after a pause: " .. kind, function()
        new()
        answers[1] = errors.new(kind, "not now")
        local handle = send_and_settle "a"
        assert.are.same({ "queued", kind, "queued" }, { handle.state, handle.err.kind, state_in_store(handle) })
        time:advance(0.5)
        assert.equal(1, #it_:texts())
        time:advance(1)
        it_:settle()
        assert.are.same({ "a", "a" }, it_:texts())
        assert.are.same({ "accepted", nil }, { handle.state, handle.err })
        assert.are.same({}, it_.heard.failures)
      end)
    end

    it("sends it again for any failure that is worth another try", function()
      new()
      answers[1] = errors.new("http", "503", { retryable = true })
      send_and_settle "a"
      time:advance(2)
      it_:settle()
      assert.are.same({ "a", "a" }, it_:texts())
    end)

    it("waits longer each time, and as long as the provider asks", function()
      new()
      answers[1], answers[2] = network, errors.new("rate_limited", "slowly", { retry_after = 100 })
      send_and_settle "a"
      time:advance(1)
      it_:settle()
      time:advance(99)
      it_:settle()
      assert.equal(2, #it_:texts())
      time:advance(1)
      it_:settle()
      assert.equal(3, #it_:texts())
    end)

    it("lets the contact's later messages wait, and nobody else's", function()
      new()
      answers[1] = network
      it_:send(it_:row(contact, "a"), it_:row(contact, "b"), it_:row(other_contact, "c"))
      it_:settle()
      assert.are.same({ "a", "c" }, it_:texts())
      time:advance(2)
      it_:settle()
      assert.are.same({ "a", "c", "a", "b" }, it_:texts())
    end)

    it("says why once a minute, for any number of messages", function()
      new()
      for i = 1, 20 do
        answers[i] = network
        send_and_settle("text " .. i, nil, "1:" .. i)
      end
      assert.equal(1, #it_.lines)
      assert.matches("messages wait and will be retried: network: no route %(message %d+ to …, text, for no event, attempt 1; next try in %d s%)",
        it_.lines[1])
      answers[1] = network
      time:advance(61)
      it_:settle()
      assert.equal(2, #it_.lines)
    end)
  end)

  -- The disk is full, for example: found as "sending" after a crash, its delivery is uncertain; unmarked, it is not sent.
  it("does not send what it cannot mark as being sent", function()
    local folder = process.folder()
    recorder.begin()
    new { url = "sqlite:" .. folder.path .. "/full.db", store = { vfs = "recorder" } }
    answers[1] = network
    local handle = send_and_settle "a"
    recorder.faults { write = true, after = 1, times = 1000000, code = "full" }
    time:advance(2)
    it_:step_until(function()
      return handle.err and handle.err.kind == "store"
    end, "a mark that fails")
    assert.are.same({ { "a" }, "queued" }, { it_:texts(), handle.state })
    recorder.faults {}
    time:advance(10)
    it_:settle()
    assert.are.same({ "a", "a" }, it_:texts())
    it_:close()
    recorder.begin()
  end)

  describe("whose message may have been accepted", function()
    it("holds it, and tells the script", function()
      new()
      answers[1] = lost
      local handle = send_and_settle "a"
      assert.are.same({ "unknown", "unknown" }, { handle.state, state_in_store(handle) })
      assert.are.same({ true, 1 }, { it_.outbox:has_unknown(), it_.counts.messages_unknown })
      assert.equal(lost, it_.heard.failures[1].err)
      time:advance(1000)
      it_:settle()
      assert.equal(1, #it_:texts())
    end)

    it("gives it up where the policy says so", function()
      new()
      answers[1] = lost
      local handle = send_and_settle("a", { unknown = "fail" })
      assert.are.same({ "failed", "failed", 1 }, { handle.state, state_in_store(handle), it_.counts.messages_failed })
      assert.is_false(it_.outbox:has_unknown())
    end)

    it("sends it again where the policy says so", function()
      new()
      answers[1] = lost
      local handle = send_and_settle("a", { unknown = "resend" })
      time:advance(2)
      it_:settle()
      assert.are.same({ { "a", "a" }, "accepted" }, { it_:texts(), handle.state })
    end)
  end)

  it("sends the fallback at once where the provider finds the window closed", function()
    new()
    local closed = errors.new("window_closed", "24 hours")
    answers[1] = closed
    local row = it_:row(contact, "free")
    row.fallback = { templateid = "tpl", text = "tpl" }
    it_:send(row)
    it_:settle()
    time:advance(0)
    it_:settle()
    assert.are.same({ { "free", "tpl" }, "accepted" }, { it_:texts(), row.handle.state })
    assert.equal("tpl", row.handle.payload.templateid)
    -- And what has none is rejected, the fallback of a fallback as well.
    answers[1] = closed
    assert.equal("rejected", send_and_settle("again").state)
  end)

  -- ---- order of arrival -----------------------------------------------------------------------------------------------

  it("holds a message until the one before it has arrived, if it has to", function()
    new()
    local first = send_and_settle "a"
    send("b", { after = "delivered" })
    it_:step_until(function()
      return it_.outbox:active() == 1
    end)
    assert.are.same({ "a" }, it_:texts())
    it_.outbox:on_status({ id = first.message_id, status = "delivered" })
    it_:settle()
    assert.are.same({ "a", "b" }, it_:texts())
  end)

  it("sends it after a minute all the same, and at once where the one before it failed", function()
    new()
    send_and_settle "a"
    send("b", { after = "delivered" })
    time:advance(59)
    assert.are.same({ "a" }, it_:texts())
    time:advance(1)
    it_:settle()
    answers[1] = errors.new("rejected", "no")
    send_and_settle "c"
    send_and_settle("d", { after = "delivered" })
    assert.are.same({ "a", "b", "c", "d" }, it_:texts())
  end)
end)
