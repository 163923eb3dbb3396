-- SPDX-License-Identifier: MIT
-- Lists and counts for operators: walked through step by step, with names instead of numbers. How they are shown is in
-- spec/operate; the questions themselves are in spec/store/conformance.

local dialogs = require "cunnekt.store.dialogs"
local errors = require "cunnekt.base.errors"
local lists = require "cunnekt.store.lists"
local records = require "cunnekt.store.records"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"

describe("lists of the store", function()
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
    return record.id
  end

  local function message(contact, text, more)
    local row = rig.message(store, contact, text, more)
    assert(rig.commit(store, { sends = { row } }))
    return row
  end

  local function settle(row, state, message_id, err)
    local outcome = state == "accepted" and records.accepted(row, message_id) or records.outcome(row, state, err)
    assert(store:call("settle", { outcomes = { outcome } }))
  end

  local function column(list, name)
    local values = {}
    for i, one in ipairs(list) do
      values[i] = one[name]
    end
    return values
  end

  describe("of events", function()
    it("have those of a state, with their bodies only if they are wanted", function()
      local pending, id = accept("1:2", "a"), bury("1:2", "b")
      assert.are.same({ { id = pending.id, contact = "1:2", state = "pending", attempts = 0, accepted_at = 1700000000 } },
        lists.events(store, "pending", {}))
      local dead = lists.events(store, "dead", {}, true)
      assert.is_true(dead[1].seq > pending.seq)
      dead[1].seq = nil
      assert.are.same({
        {
          id = id, contact = "1:2", state = "dead", attempts = 5, accepted_at = 1700000000, failed_at = 1700000000,
          error = "handler: no luck", body = "b",
        },
      }, dead)
    end)

    it("leave large bodies and the rest of long errors out, but one event has them", function()
      local id = bury("1:2", ("x"):rep(16385), ("y"):rep(1000))
      local listed, found = lists.events(store, "dead", {}, true)[1], lists.event(store, id)
      assert.is_nil(listed.body)
      assert.equal(400, #listed.error)
      assert.are.same({ 16385, 1009 }, { #found.body, #found.error })
    end)

    it("are of a customer, or of one conversation, and of a time", function()
      local ids = {}
      for i, contact in ipairs { "1:2", "1:3", "2:2", "2" } do
        ids[i] = accept(contact, "x").id
        time:advance(10)
      end
      local function found(filter)
        return column(lists.events(store, "pending", filter), "id")
      end
      assert.are.same({ ids[1], ids[3], ids[4] }, found { contact = "2" })
      assert.are.same({ ids[1] }, found { contact = "1:2" })
      assert.are.same({}, found { contact = "" })
      assert.are.same({ ids[2], ids[3] }, found { after = 1700000010, before = 1700000030 })
    end)

    it("have the first so many of thousands", function()
      local list = {}
      for i = 1, 6001 do
        list[i] = rig.record("1:2", "")
      end
      rig.accept(store, list)
      assert.equal(6001, #lists.events(store, "pending", {}))
      assert.equal(4500, #lists.events(store, "pending", { limit = 4500 }))
      assert.equal(0, #lists.events(store, "pending", { limit = 0 }))
    end)

    it("have none that is not there", function()
      assert.is_nil(lists.event(store, 7))
    end)
  end)

  describe("of messages", function()
    local all = { "queued", "sending", "unknown", "rejected", "failed", "accepted", "sent", "delivered", "read", "played" }

    it("have those in the outbox first, then the newest of those that were accepted", function()
      local ids = {}
      for i = 1, 4 do
        local row = message("1:2", "text " .. i)
        ids[i] = row.id
        time:advance(1)
        if i < 4 then
          settle(row, "accepted", "wamid." .. i)
        end
      end
      local list = lists.messages(store, all, {})
      assert.are.same({ ids[4], ids[3], ids[2], ids[1] }, column(list, "id"))
      assert.are.same({ "queued", "accepted", "accepted", "accepted" }, column(list, "state"))
    end)

    it("have none but those of the states that are wanted", function()
      local queued, rejected, accepted = message("1:2", "a"), message("1:2", "b"), message("1:2", "c")
      settle(rejected, "rejected", nil, errors.new("rejected", "no"))
      settle(accepted, "accepted", "wamid.1")
      assert(store:call("note_status", { message_id = "wamid.1", rank = 3 }))
      local function found(...)
        return column(lists.messages(store, { ... }, {}), "id")
      end
      assert.are.same({ rejected.id }, found "rejected")
      assert.are.same({ accepted.id }, found "read")
      assert.are.same({}, found "accepted")
      assert.are.same({ queued.id, accepted.id }, found("queued", "read"))
      assert.are.same({}, found())
    end)

    it("keep to a limit over both kinds, and to the newest of thousands", function()
      local outcomes = {}
      for i = 1, 5000 do
        outcomes[i] = records.accepted({ id = 100000 + i, contact = "1:2" }, "wamid." .. i)
      end
      for i = 1, 5000, 100 do
        time:advance(1)
        assert(store:call("settle", { outcomes = table.move(outcomes, i, i + 99, 1, {}) }))
      end
      local queued = message("1:2", "queued")
      local list = lists.messages(store, all, { limit = 101 })
      assert.equal(101, #list)
      assert.equal(queued.id, list[1].id)
      for i = 2, 101 do
        assert.is_true(list[i].id > 104900)
      end
      assert.are.same({ queued.id }, column(lists.messages(store, all, { limit = 1 }), "id"))
    end)

    it("have one by its id or the provider's, wherever it is", function()
      local row = message("1:2", "hi", { track = { n = 1 } })
      local found = lists.message(store, row.id)
      assert.are.same({ "queued", { n = 1 }, "hi" }, { found.state, found.track, found.payload.text })
      settle(row, "accepted", "wamid.1")
      assert.equal(row.id, lists.message(store, "wamid.1").id)
      assert.equal("wamid.1", lists.message(store, row.id).message_id)
      assert.is_nil(lists.message(store, 7))
      assert.is_nil(lists.message(store, "wamid.2"))
    end)

    it("have a queued one as the outbox takes it, and none that is not queued", function()
      local row = message("1:2", "hi", { track = { n = 1 }, after = "delivered", fallback = { templateid = "t" }, unknown = "resend" })
      local found = lists.queued_message(store, row.id)
      assert.are.same(recovery.messages(store)[1], found)
      assert.are.same({ { n = 1 }, "delivered", { templateid = "t" }, "resend" }, { found.track, found.after, found.fallback, found.unknown })
      settle(row, "failed", nil, errors.new("unknown_outcome", "lost"))
      assert.is_nil((lists.queued_message(store, row.id)))
      assert.is_nil((lists.queued_message(store, 7)))
    end)
  end)

  describe("of dialogs", function()
    local function waiting(contact, fields)
      fields = fields or {}
      fields.contact = contact
      return rig.waiting(store, fields).id
    end

    local function found(state, filter)
      return column(lists.dialogs(store, state, filter or {}), "id")
    end

    it("have the open, the broken, or all, in the order in which they began", function()
      local last, broken, first = waiting("1:2", { at = 3000 }), waiting("1:3", { at = 2000 }), waiting("2:2", { at = 1000 })
      dialogs.break_it(store, broken, { message = "no luck", step = 4 })
      assert.are.same({ first, last }, found "open")
      assert.are.same({ first, broken, last }, found "all")
      assert.are.same({ broken }, found "broken")
      assert.are.same({ message = "no luck", step = 4 }, lists.dialogs(store, "broken", {})[1].error)
    end)

    it("are of a customer with every number, of one conversation, or of a time", function()
      local ids = {}
      for i, contact in ipairs { "1:2", "1:3", "2:2" } do
        ids[i] = waiting(contact)
        time:advance(10)
      end
      assert.are.same({ ids[1], ids[3] }, found("all", { contact = "2" }))
      assert.are.same({ ids[3] }, found("all", { contact = "2:2" }))
      assert.are.same({}, found("all", { contact = "1" }))
      assert.are.same({ ids[2] }, found("all", { after = 1700000010, before = 1700000020 }))
      assert.are.same({ ids[1], ids[2] }, found("all", { limit = 2 }))
      assert.are.same({}, found("all", { limit = 0 }))
    end)

    it("have thousands", function()
      for i = 1, 2100 do
        waiting("1:" .. i)
      end
      assert.equal(2100, #lists.dialogs(store, "all", {}))
    end)

    it("have one with its journal, in order, and none that is not there", function()
      local steps = { { n = 1, mark = "send a", result = "{}" }, { n = 2, mark = "wait {}", result = "\0" } }
      local dialog = lists.dialog(store, waiting("1:2", { steps = steps }))
      assert.equal("it", dialog.name)
      assert.are.same({ { n = 1, mark = "send a", result = "{}" }, { n = 2, mark = "wait {}", result = "\0" } }, dialog.journal)
      assert.is_nil(lists.dialog(store, 7))
    end)
  end)

  it("of the conversations of a customer have one for each business number", function()
    for _, contact in ipairs { "1:2", "1:3", "10:2", "2:2", "2:4", "3:9" } do
      assert(rig.commit(store, { states = { { contact = contact, state = "{}" } } }))
    end
    assert.are.same({ "10:2", "1:2", "2:2" }, lists.contacts_of(store, "2"))
    assert.are.same({}, lists.contacts_of(store, "7"))
  end)

  -- Somebody to whom only the bot wrote could neither be exported nor forgotten.
  it("find conversations in which only the bot wrote, where they are asked for", function()
    message("1:2", "waits")
    settle(message("2:2", "accepted"), "accepted", "wamid.1")
    assert(rig.commit(store, { states = { { contact = "3:2", state = "{}" } } }))
    assert.are.same({ "3:2" }, lists.contacts_of(store, "2"))
    assert.are.same({ "1:2", "2:2", "3:2" }, lists.contacts_of(store, "2", true))
    assert.are.same({ "2:2" }, lists.contacts_of(store, "2:2", true))
    assert.are.same({}, lists.contacts_of(store, "7", true))
  end)

  it("have counts of dead letters, and of what waits", function()
    bury("1:2", "x")
    accept("1:2", "x")
    for state, count in pairs { unknown = 1, failed = 2 } do
      for _ = 1, count do
        settle(message("1:2", "a"), state, nil, errors.new("unknown_outcome", "lost"))
      end
    end
    message("1:2", "d")
    message("1:2", "e", { is_marked = true })
    assert.are.same({ dead = 1, unknown = 1, rejected = 0, failed = 2 }, lists.count_dead_letters(store))
    assert.are.same({ pending = 1, queued = 2 }, lists.count_waiting(store))
  end)

  it("know the latest time that the store has seen", function()
    assert.is_nil(lists.latest_time(store))
    accept("1:2", "x")
    time:advance(5)
    settle(message("1:2", "a"), "accepted", "wamid.1")
    assert.equal(1700000005, lists.latest_time(store))
  end)

  it("find a sound database sound, and tell its size and what it is made with", function()
    assert.are.same({}, lists.check_integrity(store))
    local facts = lists.facts(store)
    assert.matches("^SQLite 3%.%d+%.%d+", facts.engine)
    assert.is_true(facts.bytes >= 4096 and facts.bytes % 4096 == 0)
  end)

  it("say that the store cannot be read", function()
    store:close()
    for name, arguments in pairs {
      events = { "dead", {} }, event = { 1 }, messages = { { "queued", "sent" }, {} }, message = { 1 }, queued_message = { 1 },
      dialogs = { "all", {} }, contacts_of = { "2" }, count_dead_letters = {}, count_waiting = {}, latest_time = {},
      check_integrity = {}, facts = {},
    } do
      local result, err = lists[name](store, table.unpack(arguments))
      assert.are.same({ nil, "store" }, { result, err and err.kind }, name)
    end
  end)
end)
