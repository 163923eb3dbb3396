-- SPDX-License-Identifier: MIT
-- Senders that begin large bodies and don't end them: each was within its own limit, but nothing limited them together, so
-- that thousands of connections could fill the memory.

local core = require "cunnekt.core"
local wire = require "spec.support.wire"

describe("the bodies of all requests under way", function()
  local listener

  before_each(function()
    listener = assert(core.listen({ host = "127.0.0.1", port = 0, max_body = 200000, max_bodies = 250000, retry_after_s = 7 }, function(exchange)
      exchange:answer(200, "taken")
    end))
  end)

  after_each(function()
    listener:close()
  end)

  local function begin(size)
    local client = wire.connect(listener:port())
    client:send(("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"):format(size + 1))
    client:send(("x"):rep(size))
    for _ = 1, 50 do
      core.step(false)
    end
    return client
  end

  it("may not take more than they may together", function()
    local first <close> = begin(150000)
    local second <close> = begin(150000)
    local answer = second:answer()
    assert.equal(503, answer.status)
    assert.truthy(answer.head:find("\r\nRetry-After: 7\r\n", 1, true))
    first:send "x"
    assert.equal(200, first:answer().status)
  end)

  -- A byte a connection was enough to use everything up, for the room that was promised to a body counted.
  it("may be promised to be larger than that", function()
    local slow = {}
    for i = 1, 20 do
      slow[i] = wire.connect(listener:port())
      slow[i]:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx"
    end
    local whole <close> = begin(150000)
    whole:send "x"
    assert.equal(200, whole:answer().status)
    for _, client in ipairs(slow) do
      client:close()
    end
  end)

  it("leave their room to others when they end, however they end", function()
    for _ = 1, 5 do
      begin(150000):close()
      for _ = 1, 50 do
        core.step(false)
      end
      local whole <close> = begin(150000)
      whole:send "x"
      assert.equal(200, whole:answer().status)
    end
  end)
end)
