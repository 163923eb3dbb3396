-- SPDX-License-Identifier: MIT
-- The runs that wait in memory: a bounded number, each for a bounded time. That nobody notices is in spec/dialog/parked_spec.lua.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local resident = require "cunnekt.dialog.engine.resident"

describe("the runs in memory", function()
  local time, dropped

  before_each(function()
    time, dropped = clock.virtual():install(), {}
  end)

  after_each(function()
    time:uninstall()
  end)

  local function run(id)
    return {
      id = id,
      contact = "1:" .. id,
      drop = function(self)
        dropped[#dropped + 1] = self.id
      end,
    }
  end

  local function fill(its_resident, first, last)
    for id = first, last do
      its_resident:add(run(id))
    end
  end

  it("are found by their ids", function()
    local its_resident, one = resident.new(10, 60), run(7)
    its_resident:add(one)
    assert.equal(one, its_resident:find(7))
    assert.is_nil(its_resident:find(8))
    assert.equal(1, its_resident:count())
    its_resident:evict_all()
  end)

  it("are known as the only one of a conversation until there is another one", function()
    local its_resident, one, other = resident.new(10, 60), run(7), run(8)
    other.contact = one.contact
    its_resident:add(one)
    assert.is_nil(its_resident:only_of(one.contact))
    its_resident:note_only(7, 5)
    assert.equal(one, its_resident:only_of(one.contact))
    assert.equal(5, one.asked)
    its_resident:add(other)
    assert.is_nil(its_resident:only_of(one.contact))
    its_resident:evict(8)
    its_resident:note_only(7, 5) -- which of several it was is not known any more
    assert.is_nil(its_resident:only_of(one.contact))
    its_resident:evict_all()
    assert.is_false(its_resident:has_any_of(one.contact))
  end)

  it("are so many: the one that has waited longest leaves", function()
    local its_resident = resident.new(3, 60)
    fill(its_resident, 1, 5)
    assert.are.same({ 1, 2 }, dropped)
    assert.equal(3, its_resident:count())
    its_resident:evict_all()
  end)

  it("count from their last step", function()
    local its_resident = resident.new(3, 60)
    fill(its_resident, 1, 3)
    local first = its_resident:find(1)
    its_resident:take(first)
    assert.is_nil(its_resident:find(1))
    its_resident:add(first)
    fill(its_resident, 4, 4)
    assert.are.same({ 2 }, dropped)
    its_resident:evict_all()
  end)

  it("that continue are not dropped", function()
    local its_resident = resident.new(3, 60)
    fill(its_resident, 1, 1)
    its_resident:take(its_resident:find(1))
    time:advance(1000)
    assert.are.same({ {}, 0 }, { dropped, its_resident:count() })
  end)

  it("leave when they have been here long enough, each in its time", function()
    local its_resident = resident.new(10, 60)
    for id = 1, 3 do
      its_resident:add(run(id))
      time:advance(20)
    end
    assert.are.same({ 1 }, dropped)
    time:advance(19)
    assert.are.same({ 1 }, dropped)
    time:advance(1)
    assert.are.same({ 1, 2 }, dropped)
    time:advance(20)
    assert.are.same({ 1, 2, 3 }, dropped)
  end)

  it("leave by name, if they are here", function()
    local its_resident = resident.new(10, 60)
    fill(its_resident, 1, 3)
    its_resident:evict(2)
    its_resident:evict(2)
    its_resident:evict(99)
    assert.are.same({ { 2 }, 2 }, { dropped, its_resident:count() })
    its_resident:evict_all()
    assert.are.same({ 2, 1, 3 }, dropped)
  end)

  it("may stay for any time, and for none", function()
    local long = resident.new(10, math.huge)
    fill(long, 1, 1)
    time:advance(1e6)
    assert.equal(1, long:count())
    long:evict_all()
    dropped = {}
    local short = resident.new(10, 0)
    fill(short, 2, 2)
    time:advance(0)
    assert.are.same({ 2 }, dropped)
  end)

  it("keep the loop going for nothing once all have left", function()
    local its_resident = resident.new(10, 60)
    local before = core.counts().timers
    fill(its_resident, 1, 5)
    its_resident:evict_all()
    assert.equal(before, core.counts().timers)
    fill(its_resident, 6, 6)
    time:advance(60)
    assert.are.same({ 1, 2, 3, 4, 5, 6 }, dropped)
  end)

  it("are thousands, in order, whichever leave in between", function()
    local its_resident = resident.new(5000, 60)
    fill(its_resident, 1, 5000)
    for id = 2, 5000, 2 do
      its_resident:evict(id)
    end
    dropped = {}
    its_resident:evict_all()
    assert.equal(2500, #dropped)
    for i, id in ipairs(dropped) do
      assert.equal(2 * i - 1, id)
    end
  end)
end)
