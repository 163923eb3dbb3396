-- SPDX-License-Identifier: MIT
-- What a bot does with it is in spec/service/clock_jump_spec.lua.

local clock = require "cunnekt.time.clock"
local wall_clock = require "cunnekt.time.wall_clock"

describe("the time by which windows end", function()
  local virtual, wall
  local start = 1700000000

  before_each(function()
    virtual = clock.virtual(start):install()
    wall = wall_clock.new()
  end)

  after_each(function()
    virtual:uninstall()
  end)

  it("is the clock's, as long as nobody sets that", function()
    virtual:advance(100)
    assert.equal(start + 100, wall:now())
  end)

  it("does not go back with the clock", function()
    virtual:advance(100)
    virtual:set_wall(start - 7200)
    assert.equal(start + 100, wall:now())
    virtual:advance(10)
    assert.equal(start + 110, wall:now())
  end)

  it("goes back when an event confirms the new time", function()
    virtual:set_wall(start - 7200)
    wall:witness(start)
    assert.equal(start, wall:now())
    wall:witness(start - 7200)
    assert.equal(start - 7200, wall:now())
  end)

  it("is the clock's again when that has been put right", function()
    virtual:set_wall(start - 7200)
    wall:now()
    virtual:set_wall(start)
    assert.equal(start, wall:now())
  end)

  it("goes forward with the clock", function()
    virtual:set_wall(start + 7200)
    assert.equal(start + 7200, wall:now())
  end)
end)

describe("the time by which rows are deleted", function()
  local virtual, wall

  before_each(function()
    virtual = clock.virtual(1000000):install()
    wall = wall_clock.new()
  end)

  after_each(function()
    virtual:uninstall()
  end)

  it("is not known before the first event", function()
    assert.is_nil(wall:certain())
  end)

  it("is the clock's, but at most a day after the newest event", function()
    wall:witness(1000000)
    wall:witness(999000)
    virtual:advance(3600)
    assert.equal(1003600, wall:certain())
    virtual:set_wall(2000000)
    assert.equal(1086400, wall:certain())
  end)
end)
