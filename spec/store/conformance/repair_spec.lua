-- SPDX-License-Identifier: MIT
-- The seam: what operators change by name. A repair says for which of its ids it did anything, and holds as a whole.

local json = require "cunnekt.base.json"
local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("the repair", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  local function dead(more)
    local event = seam:accepted(more)
    seam:bury { events = { event.id }, error = "x", attempts = 5, now = now }
    return event
  end

  local function settled(state)
    return seam:sent(nil, { state = state, attempts = 3, error = "no" }).id
  end

  local function messages()
    local ids = { queued = seam:sent().id }
    for _, state in ipairs { "sending", "unknown", "rejected", "failed" } do
      ids[state] = settled(state)
    end
    return ids
  end

  it("requeue_event makes a dead letter pending, with all its attempts before it", function()
    local event = dead { body = "a\0" }
    assert.are.same({ event.id }, seam:repair("requeue_event", { event.id, 99999 }))
    assert.are.same({ { id = event.id, seq = event.seq, contact = "1:2", attempts = 0, accepted_at = now, body = "a\0" } },
      seam:query("event", { id = event.id }))
    assert.equal(event.seq, seam:row("pending", { after = 0, limit = 1 }).seq)
    assert.equal(0, seam:counts().dead)
  end)

  it("requeue_event does it once, and touches no pending event", function()
    local event, pending = dead(), seam:accepted()
    assert.are.same({}, seam:repair("requeue_event", { pending.id }))
    seam:repair("requeue_event", { event.id })
    assert.are.same({}, seam:repair("requeue_event", { event.id }))
    assert.equal(2, seam:counts().events)
  end)

  it("requeue_event does it for thousands", function()
    local events, ids = seam_rig.many(2500, function()
      return seam:event()
    end), {}
    seam:accept { events = events, now = now }
    for i, event in ipairs(events) do
      ids[i] = event.id
    end
    seam:bury { events = ids, error = "x", attempts = 1, now = now }
    assert.are.same(ids, seam:repair("requeue_event", ids))
    assert.equal(2500, seam:counts().events)
  end)

  it("drop_dead_event and drop_pending_event drop what they are called after", function()
    local event, pending = dead(), seam:accepted()
    assert.are.same({}, seam:repair("drop_pending_event", { event.id }))
    assert.are.same({}, seam:repair("drop_dead_event", { pending.id }))
    assert.are.same({ event.id }, seam:repair("drop_dead_event", { pending.id, event.id }))
    assert.are.same({ pending.id }, seam:repair("drop_pending_event", { pending.id }))
    local counts = seam:counts()
    assert.are.same({ 0, 0 }, { counts.events, counts.dead })
  end)

  local function error_of(dialog)
    return seam:row("dialog", { id = dialog.id }).error
  end

  it("mend_dialog notes in a broken dialog how it goes on, and in no other", function()
    local broken, waiting, odd = seam:waiting(), seam:waiting(), seam:waiting()
    seam:break_dialog { id = broken.id, error = '{"message":"no \\"luck\\" ä","seq":7}', now = now }
    seam:break_dialog { id = odd.id, error = "x", now = now }
    assert.are.same({ broken.id }, seam:repair("mend_dialog", { waiting.id, broken.id, odd.id, 99999 }, { script = "new", now = now + 7 }))
    assert.are.same({ message = 'no "luck" ä', seq = 7, mend = "new" }, json.decode(error_of(broken)))
    assert.equal(now + 7, seam:row("dialog", { id = broken.id }).changed_at)
    seam:repair("mend_dialog", { broken.id }, { script = "own", now = now })
    assert.equal("own", json.decode(error_of(broken)).mend)
    assert.are.same({ nil, "x" }, { error_of(waiting), error_of(odd) })
  end)

  it("mend_dialog_of_event does it where the dialog broke at that event", function()
    local broken, other, odd = seam:waiting(), seam:waiting(), seam:waiting()
    seam:break_dialog { id = broken.id, error = '{"message":"x","seq":4711}', now = now }
    seam:break_dialog { id = other.id, error = '{"message":"x"}', now = now }
    seam:break_dialog { id = odd.id, error = "x", now = now }
    assert.are.same({ 4711 }, seam:repair("mend_dialog_of_event", { 12, 4711 }, { script = "new", now = now }))
    assert.equal("new", json.decode(error_of(broken)).mend)
    assert.are.same({ '{"message":"x"}', "x" }, { error_of(other), error_of(odd) })
  end)

  it("requeue_message queues what was given up, without attempts and error", function()
    local ids = messages()
    for _, state in ipairs { "unknown", "rejected", "failed" } do
      assert.are.same({ ids[state] }, seam:repair("requeue_message", { ids.queued, ids.sending, ids[state], 99999 }, { now = now + 7 }))
      local row = seam:row("message_details", { id = ids[state] })
      assert.are.same({ 0, 0, nil, now + 7 }, { row.state, row.attempts, row.error, row.changed_at })
    end
    assert.equal(1, seam:row("message_details", { id = ids.sending }).state)
  end)

  -- What the provider had accepted was not found any more when its status said "failed".
  it("requeue_message queues an accepted message that was reported as failed, as it was said, under its id", function()
    local first = seam:sent()
    local message = seam:accepted_message("wamid.1", { payload = '{"a":"\\u0000"}', track = "t", fallback = "f", unknown = "fail" })
    assert.are.same({}, seam:repair("requeue_message", { message.id }, { now = now }))
    seam:note_status { message_id = "wamid.1", rank = 1, now = now }
    seam:note_status { message_id = "wamid.1", rank = 9, reason = "gone", now = now }
    assert.are.same({ message.id }, seam:repair("requeue_message", { message.id, message.id }, { now = now + 7 }))
    local row = seam:row("queued_message", { id = message.id })
    assert.are.same({ message.payload, 0, 0, "t", "f", "fail", message.seq, now + 7 },
      { row.payload, row.state, row.attempts, row.track, row.fallback, row.unknown, row.seq, row.changed_at })
    assert.are.same({ { first.id, message.id }, 0 }, { seam:column("outgoing", "id", { parked = 1, after = 0, limit = 10 }), seam:counts().accepted })
    -- A status of its old id is nobody's; its new id is another message.
    seam:note_status { message_id = "wamid.1", rank = 2, now = now }
    assert.equal(0, seam:row("message_details", { id = message.id }).state)
    seam:settle { now = now, outcomes = { { id = message.id, state = "accepted", message_id = "wamid.2", contact = "1:2", rank = 0 } } }
    assert.equal("wamid.2", seam:row("message_details", { id = message.id }).message_id)
  end)

  it("queue_fallback queues the fallback of a message that was reported as failed, once, under its id", function()
    local message = seam:accepted_message("wamid.1", { payload = "p", track = "t", fallback = "f" })
    local without = seam:accepted_message("wamid.2", { payload = "p" })
    local ids = messages()
    local all = { message.id, without.id, ids.queued, ids.failed, 99999 }
    assert.are.same({}, seam:repair("queue_fallback", all, { now = now }))
    for _, id in ipairs { "wamid.1", "wamid.2" } do
      seam:note_status { message_id = id, rank = 9, reason = "closed", now = now }
    end
    assert.are.same({ message.id }, seam:repair("queue_fallback", all, { now = now + 7 }))
    assert.are.same({}, seam:repair("queue_fallback", all, { now = now + 8 }))
    local row = seam:row("queued_message", { id = message.id })
    assert.are.same({ "f", nil, 0, "t", now + 7 }, { row.payload, row.fallback, row.attempts, row.track, row.changed_at })
    assert.equal(0, seam:row("message_details", { id = message.id }).state)
    assert.equal(9, seam:row("message_details", { id = without.id }).rank)
  end)

  it("requeue_message leaves alone what was delivered before it was reported as failed", function()
    local message = seam:accepted_message "wamid.1"
    seam:note_status { message_id = "wamid.1", rank = 2, now = now }
    seam:note_status { message_id = "wamid.1", rank = 9, now = now }
    assert.are.same({}, seam:repair("requeue_message", { message.id }, { now = now }))
    assert.equal(9, seam:row("message_details", { id = message.id }).rank)
  end)

  it("drop_message drops an accepted message only if it was reported as failed", function()
    local failed, fine = seam:accepted_message("wamid.1", nil, { rank = 9 }), seam:accepted_message "wamid.2"
    assert.are.same({ failed.id }, seam:repair("drop_message", { failed.id, fine.id }))
    assert.is_nil(seam:row("message_details", { id = failed.id }))
    assert.equal(fine.payload, seam:row("message_details", { id = fine.id }).payload)
  end)

  it("drop_message drops every message that is not being sent", function()
    local ids = messages()
    local all = { ids.queued, ids.sending, ids.unknown, ids.rejected, ids.failed }
    assert.are.same({ ids.queued, ids.unknown, ids.rejected, ids.failed }, seam:repair("drop_message", all))
    assert.are.same({ ids.sending }, seam:ids "outbox_messages")
  end)

  it("of nothing changes nothing", function()
    for _, name in ipairs { "requeue_event", "drop_dead_event", "drop_pending_event", "requeue_message", "drop_message" } do
      assert.are.same({}, seam:repair(name, {}, { now = now }), name)
    end
  end)

  it("of an id that is named twice is done once", function()
    local event = dead()
    assert.are.same({ event.id }, seam:repair("requeue_event", { event.id, event.id }))
    assert.equal(1, seam:counts().events)
  end)

  it("of an unknown name is refused at once", function()
    for _, name in ipairs { "no_such_repair", "pending", "delete_event" } do
      assert.has_error(function()
        seam.db:repair(name, { ids = { 1 } }, print)
      end)
    end
  end)
end)
