-- SPDX-License-Identifier: MIT
-- Messages in the store: on their way, accepted, found by their statuses, and of uncertain delivery.

local errors = require "cunnekt.base.errors"
local rig = require "spec.support.rigs.store_rig"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"
local change = rig.change

describe("messages of the store", function()
  local store, time

  rig.open_for_each(function(its_store, its_time)
    store, time = its_store, its_time
  end)

  local function queued(text, more)
    local row = rig.message(store, contact, text or "hi", more)
    assert(store:commit(change { sends = { row } }))
    return row
  end

  local function settle(row, ...)
    local args = table.pack(...)
    task.await(function(done)
      args[5] = done
      store:settle(row, table.unpack(args, 1, 5))
    end)
  end

  it("are found in the order in which they were said, with all that they have", function()
    queued("a", { track = { n = 1 }, unknown = "resend" })
    queued("b", { after = "delivered", fallback = { templateid = "t" } })
    local rows = store:outgoing()
    assert.are.same({ "a", "b" }, { rows[1].payload.text, rows[2].payload.text })
    assert.are.same({ contact, "queued", "resend", { n = 1 }, 0 }, {
      rows[1].contact, rows[1].state, rows[1].unknown, rows[1].track, rows[1].attempts,
    })
    assert.are.same({ "delivered", { templateid = "t" }, 1700000000 }, { rows[2].after, rows[2].fallback, rows[2].changed_at })
  end)

  it("are found however many there are", function()
    rig.run(store, {
      [[WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
        INSERT INTO outbox (id, contact, payload, state, unknown, changed_at) SELECT i, X'31', '{}', 0, 'hold', 0 FROM n]],
    })
    assert.equal(10001, #store:outgoing())
  end)

  it("that are being sent are noted before they are", function()
    local row = queued()
    row.attempts = 2
    assert(store:mark_sending(row))
    local found = store:outgoing()[1]
    assert.are.same({ "sending", 2 }, { found.state, found.attempts })
    assert.equal("sending", store:message_state(row.id))
  end)

  it("give way to their fallback once", function()
    local row = queued("hi", { fallback = { templateid = "t" } })
    row.payload = { templateid = "t" }
    assert(store:replace_payload(row))
    assert.are.same({ { templateid = "t" } }, { store:outgoing()[1].payload, store:outgoing()[1].fallback })
  end)

  it("that were accepted leave the outbox, and are known by the provider's id", function()
    local row = queued("hi", { track = { n = 1 } })
    settle(row, "accepted", "wamid.1")
    assert.are.same({}, store:outgoing())
    assert.are.same({ "accepted", "wamid.1" }, { store:message_state(row.id) })
    assert.equal(row.id, store:outbox_id_of "wamid.1")
    assert.are.same({ n = 1 }, store:track_of "wamid.1")
  end)

  it("that were accepted without an id are known by nothing", function()
    local row = queued()
    settle(row, "accepted", nil)
    assert.are.same({}, { store:message_state(row.id) })
  end)

  it("that were given nothing to track have an empty table, and unknown ones have none", function()
    settle(queued(), "accepted", "wamid.1")
    assert.are.same({}, store:track_of "wamid.1")
    assert.is_nil(store:track_of "wamid.2")
    assert.is_nil(store:outbox_id_of "wamid.2")
  end)

  it("whose statuses came first are as far as the furthest", function()
    local row = queued()
    row.statuses = { { status = "delivered", id = "wamid.1" }, { status = "sent", id = "wamid.1" }, { status = "odd", id = "wamid.1" } }
    settle(row, "accepted", "wamid.1")
    assert.equal("delivered", store:message_state(row.id))
  end)

  it("move up by a status and never down", function()
    local row = queued()
    settle(row, "accepted", "wamid.1")
    for _, step in ipairs { { "read", "read" }, { "sent", "read" }, { "failed", "failed" }, { "played", "failed" } } do
      store:raise_sent { status = step[1], id = "wamid.1", errors = { { title = "gone", code = 131026 } } }
      assert.equal(step[2], store:message_state(row.id))
    end
    assert.equal("gone (code 131026)", store:find_message(row.id).error)
  end)

  it("that were rejected say why, and when", function()
    local row = queued()
    row.attempts = 1
    time:advance(5)
    settle(row, "rejected", nil, errors.new("rejected", "no such number", { code = 100 }))
    assert.are.same({}, store:outgoing())
    local found = store:find_message(row.id)
    assert.are.same({ "rejected", 1, "rejected: no such number (code 100)", 1700000005 }, {
      found.state, found.attempts, found.error, found.changed_at,
    })
  end)

  it("keep their outcome together with the events that report it", function()
    local row, told = queued(), rig.record(contact, "\1{}")
    settle(row, "accepted", "wamid.1", nil, { told })
    assert.equal("\1{}", store:event_body(told.seq))
  end)

  describe("of uncertain delivery", function()
    local lost = errors.new("unknown_outcome", "the answer was lost")
    local now = 1700000000

    local function unknown(more)
      local row = queued("hi", more)
      settle(row, "unknown", nil, lost)
      return row
    end

    local function status(name)
      return { kind = "status", status = name or "delivered", id = "wamid.9" }
    end

    it("are told of", function()
      assert.is_false(store:has_unknown())
      unknown()
      assert.is_true(store:has_unknown())
    end)

    it("are settled by a status of their contact, with what was tracked", function()
      local row = unknown { track = { n = 3 } }
      assert.are.same({ n = 3 }, store:settle_unknown(contact, status(), now + 60, now - 60))
      assert.are.same({ "delivered", "wamid.9" }, { store:message_state(row.id) })
      assert.is_false(store:has_unknown())
    end)

    it("are settled by no status when there are two of them", function()
      unknown()
      unknown()
      assert.is_nil(store:settle_unknown(contact, status(), now + 60, now - 60))
      assert.is_true(store:has_unknown())
    end)

    it("are settled by no status of somebody else, or of another time", function()
      unknown()
      assert.is_nil(store:settle_unknown("1:2", status(), now + 60, now - 60))
      assert.is_nil(store:settle_unknown(contact, status(), now - 1, now - 60))
      assert.is_nil(store:settle_unknown(contact, status(), now + 60, now + 1))
    end)

    it("keep the time at which they were sent, where a crash left them so", function()
      local row = queued()
      row.lost_at = now - 600
      settle(row, "unknown", nil, lost)
      assert.equal(now - 600, store:find_message(row.id).changed_at)
    end)
  end)
end)
