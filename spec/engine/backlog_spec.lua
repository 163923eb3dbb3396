-- SPDX-License-Identifier: MIT
-- Messages that wait only in the store: memory holds some, and all are sent, once, in the order of their contact.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local records = require "cunnekt.store.records"
local recovery = require "cunnekt.store.recovery"

local function contact(n)
  return ("1:91%010d"):format(n)
end

describe("a backlog of messages", function()
  local it_

  before_each(function()
    it_ = engine_rig.new { sends = 4 }
  end)

  after_each(function()
    it_:close()
  end)

  -- Commits texts, numbered, in turns of at most a thousand.
  local function send(count, to, text, delivery)
    for first = 1, count, 1000 do
      local rows = {}
      for i = first, math.min(first + 999, count) do
        rows[#rows + 1] = it_:row(to(i), text:format(i), delivery)
      end
      it_:send(table.unpack(rows))
    end
  end

  local function in_memory()
    return it_.outbox._lanes:count()
  end

  local function let_all_go()
    for _, go in ipairs(it_.held) do
      go()
    end
  end

  local function reach(count)
    it_:step_until(function()
      return #it_.delivered >= count
    end, count .. " messages")
  end

  local function wait_for(count)
    reach(count)
    it_:settle()
  end

  it("of one contact is sent in order, and memory holds few of it", function()
    it_:hold(1)
    send(500, function() return contact(1) end, "%d")
    assert.is_true(in_memory() <= 25, in_memory() .. " in memory")
    assert.equal(500, it_.outbox:count())
    let_all_go()
    wait_for(500)
    local texts = it_:texts()
    for i = 1, 500 do
      assert.equal(tostring(i), texts[i])
    end
    assert.are.same({ 500, 0, 0 }, { #texts, it_.outbox:count(), it_.outbox:burden() })
  end)

  it("of many contacts is sent whole, and memory holds some of it", function()
    it_:hold(4)
    send(6000, contact, "%d")
    assert.is_true(in_memory() <= 4200, in_memory() .. " in memory")
    assert.equal(6000, it_.outbox:burden())
    let_all_go()
    wait_for(6000)
    local seen = {}
    for _, text in ipairs(it_:texts()) do
      assert.is_nil(seen[text], text)
      seen[text] = true
    end
    assert.are.same({ 6000, 0 }, { #it_.delivered, it_.outbox:count() })
  end)

  it("of bulk messages keeps no event out, and lets a reply pass", function()
    it_:hold(4)
    send(5000, contact, "%d", { priority = "bulk" })
    assert.is_true(in_memory() <= 3100, in_memory() .. " in memory")
    assert.equal(0, it_.outbox:burden())
    it_:send(it_:row(contact(4900), "reply"))
    assert.equal("reply", it_:texts()[4])
    let_all_go()
    wait_for(5001)
    assert.equal(0, it_.outbox:count())
  end)

  it("does not hold up a contact that is not in it", function()
    it_:hold(4)
    send(6000, function(i) return contact(i % 3) end, "%d") -- three lanes are busy
    it_:send(it_:row(contact(99), "other"))
    assert.equal("other", it_:texts()[4])
    let_all_go()
    wait_for(6001)
  end)

  describe("keeps the order of a contact that gets one more", function()
    -- What an earlier process left.
    local function leave(count, to)
      for i = 1, count do
        local row = it_:row(to(i), tostring(i))
        row.is_parked = true
        assert(it_.store:commit_turn { messages = { records.message(row) } })
      end
      it_.outbox:recover(assert(recovery.park(it_.store)), assert(recovery.count_parked(it_.store)))
    end

    local function place_of(text)
      for i, one in ipairs(it_:texts()) do
        if one == text then
          return i
        end
      end
    end

    it("while some of it is in memory", function()
      for i = 1, 14 do
        it_.answers[i] = { message_id = "wamid." .. i }
      end
      it_.answers[15] = "hold"
      send(50, function() return contact(1) end, "%d")
      reach(15)
      it_:send(it_:row(contact(1), "last"))
      assert.is_true(in_memory() < 20)
      let_all_go()
      wait_for(51)
      assert.equal(51, place_of "last")
    end)

    it("before any of it is in memory", function()
      leave(3, function() return contact(1) end)
      it_:send(it_:row(contact(1), "last"))
      wait_for(4)
      assert.equal(4, place_of "last")
    end)

    it("when some of it is on a page that was not read", function()
      it_:hold(4)
      leave(3000, function(i) return contact(i % 1500) end)
      reach(4)
      it_:send(it_:row(contact(600), "last"))
      let_all_go()
      wait_for(3001)
      assert.is_true(place_of "600" < place_of "2100" and place_of "2100" < place_of "last")
      assert.are.same({ 3001, 0 }, { #it_.delivered, it_.outbox:count() })
    end)
  end)

  it("is sent where an operator has dropped some of it", function()
    it_:hold(1)
    local rows = {}
    for i = 1, 100 do
      rows[i] = it_:row(contact(1), tostring(i))
    end
    it_:send(table.unpack(rows))
    assert.is_true(it_.outbox:drop(rows[60].id, contact(1)))
    it_.store:repair("drop_message", { ids = { rows[60].id } })
    let_all_go()
    wait_for(99)
    assert.are.same({ 99, 0 }, { #it_.delivered, it_.outbox:count() })
  end)

  it("waits while it cannot be read, and is sent then", function()
    local time <close> = clock.virtual(1700000000):install()
    it_:hold(1)
    send(100, function() return contact(1) end, "%d")
    local query, failures = it_.store.query, 0
    function it_.store.query(self, what, ...)
      if what == "parked_of" and failures < 2 then
        failures = failures + 1
        return nil, errors.new("store", "disk I/O error", { code = "io" })
      end
      return query(self, what, ...)
    end
    let_all_go()
    it_:step_until(function()
      time:advance(1)
      return #it_.delivered == 100
    end, "all")
    assert.equal(2, failures)
  end)
end)
