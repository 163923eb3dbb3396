-- SPDX-License-Identifier: MIT
-- A bot that may open 256 files, and 600 clients that say a part of a request and wait. A good request waited 30 s for them.
local clock = require "cunnekt.time.clock"
local process = require "spec.support.process"
local rawclient = require "rawclient"
local task = require "cunnekt.base.task"

local LONGEST = 2 -- seconds; the promise is one, and a busy machine is slow

local bot = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot { listen = "127.0.0.1:0", store = "memory:", api_key = "k", grace = 0 }
bot:on("text", function() end)
]]

local slow_ways = {
  "",
  "POST /web",
  "POST /webhook HTTP/1.1\r\nHost: a\r\nX-",
  "POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n{",
  "POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n{",
  "POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;" .. ("a"):rep(20000),
  "GET /other HTTP/1.1\r\nHost: a\r\n\r\n",
}

local function start(folder)
  local script = process.write(folder.path .. "/bot.lua", bot)
  local host = process.start { "sh", "-c", "ulimit -n 256 && exec \"$@\"", "sh", process.host, "run", script }
  return host, tonumber(host:expect "listening on 127%.0%.0%.1:(%d+)")
end

local function ask(port)
  local client <close> = rawclient.connect("127.0.0.1", port)
  client:send "POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
  client:wait(20000)
  return client:receive()
end

describe("a bot that may open few files", function()
  it("answers good requests while slow clients take all connections that it can have", function()
    task.run(function()
      local folder = process.folder()
      local host, port = start(folder)
      local slow = {}
      for i = 1, 600 do
        slow[i] = rawclient.connect("127.0.0.1", port)
        slow[i]:send(slow_ways[i % #slow_ways + 1])
      end
      for _ = 1, 3 do
        local began = clock.monotonic()
        assert.matches("^HTTP/1.1 200", ask(port))
        local took = clock.monotonic() - began
        assert.is_true(took < LONGEST, ("%.3f s"):format(took))
      end
      for _, client in ipairs(slow) do
        client:close()
      end
      host:signal "TERM"
      assert.equal(0, host:wait().code)
    end)
  end)
end)
