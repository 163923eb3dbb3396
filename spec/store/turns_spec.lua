-- SPDX-License-Identifier: MIT
-- Turns in the store: what one changes is committed together or not at all, and what turns read is what was committed.

local core = require "cunnekt.core"
local rig = require "spec.support.rigs.store_rig"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"
local change = rig.change

describe("turns of the store", function()
  local store

  rig.open_for_each(function(its_store)
    store = its_store
  end)

  local function accepted(body, more)
    local record = rig.record(contact, body, more)
    rig.accept(store, { record })
    return record
  end

  it("finish their event and the texts joined to it", function()
    local record, other = accepted("a", { inbound_at = 1699999990 }), accepted "b"
    record.joined = { other }
    assert(store:commit(change { record = record }))
    assert.are.same({}, store:pending())
    assert.equal(1699999990, store:last_inbound(contact))
  end)

  it("keep values, states, messages, pauses, watches and events of their own", function()
    local told = rig.record("1:2", "\1{}")
    local message = rig.message(store, contact, "hi", { track = { n = 1 }, after = "delivered", fallback = { templateid = "t" } })
    assert(store:commit(change {
      values = { ["a\0b"] = '"x"' },
      states = { [contact] = '{"n":1}' },
      sends = { message },
      pauses = { [contact] = true },
      watches = { [contact] = 60 },
      own_events = { told },
    }))
    assert.equal('"x"', store:value "a\0b")
    assert.equal('{"n":1}', store:state(contact))
    assert.is_true(store:is_paused(contact))
    assert.equal(60, rig.value(store, "SELECT watch FROM conversation WHERE contact = ?", contact))
    assert.equal("\1{}", store:event_body(told.seq))
    local row = store:outgoing()[1]
    assert.are.same(message.payload, row.payload)
    assert.are.same({ n = 1 }, row.track)
    assert.are.same({ templateid = "t" }, row.fallback)
    assert.are.same({ "delivered", "hold", "queued" }, { row.after, row.unknown, row.state })
  end)

  it("delete values", function()
    assert(store:commit(change { values = { a = "1", b = "2" } }))
    assert(store:commit(change { values = { a = false } }))
    assert.are.same({ nil, "2" }, { store:value "a", store:value "b" })
  end)

  it("store a marked message as being sent, which spares a commit", function()
    assert(store:commit(change { sends = { rig.message(store, contact, "hi", { is_marked = true }) } }))
    assert.equal("sending", store:outgoing()[1].state)
  end)

  it("store the text of a payload that is known already as it is", function()
    local text = '{"type":"text",  "text":"hi"}'
    assert(store:commit(change { sends = { rig.message(store, contact, "other", { text = text }) } }))
    assert.equal(text, rig.value(store, "SELECT payload FROM outbox"))
  end)

  it("leave an event in the place of theirs that continues a run", function()
    local record = accepted "a"
    store:note_attempt { seq = record.seq, attempts = 3 }
    assert(store:commit(change { record = record, resume = "\1{resume}" }))
    assert.are.same({ { seq = record.seq, contact = contact, attempts = 0 } }, store:pending())
    assert.equal("\1{resume}", store:event_body(record.seq))
  end)

  it("change nothing when one statement of theirs cannot be done", function()
    local record = accepted "a"
    local message = rig.message(store, contact, "hi")
    assert(store:commit(change { sends = { message } }))
    local ok, err = store:commit(change { record = record, values = { a = "1" }, states = { [contact] = "{}" }, sends = { message } })
    assert.are.same({ nil, "store" }, { ok, err.kind })
    assert.is_nil(store:value "a")
    assert.is_nil(store:state(contact))
    assert.equal(1, #store:pending())
  end)

  it("conflict with the end of a dialog that they continue", function()
    local its_run = rig.run_of(store, { steps = { { n = 1, mark = "send x", result = "{}" } } })
    assert(store:commit(change { run = its_run }))
    its_run.is_stored, its_run.stored_n = true, 1
    store:end_dialogs { its_run.id }
    its_run.n = 2
    local ok, err = store:commit(change { run = its_run, values = { a = "1" } })
    assert.are.same({ nil, "conflict" }, { ok, err.kind })
    assert.is_nil(store:value "a")
  end)

  it("remember the latest time at which the customer wrote", function()
    for _, at in ipairs { 1000, 3000, 2000 } do
      assert(store:commit(change { record = accepted("x", { inbound_at = at }) }))
    end
    assert.equal(3000, store:last_inbound(contact))
    assert.equal(3000, rig.value(store, "SELECT last_inbound FROM conversation"))
  end)

  it("know nothing of a conversation that never was", function()
    assert.is_nil(store:state "1:2")
    assert.is_nil(store:last_inbound "1:2")
    assert.is_false(store:is_paused "1:2")
    assert.is_nil(store:value "never")
  end)

  it("give a conversation back that was given to a person", function()
    for _, is_paused in ipairs { true, false, true } do
      assert(store:commit(change { pauses = { [contact] = is_paused } }))
      assert.equal(is_paused, store:is_paused(contact))
    end
  end)

  -- What memory has is old while a commit is under way.
  it("read a state that is being written as it will be", function()
    assert(store:commit(change { states = { [contact] = "1" } }))
    assert.equal("1", store:state(contact))
    local seen
    local writing = task.spawn(store.commit, store, change { states = { [contact] = "2" } })
    local reading = task.spawn(function()
      seen = store:state(contact)
    end)
    while not (writing.is_done and reading.is_done) do
      core.step(true)
    end
    assert.equal("2", seen)
  end)

  it("read a state as it was where the commit that writes it fails", function()
    local message = rig.message(store, contact, "hi")
    assert(store:commit(change { states = { [contact] = "1" }, sends = { message } }))
    local seen
    local writing = task.spawn(store.commit, store, change { states = { [contact] = "2" }, sends = { message } })
    local reading = task.spawn(function()
      seen = store:state(contact)
    end)
    while not (writing.is_done and reading.is_done) do
      core.step(true)
    end
    assert.are.same({ "1", "1" }, { seen, store:state(contact) })
  end)

  it("keep a state of 3 MB", function()
    local state = ('{"a":"%s"}'):format(("x"):rep(3 * 1024 * 1024))
    assert(store:commit(change { states = { [contact] = state } }))
    assert.is_true(store:state(contact) == state)
  end)

  it("raise what they cannot read", function()
    store:close()
    local ok, err = pcall(store.value, store, "a")
    assert.are.same({ false, "store" }, { ok, err.kind })
  end)
end)
