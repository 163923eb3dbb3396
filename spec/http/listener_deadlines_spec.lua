-- SPDX-License-Identifier: MIT
-- Deadlines of connections on a virtual clock: each is held to the moment of the step that it is for, although the timer behind
-- it may run for an earlier one.
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local wire = require "spec.support.wire"

local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

describe("a listener's deadline", function()
  local listener, time, held

  local function settle(client)
    for _ = 1, 50 do
      core.step(false)
    end
    return client:poll()
  end

  local function ask(client)
    client:send(GET)
    wire.step_until(function() return held end)
    return client
  end

  local function answer(client)
    held:answer(200, "ok")
    held = nil
    assert.equal(200, client:answer().status)
    settle(client) -- the library notices at its next run that the answer was taken
  end

  before_each(function()
    time, held = clock.virtual():install(), nil
    listener = assert(core.listen({ header_timeout_ms = 10000, body_timeout_ms = 20000, idle_timeout_ms = 30000 }, function(exchange)
      held = exchange
    end))
  end)

  after_each(function()
    listener:close()
    time:uninstall()
  end)

  it("for the next request begins with the answer, not with the connection", function()
    local client <close> = wire.connect(listener:port())
    assert.is_true(settle(client))
    time:advance(9)
    answer(ask(client))
    time:advance(29.9)
    assert.is_true(settle(client))
    time:advance(0.2)
    assert.is_false(settle(client))
  end)

  it("of a head is kept to after a longer one", function()
    local client <close> = wire.connect(listener:port())
    answer(ask(client))
    client:send "GET / HTTP/1.1\r\nX-"
    assert.is_true(settle(client))
    time:advance(9.9)
    assert.is_true(settle(client))
    time:advance(0.2)
    assert.is_false(settle(client))
  end)

  it("does not run while the client waits for its answer, and runs again after that", function()
    local client <close> = wire.connect(listener:port())
    ask(client)
    time:advance(3600)
    assert.is_true(settle(client))
    answer(client)
    time:advance(29.9)
    assert.is_true(settle(client))
    time:advance(0.2)
    assert.is_false(settle(client))
  end)
end)

describe("a listener that must answer in time", function()
  local listener, time, held

  before_each(function()
    time, held = clock.virtual():install(), nil
    listener = assert(core.listen({ answer_timeout_ms = 5000, retry_after_s = 7, idle_timeout_ms = 30000 }, function(exchange)
      held = exchange
    end))
  end)

  after_each(function()
    listener:close()
    time:uninstall()
  end)

  local function ask(client)
    held = nil
    client:send(GET)
    wire.step_until(function() return held end)
  end

  it("answers 503 itself when nobody else has, and what comes later is too late", function()
    local client <close> = wire.connect(listener:port())
    ask(client)
    for _ = 1, 50 do -- until the library lets it rest
      core.step(false)
    end
    time:advance(4.9)
    assert.is_true(client:poll())
    time:advance(0.2)
    local answer = client:answer()
    assert.equal(503, answer.status)
    assert.truthy(answer.head:find("\r\nRetry-After: 7\r\n", 1, true))
    assert.is_false(held:answer(200, "late"))
    for _ = 1, 50 do
      core.step(false)
    end
    assert.is_false(client:poll())
  end)

  it("counts for each request anew", function()
    local client <close> = wire.connect(listener:port())
    for _ = 1, 3 do
      ask(client)
      time:advance(4)
      held:answer(200, "ok")
      assert.equal(200, client:answer().status)
      time:advance(4)
    end
  end)
end)
