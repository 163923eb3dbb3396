-- SPDX-License-Identifier: MIT
-- The inbox: events are stored, then handled in order, one at a time for each contact; with a real store, and a runner of
-- turns that the spec ends itself.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local counts = require "cunnekt.engine.counts"
local inbox = require "cunnekt.engine.inbox"
local json = require "cunnekt.base.json"
local record_of = require "cunnekt.engine.record"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"
local webhook = require "cunnekt.provider.webhook"

local contact, other_contact = "1:919999999999", "1:918888888888"

describe("inbox", function()
  local store, time, its_inbox, numbers, heard, running, order

  before_each(function()
    time = clock.virtual(1700000000):install()
    store = rig.open()
    numbers, heard, running, order = counts.new(), { statuses = {}, times = {} }, {}, {}
  end)

  after_each(function()
    its_inbox:stop()
    store:close()
    time:uninstall()
  end)

  local function new(opts)
    local options = {
      store = store, counts = numbers, concurrency = 10, capacity = 100, has_to_wait = true,
      outbox = {
        replies = { stored = 0 },
        on_status = function(_, status, record)
          table.insert(heard.statuses, { status.status, record.id })
          heard.record = record
        end,
      },
      wall_clock = {
        witness = function(_, timestamp)
          table.insert(heard.times, timestamp)
        end,
      },
    }
    for name, value in pairs(opts or {}) do
      options[name] = value
    end
    its_inbox = inbox.new(options)
    its_inbox:connect(function(record, done)
      order[#order + 1] = record.id
      running[record.id] = done
    end)
    return its_inbox
  end

  local function body_of(...)
    local messages = {}
    for i, message in ipairs { ... } do
      messages[i] = {
        id = message.id, from = message.from or "919999999999", timestamp = "1700000000", type = message.type or "text",
        text = { body = message.text or "hi" },
      }
    end
    return json.encode { metadata = { phone_number_id = "1" }, messages = messages }
  end

  local function accept(body)
    local is_done, err
    assert(its_inbox:accept(body, function(problem)
      is_done, err = true, problem
    end))
    while not is_done do
      core.step(true)
    end
    return err
  end

  local function finish(id, pause)
    local done = running[id]
    running[id] = nil
    done(pause)
  end

  -- ---- accepting ---------------------------------------------------------------------------------------------------

  it("stores events before their turns begin, and counts them", function()
    new()
    assert.is_nil(accept(body_of({ id = "a" }, { id = "b", from = "918888888888" })))
    assert.are.same({ 1, 2 }, order)
    assert.equal(2, #recovery.events(store))
    assert.are.same({ 2, 0 }, { numbers.events_accepted, numbers.events_deduplicated })
    assert.are.same({ 2, 2 }, { its_inbox:count(), its_inbox:active() })
  end)

  it("stores of a body with several events for each a body with this event alone", function()
    new()
    accept(body_of({ id = "a", text = "one" }, { id = "b", text = "two" }))
    local events = webhook.parse(store:event_body(2))
    assert.are.same({ 1, "two", "b" }, { #events, events[1].text, events[1].id })
  end)

  it("stores a body with one event as it came", function()
    new()
    local body = body_of { id = "a" } .. "\n \n"
    accept(body)
    assert.equal(body, store:event_body(1))
  end)

  it("handles what comes twice once", function()
    new()
    accept(body_of { id = "a" })
    assert.is_nil(accept(body_of { id = "a" }))
    assert.are.same({ 1 }, order)
    assert.are.same({ 1, 1 }, { numbers.events_accepted, numbers.events_deduplicated })
  end)

  it("says that it cannot store them, and handles none", function()
    new()
    store:close()
    local is_taken, err = its_inbox:accept("{}", function()
      error("it was called")
    end)
    assert.are.same({ nil, "store" }, { is_taken, err.kind })
    assert.are.same({}, order)
    assert.are.same({ 0, 0 }, { numbers.events_accepted, numbers.events_deduplicated })
    assert.is_true(its_inbox:has_room(100))
  end)

  it("answers the webhook before it begins a turn", function()
    new()
    local started_before
    local body = body_of { id = "a" }
    local is_done
    its_inbox:accept(body, function()
      started_before, is_done = #order, true
    end)
    while not is_done do
      core.step(true)
    end
    assert.are.same({ 0, 1 }, { started_before, #order })
  end)

  it("has room for so many, those included that are being stored", function()
    new { capacity = 3 }
    assert.is_true(its_inbox:has_room(3))
    local body, is_done = body_of({ id = "a" }, { id = "b" }), nil
    its_inbox:accept(body, function()
      is_done = true
    end)
    assert.are.same({ true, false }, { its_inbox:has_room(1), its_inbox:has_room(2) })
    while not is_done do
      core.step(true)
    end
    assert.are.same({ true, false }, { its_inbox:has_room(1), its_inbox:has_room(2) })
    finish(1)
    assert.is_true(its_inbox:has_room(2))
  end)

  it("passes statuses and times on at once", function()
    new()
    accept(json.encode {
      metadata = { phone_number_id = "1" },
      statuses = { { id = "wamid.1", status = "read", timestamp = "1700000007", recipient_id = "919999999999" } },
    })
    assert.are.same({ { "read", 1 } }, heard.statuses)
    assert.are.same({ 1700000007 }, heard.times)
  end)

  it("tells of a failed message how far it is, and why", function()
    new()
    accept(json.encode {
      metadata = { phone_number_id = "1" },
      statuses = { { id = "wamid.1", status = "failed", recipient_id = "919999999999", errors = { { title = "gone", code = 131026 } } } },
    })
    assert.are.same({ 9, "gone (code 131026)", false }, { heard.record.rank, heard.record.error, heard.record.is_applied })
  end)

  it("takes a body of an unknown form", function()
    new()
    accept '{"some":"\\u0000thing"}'
    assert.are.same({ 1 }, order)
  end)

  it("refuses what is no JSON, what holds too much, and what there is no room for", function()
    new { capacity = 1 }
    local function kind_of(body)
      local _, err = its_inbox:accept(body, function()
        error("it was called")
      end)
      return err.kind
    end
    assert.equal("invalid", kind_of "{")
    assert.equal("too_large", kind_of("[" .. ("0,"):rep(200000) .. "0]"))
    assert.equal("busy", kind_of(body_of({ id = "a" }, { id = "b" })))
    assert.equal(0, its_inbox:count())
  end)

  -- ---- order -------------------------------------------------------------------------------------------------------

  it("handles the events of a contact one after the other, and contacts side by side", function()
    new()
    accept(body_of({ id = "a" }, { id = "b" }, { id = "c", from = "918888888888" }))
    assert.are.same({ 1, 3 }, order)
    finish(1)
    assert.are.same({ 1, 3, 2 }, order)
  end)

  it("handles so many at once", function()
    new { concurrency = 1 }
    accept(body_of({ id = "a" }, { id = "b", from = "918888888888" }))
    assert.are.same({ 1 }, order)
    finish(1)
    assert.are.same({ 1, 2 }, order)
  end)

  it("begins nothing once it is stopped, and says when all is quiet", function()
    new()
    accept(body_of({ id = "a" }, { id = "b" }))
    its_inbox:stop()
    local quiet = 0
    its_inbox:when_quiet(function()
      quiet = quiet + 1
    end)
    assert.equal(0, quiet)
    finish(1)
    assert.are.same({ { 1 }, 1 }, { order, quiet })
  end)

  describe("with an event that is tried again", function()
    local function record_at(id)
      return { id = id, contact = contact, attempts = 1 }
    end

    it("lets the contact's later events wait for it", function()
      new()
      accept(body_of({ id = "a" }, { id = "b" }))
      its_inbox:try_later(record_at(1), 60, running[1])
      time:advance(59)
      assert.are.same({ 1 }, order)
      time:advance(1)
      assert.are.same({ 1, 1 }, order)
    end)

    it("lets them pass where they need not wait", function()
      new { has_to_wait = false }
      accept(body_of({ id = "a" }, { id = "b" }))
      its_inbox:try_later(record_at(1), 60, running[1])
      assert.are.same({ 1, 2 }, order)
      assert.equal(2, its_inbox:count())
      time:advance(60)
      assert.are.same({ 1, 2, 1 }, order)
    end)

    it("keeps one that fails again in the lane of its own", function()
      new { has_to_wait = false }
      accept(body_of({ id = "a" }, { id = "b" }))
      local record = record_at(1)
      its_inbox:try_later(record, 60, running[1])
      time:advance(60)
      its_inbox:try_later(record, 60, running[1])
      its_inbox:retry_now(1, contact)
      assert.are.same({ { 1, 2, 1, 1 }, 2 }, { order, its_inbox:count() })
      its_inbox:try_later(record, 60, running[1])
      its_inbox:stop()
      time:advance(60)
      assert.are.same({ 1, 2, 1, 1 }, order)
    end)

    for _, has_to_wait in ipairs { true, false } do
      it("tries it now when an operator says so: " .. tostring(has_to_wait), function()
        new { has_to_wait = has_to_wait }
        accept(body_of { id = "a" })
        its_inbox:try_later(record_at(1), 60, running[1])
        its_inbox:retry_now(99, contact)
        assert.are.same({ 1 }, order)
        its_inbox:retry_now(1, contact)
        assert.are.same({ 1, 1 }, order)
      end)
    end
  end)

  it("handles a dead letter that an operator retries before what waits", function()
    new()
    accept(body_of({ id = "a" }, { id = "b" }))
    its_inbox:retry_first(77, contact)
    finish(1)
    assert.are.same({ 1, 77 }, order)
    finish(77)
    assert.are.same({ 1, 77, 2 }, order)
  end)

  -- ---- reading -----------------------------------------------------------------------------------------------------

  describe("reading an event", function()
    local taken

    local function connect()
      its_inbox:connect(function(record)
        taken = record
      end)
    end

    it("gives the parsed one the first time, and one read anew the next", function()
      new()
      connect()
      accept(body_of { id = "a", text = "hi" })
      local first = its_inbox:take(taken)
      first.text = "changed by a handler"
      local again = its_inbox:take(taken)
      assert.are.same({ "hi", "a" }, { again.text, again.id })
      assert.equal(1700000000, taken.inbound_at)
    end)

    it("looks into the store where memory has only its place", function()
      new()
      accept(body_of { id = "a", text = "hi" })
      local event = its_inbox:take { id = 1, contact = contact }
      assert.equal("hi", event.text)
    end)

    it("gives nothing for one that is gone, and says when the store cannot be read", function()
      new()
      assert.are.same({}, { its_inbox:take { id = 9, contact = contact } })
      store:close()
      assert.equal("store", select(2, its_inbox:take { id = 9, contact = contact }).kind)
    end)

    it("finds nothing of a waiting one that was dropped", function()
      new()
      accept(body_of({ id = "a" }, { id = "b" }))
      assert.is_false(its_inbox:forget(1, contact))
      assert.is_true(its_inbox:forget(2, contact))
      assert.is_true(its_inbox:forget(99, contact))
      connect()
      store:repair("drop_pending_event", { ids = { 2 } })
      finish(1)
      assert.is_nil(its_inbox:take(taken))
    end)

    it("keeps no more than thousands of waiting ones in memory, and reads the others again", function()
      new { concurrency = 1, capacity = 3000 }
      local messages = {}
      for i = 1, 2100 do
        messages[i] = { id = "id " .. i, text = "text " .. i, from = ("91%010d"):format(i) }
      end
      accept(body_of(table.unpack(messages)))
      assert.equal(2100, its_inbox:count())
      local seen, without = {}, 0
      its_inbox:connect(function(record, done)
        without = without + (record.body and 0 or 1)
        seen[#seen + 1] = its_inbox:take(record).text
        done()
      end)
      finish(1)
      assert.equal(2099, #seen)
      assert.equal("text 2100", seen[2099])
      assert.equal(100, without)
    end)
  end)

  -- ---- texts that are joined -----------------------------------------------------------------------------------------

  describe("joining texts", function()
    local function yes()
      return true
    end

    local function accept_texts(...)
      local messages = {}
      for i, text in ipairs { ... } do
        messages[i] = { id = "id " .. i, text = text }
      end
      local first
      its_inbox:connect(function(record, done)
        first, running[record.id] = first or record, done
      end)
      accept(body_of(table.unpack(messages)))
      return first
    end

    it("takes those that wait into one event, and out of the queue", function()
      new()
      local record = accept_texts("I", "would", "like\0tea")
      local event = its_inbox:take(record)
      its_inbox:join(record, event, yes)
      assert.equal("I\nwould\nlike\0tea", event.text)
      assert.are.same({ 3, 2, 1 }, { #event.joined, #record.joined, its_inbox:count() })
      assert.are.same({ 2, 3 }, { record.joined[1].id, record.joined[2].id })
    end)

    it("stops at the first that does not fit, which stays in its place", function()
      new()
      local record = accept_texts("a", "b", "stop", "c")
      local event = its_inbox:take(record)
      its_inbox:join(record, event, function(it)
        return it.text ~= "stop"
      end)
      assert.equal("a\nb", event.text)
      assert.equal(3, its_inbox:count())
    end)

    it("joins them again in the same way for the next turn", function()
      new()
      local record = accept_texts("a", "b")
      its_inbox:join(record, its_inbox:take(record), yes)
      local event = its_inbox:take(record)
      its_inbox:join(record, event, yes)
      assert.equal("a\nb", event.text)
      assert.are.same({ 2, 1 }, { #event.joined, #record.joined })
      assert.equal("a\nb", record_of.read_bodies(record_of.bodies_of(record)).text)
    end)

    it("counts from the contact's last event how long it has been quiet", function()
      new()
      local record = accept_texts "a"
      time:advance(2)
      assert.equal(3, its_inbox:seconds_until_quiet(record, 5))
      accept(body_of { id = "later" })
      assert.equal(5, its_inbox:seconds_until_quiet(record, 5))
      time:advance(6)
      assert.equal(0, its_inbox:seconds_until_quiet(record, 5))
      assert.equal(0, its_inbox:seconds_until_quiet({ contact = other_contact }, 5))
    end)
  end)
end)
