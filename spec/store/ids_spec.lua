-- SPDX-License-Identifier: MIT
-- Ids from reserved blocks: one is there at once, and none is given twice. The blocks themselves are in the conformance suite.

local core = require "cunnekt.core"
local ids = require "cunnekt.store.ids"
local task = require "cunnekt.base.task"

describe("ids", function()
  local requests, next_first, mine

  before_each(function()
    requests, next_first = {}, 1000
    mine = ids.new(function(count, done)
      requests[#requests + 1] = { count = count, done = done }
    end)
  end)

  -- Answers the oldest request for a block. Blocks do not follow each other.
  local function answer(err)
    local request = table.remove(requests, 1)
    if err then
      return request.done(nil, err)
    end
    next_first = next_first + 100000
    request.done(next_first)
  end

  local function taker(count)
    local taken = {}
    mine:take(count, function(first, err)
      taken.first, taken.err, taken.times = first, err, (taken.times or 0) + 1
    end)
    return taken
  end

  it("wait for the first block, and are there at once then", function()
    local first = taker(1)
    assert.is_nil(first.first)
    answer()
    assert.equal(next_first, first.first)
    assert.equal(next_first + 1, taker(1).first)
  end)

  it("are each given once, in blocks that follow each other within one call, whatever is reserved when", function()
    local given, takers = {}, {}
    for i = 1, 3000 do
      takers[#takers + 1] = { count = i % 7 + 1, taken = taker(i % 7 + 1) }
      if i % 50 == 0 and requests[1] then
        answer()
      end
    end
    while requests[1] and not takers[#takers].taken.first do
      answer()
    end
    for _, one in ipairs(takers) do
      assert.equal(1, one.taken.times)
      for id = one.taken.first, one.taken.first + one.count - 1 do
        assert.is_nil(given[id])
        given[id] = true
      end
    end
  end)

  it("are reserved before they run out, so that nobody waits", function()
    taker(1)
    answer()
    for _ = 1, 20000 do
      assert.is_not_nil(taker(1).first)
      if requests[1] then
        answer()
      end
    end
  end)

  it("are reserved once at a time", function()
    for _ = 1, 50 do
      taker(10)
    end
    assert.equal(1, #requests)
  end)

  it("may be more than a block has", function()
    local taken = taker(5000)
    assert.is_true(requests[1].count >= 5000)
    answer()
    assert.equal(next_first, taken.first)
    assert.is_true(taker(1).first ~= taken.first)
  end)

  it("are taken in the order in which they were asked for", function()
    local order = {}
    for i = 1, 5 do
      mine:take(i == 1 and 900 or 1, function()
        order[#order + 1] = i
      end)
    end
    answer()
    assert.are.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("that cannot be reserved say so to those who wait, and the next one tries again", function()
    local one, other = taker(1), taker(2)
    answer "no luck"
    assert.are.same({ "no luck", "no luck" }, { one.err, other.err })
    local third = taker(1)
    answer()
    assert.equal(next_first, third.first)
  end)

  it("that cannot be reserved early trouble nobody", function()
    taker(1)
    answer()
    local count = 0
    while not requests[1] do
      count = count + 1
      assert.is_not_nil(taker(1).first)
    end
    answer "no luck"
    assert.is_not_nil(taker(1).first)
    assert.is_true(count > 10)
  end)

  -- For example, because memory is short. The next one who wants an id must not wait for a call that was never begun.
  it("are reserved by the next one, when a reservation could not be begun", function()
    local is_short = true
    local inner = mine._reserve
    function mine._reserve(...)
      if is_short then
        error("not enough memory", 0)
      end
      return inner(...)
    end
    for _ = 1, 2 do
      assert.has_error(function()
        taker(3)
      end, "not enough memory")
    end
    is_short = false
    local taken = taker(1)
    assert.equal(1, #requests)
    answer()
    assert.is_not_nil(taken.first)
    assert.equal(taken.first + 1, taker(1).first)
  end)

  it("are reserved again by those who hear at once that there are none", function()
    local refused = 0
    local inner = mine._reserve
    function mine._reserve(count, done)
      refused = refused + 1
      if refused == 1 then
        return done(nil, "busy")
      end
      return inner(count, done)
    end
    local again
    mine:take(1, function(_, err)
      assert.equal("busy", err)
      again = taker(1)
    end)
    taker(1)
    assert.equal(1, #requests)
    answer()
    assert.equal(next_first, again.first)
  end)

  it("are waited for by a task", function()
    local id
    local waiting = task.spawn(function()
      id = mine:next()
    end)
    assert.is_false(waiting.is_done or false)
    answer()
    while not waiting.is_done do
      core.step(false)
    end
    assert.equal(next_first, id)
    assert.equal(next_first + 1, mine:next())
  end)
end)
