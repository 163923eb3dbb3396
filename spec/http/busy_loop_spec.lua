-- SPDX-License-Identifier: MIT
-- Requests while the program computes for longer than they may take: they begin, time out and end in one turn of the loop. The host
-- must survive that, in a process of its own, for what went wrong ended it.

local process = require "spec.support.process"

local script = [[
local cunnekt = require "cunnekt"
local core = require "cunnekt.core"
local task = require "cunnekt.base.task"

local answering = assert(core.listen({ host = "127.0.0.1", port = 0 }, function(exchange)
  if math.random(2) == 1 then
    exchange:answer(200, "")
  end
end))
local closed = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
local urls = {}
for i, listener in ipairs { answering, closed } do
  urls[i] = ("http://127.0.0.1:%d/"):format(listener:port())
end
closed:close()

local left = 20
for i = 1, left do
  task.spawn(function()
    for _ = 1, 60 do
      cunnekt.http.get(urls[i % 4 == 0 and 2 or 1], { timeout = 0.01 + math.random() * 0.03 })
    end
    left = left - 1
    if left == 0 then
      print "survived"
      os.exit(0)
    end
  end)
end
task.spawn(function()
  for _ = 1, 2000 do
    task.sleep(0.002 + math.random() * 0.01)
    local until_then = os.clock() + math.random() * 0.04
    repeat
    until os.clock() > until_then
  end
end)
]]

describe("requests beside long computations", function()
  it("time out, and do no harm", function()
    local folder = process.folder()
    local result = process.cunnekt { "run", process.write(folder.path .. "/busy.lua", script) }
    assert.equal("survived\n", result.out, result.err)
    assert.equal(0, result.code)
  end)
end)
