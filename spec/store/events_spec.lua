-- SPDX-License-Identifier: MIT
-- Events in the store: accepted once, read again, tried again, set aside.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local rig = require "spec.support.rigs.store_rig"

local day = 86400
local contact = "1:919999999999"
local record, accept = rig.record, rig.accept

describe("events of the store", function()
  local store

  rig.open_for_each(function(its_store)
    store = its_store
  end)

  it("get numbers in the order of their acceptance", function()
    local records = { record(contact, "a"), record("1:2", "b"), record(contact, "c") }
    assert.are.same(records, accept(store, records))
    assert.are.same({ 1, 2, 3 }, { records[1].seq, records[2].seq, records[3].seq })
  end)

  it("are accepted in none at all", function()
    assert.are.same({}, accept(store, {}))
    assert.equal(1, accept(store, { record(contact, "a") })[1].seq)
  end)

  it("keep every byte of their bodies", function()
    local bodies = { "", "\0", "a\0b\xff", ("x\0"):rep(1500000) }
    for i, body in ipairs(bodies) do
      accept(store, { record(contact, body) })
      assert.is_true(store:event_body(i) == body)
    end
  end)

  it("that are gone have no body", function()
    assert.are.same({ nil, nil }, { store:event_body(7) })
  end)

  it("with a key that was seen are accepted once", function()
    local first = accept(store, { record(contact, "a", { dedupe_key = "m:1:x" }) })
    local again = accept(store, { record(contact, "a", { dedupe_key = "m:1:x" }) })
    assert.are.same({ 1, 0 }, { #first, #again })
    assert.equal(1, #store:pending())
  end)

  it("with the same key in one body are accepted once", function()
    local twice = { record(contact, "a", { dedupe_key = "m:1:x" }), record(contact, "b", { dedupe_key = "m:1:x" }) }
    assert.are.same({ twice[1] }, accept(store, twice))
  end)

  it("whose keys have the first half of their digest in common are both accepted", function()
    local hash, rest = core.hash_halves "m:1:x"
    rig.run(store, { "INSERT INTO seen VALUES (?, ?, 0)", hash, rest + 1 })
    assert.equal(1, #accept(store, { record(contact, "a", { dedupe_key = "m:1:x" }) }))
  end)

  it("move the message on that they are about, once, and never back", function()
    rig.run(store, {
      "INSERT INTO sent (hash, message_id, contact, rank, day, outbox) VALUES (?, ?, ?, 0, 0, 1)",
      (core.hash_halves "wamid.1"), "wamid.1", contact,
    })
    local function status(name, key)
      local event = { kind = "status", status = name, id = "wamid.1" }
      accept(store, { record(contact, name, { dedupe_key = key or name, event = event }) })
      return store:message_state(1)
    end
    assert.equal("delivered", status "delivered")
    assert.equal("delivered", status "sent")
    assert.equal("delivered", status("read", "sent"), "a repeated status counted")
    assert.equal("delivered", status "warned")
  end)

  it("in a body of thousands are accepted in one answer, in order", function()
    local records = {}
    for i = 1, 2500 do
      records[i] = record("1:" .. i % 7, ("%d\0"):format(i), { dedupe_key = "m:1:" .. (i == 2500 and 1 or i) })
    end
    local fresh, err, calls = accept(store, records)
    assert.is_nil(err)
    assert.equal(1, calls)
    assert.equal(2499, #fresh)
    for i, one in ipairs(fresh) do
      assert.equal(records[i], one)
    end
  end)

  -- Each thousand of them is a job of its own. Where a job was refused at once, every one of the first counted as the last:
  -- the webhook was answered several times, and the inbox counted its room several times.
  it("in a body of thousands are refused in one answer by a store that is closed", function()
    store:close()
    local records = {}
    for i = 1, 2500 do
      records[i] = record(contact, "x")
    end
    local fresh, err, calls = accept(store, records)
    assert.are.same({}, fresh)
    assert.equal("store", err.kind)
    assert.equal(1, calls)
  end)

  it("that were not finished are pending, in order, without their bodies", function()
    accept(store, { record(contact, "a"), record("1:2", "b") })
    store:note_attempt { seq = 2, attempts = 3 }
    assert.are.same({
      { seq = 1, contact = contact, attempts = 0 }, { seq = 2, contact = "1:2", attempts = 3 },
    }, store:pending())
  end)

  it("that were not finished are all found, however many there are", function()
    rig.run(store, {
      [[WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001)
        INSERT INTO event (seq, contact, body) SELECT i, X'31', X'' FROM n]],
    })
    local pending = store:pending()
    assert.equal(20001, #pending)
    assert.equal(20001, pending[20001].seq)
  end)

  it("that are set aside keep why, when and after how many tries, with those that were joined", function()
    local records = { record(contact, "a"), record(contact, "b"), record(contact, "c") }
    accept(store, records)
    records[1].joined, records[1].attempts = { records[2] }, 5
    store:bury(records[1], errors.new("handler", "no luck", { traceback = "a trace" }))
    local dead = store:list_events("dead", {}, true)
    assert.are.same({ "a", "b" }, { dead[1].body, dead[2].body })
    for _, one in ipairs(dead) do
      assert.are.same({ "a trace", 5, 1700000000 }, { one.error, one.attempts, one.failed_at })
    end
    assert.are.same({ { seq = 3, contact = contact, attempts = 0 } }, store:pending())
  end)

  it("of our own are stored at once", function()
    local own = record(contact, "\1{}")
    assert(store:put_own(own))
    assert.equal("\1{}", store:event_body(own.seq))
  end)

  it("are refused with an error by a store that is closed", function()
    store:close()
    local ok, err = store:put_own(record(contact, "x"))
    assert.are.same({ nil, "store" }, { ok, err.kind })
    assert.are.same({ nil, "store" }, { store:pending(), select(2, store:pending()).kind })
    assert.equal("store", select(2, store:event_body(1)).kind)
  end)

  describe("for windows that close", function()
    local function watch(who, last_inbound, before)
      rig.run(store, { "INSERT INTO conversation (contact, last_inbound, watch) VALUES (?, ?, ?)", who, last_inbound, before })
    end

    local function closing()
      local seen = {}
      local records = assert(store:closing_windows(function(who, ends_at)
        seen[#seen + 1] = { who, ends_at }
        return record(who, "\1" .. json.encode { who })
      end))
      return records, seen
    end

    it("are made when it is time, with the window's end", function()
      watch(contact, clock.now() - day + 60, 60)
      watch("1:2", clock.now() - day + 61, 60)
      local records, seen = closing()
      assert.are.same({ { contact, clock.now() + 60 } }, seen)
      assert.equal(records[1].body, store:event_body(records[1].seq))
    end)

    it("are made once", function()
      watch(contact, clock.now() - day, 60)
      closing()
      assert.are.same({}, (closing()))
    end)

    it("are made for none that is not watched", function()
      watch(contact, clock.now() - day, nil)
      assert.are.same({}, (closing()))
    end)
  end)
end)
