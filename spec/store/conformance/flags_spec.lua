-- SPDX-License-Identifier: MIT
-- The seam: flags of conversations, and the failures of events: attempts, and dead letters.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("a conversation", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  it("that never was has no flag, no state and no time", function()
    assert.are.same({}, seam:query("conversation", { contact = "1:2" }))
    assert.are.same({}, seam:query("has_conversation", { contact = "1:2" }))
    assert.is_nil((seam:row("next_contact", { after = "" }) or {}).contact)
  end)

  it("is counted among those that a person has taken over, until it is given back", function()
    local function paused()
      return seam:row("dialogs_overview").paused
    end
    local pauses = seam_rig.many(30, function(i)
      return { contact = "1:" .. i, is_paused = true }
    end)
    seam:turn { pauses = pauses }
    seam:turn { pauses = pauses }
    assert.equal(30, paused())
    seam:turn { pauses = { { contact = "1:7", is_paused = false }, { contact = "1:77", is_paused = false } } }
    assert.equal(29, paused())
  end)

  it("is there as soon as something is known of it", function()
    seam:accepted { contact = "1:1", inbound_at = 1000 }
    seam:turn { states = { { contact = "1:2", state = "{}" } } }
    seam:turn { pauses = { { contact = "1:3", is_paused = true } } }
    seam:turn { watches = { { contact = "1:4", before = 60 } } }
    seam:accepted { contact = "1:5" }
    for i = 1, 5 do
      assert.equal(i < 5 and 1 or nil, (seam:row("has_conversation", { contact = "1:" .. i }) or {}).is_any)
    end
    assert.equal(4, seam:counts().conversations)
  end)
end)

seam_rig.describe("an event that fails", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  it("has the attempts that were noted", function()
    local event, other = seam:accepted(), seam:accepted()
    seam:note_attempt { event = event.id, attempts = 3 }
    assert.are.same({ 3, 0 }, seam:column("pending", "attempts", { after = 0, limit = 10 }))
    seam:note_attempt { event = 99999, attempts = 3 }
    assert.equal(0, seam:row("event", { id = other.id }).attempts)
  end)

  it("becomes a dead letter with all that it was", function()
    local event = seam:accepted { body = "a\0", contact = "1:3" }
    seam:accepted()
    seam:bury { events = { event.id }, error = "a trace\0", attempts = 5, now = now + 9 }
    assert.are.same({
      {
        id = event.id, seq = event.seq, contact = "1:3", attempts = 5, accepted_at = now, failed_at = now + 9, error = "a trace\0",
        body = "a\0",
      },
    }, seam:query("event", { id = event.id }))
    local counts = seam:counts()
    assert.are.same({ 1, 1 }, { counts.events, counts.dead })
    assert.is_nil(seam:row("event_body", { id = event.id }))
  end)

  it("becomes one with those that were joined", function()
    local ids = {}
    for i = 1, 300 do
      ids[i] = seam:accepted().id
    end
    local last = table.remove(ids)
    seam:bury { events = ids, error = "x", attempts = 1, now = now }
    assert.are.same({ last }, seam:column("pending", "id", { after = 0, limit = 1000 }))
    assert.equal(299, seam:counts().dead)
  end)

  it("that is gone becomes none", function()
    local event = seam:accepted()
    seam:turn { event = event.id }
    seam:bury { events = { event.id, 99999 }, error = "x", attempts = 1, now = now }
    assert.equal(0, seam:counts().dead)
  end)

  it("comes back in its place", function()
    local first, second = seam:accepted(), seam:accepted()
    seam:bury { events = { first.id }, error = "x", attempts = 5, now = now }
    assert.are.same({ first.id }, seam:repair("requeue_event", { first.id }))
    local rows = seam:query("pending", { after = 0, limit = 10 })
    assert.are.same({ { first.id, first.seq, 0 }, { second.id, second.seq, 0 } }, {
      { rows[1].id, rows[1].seq, rows[1].attempts }, { rows[2].id, rows[2].seq, rows[2].attempts },
    })
  end)

  if backend.is_kept then
    it("is a dead letter after a restart", function()
      local event = seam:accepted()
      seam:note_attempt { event = seam:accepted().id, attempts = 2 }
      seam:bury { events = { event.id }, error = "x", attempts = 5, now = now }
      local row = seam:row("event", { id = event.id })
      seam:reopen()
      assert.are.same(row, seam:row("event", { id = event.id }))
      assert.are.same({ 2 }, seam:column("pending", "attempts", { after = 0, limit = 10 }))
    end)
  end
end)
