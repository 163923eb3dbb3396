-- SPDX-License-Identifier: MIT
-- The seam: what turns change in dialogs. One begins, goes on, waits, is cut, keeps messages for later, breaks and ends.
-- Journals are in journal_spec.lua, timers in timers_spec.lua.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("a dialog", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function stored(dialog)
    return seam:row("dialog", { id = dialog.id })
  end

  local function kept(dialog)
    return seam:column("kept", "bodies", { dialog = dialog.id, after = 0 })
  end

  local function keep(dialog, ...)
    local list = {}
    for i, bodies in ipairs { ... } do
      list[i] = { dialog = dialog.id, bodies = bodies }
    end
    seam:turn { kept = list }
  end

  describe("that begins", function()
    it("is stored with all that it is rebuilt from", function()
      local dialog = seam:waiting {
        to = "919999999999", args = '[{"a":"\0"}]', after = 2, waiting = '{"due":1700000060}', due = now + 60, seed = "s\0",
      }
      local row = {
        id = dialog.id, contact = "1:2", name = "it", recipient = "919999999999", args = '[{"a":"\0"}]', code = "a.b", seed = "s\0",
        started_at = 1000, changed_at = now, waiting = '{"due":1700000060}', due = now + 60, steps = 2,
      }
      assert.are.same(row, stored(dialog))
      assert.are.same({ row }, seam:query("dialogs_of", { contact = "1:2" }))
    end)

    it("needs no recipient, args, code or wait", function()
      local dialog = seam:dialog {}
      dialog.code, dialog.waiting = nil, nil
      seam:turn { run = dialog }
      local row = stored(dialog)
      assert.are.same({ nil, nil, nil, nil, nil }, { row.recipient, row.args, row.code, row.waiting, row.due })
      assert.equal(0, row.steps)
    end)

    it("brings the source of its script, which is stored once", function()
      seam:waiting { digest = "d", source = "text\0" }
      seam:waiting { digest = "d", source = "other" }
      seam:waiting { code = "no.source" }
      assert.equal("text\0", seam:row("script", { digest = "d" }).source)
      assert.equal(1, seam:counts().scripts)
      assert.is_nil(seam:row("script", { digest = "e" }))
    end)

    it("waits for the delivery of a message", function()
      local dialog = seam:waiting { sent = 12 }
      seam:waiting()
      assert.are.same({ { id = dialog.id, sent = 12, contact = "1:2" } }, seam:query("sent_waits", { after = 0, limit = 10 }))
    end)

    it("is not stored twice", function()
      local dialog = seam:waiting()
      local _, _, code = seam:try_turn { run = dialog, values = { { key = "a", value = "1" } } }
      assert.equal("constraint", code)
      assert.are.same({ version = 0 }, seam:value "a")
    end)
  end)

  describe("that goes on", function()
    it("waits for something else", function()
      local dialog = seam:waiting { sent = 12, due = now + 60, after = 1 }
      seam:turn { run = seam_rig.continue(dialog, { after = 3, waiting = '{"n":4}', due = now + 90.5 }), now = now + 5 }
      local row = stored(dialog)
      assert.are.same({ 3, '{"n":4}', now + 90.5, now + 5 }, { row.steps, row.waiting, row.due, row.changed_at })
      assert.are.same({}, seam:query("sent_waits", { after = 0, limit = 10 }))
    end)

    it("keeps the place of its question among the events, until it asks another", function()
      local before = seam:accepted().seq
      local dialog = seam:waiting { asks = true, after = 1 }
      local asked, after = stored(dialog).asked, seam:accepted().seq
      assert.is_true(before < asked and asked < after)
      dialog = seam_rig.continue(dialog, { after = 2, waiting = "{}" })
      seam:turn { run = dialog }
      assert.equal(asked, stored(dialog).asked)
      seam:turn { run = seam_rig.continue(dialog, { after = 3, asks = true }) }
      assert.is_true(stored(dialog).asked > after)
      assert.is_nil(stored(seam:waiting()).asked)
    end)

    it("keeps where it came from", function()
      local dialog = seam:waiting { to = "9", args = "[1]" }
      local change = seam_rig.continue(dialog, { after = 1 })
      change.contact, change.name, change.seed, change.started_at = "1:77", "other", "other", 5
      seam:turn { run = change }
      local row = stored(dialog)
      assert.are.same({ "1:2", "it", dialog.seed, 1000, "9", "[1]" }, { row.contact, row.name, row.seed, row.started_at, row.recipient, row.args })
    end)

    it("in the middle of a turn waits for nothing", function()
      local dialog = seam:waiting { due = now + 60 }
      seam:turn { run = seam_rig.continue(dialog, { after = 1 }) }
      assert.are.same({ nil, nil }, { stored(dialog).waiting, stored(dialog).due })
    end)

    it("without a new step does so once for what it was", function()
      local dialog = seam:waiting { after = 1 }
      seam:turn { run = seam_rig.continue(dialog, { waiting = "{}" }) }
      assert.equal("{}", stored(dialog).waiting)
    end)

    it("is broken no more", function()
      local dialog = seam:waiting()
      seam:break_dialog { id = dialog.id, error = "x", now = now }
      seam:turn { run = seam_rig.continue(dialog, { after = 1 }) }
      assert.is_nil(stored(dialog).error)
    end)
  end)

  describe("that is cut", function()
    it("has the steps before the cut, and waits for nothing", function()
      local dialog = seam:waiting { after = 5, due = now + 60, sent = 3 }
      seam:turn { cuts = { { id = dialog.id, n = 3, steps = 5 } }, now = now + 1 }
      local row = stored(dialog)
      assert.are.same({ 2, nil, nil, now + 1 }, { row.steps, row.waiting, row.due, row.changed_at })
      assert.are.same({ 1, 2 }, seam:column("journal", "n", { dialog = dialog.id, after = 0 }))
      assert.are.same({}, seam:query("sent_waits", { after = 0, limit = 10 }))
    end)

    it("to nothing begins anew", function()
      local dialog = seam:waiting { after = 2 }
      seam:turn { cuts = { { id = dialog.id, n = 1, steps = 2 } } }
      assert.are.same({ 0, 0 }, { stored(dialog).steps, seam:counts().steps })
    end)

    it("goes on from there", function()
      local dialog = seam:waiting { after = 5 }
      seam:turn { cuts = { { id = dialog.id, n = 3, steps = 5 } } }
      dialog.after = 2
      seam:turn { run = seam_rig.continue(dialog, { after = 4 }) }
      assert.are.same({ 1, 2, 3, 4 }, seam:column("journal", "n", { dialog = dialog.id, after = 0 }))
    end)

    it("does not touch another", function()
      local dialog, other = seam:waiting { after = 3 }, seam:waiting { after = 3 }
      seam:turn { cuts = { { id = dialog.id, n = 1, steps = 3 } } }
      assert.are.same({ 3, 3 }, { stored(other).steps, seam:counts().steps })
    end)
  end)

  describe("keeps messages", function()
    it("in their order, with any bytes, each for its dialog", function()
      local dialog, other = seam:waiting(), seam:waiting()
      keep(dialog, '["a"]', "\0")
      keep(other, "x")
      keep(dialog, "c")
      assert.are.same({ '["a"]', "\0", "c" }, kept(dialog))
      assert.are.same({ "x" }, kept(other))
    end)

    it("and gives each once", function()
      local dialog = seam:waiting()
      keep(dialog, "a", "b", "c")
      local rows = seam:query("kept", { dialog = dialog.id, after = 0 })
      seam:turn { taken = { rows[1].id, rows[3].id } }
      assert.are.same({ "b" }, kept(dialog))
    end)
  end)

  describe("that ends", function()
    it("is gone with its journal and what was kept for it, and another stays", function()
      local dialog, other = seam:waiting { after = 2 }, seam:waiting { after = 1 }
      keep(dialog, "a")
      keep(other, "b")
      local taken = { seam:row("kept", { dialog = dialog.id, after = 0 }).id }
      seam:turn { ended = { id = dialog.id, steps = 2 }, taken = taken }
      assert.is_nil(stored(dialog))
      local counts = seam:counts()
      assert.are.same({ 1, 1, 1 }, { counts.dialogs, counts.steps, counts.kept })
      assert.are.same({ "b" }, kept(other))
    end)

    it("may be ended with others by somebody else, however far they are", function()
      local list = seam:all_waiting(300, function(i)
        return { after = i % 3 }
      end)
      local ids = {}
      for i = 2, 300 do
        ids[#ids + 1] = list[i].id
      end
      keep(list[2], "a")
      seam:turn { ends = ids, taken = { seam:row("kept", { dialog = list[2].id, after = 0 }).id } }
      local counts = seam:counts()
      assert.are.same({ 1, 1, 0 }, { counts.dialogs, counts.steps, counts.kept })
    end)

    it("takes no message with it that was kept for it since the turn has looked", function()
      for what, list in pairs { ended = seam:waiting { after = 2 }, ends = seam:waiting { after = 2 } } do
        keep(list, "a")
        local taken = { seam:row("kept", { dialog = list.id, after = 0 }).id }
        keep(list, "b")
        local turn = { taken = taken, [what] = what == "ended" and { id = list.id, steps = 2 } or { list.id } }
        local _, _, code = seam:try_turn(turn)
        assert.are.same({ "conflict", { "a", "b" } }, { code, kept(list) })
        turn.taken = seam:column("kept", "id", { dialog = list.id, after = 0 })
        seam:turn(turn)
        assert.is_nil(stored(list))
      end
    end)

    it("may be ended although it is gone", function()
      seam:turn { ends = { 99 } }
      assert.equal(0, seam:counts().dialogs)
    end)

    it("before it was ever stored needs no store", function()
      local dialog = seam:dialog()
      seam:turn { ends = { dialog.id }, values = { { key = "a", value = "1" } } }
      assert.equal("1", seam:value("a").value)
    end)
  end)

  describe("that breaks", function()
    it("keeps why and when, its wait and its journal, and is due no more", function()
      local dialog = seam:waiting { after = 1, due = now + 60, sent = 5 }
      seam:break_dialog { id = dialog.id, error = '{"message":"\0"}', now = now + 9 }
      local row = stored(dialog)
      assert.are.same({ '{"message":"\0"}', now + 9, nil, 1 }, { row.error, row.changed_at, row.due, row.steps })
      assert.equal(dialog.waiting, row.waiting)
      assert.are.same({}, seam:query("sent_waits", { after = 0, limit = 10 }))
      assert.equal(1, seam:counts().steps)
    end)

    it("does nothing when it is gone", function()
      seam:break_dialog { id = 99, error = "x", now = now }
      assert.equal(0, seam:counts().dialogs)
    end)
  end)

  it("is listed with those of its conversation, the one that began last first, broken ones included", function()
    local first = seam:waiting { started_at = 1000 }
    local last = seam:waiting { started_at = 3000 }
    local second = seam:waiting { started_at = 2000 }
    local third = seam:waiting { started_at = 2000 }
    seam:waiting { contact = "1:3" }
    seam:break_dialog { id = second.id, error = "x", now = now }
    assert.are.same({ last.id, third.id, second.id, first.id }, seam:column("dialogs_of", "id", { contact = "1:2" }))
  end)

  it("is read with the journal of the one that began last and is not broken, a page of it", function()
    local function steps(count, result)
      local list = {}
      for n = 1, count do
        list[n] = { n = n, mark = "m" .. n, result = result }
      end
      return list
    end
    seam:waiting { started_at = 1000, after = 2, steps = steps(2, "first") }
    local second = seam:waiting { started_at = 2000, after = 1200, steps = steps(1200, "second") }
    local broken = seam:waiting { started_at = 3000, after = 1, steps = steps(1, "broken") }
    seam:break_dialog { id = broken.id, error = "x", now = now }
    local rows = seam:query("dialogs_with_journal", { contact = "1:2" })
    assert.equal(1003, #rows)
    assert.are.same(seam:query("dialogs_of", { contact = "1:2" }), table.move(rows, 1, 3, 1, {}))
    assert.are.same({ id = second.id, n = 1, mark = "m1", result = "second" }, rows[4])
    assert.are.same({ id = second.id, n = 1000, mark = "m1000", result = "second" }, rows[1003])
    assert.are.same({}, seam:query("dialogs_with_journal", { contact = "1:3" }))
  end)

  if backend.is_kept then
    it("is there after a restart", function()
      local dialog = seam:waiting { after = 3, args = "[1]", due = now + 60, sent = 4 }
      keep(dialog, "a")
      local row = stored(dialog)
      seam:reopen()
      assert.are.same(row, stored(dialog))
      assert.are.same({ "a" }, kept(dialog))
      assert.equal(3, seam:counts().steps)
    end)
  end
end)
