-- SPDX-License-Identifier: MIT
-- When messages are sent: permits, bulk messages behind the others, and messages with a time.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local limiter = require "cunnekt.provider.limiter"
local recovery = require "cunnekt.store.recovery"
local send_times = require "cunnekt.engine.send_times"

local contact, other = "1:919999999999", "1:918888888888"

describe("the times of a message", function()
  local it_, time

  before_each(function()
    -- 2023-11-14 22:13:20 UTC
    time = clock.virtual(1700000000):install()
    it_ = engine_rig.new()
  end)

  after_each(function()
    it_:close()
    time:uninstall()
  end)

  local function send(to, text, opts)
    local row = it_.outbox:new_row(to, { mobile = "919999999999", text = text, type = "text" }, opts, (send_times.read(opts)))
    it_:send(row)
    return row.handle
  end

  it("let it wait until it is due, and keep no event out meanwhile", function()
    send(contact, "later", { not_before = 1700000100 })
    send(contact, "now")
    it_:settle()
    assert.are.same({ "now" }, it_:texts())
    assert.equal(0, it_.outbox:burden())
    time:advance(99)
    it_:settle()
    assert.are.same({ "now" }, it_:texts())
    time:advance(1)
    it_:settle()
    assert.are.same({ "now", "later" }, it_:texts())
  end)

  it("make it expire where it could not be sent in time, which is an event of its own", function()
    it_:hold(1)
    send(contact, "first")
    local handle = send(contact, "second", { expires = 60 })
    time:advance(61)
    it_:let_go(1, 1)
    it_:settle()
    assert.are.same({ "first" }, it_:texts())
    assert.are.same({ "expired", "expired" }, { handle.state, handle.err.kind })
    assert.are.same({}, it_.heard.failures)
    assert.equal(0, #recovery.messages(it_.store))
  end)

  it("send it in some hours only, by the clock of a zone, across midnight as well", function()
    local day = { from = "09:00", to = "20:00", tz = "UTC" }
    assert.equal(1700038800, send_times.next_open(day, 1700000000)) -- 2023-11-15 09:00
    assert.equal(1700038800, send_times.next_open(day, 1700038800))
    assert.equal(1700078399, send_times.next_open(day, 1700078399)) -- 19:59:59
    assert.equal(1700125200, send_times.next_open(day, 1700078400)) -- 20:00: the next day
    local night = { from = "22:00", to = "06:00", tz = "UTC" }
    assert.equal(1700000000, send_times.next_open(night, 1700000000))
    assert.equal(1700085600, send_times.next_open(night, 1700028000)) -- 06:00
    send(contact, "x", { send_between = day })
    time:advance(38799)
    it_:settle()
    assert.are.same({}, it_:texts())
    time:advance(1)
    it_:settle()
    assert.are.same({ "x" }, it_:texts())
  end)

  it("make it expire in time where it cannot be sent in its hours by then", function()
    local hours = { from = "09:00", to = "10:00", tz = "UTC" }
    local first, second = send(contact, "a", { expires = 60, send_between = hours }), send(contact, "b", { expires = 38900, send_between = hours })
    it_:settle()
    time:advance(60)
    it_:settle()
    assert.are.same({ "expired", "queued" }, { first.state, second.state })
    time:advance(38740)
    it_:settle()
    assert.are.same({ { "b" }, "accepted" }, { it_:texts(), second.state })
  end)

  it("are refused where they make no sense", function()
    for name, value in pairs {
      expires = -1, not_before = 0 / 0, send_between = { from = "25:00", to = "1:00" },
    } do
      local times, err = send_times.read { [name] = value }
      assert.is_nil(times)
      assert.equal("invalid", err.kind)
      assert.matches(name, err.message)
    end
    local _, err = send_times.read { not_before = 3600 }
    assert.equal("not_before: it is a time in seconds since 1970; for seconds from now write os.time() + seconds", err.message)
    time:set_wall(60) -- a machine whose clock is not set yet
    assert.equal(3600, assert(send_times.read { not_before = 3600 }).due)
    time:set_wall(1700000000)
    assert.matches("unknown field 'form'", select(2, send_times.read { send_between = { form = "1:00", to = "2:00" } }).message)
    assert.matches("Nowhere", select(2, send_times.read { send_between = { from = "1:00", to = "2:00", tz = "Nowhere/Here" } }).message)
  end)

  -- Such a message was taken, and expired without a word.
  it("must leave time between not_before and expires", function()
    local _, err = send_times.read { not_before = 1700003600, expires = 10 }
    assert.equal("expires: it ends before not_before, so the message would never be sent", err.message)
    assert.is_table(send_times.read { not_before = 1700003600, expires = 3601 })
    assert.is_table(send_times.read { not_before = 1600000000, expires = 10 })
  end)
end)

describe("bulk messages", function()
  local it_

  before_each(function()
    it_ = engine_rig.new { sends = 4 }
  end)

  after_each(function()
    it_:close()
  end)

  local function send(to, text, opts)
    it_:send(it_.outbox:new_row(to, { mobile = "919999999999", text = text, type = "text" }, opts))
  end

  it("let the others pass, also to the same contact, and keep a least share", function()
    it_:hold(40)
    for i = 1, 20 do
      send("1:91777777" .. 1000 + i, "bulk " .. i, { priority = "bulk" })
    end
    assert.equal(3, #it_:texts()) -- they may have three of four slots
    send("1:917777771001", "reply")
    assert.are.same({ "bulk 1", "bulk 2", "bulk 3", "reply" }, it_:texts())
    for i = 1, 12 do
      send("1:91666666" .. 1000 + i, "other " .. i)
    end
    assert.equal(13, it_.outbox:burden())
    for i = 1, 10 do
      it_:let_go(i, 4 + i)
    end
    local bulk = 0
    for i = 5, 14 do
      bulk = bulk + (it_:texts()[i]:find "^bulk" and 1 or 0)
    end
    assert.is_true(bulk >= 1 and bulk <= 3, bulk .. " of ten")
  end)
end)

describe("a reply while 10,000 bulk messages wait at 80 a second", function()
  it("is sent within a second", function()
    local time = clock.virtual(1700000000):install()
    local it_ = engine_rig.new { sends = 256 }
    finally(function()
      it_:close()
      time:uninstall()
    end)
    local its_limiter = limiter.new { rate = 80, pair_rate = 0 }
    function it_.engine.client.take_permit(_, payload)
      return its_limiter:delay(payload.mobile)
    end
    function it_.engine.client.return_permit(_, payload)
      its_limiter:give_back(payload.mobile)
    end
    local rows = {}
    for i = 1, 10000 do
      local mobile = tostring(910000000000 + i)
      rows[i] = it_.outbox:new_row("1:" .. mobile, { mobile = mobile, text = "bulk", type = "text" }, { priority = "bulk" })
    end
    assert.is_nil(it_:turn(nil, function(current)
      for _, row in ipairs(rows) do
        current:send(row)
      end
    end))
    local function pass(seconds)
      local wanted = #it_.delivered + seconds * 80 - 2 -- a token may come with the next tick
      for _ = 1, seconds * 80 do
        time:advance(1 / 80)
      end
      it_:step_until(function()
        return #it_.delivered >= wanted
      end, "what fits into that time")
    end
    it_:step_until(function()
      return #it_.delivered >= 80
    end, "the burst")
    pass(1)
    assert.is_true(#it_.delivered < 200, #it_.delivered .. " bulk messages")
    it_:send(it_:row(contact, "reply"))
    local before = #it_.delivered
    local function find_place()
      for i = before + 1, #it_.delivered do
        if it_.delivered[i].text == "reply" then
          return i - before
        end
      end
      return nil
    end
    while not find_place() and #it_.delivered < before + 80 do
      pass(0.05)
    end
    assert.is_true((find_place() or 99) <= 5, "place " .. tostring(find_place()))
  end)
end)

describe("permits of the rate limits", function()
  local it_, permits, returned

  before_each(function()
    it_ = engine_rig.new()
    permits, returned = 0, 0
    function it_.engine.client.take_permit()
      if permits == 0 then
        return 1, true
      end
      permits = permits - 1
      return 0, false
    end
    function it_.engine.client.return_permit()
      permits, returned = permits + 1, returned + 1
    end
  end)

  after_each(function()
    it_:close()
  end)

  it("are needed before a message is marked as being sent", function()
    permits = 1
    it_:hold(1)
    it_:send(it_:row(contact, "a"), it_:row(other, "b"))
    local states = {}
    for _, row in ipairs(recovery.messages(it_.store)) do
      states[row.payload.text] = row.state
    end
    assert.are.same({ a = "sending", b = "queued" }, states)
    it_:let_go(1, 1)
  end)

  it("keep a contact's order: nothing is marked behind what was not", function()
    permits = 1
    it_:hold(1)
    local first, second = it_:row(contact, "a", { after = "delivered" }), it_:row(contact, "b")
    it_:send(first, second)
    it_:step_until(function()
      return it_:texts()[1]
    end, "a message")
    assert.are.same({ "a" }, it_:texts())
    it_:let_go(1, 1)
  end)

  it("are given back where the commit of the turn fails", function()
    permits = 1
    local commit_turn = it_.store.commit_turn
    function it_.store.commit_turn()
      return nil, require("cunnekt.base.errors").new("store", "full", { code = "full" })
    end
    local row = it_:row(contact, "a")
    it_.turns:within(function(current)
      current:send(row)
    end)
    it_.store.commit_turn = commit_turn
    assert.are.same({ 1, 1 }, { permits, returned })
    assert.equal(0, it_.outbox:active())
  end)
end)
