-- SPDX-License-Identifier: MIT
-- What an operator sees of the dialogs in the store, and hands conversations over with.

local rig = require "spec.support.rigs.store_rig"

local change = rig.change

describe("queries for dialogs", function()
  local store, time

  rig.open_for_each(function(its_store, its_time)
    store, time = its_store, its_time
  end)

  local function waiting(contact, steps)
    local its_run = rig.run_of(store, { contact = contact, steps = steps, waiting = { types = { text = true }, n = 1 } })
    assert(store:commit(change { run = its_run }))
    return its_run.id
  end

  local function ids(list)
    local found = {}
    for i, dialog in ipairs(list) do
      found[i] = dialog.id
    end
    return found
  end

  it("list the open, the broken, or all, in the order in which they began", function()
    waiting "1:2"
    store:break_dialog(waiting "1:3", { message = "no luck", step = 4 }, 1700000001)
    waiting "2:2"
    assert.are.same({ 1, 3 }, ids(store:list_dialogs("open", {})))
    assert.are.same({ 1, 2, 3 }, ids(store:list_dialogs("all", {})))
    local broken = store:list_dialogs("broken", {})
    assert.are.same({ 2 }, ids(broken))
    assert.are.same({ message = "no luck", step = 4 }, broken[1].error)
  end)

  it("list those of a customer with every number, or of one conversation", function()
    waiting "1:2"
    waiting "1:3"
    waiting "2:2"
    assert.are.same({ 1, 3 }, ids(store:list_dialogs("all", { contact = "2" })))
    assert.are.same({ 3 }, ids(store:list_dialogs("all", { contact = "2:2" })))
    assert.are.same({}, ids(store:list_dialogs("all", { contact = "1" })))
  end)

  it("list those that changed in a time, the first so many", function()
    for i = 1, 4 do
      waiting("1:" .. i)
      time:advance(10)
    end
    assert.are.same({ 2, 3 }, ids(store:list_dialogs("all", { after = 1700000010, before = 1700000030 })))
    assert.are.same({ 1, 2 }, ids(store:list_dialogs("all", { limit = 2 })))
    assert.are.same({}, ids(store:list_dialogs("all", { limit = 0 })))
  end)

  it("list thousands", function()
    rig.run(store, {
      [[WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO dialog (id, contact, name, seed, started_at, changed_at) SELECT i * 3, X'31', X'61', X'', 0, 0 FROM n]],
    })
    local list = store:list_dialogs("all", {})
    assert.equal(5000, #list)
    assert.equal(15000, list[5000].id)
  end)

  it("show one with its journal, in order", function()
    local id = waiting("1:2", { { n = 1, mark = "send a", result = "{}" }, { n = 2, mark = "wait {}", result = "\0" } })
    local dialog = store:find_dialog(id)
    assert.equal("it", dialog.name)
    assert.are.same({ { n = 1, mark = "send a", result = "{}" }, { n = 2, mark = "wait {}", result = "\0" } }, dialog.journal)
  end)

  it("show none that is not there", function()
    assert.is_nil(store:find_dialog(7))
  end)

  it("find the conversations of a customer with each business number", function()
    for _, contact in ipairs { "1:2", "1:3", "10:2", "2:2", "2:4", "3:9" } do
      assert(store:commit(change { states = { [contact] = "{}" } }))
    end
    assert.are.same({ "10:2", "1:2", "2:2" }, store:contacts_of "2")
    assert.are.same({}, store:contacts_of "7")
  end)

  it("note who has taken a conversation over", function()
    assert(store:set_paused("1:2", true))
    assert.is_true(store:is_paused "1:2")
  end)

  it("give a conversation back, and what was due meanwhile is due", function()
    local its_run = rig.run_of(store, { contact = "1:2", waiting = { due = 1700000010, n = 1 } })
    assert(store:commit(change { run = its_run }))
    assert(store:set_paused("1:2", true))
    store:take_due(1700000020, error)
    assert(store:set_paused("1:2", false))
    assert.equal(1700000010, store:dialog(its_run.id).due)
  end)

  it("say when the store cannot be read", function()
    store:close()
    for _, name in ipairs { "list_dialogs", "find_dialog", "contacts_of", "set_paused" } do
      local result, err = store[name](store, name == "list_dialogs" and "all" or 1, {})
      assert.are.same({ nil, "store" }, { result, err.kind }, name)
    end
  end)
end)
