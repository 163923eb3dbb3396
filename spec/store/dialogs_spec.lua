-- SPDX-License-Identifier: MIT
-- Dialogs in the store: what each waits for, its journal, its timers, and the messages that are kept for it.

local rig = require "spec.support.rigs.store_rig"

local contact = "1:919999999999"
local change = rig.change

describe("dialogs of the store", function()
  local store

  rig.open_for_each(function(its_store)
    store = its_store
  end)

  local function step(n, mark, result)
    return { n = n, mark = mark or "send x", result = result or '{"v":1}' }
  end

  -- A stored dialog that waits.
  local function waiting(fields)
    local its_run = rig.run_of(store, fields or {})
    its_run.waiting = its_run.waiting or { types = { text = true }, n = its_run.n + 1 }
    assert(store:commit(change { run = its_run }))
    its_run.is_stored, its_run.stored_n = true, its_run.n
    return its_run
  end

  it("are stored with all that they are rebuilt from", function()
    local its_run = waiting {
      args = { a = "ä\0", list = { 1, 2 } }, to = "919999999999", steps = { step(1), step(2) },
      waiting = { types = { text = true }, due = 1700000060, n = 3 },
    }
    local stored = store:dialog(its_run.id)
    assert.are.same({
      id = 1, contact = contact, name = "it", to = "919999999999", args = { a = "ä\0", list = { 1, 2 } }, code = "a.b",
      seed = "seed 1", started_at = 1000, changed_at = 1700000000, steps = 2, due = 1700000060,
      waiting = { types = { text = true }, due = 1700000060, n = 3 },
    }, stored)
    assert.are.same({ { mark = "send x", result = '{"v":1}' }, { mark = "send x", result = '{"v":1}' } }, store:steps_of(1))
  end)

  it("keep args that are false, and none", function()
    assert.is_false(store:dialog(waiting({ args = false }).id).args)
    assert.is_nil(store:dialog(waiting({ args = nil }).id).args)
  end)

  it("that are not there are nil", function()
    assert.is_nil(store:dialog(7))
    assert.are.same({}, store:steps_of(7))
    assert.are.same({}, store:dialogs_of(contact))
  end)

  it("of a contact are found, the newest first, with those that were set aside", function()
    waiting()
    waiting { contact = "1:2" }
    store:break_dialog(waiting().id, { message = "no luck", step = 2 }, 5)
    local list = store:dialogs_of(contact)
    assert.are.same({ 3, 1 }, { list[1].id, list[2].id })
    assert.are.same({ message = "no luck", step = 2 }, list[1].error)
  end)

  it("continue where they stood, and add to their journal", function()
    local its_run = waiting { steps = { step(1) } }
    its_run.n, its_run.pending, its_run.waiting = 2, { step(2, "wait {}") }, nil
    assert(store:commit(change { run = its_run }))
    local stored = store:dialog(its_run.id)
    assert.are.same({ 2, nil, nil }, { stored.steps, stored.waiting, stored.due })
    assert.equal("wait {}", store:steps_of(its_run.id)[2].mark)
  end)

  it("have journals of any length and of any bytes", function()
    local steps = {}
    for n = 1, 2500 do
      steps[n] = step(n, "step " .. n, n == 2500 and ("\0\xff"):rep(1500000) or "{}")
    end
    local its_run = waiting { steps = steps }
    local journal = store:steps_of(its_run.id)
    assert.equal(2500, #journal)
    assert.is_true(journal[2500].result == steps[2500].result)
  end)

  it("that end take their journal and what was kept for them along", function()
    local its_run, other = waiting { steps = { step(1) } }, waiting { steps = { step(1) } }
    assert(store:commit(change { kept = { { dialog = its_run.id, bodies = { "a" } }, { dialog = other.id, bodies = { "b" } } } }))
    assert(store:commit(change { ended = its_run }))
    assert.is_nil(store:dialog(its_run.id))
    assert.are.same({}, store:steps_of(its_run.id))
    assert.are.same({}, store:kept_for(its_run.id))
    assert.are.same({ 1, 1 }, { #store:steps_of(other.id), #store:kept_for(other.id) })
  end)

  it("that went on elsewhere do not end", function()
    local its_run = waiting { steps = { step(1) } }
    local ok, err = store:commit(change { ended = { id = its_run.id, stored_n = 5 } })
    assert.are.same({ nil, "conflict" }, { ok, err.kind })
    assert.is_table(store:dialog(its_run.id))
  end)

  it("are cut off where a question began, if they are still there", function()
    local its_run = waiting { steps = { step(1), step(2), step(3) } }
    assert(store:commit(change { cuts = { [its_run.id] = { n = 2, steps = 3 } } }))
    local stored = store:dialog(its_run.id)
    assert.are.same({ 1, nil }, { stored.steps, stored.waiting })
    assert.equal(1, #store:steps_of(its_run.id))
    local ok, err = store:commit(change { cuts = { [its_run.id] = { n = 1, steps = 3 } } })
    assert.are.same({ nil, "conflict" }, { ok, err.kind })
  end)

  it("that are set aside are due no more", function()
    local its_run = waiting { waiting = { due = 1700000060, sent = 5, n = 1 } }
    store:break_dialog(its_run.id, { message = "x" }, 9)
    local stored = store:dialog(its_run.id)
    assert.are.same({ nil, 9 }, { stored.due, stored.changed_at })
    assert.are.same({}, store:sent_waits())
  end)

  it("that were set aside and continue are broken no more", function()
    local its_run = waiting()
    store:break_dialog(its_run.id, { message = "x" }, 9)
    assert(store:commit(change { run = its_run }))
    assert.is_nil(store:dialog(its_run.id).error)
  end)

  it("are counted, with those that were set aside", function()
    waiting()
    store:break_dialog(waiting().id, { message = "x" }, 9)
    assert.equal(2, store:count_dialogs())
  end)

  it("are ended in any number at once", function()
    local ids = {}
    for i = 1, 300 do
      ids[i] = waiting().id
    end
    assert.is_true(store:end_dialogs {})
    assert(store:end_dialogs(ids))
    assert.equal(0, store:count_dialogs())
  end)

  it("keep the source of a script once", function()
    waiting { source = { digest = "d", text = "text\0" } }
    waiting { source = { digest = "d", text = "other" } }
    assert.equal("text\0", store:code "d")
    assert.is_nil(store:code "e")
  end)

  it("keep messages in order, and give them once", function()
    local its_run = waiting()
    assert(store:commit(change { kept = { { dialog = its_run.id, bodies = { "a", "b" } }, { dialog = its_run.id, bodies = { "c" } } } }))
    local kept = store:kept_for(its_run.id)
    assert.are.same({ { "a", "b" }, { "c" } }, { kept[1].bodies, kept[2].bodies })
    assert(store:commit(change { taken = { kept[1].id } }))
    assert.are.same({ kept[2] }, store:kept_for(its_run.id))
  end)

  it("that wait for a delivery are found by its message", function()
    local its_run = waiting { waiting = { sent = 12, reaches = "read", n = 1 } }
    assert.are.same({ [12] = { id = its_run.id, contact = contact } }, store:sent_waits())
  end)

  describe("that are due", function()
    local function take(now)
      local seen = {}
      local records = store:take_due(now, function(dialog)
        seen[#seen + 1] = dialog
        return rig.record(dialog.contact, "\1{}")
      end)
      return records, seen
    end

    local function due_at(at, who)
      return waiting { contact = who, waiting = { due = at, n = 4 } }
    end

    it("are told of once, when it is time", function()
      local its_run = due_at(1700000060)
      assert.are.same({}, (take(1700000059)))
      local records, seen = take(1700000060)
      assert.are.same({ { id = its_run.id, contact = contact, seed = "seed 1", waiting = { due = 1700000060, n = 4 } } }, seen)
      assert.equal("\1{}", store:event_body(records[1].seq))
      assert.are.same({}, (take(1700000060)))
    end)

    it("are told of in the order of their times", function()
      due_at(1700000030, "1:2")
      due_at(1700000010, "1:3")
      local _, seen = take(1700000060)
      assert.are.same({ "1:3", "1:2" }, { seen[1].contact, seen[2].contact })
    end)

    it("wait while a person has the conversation, and are due when it comes back", function()
      local its_run = due_at(1700000010)
      assert(store:commit(change { pauses = { [contact] = true } }))
      assert.are.same({}, (take(1700000060)))
      assert.is_nil(store:dialog(its_run.id).due)
      assert(store:commit(change { pauses = { [contact] = false } }))
      assert.equal(1700000010, store:dialog(its_run.id).due)
      assert.equal(1, #take(1700000060))
    end)

    it("say when the first of them is", function()
      assert.are.same({ n = 3, false, nil, 0 }, table.pack(store:dialogs_due()))
      due_at(1700000070)
      due_at(1700000060, "1:2")
      assert(store:commit(change { pauses = { ["1:3"] = true } }))
      assert.are.same({ true, 1700000060, 1 }, { store:dialogs_due() })
    end)

    -- Two turns at the same time: the one that continues the dialog comes first.
    it("are not told of when they go on meanwhile", function()
      local its_run = due_at(1700000010)
      local records = store:take_due(1700000060, function(dialog)
        its_run.n, its_run.waiting = 1, nil
        assert(store:commit(change { run = its_run }))
        return rig.record(dialog.contact, "\1{}")
      end)
      assert.are.same({}, records)
      assert.are.same({}, store:pending())
    end)
  end)

  it("know some conversation, if there is one", function()
    assert.is_nil(store:any_contact())
    assert(store:commit(change { states = { [contact] = "{}" } }))
    assert.equal(contact, store:any_contact())
  end)

  it("get numbers that go on after those of the database", function()
    assert.are.same({ 1, 2 }, { store:next_dialog_id(), store:next_dialog_id() })
  end)
end)
