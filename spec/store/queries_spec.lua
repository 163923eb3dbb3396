-- SPDX-License-Identifier: MIT
-- Lists and counts of events and messages, for whoever looks into the store. How they are shown is in spec/operate.

local errors = require "cunnekt.base.errors"
local rig = require "spec.support.rigs.store_rig"
local task = require "cunnekt.base.task"

local change = rig.change

describe("queries of the store", function()
  local store, time

  rig.open_for_each(function(its_store, its_time)
    store, time = its_store, its_time
  end)

  local function accept(contact, body)
    local record = rig.record(contact, body)
    rig.accept(store, { record })
    return record
  end

  local function bury(contact, body, why)
    local record = accept(contact, body)
    record.attempts = 5
    store:bury(record, errors.new("handler", why or "no luck"))
    return record.seq
  end

  local function message(contact, text, more)
    local row = rig.message(store, contact, text, more)
    assert(store:commit(change { sends = { row } }))
    return row
  end

  local function settle(row, state, message_id, err)
    task.await(function(done)
      store:settle(row, state, message_id, err, nil, done)
    end)
  end

  local function column(list, name)
    local values = {}
    for i, one in ipairs(list) do
      values[i] = one[name]
    end
    return values
  end

  describe("for events", function()
    it("list those of a state, with their bodies only if they are wanted", function()
      accept("1:2", "a")
      local seq = bury("1:2", "b")
      assert.are.same({ { seq = 1, contact = "1:2", state = "pending" } }, store:list_events("pending", {}))
      assert.are.same({
        {
          seq = seq, contact = "1:2", state = "dead", attempts = 5, accepted_at = 1700000000, failed_at = 1700000000,
          error = "handler: no luck", body = "b",
        },
      }, store:list_events("dead", {}, true))
    end)

    it("leave large bodies and the rest of long errors out of a list, but not of one event", function()
      local seq = bury("1:2", ("x"):rep(16385), ("y"):rep(1000))
      local listed, found = store:list_events("dead", {}, true)[1], store:find_event(seq)
      assert.is_nil(listed.body)
      assert.equal(400, #listed.error)
      assert.are.same({ 16385, 1009 }, { #found.body, #found.error })
    end)

    it("list those of a customer, or of one conversation", function()
      for _, contact in ipairs { "1:2", "1:3", "2:2", "2" } do
        accept(contact, "x")
      end
      assert.are.same({ 1, 3, 4 }, column(store:list_events("pending", { contact = "2" }), "seq"))
      assert.are.same({ 1 }, column(store:list_events("pending", { contact = "1:2" }), "seq"))
      assert.are.same({}, store:list_events("pending", { contact = "" }))
    end)

    it("list those of a time, from its first moment to before its last", function()
      for _ = 1, 4 do
        accept("1:2", "x")
        time:advance(10)
      end
      local list = store:list_events("pending", { after = 1700000010, before = 1700000030 })
      assert.are.same({ 2, 3 }, column(list, "seq"))
    end)

    it("list the first so many of thousands", function()
      rig.run(store, {
        [[WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6001)
          INSERT INTO event (seq, contact, body) SELECT i * 2, X'31', X'' FROM n]],
      })
      assert.equal(6001, #store:list_events("pending", {}))
      assert.equal(4500, #store:list_events("pending", { limit = 4500 }))
      assert.equal(0, #store:list_events("pending", { limit = 0 }))
    end)

    it("find none that is not there", function()
      assert.is_nil(store:find_event(7))
    end)
  end)

  describe("for messages", function()
    local all = { "queued", "sending", "unknown", "rejected", "failed", "accepted", "sent", "delivered", "read", "played" }

    it("list those in the outbox first, then the newest of those that were accepted", function()
      for i = 1, 4 do
        local row = message("1:2", "text " .. i)
        time:advance(1)
        if i < 4 then
          settle(row, "accepted", "wamid." .. i)
        end
      end
      local list = store:list_messages(all, {})
      assert.are.same({ 4, 3, 2, 1 }, column(list, "id"))
      assert.are.same({ "queued", "accepted", "accepted", "accepted" }, column(list, "state"))
    end)

    it("list none but those of the states that are wanted", function()
      message("1:2", "queued")
      settle(message("1:2", "rejected"), "rejected", nil, errors.new("rejected", "no"))
      settle(message("1:2", "accepted"), "accepted", "wamid.1")
      store:raise_sent { status = "read", id = "wamid.1" }
      assert.are.same({ 2 }, column(store:list_messages({ "rejected" }, {}), "id"))
      assert.are.same({ 3 }, column(store:list_messages({ "read" }, {}), "id"))
      assert.are.same({}, store:list_messages({ "accepted" }, {}))
      assert.are.same({ 1, 3 }, column(store:list_messages({ "queued", "read" }, {}), "id"))
      assert.are.same({}, store:list_messages({}, {}))
    end)

    it("keep to a limit over both tables, and to the newest of thousands", function()
      rig.run(store, {
        [[WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
          INSERT INTO sent (hash, message_id, contact, rank, day, outbox, changed_at)
          SELECT (i * 7919) % 5003, 'wamid.' || i, '1:2', 0, 0, i, i FROM n]],
      })
      message("1:2", "queued", { id = 6000 })
      assert.are.same({ 6000, 5000, 4999 }, column(store:list_messages(all, { limit = 3 }), "id"))
      assert.are.same({ 6000 }, column(store:list_messages(all, { limit = 1 }), "id"))
    end)

    it("find one by its number or the provider's id, wherever it is", function()
      local row = message("1:2", "hi", { track = { n = 1 } })
      assert.are.same({ "queued", { n = 1 }, "hi" }, {
        store:find_message(row.id).state, store:find_message(row.id).track, store:find_message(row.id).payload.text,
      })
      settle(row, "accepted", "wamid.1")
      assert.equal(row.id, store:find_message("wamid.1").id)
      assert.equal("wamid.1", store:find_message(row.id).message_id)
      assert.is_nil(store:find_message(7))
      assert.is_nil(store:find_message "wamid.2")
    end)
  end)

  it("count what was set aside", function()
    bury("1:2", "x")
    settle(message("1:2", "a"), "unknown", nil, errors.new("unknown_outcome", "lost"))
    settle(message("1:2", "b"), "failed", nil, errors.new("unknown_outcome", "lost"))
    settle(message("1:2", "c"), "failed", nil, errors.new("unknown_outcome", "lost"))
    message("1:2", "d")
    assert.are.same({ dead = 1, unknown = 1, rejected = 0, failed = 2 }, store:count_dead_letters())
  end)

  it("count what waits", function()
    accept("1:2", "x")
    message("1:2", "a")
    message("1:2", "b", { is_marked = true })
    settle(message("1:2", "c"), "failed", nil, errors.new("unknown_outcome", "lost"))
    assert.are.same({ pending = 1, queued = 2 }, store:count_waiting())
  end)

  it("know the latest time that the store has seen", function()
    assert.is_nil(store:latest_time())
    accept("1:2", "x")
    time:advance(5)
    settle(message("1:2", "a"), "accepted", "wamid.1")
    assert.equal(1700000005, store:latest_time())
    time:advance(5)
    bury("1:2", "y")
    assert.equal(1700000010, store:latest_time())
  end)

  it("find a sound database sound, and tell its size and SQLite's version", function()
    assert.are.same({}, store:check_integrity())
    local facts = store:facts()
    assert.matches("^3%.%d+%.%d+", facts.sqlite)
    assert.is_true(facts.bytes >= 4096 and facts.bytes % 4096 == 0)
  end)

  it("say that the store cannot be read", function()
    store:close()
    local cases = {
      list_events = { "dead", {} }, find_event = { 1 }, list_messages = { { "queued", "sent" }, {} }, find_message = { 1 },
      count_dead_letters = {}, count_waiting = {}, latest_time = {}, check_integrity = {}, facts = {},
    }
    for name, args in pairs(cases) do
      local result, err = store[name](store, table.unpack(args))
      assert.are.same({ nil, "store" }, { result, err and err.kind }, name)
    end
  end)
end)
