-- SPDX-License-Identifier: MIT
-- Two conversations that turn out to be one person's, in the engine: what waits in memory for one is the other's, in order, and
-- begins when what was under way has ended.

local core = require "cunnekt.core"
local engine_rig = require "spec.support.rigs.engine_rig"
local json = require "cunnekt.base.json"

describe("lanes that are joined", function()
  local it_, started, done_of

  before_each(function()
    started, done_of = {}, {}
    it_ = core.lanes(10, function(item, done)
      started[#started + 1] = item.n
      done_of[item.n] = done
    end)
  end)

  local function push(key, ...)
    for _, n in ipairs { ... } do
      it_:push(key, { n = n, key = key })
    end
  end

  local function join(from, to)
    it_:join(from, to, function(a, b)
      return a.n < b.n
    end, function(item)
      item.key = to
    end)
  end

  -- Ends what is under way, one after the other, until nothing is left.
  local function finish()
    local i = 1
    while started[i] do
      done_of[started[i]]()
      i = i + 1
    end
  end

  it("are one, in order, after what was under way in both", function()
    push("a", 2, 4, 6)
    push("b", 1, 3, 7)
    assert.are.same({ 2, 1 }, started)
    join("b", "a")
    done_of[2]()
    assert.are.same({ 2, 1 }, started)
    done_of[1]()
    assert.are.same({ 2, 1, 3 }, started)
    finish()
    assert.are.same({ 2, 1, 3, 4, 6, 7 }, started)
    assert.are.same({ 0, 0, nil, nil }, { it_:count(), it_:active(), it_:lane "a", it_:lane "b" })
  end)

  it("are one also where the other one is new, or has nothing", function()
    push("b", 1, 3)
    join("b", "a")
    push("a", 5)
    join("c", "a")
    assert.are.same({ 1 }, started)
    finish()
    assert.are.same({ 1, 3, 5 }, started)
    assert.equal(0, it_:count())
  end)

  it("wait for the last of several that are under way", function()
    push("b", 1)
    push("c", 2)
    join("b", "a")
    join("c", "a")
    push("a", 3)
    done_of[1]()
    assert.are.same({ 1, 2 }, started)
    done_of[2]()
    assert.are.same({ 1, 2, 3 }, started)
  end)

  it("wait for one that is tried again", function()
    local time <close> = require("cunnekt.time.clock").virtual(0):install()
    push("b", 1)
    join("b", "a")
    push("a", 2)
    done_of[1](5)
    assert.are.same({ 1 }, started)
    time:advance(6)
    assert.are.same({ 1, 1 }, started)
    done_of[1]()
    assert.are.same({ 1, 1, 2 }, started)
  end)

  it("wait for one that is reserved", function()
    assert.is_true(it_:reserve "b")
    join("b", "a")
    push("a", 2)
    assert.are.same({}, started)
    it_:start_reserved("b", { n = 1 })
    assert.are.same({ 1 }, started)
    done_of[1]()
    assert.are.same({ 1, 2 }, started)
    assert.is_true(it_:reserve "c")
    join("c", "d")
    push("d", 3)
    it_:release "c"
    assert.are.same({ 1, 2, 3 }, started)
  end)

  it("take along what waits behind a reservation", function()
    assert.is_true(it_:reserve "b")
    push("b", 2)
    join("b", "a")
    push("a", 3)
    it_:start_reserved("b", { n = 1 })
    assert.are.same({ 1 }, started)
    finish()
    assert.are.same({ 1, 2, 3 }, started)
    assert.equal(0, it_:count())
  end)

  it("wait for a try that itself has to wait for a third one", function()
    local time <close> = require("cunnekt.time.clock").virtual(0):install()
    push("b", 1)
    join("b", "a")
    push("a", 9)
    push("c", 2)
    done_of[1](5)
    join("c", "b")
    time:advance(6)
    assert.are.same({ 1, 2 }, started)
    done_of[2]()
    assert.are.same({ 1, 2, 1 }, started)
    done_of[1]()
    assert.are.same({ 1, 2, 1, 9 }, started)
  end)

  it("stay as they are when they are one already", function()
    push("a", 1, 2)
    join("a", "a")
    finish()
    assert.are.same({ 1, 2 }, started)
  end)

  it("may be joined to a third one while they wait", function()
    push("c", 1, 5)
    join("c", "b")
    push("b", 6)
    join("b", "a")
    push("a", 7)
    assert.are.same({ 1 }, started)
    finish()
    assert.are.same({ 1, 5, 6, 7 }, started)
    assert.are.same({ 0, nil, nil, nil }, { it_:count(), it_:lane "a", it_:lane "b", it_:lane "c" })
  end)

  it("keep who had a key before apart from who has it now", function()
    local time <close> = require("cunnekt.time.clock").virtual(0):install()
    push("b", 1)
    join("b", "a")
    push("a", 4)
    push("b", 2, 3) -- somebody else's
    done_of[1](5)
    join("b", "c")
    assert.are.same({ 1, 2 }, started)
    finish()
    time:advance(6)
    finish()
    assert.are.same({ 1, 2, 3, 1, 4 }, started)
    assert.are.same({ 0, nil, nil, nil }, { it_:count(), it_:lane "a", it_:lane "b", it_:lane "c" })
  end)

  it("leave nothing behind that keeps what comes later", function()
    push("b", 1)
    join("b", "a")
    done_of[1]()
    assert.are.same({ 0, nil, nil }, { it_:count(), it_:lane "a", it_:lane "b" })
    push("a", 2)
    push("b", 3)
    assert.are.same({ 1, 2, 3 }, started)
  end)

  it("take with them what waits for a slot, and what waits for its next try", function()
    local few = core.lanes(1, function(item, done)
      started[#started + 1] = item.n
      done_of[item.n] = done
    end)
    it_ = few
    push("x", 0)
    push("b", 2)
    push("a", 1, 3)
    join("b", "a")
    finish()
    assert.are.same({ 0, 1, 2, 3 }, started)
  end)
end)

describe("an engine whose conversations are joined", function()
  local it_
  local number, user_id = "1:919999999999", "1:IN.1"

  before_each(function()
    it_ = engine_rig.new { sends = 4 }
  end)

  after_each(function()
    it_:close()
  end)

  local function body(from, text, with_id)
    return json.encode {
      metadata = { phone_number_id = "1" },
      messages = {
        {
          type = "text", id = "wamid." .. text, timestamp = "1700000000", text = { body = text }, from = from,
          from_user_id = (with_id or not from) and "IN.1" or nil,
        },
      },
    }
  end

  local function accept(its_body)
    local is_done = false
    assert(it_.inbox:accept(its_body, function(err)
      assert.is_nil(err)
      is_done = true
    end))
    it_:step_until(function()
      return is_done
    end, "the events")
  end

  it("sends what waits for either, in order, after what is being sent", function()
    it_:hold(2)
    for i = 1, 3 do
      it_:send(it_:row(user_id, "a" .. i))
      it_:send(it_:row(number, "b" .. i))
    end
    assert.are.same({ "a1", "b1" }, it_:texts())
    accept(body("919999999999", "x", true))
    assert.are.same({ { from = user_id, to = number } }, it_.heard.joins)
    it_.held[1]()
    it_:step_until(function()
      return it_.outbox:active() == 1
    end, "one")
    assert.are.same({ "a1", "b1" }, it_:texts())
    it_.held[2]()
    it_:settle()
    assert.are.same({ "a1", "b1", "a2", "b2", "a3", "b3" }, it_:texts())
    assert.equal(0, it_.outbox:count())
  end)

  it("sends what waits for either beyond what memory holds", function()
    it_:hold(2)
    local rows = { {}, {} }
    for i = 1, 60 do
      rows[1][i], rows[2][i] = it_:row(user_id, "a" .. i), it_:row(number, "b" .. i)
    end
    it_:send(table.unpack(rows[1]))
    it_:send(table.unpack(rows[2]))
    accept(body("919999999999", "x", true))
    it_.held[1]()
    it_.held[2]()
    it_:step_until(function()
      return #it_.delivered == 120
    end, "all")
    local at = { a = 0, b = 0 }
    for _, text in ipairs(it_:texts()) do
      local whose, n = text:match "(%a)(%d+)"
      assert.equal(at[whose] + 1, tonumber(n), text)
      at[whose] = at[whose] + 1
    end
    it_:settle()
    assert.equal(0, it_.outbox:count())
  end)
end)
