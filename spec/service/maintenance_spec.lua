-- SPDX-License-Identifier: MIT
-- What a serving bot does now and then: it tells of windows that end soon, and removes old rows. What goes is in
-- spec/store/sweep_spec.lua.

local errors = require "cunnekt.base.errors"
local rig = require "spec.support.rigs.service_rig"
local store_rig = require "spec.support.rigs.store_rig"

local hour, day = 3600, 86400

describe("maintenance", function()
  local it_, told

  before_each(function()
    it_, told = rig.new(), {}
  end)

  after_each(function()
    it_:close()
  end)

  local function serve(opts)
    return it_:serve(function(bot)
      bot:on("text", function(msg)
        msg.chat:watch_window(hour)
      end)
      bot:on("window_closing", function(event)
        told[#told + 1] = { event.recipient, event.ends_at, event.chat.to }
      end)
    end, opts)
  end

  it("tells once of a window that ends soon", function()
    serve()
    it_:say "x"
    it_:settle()
    it_:pass(22 * hour, hour)
    assert.are.same({}, told)
    it_:pass(2 * hour, 60)
    assert.are.same({ { rig.customer, rig.start + day, rig.customer } }, told)
  end)

  it("tells within half a minute", function()
    serve()
    it_:say "x"
    it_:settle()
    it_.clock:advance(23 * hour - 30)
    it_:settle()
    it_:pass(60, 10)
    assert.equal(1, #told)
  end)

  it("tells of a window whose time came while nothing ran", function()
    serve()
    it_:say "x"
    it_:settle()
    it_:stop()
    it_.clock:advance(23.5 * hour)
    serve()
    it_:pass(40, 10)
    assert.equal(1, #told)
  end)

  it("goes on when the store cannot be read, and says so", function()
    serve()
    it_:say "x"
    it_:settle()
    local query = it_.service.store.query
    it_.service.store.query = function(self, what, parameters)
      if what == "closing_windows" then
        return nil, errors.new("store", "no disk")
      end
      return query(self, what, parameters)
    end
    it_:pass(23 * hour + 60, hour)
    assert.matches("service windows could not be checked: no disk", it_.lines[1])
    it_.service.store.query = nil
    it_:pass(60, 10)
    assert.equal(1, #told)
  end)

  local function seen()
    return store_rig.counts(it_.service.store).seen
  end

  -- An event that was seen long ago.
  local function see_old()
    local old = { id = 1000000, contact = "1:2", body = "{}", key = "old" }
    assert(it_.service.store:call("accept", { events = { old }, now = 0 }))
  end

  it("removes old rows every hour", function()
    serve()
    it_:say "x"
    it_:settle()
    it_.clock:advance(40 * day)
    it_:say "y"
    assert.equal(2, seen())
    it_:pass(2 * hour, 60)
    assert.equal(1, seen())
  end)

  it("removes nothing before an event has told the time", function()
    serve()
    see_old()
    it_:pass(3 * hour, 600)
    assert.equal(1, seen())
  end)

  it("goes on when the store cannot be swept, and says so", function()
    serve()
    it_:say "x"
    it_:settle()
    it_.service.store.sweep = function()
      return nil, errors.new("store", "no disk")
    end
    it_:pass(hour + 60, 600)
    assert.matches("old rows could not be removed: no disk", it_.lines[1])
    it_.service.store.sweep = nil
    see_old()
    it_:pass(2 * hour, 60)
    assert.equal(1, seen())
  end)

  it("stops with its bot", function()
    serve()
    local calls = 0
    local its_store = it_.service.store
    it_:stop()
    its_store.query = function()
      calls = calls + 1
    end
    its_store.sweep = its_store.query
    it_.clock:advance(day)
    assert.equal(0, calls)
  end)
end)
