-- SPDX-License-Identifier: MIT
-- The seam: conflicts. A turn whose ground has changed since it read it has no effect at all, and says so; nothing else is a
-- conflict. That these tests would find a store without the checks is shown in breakage_spec.lua.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("a turn", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function read_state(contact)
    return { kind = "conversation", key = contact, version = seam:conversation(contact).version }
  end

  local function read_value(key)
    return { kind = "value", key = key, version = seam:value(key).version }
  end

  local function put_state(contact, state)
    seam:turn { states = { { contact = contact, state = state or "{}" } } }
  end

  local function put_value(key, value)
    seam:turn { values = { { key = key, value = value } } }
  end

  -- A turn that may not be committed, and leaves no trace.
  local function expect_conflict(turn)
    turn.values = turn.values or {}
    turn.values[#turn.values + 1] = { key = "trace", value = "1" }
    turn.messages = { seam:message() }
    local before = seam:counts()
    local ok, message, code = seam:try_turn(turn)
    assert.are.same({ nil, "conflict" }, { ok, code })
    assert.is_string(message)
    assert.are.same(before, seam:counts())
    assert.are.same({ version = 0 }, seam:value "trace")
  end

  describe("conflicts with a change of what it has read:", function()
    it("a state", function()
      put_state "1:2"
      local read = read_state "1:2"
      put_state "1:2"
      expect_conflict { reads = { read }, states = { { contact = "1:2", state = "lost" } } }
      assert.equal("{}", seam:conversation("1:2").state)
    end)

    it("a state that there was not", function()
      local read = read_state "1:2"
      put_state "1:2"
      expect_conflict { reads = { read } }
    end)

    it("a state that there was not, though the conversation was known", function()
      seam:accepted { inbound_at = 1000 }
      local read = read_state "1:2"
      put_state "1:2"
      expect_conflict { reads = { read } }
    end)

    it("a value", function()
      put_value("a", "1")
      local read = read_value "a"
      put_value("a", "2")
      expect_conflict { reads = { read }, values = { { key = "a", value = "lost" } } }
      assert.equal("2", seam:value("a").value)
    end)

    it("a value that there was not", function()
      local read = read_value "a"
      put_value("a", "1")
      expect_conflict { reads = { read } }
    end)

    it("a value that was deleted", function()
      put_value("a", "1")
      local read = read_value "a"
      put_value("a", nil)
      expect_conflict { reads = { read } }
    end)

    it("a value that was deleted and made again as it was", function()
      put_value("a", "1")
      local read = read_value "a"
      for _ = 1, 5 do
        put_value("a", nil)
        put_value("a", "1")
        expect_conflict { reads = { read } }
      end
    end)

    it("a value that was written as it was", function()
      put_value("a", "1")
      local read = read_value "a"
      put_value("a", "1")
      expect_conflict { reads = { read } }
    end)

    it("one of many", function()
      local reads = seam_rig.many(200, function(i)
        put_value("v" .. i, "1")
        return read_value("v" .. i)
      end)
      put_value("v137", "2")
      expect_conflict { reads = reads }
    end)

    it("although it writes nothing itself", function()
      put_value("a", "1")
      local read = read_value "a"
      put_value("a", "2")
      local ok, _, code = seam:try_turn { reads = { read } }
      assert.are.same({ nil, "conflict" }, { ok, code })
    end)

    it("by all bytes of the key", function()
      put_value("a\0b", "1")
      local read, other = read_value "a\0b", read_value "a\0c"
      put_value("a\0c", "1")
      seam:turn { reads = { read } }
      expect_conflict { reads = { other } }
    end)

    it("which was made in between by one call that is still under way", function()
      local read, answers = read_value "a", {}
      for i = 1, 50 do
        seam:begin("commit_turn", { now = now, reads = { read }, values = { { key = "a", value = tostring(i) } } }, function(ok, _, code)
          answers[i] = ok or code
        end)
      end
      seam_rig.wait(function()
        return #answers == 50
      end)
      assert.is_true(answers[1])
      for i = 2, 50 do
        assert.equal("conflict", answers[i])
      end
      assert.equal("1", seam:value("a").value)
    end)
  end)

  describe("conflicts where its event is gone:", function()
    local function resumed(event)
      return { event = event.id, resume = "x" }
    end

    it("it was handled", function()
      local event = seam:accepted()
      seam:turn { event = event.id }
      expect_conflict { event = event.id }
      expect_conflict(resumed(event))
    end)

    it("it was joined to another", function()
      local event, other = seam:accepted(), seam:accepted()
      seam:turn { event = other.id, joined = { event.id } }
      expect_conflict { event = event.id }
    end)

    it("it was dropped", function()
      local event = seam:accepted()
      seam:repair("drop_pending_event", { event.id })
      expect_conflict { event = event.id }
      expect_conflict(resumed(event))
    end)

    it("it became a dead letter", function()
      local event = seam:accepted()
      seam:bury { events = { event.id }, error = "x", attempts = 5, now = now }
      expect_conflict { event = event.id }
      assert.equal(1, seam:counts().dead)
    end)

    it("it never was", function()
      expect_conflict { event = seam:id() }
    end)

    it("one that was joined is", function()
      local event, joined, other = seam:accepted(), seam:accepted(), seam:accepted()
      seam:turn { event = joined.id }
      expect_conflict { event = event.id, joined = { other.id, joined.id } }
      expect_conflict { event = event.id, joined = { joined.id }, resume = "x" }
      seam:turn { event = event.id, joined = { other.id } }
    end)

    it("of two turns for it that are under way together, one holds", function()
      local event, answers = seam:accepted(), {}
      for i = 1, 10 do
        seam:begin("commit_turn", { event = event.id, now = now, messages = { seam:message() } }, function(ok, _, code)
          answers[i] = ok or code
        end)
      end
      seam_rig.wait(function()
        return #answers == 10
      end)
      assert.is_true(answers[1])
      assert.equal("conflict", answers[10])
      assert.equal(1, seam:counts().messages)
    end)

    it("but not where it was made pending again", function()
      local event = seam:accepted()
      seam:bury { events = { event.id }, error = "x", attempts = 5, now = now }
      seam:repair("requeue_event", { event.id })
      seam:turn { event = event.id }
      assert.equal(0, seam:counts().events)
    end)
  end)

  describe("conflicts where its dialog", function()
    it("has gone on", function()
      local dialog = seam:waiting { after = 1 }
      seam:turn { run = seam_rig.continue(dialog, { after = 2 }) }
      expect_conflict { run = seam_rig.continue(dialog, { after = 3 }) }
      expect_conflict { ended = { id = dialog.id, steps = 1 } }
      expect_conflict { cuts = { { id = dialog.id, n = 1, steps = 1 } } }
      assert.are.same({ 1, 2 }, seam:column("journal", "n", { dialog = dialog.id, after = 0 }))
      assert.equal(2, seam:row("dialog", { id = dialog.id }).steps)
    end)

    it("was cut", function()
      local dialog = seam:waiting { after = 3 }
      seam:turn { cuts = { { id = dialog.id, n = 2, steps = 3 } } }
      expect_conflict { run = seam_rig.continue(dialog, { after = 4 }) }
      expect_conflict { ended = { id = dialog.id, steps = 3 } }
      expect_conflict { cuts = { { id = dialog.id, n = 1, steps = 3 } } }
      assert.equal(1, seam:counts().steps)
    end)

    it("is not the only one of its conversation any more, as it was when it got its event", function()
      local dialog = seam:waiting {}
      local function go_on()
        return {
          only = { contact = "1:2", id = dialog.id },
          run = { id = dialog.id, before = 0, after = 1, waiting = "{}", steps = { { n = 1, mark = "m", result = "{}" } } },
        }
      end
      local other = seam:waiting {}
      expect_conflict(go_on())
      seam:break_dialog { id = other.id, error = "x", now = now }
      expect_conflict(go_on())
      seam:turn { ends = { other.id } }
      seam:waiting { contact = "1:3" }
      seam:turn(go_on())
      seam:break_dialog { id = dialog.id, error = "x", now = now }
      expect_conflict { only = { contact = "1:2", id = dialog.id } }
    end)

    it("has ended", function()
      local one, other = seam:waiting { after = 1 }, seam:waiting { after = 1 }
      seam:turn { ended = { id = one.id, steps = 1 }, ends = { other.id } }
      for _, dialog in ipairs { one, other } do
        expect_conflict { run = seam_rig.continue(dialog, { after = 2 }) }
        expect_conflict { ended = { id = dialog.id, steps = 1 } }
        expect_conflict { cuts = { { id = dialog.id, n = 1, steps = 1 } } }
      end
      local counts = seam:counts()
      assert.are.same({ 0, 0 }, { counts.dialogs, counts.steps })
    end)

    it("is gone, for which it keeps a message", function()
      local dialog = seam:waiting()
      seam:turn { ends = { dialog.id } }
      expect_conflict { kept = { { dialog = dialog.id, bodies = "a" } } }
      assert.equal(0, seam:counts().kept)
    end)

    it("was ended by an operator", function()
      local dialog = seam:waiting { after = 1 }
      seam:turn { ends = { dialog.id } }
      expect_conflict { run = seam_rig.continue(dialog, { after = 2 }) }
    end)
  end)

  describe("conflicts where its job", function()
    local function put()
      local job = { kind = "put", name = "tick", spec = "every 60", due = 100, catch_up = "once", attempts = 0 }
      seam:turn { jobs = { job } }
      return job
    end

    local function done(job)
      return { kind = "done", name = "tick", version = job.version, due = 160, ran = 100, last = 100 }
    end

    -- It ran for the last time.
    local function ended(job)
      return { kind = "done", name = "tick", version = job.version, ran = 100, last = 100 }
    end

    it("was planned anew", function()
      local job = put()
      local new = put()
      expect_conflict { jobs = { done(job) } }
      expect_conflict { jobs = { ended(job) } }
      local row = seam:row("jobs", { after = "", limit = 1 })
      assert.are.same({ 100, new.version }, { row.due, row.version })
    end)

    it("was dropped, also where it was planned anew as it was", function()
      local job = put()
      seam:turn { jobs = { { kind = "drop", name = "tick" } } }
      expect_conflict { jobs = { done(job) } }
      put()
      expect_conflict { jobs = { done(job) } }
    end)

    it("has run meanwhile", function()
      local job = put()
      seam:turn { jobs = { done(job) } }
      expect_conflict { jobs = { done(job) } }
    end)

    it("has run for the last time", function()
      local job = put()
      seam:turn { jobs = { ended(job) } }
      expect_conflict { jobs = { ended(job) } }
      expect_conflict { jobs = { done(job) } }
    end)
  end)

  it("that conflicts leaves nothing of all that it would have changed", function()
    local event, joined, dialog = seam:accepted(), seam:accepted(), seam:waiting { after = 2 }
    local ending, cut = seam:waiting(), seam:waiting { after = 2 }
    seam:turn { kept = { { dialog = dialog.id, bodies = "a" } }, values = { { key = "b", value = "1" } } }
    local taken, read = seam:row("kept", { dialog = dialog.id, after = 0 }).id, read_value "read"
    put_value("read", "1")
    local function picture()
      return {
        seam:counts(), seam:conversation "1:2", seam:conversation "1:3", seam:value "a", seam:value "b",
        seam:query("dialogs_of", { contact = "1:2" }), seam:query("kept", { dialog = dialog.id, after = 0 }), seam:row "dialogs_overview",
        seam:query("pending", { after = 0, limit = 10 }), seam:query("closing_windows", { window = 86400, ["until"] = math.huge }),
      }
    end
    local before = picture()
    local turn = {
      event = event.id, joined = { joined.id }, reads = { read_state "1:2", read },
      states = { { contact = "1:2", state = "{}" } }, values = { { key = "a", value = "1" }, { key = "b" } },
      watches = { { contact = "1:2", before = 60 } }, cuts = { { id = cut.id, n = 1, steps = 2 } },
      run = seam_rig.continue(dialog, { after = 3, digest = "d", source = "s" }), taken = { taken },
      kept = { { dialog = dialog.id, bodies = "b" } }, ends = { ending.id }, pauses = { { contact = "1:3", is_paused = true } },
      jobs = { { kind = "put", name = "tick", spec = "every 60", due = 100, catch_up = "once", attempts = 0 } },
      events = { seam:event { key = "k", inbound_at = 5 } }, messages = { seam:message() },
    }
    local _, _, code = seam:try_turn(turn)
    assert.equal("conflict", code)
    assert.are.same(before, picture())
    assert.is_true(seam:accepted({ key = "k" }).is_fresh, "a key of the turn was noted")
    -- The same turn on the new ground.
    turn.reads[2] = read_value "read"
    turn.events = nil
    seam:turn(turn)
    assert.are.same({ 1, "{}", 1 }, { seam:counts().jobs, seam:conversation("1:2").state, seam:counts().messages })
  end)

  describe("does not conflict with", function()
    local function expect_none(disturb)
      put_state "1:2"
      put_value("a", "1")
      local reads = { read_state "1:2", read_state "1:3", read_value "a", read_value "never" }
      disturb()
      seam:turn { reads = reads, states = { { contact = "1:2", state = "new" } } }
      assert.equal("new", seam:conversation("1:2").state)
    end

    it("nothing at all", function()
      expect_none(function() end)
    end)

    it("what others write", function()
      expect_none(function()
        put_state "1:4"
        put_value("b", "1")
        put_value("A", "1")
        put_value("1:2", "1")
        put_state "a"
      end)
    end)

    it("what the customer writes, and what is sent", function()
      expect_none(function()
        seam:accepted { inbound_at = 1000 }
        seam:accepted { contact = "1:3", inbound_at = 1000 }
        seam:accepted_message "wamid.1"
        seam:sent()
      end)
    end)

    it("a takeover by a person, and a watched window", function()
      expect_none(function()
        seam:turn { pauses = { { contact = "1:2", is_paused = true }, { contact = "1:3", is_paused = true } } }
        seam:turn { watches = { { contact = "1:2", before = 60 }, { contact = "1:3", before = 60 } } }
      end)
    end)

    it("dialogs and jobs of others", function()
      expect_none(function()
        seam:waiting()
        seam:turn { jobs = { { kind = "put", name = "a", spec = "every 60", due = 100, catch_up = "once", attempts = 0 } } }
      end)
    end)

    it("turns that failed or conflicted", function()
      expect_none(function()
        local sent = seam:sent()
        local _, _, code = seam:try_turn { states = { { contact = "1:2", state = "x" } }, messages = { seam:message { id = sent.id } } }
        assert.equal("constraint", code)
        expect_conflict { event = seam:id(), values = { { key = "a", value = "2" }, { key = "never", value = "2" } } }
      end)
    end)

    it("what it wrote itself in the turn before", function()
      local states, values = { { contact = "1:2", state = "1" } }, { { key = "a", value = "1" } }
      seam:turn { states = states, values = values }
      for i = 2, 10 do
        local reads = {
          { kind = "conversation", key = "1:2", version = states[1].version }, { kind = "value", key = "a", version = values[1].version },
        }
        -- Every third time the value is deleted: there is none then.
        states[1].state, values[1].value = tostring(i), i % 3 > 0 and tostring(i) or nil
        seam:turn { reads = reads, states = states, values = values }
      end
      assert.equal("10", seam:conversation("1:2").state)
    end)
  end)

  -- One that conflicts as it begins, and one that has written a lot by then.
  it("that conflicts does no harm to the calls beside it", function()
    local read, answers = read_value "a", {}
    put_value("a", "1")
    local events = seam_rig.many(60, function()
      return seam:accepted()
    end)
    for i = 1, 60 do
      local turn = { now = now, values = { { key = "v" .. i, value = "1" } }, messages = { seam:message() } }
      turn.reads = i % 4 == 0 and { read } or nil
      if i % 4 == 2 then
        turn.event, turn.ended = events[i].id, { id = 99999, steps = 0 }
      end
      seam:begin("commit_turn", turn, function(ok, _, code)
        answers[i] = ok or code
      end)
    end
    seam_rig.wait(function()
      return #answers == 60
    end)
    for i = 1, 60 do
      assert.equal(i % 2 == 0 and "conflict" or true, answers[i])
    end
    local counts = seam:counts()
    assert.are.same({ 31, 30, 60 }, { counts.values, counts.messages, counts.events })
  end)

  if backend.is_kept then
    it("conflicts with a change from before a restart, and with none that was not", function()
      put_state "1:2"
      put_value("a", "1")
      local state, value, absent = read_state "1:2", read_value "a", read_value "b"
      seam:reopen()
      seam:turn { reads = { state, value, absent } }
      put_value("a", nil)
      seam:reopen()
      put_value("a", "1")
      expect_conflict { reads = { value } }
    end)
  end
end)
