-- SPDX-License-Identifier: MIT
-- The clock that everything asks. A virtual one moves only when it is told to, for Lua and for the C core alike: the
-- deadlines here are of half a minute and more, and none of these tests waits.
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"
local wire = require "spec.support.wire"

local virtual

before_each(function()
  virtual = clock.virtual(1000):install()
end)

after_each(function()
  virtual:uninstall()
end)

-- Lets sockets have their turn, for as long as what is under way between two of this process takes.
local function settle()
  for _ = 1, 40 do
    local tick = core.real_timer(0.0005, function() end)
    core.step(true)
    tick:close()
  end
end

describe("a virtual clock", function()
  it("stands still until it is moved", function()
    assert.are.same({ 1000, 0 }, { clock.now(), clock.monotonic() })
    virtual:advance(2.5)
    assert.are.same({ 1002.5, 2.5 }, { clock.now(), clock.monotonic() })
  end)

  it("has a wall clock that can be set alone", function()
    virtual:set_wall(500)
    virtual:advance(1)
    assert.are.same({ 501, 1 }, { clock.now(), clock.monotonic() })
  end)

  it("begins in 2023 when it is not told when", function()
    clock.virtual():install()
    assert.are.equal(1700000000, clock.now())
  end)

  it("leaves nothing to chance", function()
    assert.are.equal(0.5, clock.random())
    virtual:uninstall()
    assert.are_not.equal(clock.random(), clock.random())
  end)

  it("does nothing until it is installed, and gives way to another", function()
    local other = clock.virtual(5000)
    assert.are.equal(1000, clock.now())
    other:advance(10)
    assert.are.equal(1000, clock.now())
    assert.are.equal(other, other:install())
    assert.are.equal(5010, clock.now())
    virtual:install()
    assert.are.equal(1000, clock.now())
  end)

  it("gives the system's clock back", function()
    virtual:uninstall()
    assert.is_true(clock.now() > 1600000000)
    assert.is_true(clock.monotonic() > 0)
    local fired
    clock.after(0.001, function() fired = true end)
    wire.step_until(function() return fired end)
  end)
end)

describe("timers of a virtual clock", function()
  local fired

  before_each(function()
    fired = {}
  end)

  local function note(name, seconds)
    return clock.after(seconds, function()
      fired[#fired + 1] = ("%s@%g"):format(name, clock.monotonic())
    end)
  end

  it("fire in the order of their time, each at its own, and of one time in the order of their start", function()
    note("c", 3)
    note("a", 1)
    note("b1", 2)
    note("b2", 2)
    note("now", -1)
    assert.are.same({}, fired)
    virtual:advance(0)
    assert.are.same({ "now@0" }, fired)
    virtual:advance(3)
    assert.are.same({ "now@0", "a@1", "b1@2", "b2@2", "c@3" }, fired)
  end)

  it("wait for their time, however often the clock is moved", function()
    note("a", 1)
    virtual:advance(0.5)
    virtual:advance(0.25)
    assert.are.same({}, fired)
    virtual:advance(0.25)
    assert.are.same({ "a@1" }, fired)
    virtual:advance(100)
    assert.are.same({ "a@1" }, fired)
  end)

  it("that are started by another fire in the same advance, when they fall due", function()
    clock.after(1, function()
      note("soon", 0)
      note("later", 1)
      note("much later", 5)
    end)
    note("between", 1.5)
    virtual:advance(3)
    assert.are.same({ "soon@1", "between@1.5", "later@2" }, fired)
    virtual:advance(3)
    assert.are.equal("much later@6", fired[4])
  end)

  it("can close each other, and themselves, any number of times", function()
    local own
    local second = note("second", 2)
    clock.after(1, function()
      second:close()
      second:close()
    end)
    own = clock.after(3, function()
      own:close()
      fired[#fired + 1] = "own"
    end)
    virtual:advance(5)
    own:close()
    assert.are.same({ "own" }, fired)
  end)

  it("are in order when there are many, and some are closed", function()
    local timers, times, last = {}, 0, -1
    for i = 1, 2000 do
      local due = (i * 7919) % 1009
      timers[i] = clock.after(due, function()
        assert(clock.monotonic() == due and due >= last)
        last, times = due, times + 1
      end)
    end
    for i = 1, 2000, 3 do
      timers[i]:close()
    end
    virtual:advance(500)
    assert.is_true(times > 0 and times < 1333)
    virtual:advance(600)
    assert.are.equal(1333, times)
  end)

  it("give their error to whoever moves the clock, and leave it there", function()
    clock.after(1, function() error("broken", 0) end)
    note("after", 2)
    assert.has_error(function() virtual:advance(10) end, "broken")
    assert.are.equal(1, clock.monotonic())
    virtual:advance(1)
    assert.are.same({ "after@2" }, fired)
  end)

  it("stay with their clock when another is installed", function()
    note("first", 5)
    local other = clock.virtual():install()
    note("second", 1)
    other:advance(100)
    assert.are.same({ "second@1" }, fired)
    virtual:install()
    virtual:advance(5)
    assert.are.same({ "second@1", "first@5" }, fired)
  end)

  it("keep nobody waiting: the loop has nothing to do", function()
    note("a", 5)
    assert.is_false(core.step(true))
    assert.are.equal(0, core.counts().timers)
  end)

  it("go with a clock that is dropped", function()
    local held = setmetatable({}, { __mode = "k" })
    do
      local dropped = clock.virtual():install()
      local big = {}
      held[big] = true
      clock.after(5, function() return big, dropped end)
      virtual:install()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(held))
  end)

  it("of the system's clock go on meanwhile", function()
    virtual:uninstall()
    note("before", 0.001)
    virtual:install()
    core.real_timer(0.002, function() fired[#fired + 1] = "real" end)
    wire.step_until(function() return #fired == 2 end)
    assert.are.same({ "before@0", "real" }, fired)
    assert.is_true(core.real_monotonic() > 0)
  end)
end)

describe("on a virtual clock", function()
  local listener

  local function listen(opts, on_request)
    listener = assert(core.listen(opts, on_request or function(exchange) exchange:answer(200) end))
    return listener:port()
  end

  after_each(function()
    if listener then
      listener:close()
    end
    listener = nil
  end)

  local function request(opts)
    local outcome = {}
    outcome.request = core.request(opts, function(...)
      outcome.got = { ... }
    end)
    return outcome
  end

  it("a request times out when the clock is moved, and not before", function()
    local held = {}
    local port = listen({}, function(exchange) held[#held + 1] = exchange end)
    local one = request { url = "http://127.0.0.1:" .. port, timeout_ms = 30000 }
    wire.step_until(function() return held[1] end)
    settle()
    virtual:advance(29.9)
    settle()
    assert.is_nil(one.got)
    virtual:advance(0.2)
    wire.step_until(function() return one.got end)
    assert.are.same({ nil, "timeout", "timed out after 30000 ms with 0 bytes of the answer; " ..
      "try again later, or allow more with the option timeout", true }, one.got)
  end)

  it("an answered request is not timed out later", function()
    local port = listen {}
    local one = request { url = "http://127.0.0.1:" .. port, timeout_ms = 30000 }
    wire.step_until(function() return one.got end)
    virtual:advance(3600)
    settle()
    assert.are.equal(200, one.got[1])
    assert.are.equal(0, core.counts().requests)
  end)

  it("a stream times out while it is read", function()
    local rest
    local port = listen({}, function(exchange) exchange:answer(200, ("x"):rep(1 << 20)) end)
    local one = request { url = "http://127.0.0.1:" .. port, timeout_ms = 30000, stream = true }
    wire.step_until(function() return one.got end)
    virtual:advance(31)
    local function read_on(chunk, kind)
      rest = kind
      if chunk then
        one.request:read(read_on)
      end
    end
    one.request:read(read_on)
    wire.step_until(function() return rest end)
    assert.are.equal("timeout", rest)
  end)

  it("a connection that does not come about times out", function()
    -- TLS with somebody who never speaks.
    local silent <close> = fault_server.start(nil, "stall")
    local one = request { url = "https" .. silent.url:sub(5), timeout_ms = 60000, connect_timeout_ms = 10000 }
    settle()
    virtual:advance(9.9)
    settle()
    assert.is_nil(one.got)
    virtual:advance(0.2)
    wire.step_until(function() return one.got end)
    assert.are.same({ nil, "timeout", "no connection within 10000 ms", false }, one.got)
  end)

  it("a client that says nothing is cut at its deadline", function()
    local port = listen { header_timeout_ms = 10000 }
    local client <close> = wire.connect(port)
    client:send "GET / HTTP/1.1\r\nX-"
    settle()
    virtual:advance(9.9)
    settle()
    assert.is_true(client:poll())
    virtual:advance(0.2)
    assert.matches("^HTTP/1.1 408 ", client:rest())
  end)

  it("an idle connection is closed at its deadline", function()
    local port = listen { idle_timeout_ms = 60000 }
    local client <close> = wire.connect(port)
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.are.equal(200, client:answer().status)
    virtual:advance(59)
    settle()
    assert.is_true(client:poll())
    virtual:advance(2)
    assert.are.equal("", client:rest())
  end)
end)
