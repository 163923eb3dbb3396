-- SPDX-License-Identifier: MIT
-- The seam: messages in the outbox and after. One is marked before it is sent, settled with its outcome, and moves on by its
-- statuses. How turns store messages is in turns_spec.lua.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("a message", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function details(message)
    return seam:row("message_details", { id = message.id })
  end

  local function settle(...)
    seam:settle { outcomes = { ... }, now = now }
  end

  local function accepted(message, message_id, more)
    local outcome = { id = message.id, state = "accepted", message_id = message_id, contact = message.contact, rank = 0 }
    for name, value in pairs(more or {}) do
      outcome[name] = value
    end
    return outcome
  end

  describe("that is being sent", function()
    it("is marked before, with its attempts and the time", function()
      local message = seam:sent()
      seam:mark_sending { messages = { { id = message.id, attempts = 2 } }, now = now + 5 }
      local row = details(message)
      assert.are.same({ 1, 2, now + 5 }, { row.state, row.attempts, row.changed_at })
      assert.are.same({}, seam:query("queued_message", { id = message.id }))
    end)

    it("is marked with others in one call, and those beside it are not", function()
      local messages = seam_rig.many(300, function()
        return seam:message()
      end)
      seam:turn { messages = messages }
      local marks = {}
      for i = 2, 300 do
        marks[#marks + 1] = { id = messages[i].id, attempts = 1 }
      end
      seam:mark_sending { messages = marks, now = now }
      local states = seam:column("outgoing", "state", { parked = 1, after = 0, limit = 1000 })
      assert.are.same({ 0, 1, 1, 300 }, { states[1], states[2], states[300], #states })
    end)

    it("loses the error of its last attempt", function()
      local message = seam:sent(nil, { state = "queued", error = "busy", attempts = 1 })
      assert.equal("busy", details(message).error)
      seam:mark_sending { messages = { { id = message.id, attempts = 2 } }, now = now }
      assert.is_nil(details(message).error)
    end)
  end)

  describe("that was accepted", function()
    it("leaves the outbox, and is known by both of its ids", function()
      local message = seam:sent { track = '{"n":1}' }
      settle(accepted(message, "wamid.\0", { track = '{"n":1}' }))
      assert.equal(0, seam:counts().messages)
      assert.are.same({ { id = message.id, contact = "1:2", rank = 0, message_id = "wamid.\0", track = '{"n":1}' } },
        seam:query("message", { id = message.id }))
      assert.are.same({ { id = message.id, contact = "1:2", rank = 0, message_id = "wamid.\0", track = '{"n":1}' } },
        seam:query("accepted_message", { message_id = "wamid.\0" }))
    end)

    it("keeps its content until it is delivered, and is not among those to be sent", function()
      for rank = 0, 9 do
        local id = "wamid." .. rank
        local message = seam:accepted_message(id)
        assert.equal(message.payload, details(message).payload)
        seam:note_status { message_id = id, rank = rank, now = now }
        local is_needed = rank < 2 or rank == 9
        assert.equal(is_needed and message.payload or nil, details(message).payload, "of rank " .. rank)
        if rank < 5 or rank == 9 then
          local early = seam:accepted_message(id .. " early", nil, { rank = rank })
          assert.equal(is_needed and early.payload or nil, details(early).payload, "of rank " .. rank)
        end
      end
      assert.are.same({}, seam:query("outgoing", { parked = 1, after = 0, limit = 100 }))
      assert.are.same({ pending = 0, queued = 0 }, seam:row "count_waiting")
      assert.are.same({}, seam:ids "outbox_messages")
    end)

    it("is not changed by what is said of it too late", function()
      local message = seam:accepted_message "wamid.1"
      settle { id = message.id, state = "queued", attempts = 1 }
      assert.equal("conflict", (select(3, seam:try("mark_sending", { messages = { { id = message.id, attempts = 1 } }, now = now }))))
      assert.are.same({}, seam:query("outgoing", { parked = 1, after = 0, limit = 100 }))
    end)

    it("may be further already", function()
      local message = seam:sent()
      settle(accepted(message, "wamid.1", { rank = 9, reason = "gone" }))
      local row = details(message)
      assert.are.same({ 9, "gone", now, "wamid.1" }, { row.rank, row.error, row.changed_at, row.message_id })
    end)

    it("without an id of the provider is known by nothing", function()
      local message = seam:sent()
      settle(accepted(message, nil))
      assert.is_nil(details(message))
      local counts = seam:counts()
      assert.are.same({ 0, 0 }, { counts.messages, counts.accepted })
    end)

    it("is known although it was not in the outbox any more", function()
      settle { id = 12345, state = "accepted", message_id = "wamid.1", contact = "1:2", rank = 0 }
      assert.equal(12345, seam:row("accepted_message", { message_id = "wamid.1" }).id)
    end)

    it("is another one than those whose ids begin alike", function()
      for _, id in ipairs { "wamid.1", "wamid.1\0", "wamid.11", "" } do
        local message = seam:sent()
        settle(accepted(message, id))
        assert.equal(message.id, seam:row("accepted_message", { message_id = id }).id)
      end
      assert.is_nil(seam:row("accepted_message", { message_id = "wamid" }))
    end)
  end)

  describe("that stays in the outbox", function()
    local states = { queued = 0, sending = 1, unknown = 2, rejected = 3, failed = 4 }

    for state, number in pairs(states) do
      it(("as %s says why, since when and after how many attempts"):format(state), function()
        local message = seam:sent { track = "t", fallback = "f" }
        settle { id = message.id, state = state, attempts = 3, error = "because\0", at = now - 50 }
        local row = details(message)
        assert.are.same({ number, 3, "because\0", now - 50 }, { row.state, row.attempts, row.error, row.changed_at })
        assert.are.same({ message.payload, "t" }, { row.payload, row.track })
      end)
    end

    it("without an error has none, and changed now where no time is given", function()
      local message = seam:sent(nil, { state = "queued", attempts = 1, error = "x" })
      settle { id = message.id, state = "rejected", attempts = 2 }
      local row = details(message)
      assert.are.same({ nil, now, 2 }, { row.error, row.changed_at, row.attempts })
    end)

    it("says when it is tried again, until it is sent, or has no such time", function()
      local function next_try(message, outcome)
        outcome.id, outcome.state, outcome.attempts = message.id, outcome.state or "queued", 1
        settle(outcome)
        return details(message).next_try
      end
      local message = seam:sent()
      assert.equal(now + 30, next_try(message, { due = now + 30 }))
      assert.is_nil(next_try(message, {}))
      assert.equal(now + 30, next_try(message, { due = now + 30 }))
      seam:mark_sending { messages = { { id = message.id, attempts = 2 } }, now = now }
      assert.is_nil(details(message).next_try)
      assert.equal(now + 90, next_try(message, { due = now + 90, is_parked = true }))
    end)

    it("names the event whose turn sent it, if it was one", function()
      local event = seam:accepted()
      local of_event, of_none = seam:message(), seam:message()
      seam:turn { event = event.id, messages = { of_event } }
      seam:turn { messages = { of_none } }
      assert.equal(event.id, details(of_event).event)
      assert.is_nil(details(of_none).event)
    end)

    it("may get another payload in the place of its own and of its fallback", function()
      local message = seam:sent { fallback = '{"templateid":"t"}' }
      settle { id = message.id, state = "queued", attempts = 1, payload = '{"templateid":"t\0"}' }
      local row = seam:row("queued_message", { id = message.id })
      assert.are.same({ '{"templateid":"t\0"}', nil, 1 }, { row.payload, row.fallback, row.attempts })
    end)

    it("keeps its fallback where it keeps its payload", function()
      local message = seam:sent({ fallback = "f" }, { state = "queued", attempts = 1 })
      assert.equal("f", seam:row("queued_message", { id = message.id }).fallback)
    end)
  end)

  describe("is settled", function()
    it("with the events that report it", function()
      local message, told = seam:sent(), { seam:event { body = "\1{}" }, seam:event { contact = "1:3" } }
      settle(accepted(message, "wamid.1", { events = told }))
      assert.are.same({ true, true }, { told[1].is_fresh, told[2].is_fresh })
      assert.is_true(told[1].seq > 0)
      assert.equal("\1{}", seam:row("event_body", { id = told[1].id }).body)
      assert.equal(2, seam:counts().events)
    end)

    it("with others in one call", function()
      local messages = seam_rig.many(300, function()
        return seam:message()
      end)
      seam:turn { messages = messages }
      local outcomes = {}
      for i, message in ipairs(messages) do
        outcomes[i] = i % 2 == 0 and { id = message.id, state = "failed", attempts = 1 } or accepted(message, "wamid." .. i)
        outcomes[i].events = { seam:event() }
      end
      seam:settle { outcomes = outcomes, now = now }
      local counts = seam:counts()
      assert.are.same({ 150, 150, 300 }, { counts.messages, counts.accepted, counts.events })
    end)

    it("as a whole or not at all", function()
      local message, taken = seam:sent(), seam:accepted()
      local before = seam:counts()
      local ok, _, code = seam:try("settle", { now = now, outcomes = {
        accepted(message, "wamid.1"), accepted(message, nil, { events = { seam:event { id = taken.id } } }),
      } })
      assert.are.same({ nil, "constraint" }, { ok, code })
      assert.are.same(before, seam:counts())
      assert.equal(0, details(message).state)
    end)
  end)

  describe("that was accepted moves on", function()
    local function note(rank, reason)
      seam:note_status { message_id = "wamid.1", rank = rank, reason = reason, now = now + rank }
      local row = seam:row("accepted_message_details", { message_id = "wamid.1" })
      return row and { row.rank, row.error, row.changed_at }
    end

    it("by a status that came before its acceptance was stored, and never back", function()
      seam:accepted_message "wamid.1"
      assert.are.same({ 2, nil, now + 2 }, note(2))
      assert.are.same({ 2, nil, now + 2 }, note(1, "late"))
      assert.are.same({ 2, nil, now + 2 }, note(2, "again"))
      assert.are.same({ 9, "gone", now + 9 }, note(9, "gone"))
      assert.are.same({ 9, "gone", now + 9 }, note(4, "late"))
    end)

    it("not by a status of nobody's message", function()
      assert.is_nil(note(2))
      assert.equal(0, seam:counts().accepted)
    end)

    it("by the status before as by the one after", function()
      seam:accepted_message("wamid.1", nil, { rank = 3 })
      local event = seam:event { status_of = "wamid.1", rank = 2, key = "s" }
      seam:accept { events = { event }, now = now }
      assert.is_true(event.is_fresh)
      assert.are.same({ 3, nil, now }, note(1))
    end)
  end)

  describe("of uncertain delivery", function()
    local function unknown(more, at)
      return seam:sent(more, { state = "unknown", attempts = 1, at = at })
    end

    local function find(contact, earliest, latest)
      return seam:column("unknown_messages", "id", { contact = contact or "1:2", earliest = earliest or now - 60, latest = latest or now + 60 })
    end

    it("is told of, and no longer when it is settled", function()
      assert.are.same({}, seam:query "has_unknown")
      local message = unknown()
      assert.are.same({ { is_any = 1 } }, seam:query "has_unknown")
      settle(accepted(message, "wamid.1"))
      assert.are.same({}, seam:query "has_unknown")
    end)

    it("is told of for no message in another state", function()
      for _, state in ipairs { "queued", "sending", "rejected", "failed" } do
        seam:sent(nil, { state = state, attempts = 1 })
      end
      assert.are.same({}, seam:query "has_unknown")
      assert.are.same({}, find())
    end)

    it("is found by its conversation and the time of its sending, with what it tracks", function()
      local message = unknown({ track = "t" }, now - 30)
      assert.are.same({ { id = message.id, track = "t" } }, seam:query("unknown_messages", { contact = "1:2", earliest = now - 30, latest = now - 30 }))
      assert.are.same({}, find "1:3")
      assert.are.same({}, find(nil, now - 29, now))
      assert.are.same({}, find(nil, now - 60, now - 31))
    end)

    it("is not told apart from another, however many there are", function()
      for _ = 1, 5 do
        unknown()
      end
      assert.equal(2, #find())
    end)
  end)

  if backend.is_kept then
    it("is where it was after a restart", function()
      local queued, sending, failed = seam:sent(), seam:sent(), seam:sent(nil, { state = "failed", attempts = 2, error = "x" })
      seam:mark_sending { messages = { { id = sending.id, attempts = 1 } }, now = now }
      seam:accepted_message("wamid.1", nil, { rank = 2 })
      local before = { seam:query("outgoing", { parked = 1, after = 0, limit = 10 }), details(failed), seam:row("accepted_message", { message_id = "wamid.1" }) }
      assert.equal(queued.id, before[1][1].id)
      seam:reopen()
      assert.are.same(before, {
        seam:query("outgoing", { parked = 1, after = 0, limit = 10 }), details(failed), seam:row("accepted_message", { message_id = "wamid.1" }),
      })
    end)
  end
end)
