-- SPDX-License-Identifier: MIT
-- Messages that have left a turn, as the engine asks for them: how far one is, and which one a status is about. What settles
-- them is in spec/store/conformance.

local errors = require "cunnekt.base.errors"
local lists = require "cunnekt.store.lists"
local messages = require "cunnekt.store.messages"
local records = require "cunnekt.store.records"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"
local status_names = require "cunnekt.provider.status"

local contact = "1:919999999999"
local now = 1700000000

describe("messages of the store", function()
  local store, time

  rig.open_for_each(function(its_store, its_time)
    store, time = its_store, its_time
  end)

  local function queued(text, more)
    local row = rig.message(store, contact, text or "hi", more)
    assert(rig.commit(store, { sends = { row } }))
    return row
  end

  local function settle(outcome)
    assert(store:call("settle", { outcomes = { outcome } }))
  end

  local function accepted(row, message_id, statuses)
    settle(records.accepted(row, message_id, statuses))
    return row
  end

  it("that are being sent are noted before they are", function()
    local row = queued()
    row.attempts = 2
    assert(store:call("mark_sending", { messages = { { id = row.id, attempts = row.attempts } } }))
    local found = recovery.messages(store)[1]
    assert.are.same({ "sending", 2 }, { found.state, found.attempts })
    assert.equal("sending", (messages.state(store, row.id)))
  end)

  it("that were accepted are known by the provider's id, with what they track", function()
    local row = accepted(queued("hi", { track = { n = 1 } }), "wamid.1")
    assert.are.same({}, recovery.messages(store))
    assert.are.same({ "accepted", "wamid.1" }, { messages.state(store, row.id) })
    assert.equal(row.id, messages.id_of(store, "wamid.1"))
    assert.are.same({ n = 1 }, messages.track_of(store, "wamid.1"))
  end)

  it("that were given nothing to track have an empty table, and unknown ones have none", function()
    accepted(queued(), "wamid.1")
    assert.are.same({}, messages.track_of(store, "wamid.1"))
    assert.is_nil(messages.track_of(store, "wamid.2"))
    assert.is_nil(messages.id_of(store, "wamid.2"))
    assert.are.same({}, { messages.state(store, 12345) })
  end)

  it("whose statuses came first are as far as the furthest", function()
    local statuses = { { status = "delivered", id = "wamid.1" }, { status = "sent", id = "wamid.1" }, { status = "odd", id = "wamid.1" } }
    assert.equal("delivered", (messages.state(store, accepted(queued(), "wamid.1", statuses).id)))
  end)

  it("move on by the events of their statuses, once, and never back", function()
    local row = accepted(queued(), "wamid.1")
    local function status(name, key)
      local rank, why = status_names.rank_of { status = name, errors = { { title = "gone", code = 131026 } } }
      local record = rig.record(contact, name, { key = key or name, status_of = rank and "wamid.1", rank = rank, error = why })
      rig.accept(store, { record })
      return messages.state(store, row.id), record
    end
    local state, record = status "delivered"
    assert.are.same({ "delivered", true }, { state, record.is_applied })
    assert.equal("delivered", (status "sent"))
    assert.equal("delivered", (status("read", "sent")), "a repeated status counted")
    assert.equal("delivered", (status "warned"))
    assert.equal("failed", (status "failed"))
    assert.equal("failed", (status "played"))
    assert.equal("gone (code 131026)", lists.message(store, row.id).error)
  end)

  it("that were rejected say why, and when", function()
    local row = queued()
    row.attempts = 1
    time:advance(5)
    settle(records.outcome(row, "rejected", errors.new("rejected", "no such number", { code = 100 })))
    local found = lists.message(store, row.id)
    assert.are.same({ "rejected", 1, "rejected: no such number (code 100)", now + 5 },
      { found.state, found.attempts, found.error, found.changed_at })
  end)

  describe("of uncertain delivery", function()
    local function unknown(more)
      local row = queued("hi", more)
      settle(records.outcome(row, "unknown", errors.new("unknown_outcome", "the answer was lost")))
      return row
    end

    local function match(who, latest, earliest)
      local status = { kind = "status", status = "delivered", id = "wamid.9" }
      return messages.settle_unknown(store, who or contact, status, latest or now + 60, earliest or now - 60)
    end

    it("are told of", function()
      assert.is_false(messages.has_unknown(store))
      unknown()
      assert.is_true(messages.has_unknown(store))
    end)

    it("are settled by a status of their contact, with what was tracked", function()
      local row = unknown { track = { n = 3 } }
      assert.are.same({ n = 3 }, match())
      assert.are.same({ "delivered", "wamid.9" }, { messages.state(store, row.id) })
      assert.are.same({ n = 3 }, messages.track_of(store, "wamid.9"))
      assert.is_false(messages.has_unknown(store))
    end)

    it("are settled by no status when there are two of them", function()
      unknown()
      unknown()
      assert.is_nil(match())
      assert.is_true(messages.has_unknown(store))
    end)

    it("are settled by no status of somebody else, or of another time", function()
      unknown()
      assert.is_nil(match "1:2")
      assert.is_nil(match(nil, now - 1))
      assert.is_nil(match(nil, nil, now + 1))
    end)

    it("keep the time at which they were sent, where a crash left them so", function()
      local row = queued()
      row.lost_at = now - 600
      settle(records.outcome(row, "unknown", errors.new("unknown_outcome", "lost")))
      assert.equal(now - 600, lists.message(store, row.id).changed_at)
    end)
  end)

  it("raise what cannot be read", function()
    store:close()
    for _, name in ipairs { "state", "has_unknown", "id_of", "track_of" } do
      local ok, err = pcall(messages[name], store, 1)
      assert.are.same({ false, "store" }, { ok, err.kind }, name)
    end
  end)
end)
