-- SPDX-License-Identifier: MIT
-- The seam: timers of dialogs and of service windows. What is due is read, and fires once, unless it has gone on meanwhile.

local seam_rig = require "spec.support.rigs.seam_rig"

local now, day = seam_rig.now, 86400

seam_rig.describe("the timer of a dialog", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function due_at(due, more)
    local fields = { due = due, waiting = ('{"due":%.17g,"n":1}'):format(due) }
    for name, value in pairs(more or {}) do
      fields[name] = value
    end
    return seam:waiting(fields)
  end

  local function due_dialogs(til)
    return seam:query("due_dialogs", { ["until"] = til or now })
  end

  local function timer(row, more)
    local it = { dialog = row.id, due = row.due, steps = row.steps, event = seam:event { contact = row.contact, body = "\1{}" } }
    for name, value in pairs(more or {}) do
      it[name] = value
    end
    return it
  end

  local function fire(...)
    seam:fire { timers = { ... }, now = now }
  end

  it("is due from its time on, with all that is wanted of its dialog", function()
    local dialog = due_at(now + 0.5, { after = 2 })
    assert.are.same({}, due_dialogs(now + 0.25))
    assert.are.same({
      { id = dialog.id, contact = "1:2", seed = dialog.seed, waiting = dialog.waiting, due = now + 0.5, steps = 2, is_paused = 0 },
    }, due_dialogs(now + 0.5))
  end)

  it("is due in the order of the times, a thousand at once", function()
    seam:all_waiting(1100, function(i)
      return { due = now - (i * 7919) % 2003, waiting = "{}" }
    end)
    local rows = due_dialogs()
    assert.equal(1000, #rows)
    for i = 2, #rows do
      assert.is_true(rows[i - 1].due <= rows[i].due)
    end
  end)

  it("fires once, and is told of by its event", function()
    local dialog = due_at(now)
    local row = due_dialogs()[1]
    local first, again = timer(row), timer(row)
    fire(first)
    fire(again)
    assert.are.same({ true, false }, { first.event.is_fresh, again.event.is_fresh })
    assert.is_true(first.event.seq > 0)
    assert.are.same({ first.event.id }, seam:column("pending", "id", { after = 0, limit = 10 }))
    assert.are.same({}, due_dialogs())
    local found = seam:row("dialog", { id = dialog.id })
    assert.are.same({ nil, dialog.waiting }, { found.due, found.waiting })
  end)

  it("fires once, also within a call and in calls that are under way together", function()
    due_at(now)
    local row, answered = due_dialogs()[1], 0
    local timers = seam_rig.many(10, function()
      return timer(row)
    end)
    for i = 1, 10, 2 do
      seam:begin("fire", { timers = { timers[i], timers[i + 1] }, now = now }, function(ok)
        answered = answered + (ok and 1 or 0)
      end)
    end
    seam_rig.wait(function()
      return answered == 5
    end)
    for i = 1, 10 do
      assert.equal(i == 1, timers[i].event.is_fresh)
    end
    assert.equal(1, seam:counts().events)
  end)

  it("does not fire when the dialog has gone on, waits for another time, ended or broke", function()
    local rows = {}
    for _, change in ipairs {
      function(dialog)
        seam:turn { run = seam_rig.continue(dialog, { after = dialog.after + 1, waiting = "{}", due = dialog.due }) }
      end,
      function(dialog)
        seam:turn { run = seam_rig.continue(dialog, { waiting = "{}", due = dialog.due + 1 }) }
      end,
      function(dialog)
        seam:turn { ends = { dialog.id } }
      end,
      function(dialog)
        seam:break_dialog { id = dialog.id, error = "x", now = now }
      end,
    } do
      local dialog = due_at(now)
      for _, row in ipairs(due_dialogs()) do
        if row.id == dialog.id then
          rows[#rows + 1] = row
        end
      end
      change(dialog)
      local late = timer(rows[#rows])
      fire(late)
      assert.is_false(late.event.is_fresh)
    end
    assert.equal(4, #rows)
    assert.equal(0, seam:counts().events)
    assert.are.same({ 1, now + 1 }, { #due_dialogs(now), due_dialogs(now + 1)[2].due })
  end)

  it("fires for some of a call, and is told of for none of the others", function()
    local one, other = due_at(now - 2), due_at(now - 1)
    local rows = due_dialogs()
    seam:turn { ends = { one.id } }
    local timers = { timer(rows[1]), timer(rows[2]) }
    fire(table.unpack(timers))
    assert.are.same({ false, true }, { timers[1].event.is_fresh, timers[2].event.is_fresh })
    assert.equal(other.id, timers[2].dialog)
    assert.equal(1, seam:counts().events)
  end)

  it("fires with others as a whole or not at all", function()
    due_at(now - 1)
    due_at(now)
    local rows, taken = due_dialogs(), seam:accepted()
    local ok, _, code = seam:try("fire", { now = now, timers = { timer(rows[1]), timer(rows[2], { event = seam:event { id = taken.id } }) } })
    assert.are.same({ nil, "constraint" }, { ok, code })
    assert.are.same(rows, due_dialogs())
    assert.equal(1, seam:counts().events)
  end)

  describe("of a conversation that a person has taken over", function()
    local function pause(is_paused)
      seam:turn { pauses = { { contact = "1:2", is_paused = is_paused } } }
    end

    it("is marked as such", function()
      due_at(now)
      due_at(now, { contact = "1:3" })
      pause(true)
      local paused = {}
      for _, row in ipairs(due_dialogs()) do
        paused[row.contact] = row.is_paused
      end
      assert.are.same({ ["1:2"] = 1, ["1:3"] = 0 }, paused)
    end)

    it("is cleared without an event, and is set again when the conversation comes back", function()
      local dialog = due_at(now)
      pause(true)
      local row = due_dialogs()[1]
      seam:fire { timers = { { dialog = row.id, due = row.due, steps = row.steps } }, now = now }
      assert.are.same({ 0, {} }, { seam:counts().events, due_dialogs(now + day) })
      pause(false)
      assert.equal(now, seam:row("dialog", { id = dialog.id }).due)
      assert.are.same({ 0 }, seam:column("due_dialogs", "is_paused", { ["until"] = now }))
    end)

    it("is not cleared where the conversation has come back since it was read", function()
      due_at(now)
      pause(true)
      local row = due_dialogs()[1]
      pause(false)
      seam:fire { timers = { { dialog = row.id, due = row.due, steps = row.steps } }, now = now }
      assert.are.same({ 0 }, seam:column("due_dialogs", "is_paused", { ["until"] = now }))
    end)

    it("is not set again where the dialog is broken, waits for no time, or is somebody else's", function()
      local broken, other = due_at(now), due_at(now, { contact = "1:3" })
      pause(true)
      seam:turn { pauses = { { contact = "1:3", is_paused = true } } }
      seam:waiting { waiting = '{"types":{"text":true}}' }
      seam:waiting { waiting = '{"due":null}' }
      seam:break_dialog { id = broken.id, error = "x", now = now }
      local row = due_dialogs()[1]
      assert.equal(other.id, row.id)
      seam:fire { timers = { { dialog = row.id, due = row.due, steps = row.steps } }, now = now }
      pause(false)
      assert.are.same({}, due_dialogs(math.huge))
    end)
  end)

  it("is part of the overview, the earliest one", function()
    assert.are.same({ is_any = 0, paused = 0, has_kept = 0 }, seam:row "dialogs_overview")
    local dialog = due_at(now + 70)
    due_at(now + 60.5)
    seam:waiting()
    assert.are.same({ is_any = 1, due = now + 60.5, paused = 0, has_kept = 0 }, seam:row "dialogs_overview")
    seam:break_dialog { id = due_at(now).id, error = "x", now = now }
    assert.equal(now + 60.5, seam:row("dialogs_overview").due)
    assert.equal(now + 70, dialog.due)
  end)

  if backend.is_kept then
    it("is due after a restart, and fires once", function()
      due_at(now)
      local row = due_dialogs()[1]
      seam:reopen()
      assert.are.same({ row }, due_dialogs())
      fire(timer(row))
      seam:reopen()
      assert.are.same({}, due_dialogs())
    end)
  end
end)

seam_rig.describe("the timer of a service window", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  -- A watched window that ends at this time.
  local function window(contact, ends_at, before)
    seam:accept { events = { seam:event { contact = contact, inbound_at = ends_at - day } }, now = now }
    seam:turn { watches = { before and { contact = contact, before = before } } }
  end

  local function closing(til)
    return seam:query("closing_windows", { window = day, ["until"] = til or now })
  end

  it("is due so long before the window ends, with the time of the last message", function()
    window("1:2", now + 60, 60)
    window("1:3", now + 60.5, 60)
    window("1:4", now - 1000, nil)
    assert.are.same({ { contact = "1:2", last_inbound = now + 60 - day } }, closing())
    assert.are.same({ "1:2", "1:3" }, (function()
      local contacts = seam:column("closing_windows", "contact", { window = day, ["until"] = now + 1 })
      table.sort(contacts)
      return contacts
    end)())
  end)

  it("is not due where nothing is known of the customer", function()
    seam:turn { watches = { { contact = "1:2", before = 60 } } }
    assert.are.same({}, closing(math.huge))
  end)

  it("moves when the customer writes", function()
    window("1:2", now + 60, 60)
    seam:accepted { inbound_at = now }
    assert.are.same({}, closing())
  end)

  it("fires once", function()
    window("1:2", now, 60)
    local first, again = seam:event(), seam:event()
    for _, event in ipairs { first, again } do
      seam:fire { timers = { { contact = "1:2", event = event } }, now = now }
    end
    assert.are.same({ true, false }, { first.is_fresh, again.is_fresh })
    assert.are.same({}, closing())
    assert.is_nil(seam:row("event_body", { id = again.id }))
  end)

  it("does not fire where the window was never watched", function()
    local event = seam:event()
    seam:fire { timers = { { contact = "1:2", event = event } }, now = now }
    assert.is_false(event.is_fresh)
    assert.equal(0, seam:counts().events)
  end)

  it("fires together with those of dialogs", function()
    window("1:2", now, 60)
    local dialog = seam:waiting { due = now, waiting = "{}" }
    local events = { seam:event(), seam:event { contact = "1:3" } }
    seam:fire { now = now, timers = { { contact = "1:2", event = events[1] }, { dialog = dialog.id, due = now, steps = 0, event = events[2] } } }
    assert.are.same({ true, true }, { events[1].is_fresh, events[2].is_fresh })
  end)

  it("can be watched again", function()
    window("1:2", now, 60)
    seam:fire { timers = { { contact = "1:2", event = seam:event() } }, now = now }
    seam:turn { watches = { { contact = "1:2", before = 60 } } }
    assert.equal(1, #closing())
  end)
end)
