-- SPDX-License-Identifier: MIT
-- What an operator changes in the store: another try for what was set aside, its removal, and a copy of it all.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local process = require "spec.support.process"
local rig = require "spec.support.rigs.store_rig"
local task = require "cunnekt.base.task"

local change = rig.change

describe("repair of the store", function()
  local store, time

  rig.open_for_each(function(its_store, its_time)
    store, time = its_store, its_time
  end)

  local function bury(body)
    local record = rig.record("1:2", body)
    rig.accept(store, { record })
    record.attempts = 5
    store:bury(record, errors.new("handler", "no luck"))
    return record.seq
  end

  local function message(text, more, state)
    local row = rig.message(store, "1:2", text, more)
    assert(store:commit(change { sends = { row } }))
    if state then
      row.attempts = 3
      task.await(function(done)
        store:settle(row, state, nil, errors.new("rejected", "no"), nil, done)
      end)
    end
    return row.id
  end

  it("makes dead letters wait again, with all their tries before them", function()
    local seq = bury "a\0"
    time:advance(100)
    assert.are.same({ seq }, store:requeue_events { seq, 99 })
    assert.are.same({ { seq = seq, contact = "1:2", attempts = 0 } }, store:pending())
    assert.are.same({ "a\0", 1700000000 }, { store:event_body(seq), store:find_event(seq).accepted_at })
    assert.equal(0, store:count_dead_letters().dead)
  end)

  it("revives nothing twice", function()
    local seq = bury "a"
    store:requeue_events { seq }
    assert.are.same({}, store:requeue_events { seq })
  end)

  it("revives thousands, in their order", function()
    local seqs = {}
    for i = 1, 1001 do
      seqs[i] = bury "x"
    end
    assert.are.same(seqs, store:requeue_events(seqs))
    assert.equal(1001, #store:pending())
  end)

  it("drops events of the state that is meant", function()
    local dead = bury "a"
    rig.accept(store, { rig.record("1:2", "b") })
    assert.are.same({}, store:drop_events("pending", { dead }))
    assert.are.same({ dead }, store:drop_events("dead", { dead, 2 }))
    assert.are.same({ 2 }, store:drop_events("pending", { 2 }))
    assert.are.same({}, store:pending())
  end)

  it("queues messages again that came to no good end, and no others", function()
    local queued, sending = message "a", message("b", { is_marked = true })
    local rejected, unknown = message("c", nil, "rejected"), message("d", nil, "unknown")
    time:advance(7)
    assert.are.same({ rejected, unknown }, store:requeue_messages { queued, sending, rejected, unknown, 99 })
    local found = store:find_message(rejected)
    assert.are.same({ "queued", 0, nil, 1700000007 }, { found.state, found.attempts, found.error, found.changed_at })
  end)

  it("drops every message that is not being sent", function()
    local queued, sending, failed = message "a", message("b", { is_marked = true }), message("c", nil, "failed")
    assert.are.same({ queued, failed }, store:drop_messages { queued, sending, failed })
    assert.equal("sending", store:message_state(sending))
  end)

  it("gives a queued message as the outbox takes it", function()
    local id = message("hi", { track = { n = 1 }, after = "delivered", fallback = { templateid = "t" }, unknown = "resend" })
    assert.are.same({
      id = id, contact = "1:2", payload = { mobile = "919999999999", text = "hi", type = "text" }, state = "queued",
      unknown = "resend", track = { n = 1 }, attempts = 0, after = "delivered", fallback = { templateid = "t" },
    }, store:queued_message(id))
  end)

  it("gives no message that is not queued", function()
    assert.is_nil((store:queued_message(message("a", nil, "failed"))))
    assert.is_nil((store:queued_message(99)))
  end)

  it("changes nothing for an empty list", function()
    for _, name in ipairs { "requeue_events", "requeue_messages", "drop_messages" } do
      assert.are.same({}, store[name](store, {}))
    end
    assert.are.same({}, store:drop_events("dead", {}))
  end)

  it("copies the store to a file, as it was, while it is in use", function()
    local folder = process.folder()
    local path = folder.path .. "/copy.db"
    store:close()
    store = rig.open("sqlite:" .. folder.path .. "/store.db")
    finally(function()
      store:close()
    end)
    local seq = bury "a\0"
    local ok, err
    local copying = task.spawn(function()
      ok, err = store:backup(path)
    end)
    bury "later"
    while not copying.is_done do
      core.step(true)
    end
    assert.is_true(ok, tostring(err))
    local copy = rig.open("sqlite:" .. path)
    assert.equal("a\0", copy:find_event(seq).body)
    assert.are.same({}, copy:check_integrity())
    copy:close()
  end)

  it("copies nothing to where nothing can be written, and says why", function()
    local ok, err = store:backup "/nonexistent/folder/copy.db"
    assert.are.same({ nil, "store" }, { ok, err.kind })
  end)

  it("says that the store cannot be written", function()
    store:close()
    for _, name in ipairs { "requeue_events", "requeue_messages", "drop_messages" } do
      local result, err = store[name](store, { 1 })
      assert.are.same({ nil, "store" }, { result, err.kind }, name)
    end
    assert.equal("store", select(2, store:queued_message(1)).kind)
  end)
end)
