-- SPDX-License-Identifier: MIT
-- The seam: accepting events. Each is stored once, whole, and in the order of its conversation.

local core = require "cunnekt.core"
local seam_rig = require "spec.support.rigs.seam_rig"

local now, day = seam_rig.now, 86400

seam_rig.describe("accepting events", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function accept(...)
    return seam:accept({ events = { ... }, now = now }).events
  end

  local function body_of(event)
    local row = seam:row("event_body", { id = event.id })
    return row and row.body
  end

  describe("stores them", function()
    it("with their contact, without attempts, and with the time of their acceptance", function()
      local event = accept(seam:event { body = "x" })[1]
      assert.is_true(event.is_fresh)
      local row = seam:row("event", { id = event.id })
      assert.are.same({ id = event.id, seq = event.seq, contact = "1:2", attempts = 0, accepted_at = now, body = "x" }, row)
      assert.are.same({ { id = event.id, contact = "1:2", attempts = 0, seq = event.seq } },
        seam:query("pending", { after = 0, limit = 10 }))
    end)

    it("with every byte of their bodies and contacts, up to megabytes", function()
      for _, body in ipairs { "", "\0", "a\0b\xff", ("x\0"):rep(1500000) } do
        assert.is_true(body_of(accept(seam:event { body = body })[1]) == body)
      end
      accept(seam:event { contact = "1:\0\xff" })
      assert.equal("1:\0\xff", seam:query("pending", { after = 0, limit = 10 })[5].contact)
    end)

    it("when there are none", function()
      assert.are.same({}, accept())
      assert.equal(0, seam:counts().events)
    end)

    it("by thousands in one call, in their order", function()
      local events = seam_rig.many(2500, function(i)
        return seam:event { contact = "1:" .. i % 7, body = ("%d\0"):format(i), key = "k" .. (i == 2500 and 1 or i) }
      end)
      accept(table.unpack(events))
      assert.equal(2499, seam:counts().events)
      local last = {}
      for i, event in ipairs(events) do
        assert.equal(i < 2500, event.is_fresh)
        if event.is_fresh then
          assert.is_true(event.seq > (last[event.contact] or 0))
          last[event.contact] = event.seq
        end
      end
    end)

    it("whatever other fields their tables have", function()
      local event = seam:event { attempts = 7, event = { kind = "message" }, joined = {}, on_done = print }
      assert.is_true(accept(event)[1].is_fresh)
      assert.equal(0, seam:row("event", { id = event.id }).attempts)
    end)
  end)

  describe("gives out sequences", function()
    it("that grow within a conversation, within a call and from call to call", function()
      local last = 0
      for _ = 1, 5 do
        for _, event in ipairs(accept(seam:event(), seam:event { contact = "1:3" }, seam:event(), seam:event())) do
          assert.is_true(math.type(event.seq) == "integer")
          if event.contact == "1:2" then
            assert.is_true(event.seq > last)
            last = event.seq
          end
        end
      end
    end)

    it("that grow in the order of the calls, whatever order the ids have", function()
      local first, second = seam:event(), seam:event()
      accept(second)
      accept(first)
      assert.is_true(first.id < second.id)
      assert.is_true(first.seq > second.seq)
    end)

    it("that grow although the events before are gone", function()
      local first = accept(seam:event())[1]
      seam:turn { event = first.id }
      assert.is_true(accept(seam:event())[1].seq > first.seq)
    end)

    if backend.is_kept then
      it("that grow from one start to the next, although nothing was left", function()
        local last = 0
        for _ = 1, 4 do
          local event = accept(seam:event())[1]
          assert.is_true(event.seq > last)
          last = event.seq
          seam:turn { event = event.id }
          seam:reopen()
        end
      end)
    end

    it("in the order of calls that are under way together", function()
      local events, answered = seam_rig.many(200, function()
        return seam:event()
      end), 0
      for _, event in ipairs(events) do
        seam:begin("accept", { events = { event }, now = now }, function(ok)
          answered = answered + (ok and 1 or 0)
        end)
      end
      seam_rig.wait(function()
        return answered == 200
      end)
      for i = 2, 200 do
        assert.is_true(events[i].seq > events[i - 1].seq)
      end
    end)
  end)

  describe("knows duplicates", function()
    it("by their key", function()
      local first = accept(seam:event { key = "k", body = "a" })[1]
      local second = accept(seam:event { key = "k", body = "b" })[1]
      assert.are.same({ true, false }, { first.is_fresh, second.is_fresh })
      assert.is_nil(body_of(second))
      assert.equal("a", body_of(first))
    end)

    it("in the same call", function()
      local events = accept(seam:event { key = "k" }, seam:event { key = "k" }, seam:event { key = "l" })
      assert.are.same({ true, false, true }, { events[1].is_fresh, events[2].is_fresh, events[3].is_fresh })
      assert.equal(2, seam:counts().events)
    end)

    it("after the first was handled, and whatever conversation they are of", function()
      local event = accept(seam:event { key = "k" })[1]
      seam:turn { event = event.id }
      assert.is_false(accept(seam:event { key = "k" })[1].is_fresh)
      assert.is_false(accept(seam:event { key = "k", contact = "1:3" })[1].is_fresh)
    end)

    it("by all bytes of the key", function()
      local keys = { "", "\0", "\0\0", "a", "a\0", "a\0b", "a\0c", ("x"):rep(5000), ("x"):rep(5001) }
      for _, key in ipairs(keys) do
        assert.is_true(accept(seam:event { key = key })[1].is_fresh)
        assert.is_false(accept(seam:event { key = key })[1].is_fresh)
      end
    end)

    it("never without a key", function()
      assert.is_true(accept(seam:event())[1].is_fresh)
      assert.is_true(accept(seam:event())[1].is_fresh)
    end)

    it("for eight days, and forgets the key at the next sweep after that", function()
      local function is_fresh_after(days)
        local at = now + days * day
        local sweep = { day = at - 8 * day, before = at - 30 * day, stage = 0, at = 0 }
        repeat
          seam:sweep(sweep)
        until sweep.is_done
        return seam:accept({ events = { seam:event { key = "k" } }, now = at }).events[1].is_fresh
      end
      assert.is_true(accept(seam:event { key = "k" })[1].is_fresh)
      assert.is_false(is_fresh_after(0))
      assert.is_false(is_fresh_after(7.9))
      assert.is_false(is_fresh_after(8))
      assert.is_true(is_fresh_after(10))
    end)

    if backend.is_kept then
      it("after the next start", function()
        accept(seam:event { key = "k" })
        seam:reopen()
        assert.is_false(accept(seam:event { key = "k" })[1].is_fresh)
      end)
    end
  end)

  describe("notes when the customer wrote", function()
    local function inbound(at)
      accept(seam:event { inbound_at = at })
      return seam:conversation("1:2").last_inbound
    end

    it("as the latest time of all", function()
      assert.are.same({ 1000, 3000.5, 3000.5 }, { inbound(1000), inbound(3000.5), inbound(2000) })
    end)

    it("but not for an event that the customer did not write", function()
      assert.is_nil(inbound(nil))
      inbound(1000)
      assert.equal(1000, inbound(nil))
    end)

    it("without touching the state of the conversation or its version", function()
      accept(seam:event { inbound_at = 1000 })
      assert.equal(0, seam:conversation("1:2").version)
      local states = { { contact = "1:2", state = "{}" } }
      seam:turn { states = states }
      accept(seam:event { inbound_at = 2000 })
      assert.are.same({ version = states[1].version, state = "{}", last_inbound = 2000 }, seam:conversation "1:2")
    end)
  end)

  describe("moves the message on that a status is about", function()
    local function status(rank, more)
      local event = { key = "s" .. rank, status_of = "wamid.1", rank = rank }
      for name, value in pairs(more or {}) do
        event[name] = value
      end
      return accept(seam:event(event))[1]
    end

    local function rank()
      return seam:row("accepted_message_details", { message_id = "wamid.1" })
    end

    it("to its rank, with the reason and the time", function()
      seam:accepted_message "wamid.1"
      assert.is_true(status(2).is_applied)
      assert.are.same({ 2, nil, now }, { rank().rank, rank().error, rank().changed_at })
      assert.is_true(status(9, { error = "gone\0 (code 1)" }).is_applied)
      assert.are.same({ 9, "gone\0 (code 1)" }, { rank().rank, rank().error })
    end)

    it("but never back", function()
      seam:accepted_message "wamid.1"
      status(3)
      for lower = 0, 3 do
        status(lower, { key = "again " .. lower, error = "x" })
        assert.are.same({ 3, nil }, { rank().rank, rank().error })
      end
    end)

    it("but not for a duplicate", function()
      seam:accepted_message "wamid.1"
      status(2, { key = "same" })
      local again = status(3, { key = "same" })
      assert.are.same({ false, 2 }, { again.is_fresh, rank().rank })
    end)

    it("says so when there is no such message, and stores the event all the same", function()
      local event = status(2)
      assert.is_true(event.is_fresh)
      assert.is_false(event.is_applied)
      assert.equal(1, seam:counts().events)
    end)

    it("and stores nothing else of one that nobody hears, as often as it comes", function()
      seam:accepted_message "wamid.1"
      for _ = 1, 2 do
        local event = status(1, { is_unheard = true, key = "sent" })
        assert.is_true(event.is_fresh)
        if event.id == 0 then
          assert.is_true(event.is_applied)
        end
      end
      assert.are.same({ 1, 1 }, { rank().rank, seam:counts().events }) -- the second one moved nothing, and is an event
      assert.equal(0, status(2, { is_unheard = true, key = "delivered" }).id)
      assert.are.same({ 2, 1 }, { rank().rank, seam:counts().events })
    end)

    it("stores one that nobody hears where its message is not there yet", function()
      local event = status(1, { is_unheard = true })
      assert.is_true(event.is_fresh)
      assert.is_true(event.id > 0)
      assert.equal(1, seam:counts().events)
    end)

    it("whichever conversation the status came for", function()
      seam:accepted_message("wamid.1", { contact = "1:2" })
      assert.is_true(status(2, { contact = "1:77" }).is_applied)
      assert.equal(2, rank().rank)
    end)

    it("by all bytes of its id", function()
      seam:accepted_message "wamid.1"
      seam:accepted_message "wamid.1\0"
      assert.is_true(status(2, { status_of = "wamid.1\0" }).is_applied)
      assert.equal(0, rank().rank)
    end)

    it("in the same call as other events", function()
      seam:accepted_message "wamid.1"
      local events = accept(seam:event(), seam:event { status_of = "wamid.1", rank = 1 }, seam:event { status_of = "other", rank = 1 })
      assert.are.same({ false, true, false }, { events[1].is_applied or false, events[2].is_applied, events[3].is_applied })
    end)
  end)

  describe("that cannot be stored", function()
    -- An event whose id is taken.
    local function taken()
      return seam:event { id = accept(seam:event { body = "taken" })[1].id, contact = "1:9" }
    end

    it("stores none of the call: neither events, keys, times nor statuses", function()
      local bad = taken()
      seam:accepted_message "wamid.1"
      local before = seam:counts()
      local request = { now = now, events = {
        seam:event { key = "k", inbound_at = 1000 }, seam:event { key = "s", status_of = "wamid.1", rank = 2 }, bad,
        seam:event { key = "l" },
      } }
      local ok, message, code = seam:try("accept", request)
      assert.are.same({ nil, "constraint" }, { ok, code })
      assert.is_string(message)
      assert.are.same(before, seam:counts())
      assert.are.same({ version = 0 }, seam:conversation "1:2")
      assert.equal(0, seam:row("accepted_message", { message_id = "wamid.1" }).rank)
      assert.is_true(accept(seam:event { key = "k" })[1].is_fresh)
      assert.equal("taken", body_of(bad))
    end)

    it("does no harm to the calls beside it", function()
      local bad, answers = taken(), {}
      for i = 1, 60 do
        local event = i % 6 == 0 and seam:event { id = bad.id, key = "k" .. i } or seam:event { key = "k" .. i }
        seam:begin("accept", { events = { event }, now = now }, function(ok, _, code)
          answers[i] = ok and event.is_fresh or code
        end)
      end
      seam_rig.wait(function()
        return #answers == 60
      end)
      for i = 1, 60 do
        assert.equal(i % 6 == 0 and "constraint" or true, answers[i])
      end
      assert.equal(51, seam:counts().events)
    end)
  end)

  it("answers later, not while it is called", function()
    local is_answered = false
    seam:begin("accept", { events = { seam:event() }, now = now }, function()
      is_answered = true
    end)
    assert.is_false(is_answered)
    while not is_answered do
      core.step(true)
    end
  end)
end)
