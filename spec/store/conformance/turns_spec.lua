-- SPDX-License-Identifier: MIT
-- The seam: committing turns. All that a turn changes holds together, and each part of it does what it says. Dialogs are in
-- dialogs_spec.lua, jobs in jobs_spec.lua, and turns that may not be committed in conflicts_spec.lua.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("committing a turn", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function pending()
    return seam:column("pending", "id", { after = 0, limit = 1000 })
  end

  it("that changes nothing does nothing", function()
    local before = seam:counts()
    seam:turn {}
    seam:turn { states = {}, values = {}, events = {}, messages = {}, joined = {}, reads = {}, jobs = {}, ends = {} }
    assert.are.same(before, seam:counts())
  end)

  describe("finishes", function()
    it("its event, and no other", function()
      local event, other = seam:accepted(), seam:accepted()
      seam:turn { event = event.id }
      assert.are.same({ other.id }, pending())
    end)

    it("the events that were joined to it", function()
      local events = seam_rig.many(4, function()
        return seam:accepted()
      end)
      seam:turn { event = events[1].id, joined = { events[2].id, events[4].id } }
      assert.are.same({ events[3].id }, pending())
    end)

    it("thousands of joined events", function()
      local events = seam_rig.many(1500, function()
        return seam:event()
      end)
      seam:accept { events = events, now = now }
      local joined = {}
      for i = 2, #events do
        joined[#joined + 1] = events[i].id
      end
      seam:turn { event = events[1].id, joined = joined }
      assert.equal(0, seam:counts().events)
    end)
  end)

  describe("leaves an event that goes on", function()
    it("in its new form, in its place, without attempts", function()
      local event = seam:accepted()
      seam:note_attempt { event = event.id, attempts = 3 }
      seam:turn { event = event.id, resume = "\1{resume\0}" }
      assert.are.same({ { id = event.id, contact = "1:2", attempts = 0, seq = event.seq } },
        seam:query("pending", { after = 0, limit = 10 }))
      assert.equal("\1{resume\0}", seam:row("event_body", { id = event.id }).body)
    end)

    it("also where its new form is empty", function()
      local event = seam:accepted()
      seam:turn { event = event.id, resume = "" }
      assert.equal("", seam:row("event_body", { id = event.id }).body)
    end)

    it("but finishes those that were joined", function()
      local event, joined = seam:accepted(), seam:accepted()
      seam:turn { event = event.id, joined = { joined.id }, resume = "x" }
      assert.are.same({ event.id }, pending())
    end)

    it("as often as it goes on, until it is finished", function()
      local event = seam:accepted()
      for i = 1, 3 do
        seam:turn { event = event.id, resume = "step " .. i }
      end
      seam:turn { event = event.id }
      assert.are.same({}, pending())
    end)
  end)

  describe("writes states", function()
    it("of several conversations, each with its new version", function()
      local states = { { contact = "1:2", state = '{"n":1}' }, { contact = "1:3", state = "a\0b" } }
      seam:turn { states = states }
      for _, one in ipairs(states) do
        assert.is_true(math.type(one.version) == "integer" and one.version > 0)
        assert.are.same({ version = one.version, state = one.state }, seam:conversation(one.contact))
      end
    end)

    it("over each other, and the version changes each time, also for the same state", function()
      local seen = {}
      for _ = 1, 20 do
        local states = { { contact = "1:2", state = "same" } }
        seam:turn { states = states }
        assert.is_nil(seen[states[1].version])
        seen[states[1].version] = true
      end
    end)

    it("of megabytes, and empty ones", function()
      for _, state in ipairs { ("x\0"):rep(1500000), "" } do
        seam:turn { states = { { contact = "1:2", state = state } } }
        assert.is_true(seam:conversation("1:2").state == state)
      end
    end)

    it("without forgetting when the customer wrote, or that a person has taken over", function()
      seam:accepted { inbound_at = 1000 }
      seam:turn { pauses = { { contact = "1:2", is_paused = true } } }
      seam:turn { states = { { contact = "1:2", state = "{}" } } }
      local found = seam:conversation "1:2"
      assert.are.same({ "{}", 1000, 1 }, { found.state, found.last_inbound, found.paused })
    end)
  end)

  describe("writes values", function()
    it("with any bytes in their keys, each with its new version", function()
      local values = { { key = "a\0b", value = '"x"' }, { key = "", value = "" }, { key = "\xff", value = "\0" } }
      seam:turn { values = values }
      for _, one in ipairs(values) do
        assert.is_true(one.version > 0)
        assert.are.same({ version = one.version, value = one.value }, seam:value(one.key))
      end
    end)

    it("and deletes those that it is given without one", function()
      seam:turn { values = { { key = "a", value = "1" }, { key = "b", value = "2" } } }
      local values = { { key = "a" }, { key = "never" } }
      seam:turn { values = values }
      assert.are.same({ 0, 0 }, { values[1].version, values[2].version })
      assert.are.same({ version = 0 }, seam:value "a")
      assert.equal("2", seam:value("b").value)
    end)

    it("by thousands", function()
      seam:turn { values = seam_rig.many(1500, function(i)
        return { key = ("k%04d"):format(i), value = tostring(i) }
      end) }
      assert.equal("1500", seam:value("k1500").value)
      assert.equal(1500, seam:counts().values)
    end)

    it("that have another version when they were deleted and made again", function()
      local seen = {}
      for _ = 1, 20 do
        local values = { { key = "a", value = "1" } }
        seam:turn { values = values }
        assert.is_nil(seen[values[1].version])
        seen[values[1].version] = true
        seam:turn { values = { { key = "a" } } }
      end
    end)

    if backend.is_kept then
      it("that have another version when they are made again after a restart", function()
        local seen = {}
        for _ = 1, 5 do
          local values = { { key = "a", value = "1" } }
          seam:turn { values = values }
          assert.is_nil(seen[values[1].version])
          seen[values[1].version] = true
          seam:turn { values = { { key = "a" } } }
          seam:reopen()
        end
      end)
    end
  end)

  describe("stores messages", function()
    it("with all that they have, and their place in the conversation", function()
      local one = seam:message {
        payload = '{"text":"\0"}', unknown = "resend", track = '{"n":1}', follows = "delivered", fallback = '{"templateid":"t"}',
        is_bulk = true, due = now + 5.5, expires = now + 60.5, hours = '{"from":"09:00"}',
      }
      local other = seam:message { state = "sending" }
      seam:turn { messages = { one, other } }
      assert.is_true(other.seq > one.seq and one.seq > 0)
      assert.are.same({
        {
          id = one.id, contact = "1:2", payload = '{"text":"\0"}', state = 0, unknown = "resend", track = '{"n":1}', attempts = 0,
          follows = "delivered", fallback = '{"templateid":"t"}', changed_at = now, seq = one.seq,
          is_bulk = 1, due = now + 5.5, expires = now + 60.5, hours = '{"from":"09:00"}',
        },
        {
          id = other.id, contact = "1:2", payload = '{"text":"hi"}', state = 1, unknown = "hold", attempts = 0, changed_at = now,
          seq = other.seq, is_bulk = 0,
        },
      }, seam:query("outgoing", { parked = 1, after = 0, limit = 10 }))
    end)

    it("in an order that grows from turn to turn, whatever order the ids have", function()
      local first, second = seam:message(), seam:message()
      seam:turn { messages = { second } }
      seam:turn { messages = { first } }
      assert.is_true(first.seq > second.seq)
    end)

    if backend.is_kept then
      it("in an order that grows from one start to the next", function()
        local last = 0
        for _ = 1, 4 do
          local message = seam:sent(nil, { state = "accepted" })
          assert.is_true(message.seq > last)
          last = message.seq
          seam:reopen()
        end
      end)
    end
  end)

  describe("stores events of its own", function()
    it("as those that are accepted, each in the order of its conversation", function()
      local before = seam:accepted { contact = "1:3" }
      local one, other = seam:event { contact = "1:3", body = "\1{}" }, seam:event { contact = "1:3" }
      seam:turn { events = { one, other } }
      assert.is_true(one.is_fresh and other.is_fresh)
      assert.is_true(before.seq < one.seq and one.seq < other.seq)
      assert.are.same({ id = one.id, seq = one.seq, contact = "1:3", attempts = 0, accepted_at = now, body = "\1{}" },
        seam:row("event", { id = one.id }))
    end)

    it("once for a key", function()
      seam:accepted { key = "k" }
      local again = seam:event { key = "k" }
      seam:turn { events = { again }, values = { { key = "a", value = "1" } } }
      assert.is_false(again.is_fresh)
      assert.are.same({ 1, "1" }, { seam:counts().events, seam:value("a").value })
    end)
  end)

  it("watches service windows, the last word counts", function()
    seam:accept { now = now, events = { seam:event { inbound_at = now - 86400 + 100 } } }
    local function closing(til)
      return seam:column("closing_windows", "contact", { window = 86400, ["until"] = til })
    end
    seam:turn { watches = { { contact = "1:2", before = 60 } } }
    assert.are.same({ {}, { "1:2" } }, { closing(now + 39), closing(now + 40) })
    seam:turn { watches = { { contact = "1:2", before = 10 } } }
    assert.are.same({ {}, { "1:2" } }, { closing(now + 89), closing(now + 90) })
  end)

  it("gives a conversation to a person, and back", function()
    for _, is_paused in ipairs { true, false, true } do
      seam:turn { pauses = { { contact = "1:2", is_paused = is_paused } } }
      assert.equal(is_paused and 1 or nil, seam:conversation("1:2").paused)
    end
  end)

  describe("holds as a whole", function()
    -- A turn that changes something of each kind.
    local function everything()
      local event, joined = seam:accepted(), seam:accepted()
      local cut, ending, ended = seam:waiting { after = 3 }, seam:waiting { after = 1 }, seam:waiting { after = 2 }
      seam:turn {
        kept = { { dialog = cut.id, bodies = '["a"]' } },
        jobs = { { kind = "put", name = "old", spec = "every 60", due = 1, catch_up = "once", attempts = 0 } },
        values = { { key = "old", value = "1" } },
      }
      return {
        event = event.id, joined = { joined.id },
        states = { { contact = "1:2", state = "{}" } },
        values = { { key = "a", value = "1" }, { key = "old" } },
        watches = { { contact = "1:2", before = 60 } },
        cuts = { { id = cut.id, n = 2, steps = 3 } },
        run = seam:dialog { after = 2, digest = "d", source = "s" },
        taken = { seam:row("kept", { dialog = cut.id, after = 0 }).id },
        kept = { { dialog = cut.id, bodies = '["b"]' } },
        ends = { ending.id }, ended = { id = ended.id, steps = 2 },
        pauses = { { contact = "1:3", is_paused = true } },
        jobs = { { kind = "drop", name = "old" }, { kind = "put", name = "new", spec = "every 60", due = 1, catch_up = "once", attempts = 0 } },
        events = { seam:event { key = "k" } },
        messages = { seam:message() },
      }
    end

    local function picture()
      local counts = seam:counts()
      counts.seen = nil
      return {
        counts, seam:conversation "1:2", seam:conversation "1:3", seam:value "a", seam:value "old", pending(),
        seam:query("outgoing", { parked = 1, after = 0, limit = 10 }), seam:query("jobs", { after = "", limit = 10 }),
        seam:query("dialogs_of", { contact = "1:2" }),
      }
    end

    it("with all of its parts", function()
      seam:turn(everything())
      local counts = seam:counts()
      assert.are.same({
        events = 1, dead = 0, seen = 1, conversations = 2, values = 1, messages = 1, accepted = 0, dialogs = 2, steps = 3, kept = 1,
        kept_events = 0, scripts = 1, jobs = 1,
      }, counts)
      -- The newest of those that are left comes first; the other was cut, and what was kept for it is another now.
      local cut = seam:query("dialogs_of", { contact = "1:2" })[2]
      assert.are.same({ 1, '["b"]' }, { cut.steps, seam:row("kept", { dialog = cut.id, after = 0 }).bodies })
    end)

    it("or not at all, where one part cannot be stored", function()
      local sent, turn = seam:sent(), everything()
      local before = picture()
      turn.messages[2] = seam:message { id = sent.id }
      local ok, message, code = seam:try_turn(turn)
      assert.are.same({ nil, "constraint" }, { ok, code })
      assert.is_string(message)
      assert.are.same(before, picture())
      assert.is_true(seam:accepted({ key = "k" }).is_fresh)
      turn.messages[2] = nil
      seam:turn(turn)
    end)

    it("beside others that fail", function()
      local sent, answers = seam:sent(), {}
      for i = 1, 60 do
        seam:begin("commit_turn", {
          now = now, values = { { key = "v" .. i, value = "1" } }, messages = { seam:message { id = i % 6 == 0 and sent.id or nil } },
        }, function(ok, _, code)
          answers[i] = ok or code
        end)
      end
      seam_rig.wait(function()
        return #answers == 60
      end)
      for i = 1, 60 do
        assert.equal(i % 6 == 0 and "constraint" or true, answers[i])
        assert.equal(i % 6 ~= 0 and "1" or nil, seam:value("v" .. i).value)
      end
    end)

    if backend.is_kept then
      it("after a restart", function()
        local turn = everything()
        seam:turn(turn)
        local before = picture()
        seam:reopen()
        assert.are.same(before, picture())
      end)
    end
  end)
end)
