-- SPDX-License-Identifier: MIT
-- Dialogs as the engine reads them from the store. What a turn changes in them is in spec/store/conformance.

local dialogs = require "cunnekt.store.dialogs"
local records = require "cunnekt.store.records"
local rig = require "spec.support.rigs.store_rig"

local contact = "1:919999999999"

describe("dialogs of the store", function()
  local store

  rig.open_for_each(function(its_store)
    store = its_store
  end)

  local function waiting(fields)
    return rig.waiting(store, fields)
  end

  local function steps(count)
    local list = {}
    for n = 1, count do
      list[n] = { n = n, mark = "step " .. n, result = '{"v":1}' }
    end
    return list
  end

  it("are read with all that they are rebuilt from", function()
    local its_run = waiting {
      args = { a = "ä\0", list = { 1, 2 } }, to = "919999999999", steps = steps(2),
      waiting = { types = { text = true }, due = 1700000060, n = 3 },
    }
    assert.are.same({
      id = its_run.id, contact = contact, name = "it", to = "919999999999", args = { a = "ä\0", list = { 1, 2 } }, code = "a.b",
      seed = "seed " .. its_run.id, started_at = 1000, changed_at = 1700000000, steps = 2, due = 1700000060,
      waiting = { types = { text = true }, due = 1700000060, n = 3 },
    }, dialogs.find(store, its_run.id))
    assert.are.same({ { mark = "step 1", result = '{"v":1}' }, { mark = "step 2", result = '{"v":1}' } }, dialogs.journal(store, its_run.id))
  end)

  it("keep args that are false, and none", function()
    assert.is_false(dialogs.find(store, waiting({ args = false }).id).args)
    assert.is_nil(dialogs.find(store, waiting({ args = nil }).id).args)
  end)

  it("that are not there are nil", function()
    assert.is_nil(dialogs.find(store, 7))
    assert.are.same({}, dialogs.journal(store, 7))
    assert.are.same({}, dialogs.of(store, contact))
    assert.is_nil(dialogs.script(store, "d"))
  end)

  it("continue where they stood, and add to their journal", function()
    local its_run = waiting { steps = steps(1) }
    its_run.n, its_run.pending, its_run.waiting = 2, { { n = 2, mark = "wait {}", result = "{}" } }, nil
    assert(rig.commit(store, { its_run = its_run }))
    local stored = dialogs.find(store, its_run.id)
    assert.are.same({ 2, nil, nil }, { stored.steps, stored.waiting, stored.due })
    assert.equal("wait {}", dialogs.journal(store, its_run.id)[2].mark)
  end)

  it("have journals of any length and of any bytes", function()
    local list = steps(2500)
    list[2500].result = ("\0\xff"):rep(1500000)
    local journal = dialogs.journal(store, waiting({ steps = list }).id)
    assert.equal(2500, #journal)
    assert.is_true(journal[2500].result == list[2500].result)
  end)

  it("of a contact are found, the newest first, with those that are broken", function()
    local first = waiting()
    waiting { contact = "1:2" }
    local last = waiting { at = 2000 }
    dialogs.break_it(store, last.id, { message = "no luck", step = 2 })
    local list = dialogs.of(store, contact)
    assert.are.same({ last.id, first.id }, { list[1].id, list[2].id })
    assert.are.same({ message = "no luck", step = 2 }, list[1].error)
    assert.equal(3, dialogs.count(store))
  end)

  it("keep the source of their script", function()
    waiting { source = { digest = "d", text = "text\0" } }
    assert.equal("text\0", dialogs.script(store, "d"))
  end)

  it("keep messages in order", function()
    local id = waiting().id
    assert(rig.commit(store, { kept = { records.kept(id, { "a", "b" }), records.kept(id, { "c" }) } }))
    local kept = dialogs.kept(store, id)
    assert.are.same({ { "a", "b" }, { "c" } }, { kept[1].bodies, kept[2].bodies })
    assert(rig.commit(store, { taken = { kept[1].id } }))
    assert.are.same({ kept[2] }, dialogs.kept(store, id))
  end)

  -- When the dialog ends all of them become events again, and what is not read then is lost.
  it("keep messages, however many there are", function()
    local id, all = waiting().id, {}
    for i = 1, 2100 do
      all[i] = records.kept(id, { tostring(i) })
    end
    assert(rig.commit(store, { kept = all }))
    local kept = dialogs.kept(store, id)
    assert.are.same({ 2100, "1", "1001", "2100" }, { #kept, kept[1].bodies[1], kept[1001].bodies[1], kept[2100].bodies[1] })
  end)

  it("that wait for a delivery are found by its message, however many there are", function()
    local ids = {}
    for i = 1, 1100 do
      ids[i] = waiting({ waiting = { sent = 5000 + i, reaches = "read", n = 1 } }).id
    end
    local waits = dialogs.sent_waits(store)
    for i, id in ipairs(ids) do
      assert.are.same({ id = id, contact = contact }, waits[5000 + i])
    end
  end)

  it("say whether there are any, and when the first of them is due", function()
    assert.are.same({ n = 4, false, nil, 0, false }, table.pack(dialogs.overview(store)))
    waiting { waiting = { due = 1700000070, n = 1 } }
    waiting { waiting = { due = 1700000060, n = 1 } }
    assert(rig.commit(store, { pauses = { { contact = "1:3", is_paused = true } } }))
    assert.are.same({ true, 1700000060, 1, false }, { dialogs.overview(store) })
  end)

  it("are ended, and give what was kept for them, also while it is kept", function()
    local id = waiting({ steps = steps(1) }).id
    assert(rig.commit(store, { kept = { records.kept(id, { "a", "b" }) } }))
    local kept, read = dialogs.kept, 0
    dialogs.kept = function(...)
      local found = kept(...)
      read = read + 1
      if read == 1 then
        assert(rig.commit(store, { kept = { records.kept(id, { "c" }) } }))
      end
      return found
    end
    local ok, released = pcall(dialogs.finish, store, id)
    dialogs.kept = kept
    assert(ok, released)
    assert.are.same({ "a", "b", "c" }, { released[1].body, released[2].body, released[3].body })
    assert.are.same({ 0, {} }, { dialogs.count(store), dialogs.journal(store, id) })
    assert.same({}, dialogs.finish(store, id))
  end)

  it("raise what cannot be read", function()
    store:close()
    for _, name in ipairs { "of", "find", "journal", "kept", "overview", "sent_waits", "count", "script" } do
      local ok, err = pcall(dialogs[name], store, 1)
      assert.are.same({ false, "store" }, { ok, err.kind }, name)
    end
    assert.equal("store", select(2, pcall(dialogs.finish, store, 1)).kind)
  end)
end)
