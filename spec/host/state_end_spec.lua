-- SPDX-License-Identifier: MIT
-- How a state ends while things are open: Lua collects what is left in any order, and every order must do. Scripts run
-- in a process of their own, in the host, so that a sanitized host reports what is used or kept too long.
local host = os.getenv "CUNNEKT_HOST"

local PRELUDE = [[
local core = require "cunnekt.core"
local rawclient = require "rawclient"
held = {} -- global: alive until the state ends
local listener = assert(core.listen({}, function(exchange) held[#held + 1] = exchange end))
held.listener = listener
local clients = {}
held.clients = clients
local function request(count)
  for i = 1, count do
    local client = rawclient.connect("127.0.0.1", listener:port())
    client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    clients[i] = client
  end
  while #held < count do core.step(true) end
end
local function linger()
  for _ = 1, 60 do
    core.real_timer(0.001, function() end)
    core.step(true)
  end
end
-- The loop is the first object with a finalizer, so Lua collects it last. This is the other order.
local function end_loop()
  for _, value in pairs(debug.getregistry()) do
    if type(value) == "userdata" and tostring(value):find "^cunnekt.loop" then
      getmetatable(value).__gc(value)
    end
  end
end
]]

local endings = {
  ["with timers that run"] = "for i = 1, 20 do held[i] = core.timer(i, print) core.timer(i, print) end",
  ["with a virtual clock in place, and timers on both"] = [[
    local virtual = core.virtual_clock()
    for i = 1, 20 do held[i] = core.timer(i, print) end
    virtual:install()
    for i = 1, 20 do held[i + 20] = core.timer(i, print) core.timer(i, print) end
    local client = rawclient.connect("127.0.0.1", listener:port())
    held.client, held.request = client, core.request({ url = "http://127.0.0.1:" .. listener:port() }, print)
    linger()
    held.virtual = virtual]],
  ["with a virtual clock that nobody holds"] = [[
    core.virtual_clock():install()
    core.timer(5, print)
    core.virtual_clock():install()
    core.timer(5, print)
    collectgarbage()]],
  ["with an open listener"] = "request(1) held[1]:answer(200)",
  ["with exchanges that wait"] = "request(3)",
  ["with exchanges that wait for long"] = "request(3) linger()",
  ["with an answer on its way"] = "request(2) linger() held[1]:answer(200) held[2] = nil",
  ["with requests that nobody has seen yet"] = [[
    for i = 1, 3 do
      clients[i] = rawclient.connect("127.0.0.1", listener:port())
      clients[i]:send "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP"
    end
    core.step(false)]],
  ["with a paused listener"] = "request(2) listener:pause()",
  ["with a closed listener and exchanges"] = "request(2) listener:close()",
  ["with an open file"] = [[
    local file
    core.open("/dev/null", "w", function(got) file = got end)
    while not file do core.step(true) end
    held.file = file]],
  ["with work on files under way"] = [[
    local file
    core.open("/dev/null", "w", function(got) file = got end)
    while not file do core.step(true) end
    file:write(("x"):rep(100000), print)
    held.file = file
    core.open("/dev/null", "r", print)
    core.unlink("/nonexistent/file", print)]],
  ["with files closing"] = [[
    local file
    core.open("/dev/null", "w", function(got) file = got end)
    while not file do core.step(true) end
    file:close()
    held.file = file]],
  ["with a digest begun"] = "held.hash = core.sha256():update 'x'",
}

describe("a state that ends", function()
  local function run(body)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(PRELUDE, body)
    file:close()
    -- Signals and codes of a crash reach os.execute; the sanitizers' words go to our stderr.
    local ok, how, code = os.execute(("'%s' run '%s'"):format(host, path))
    os.remove(path)
    assert.is_true(ok, ("%s %s"):format(how, code))
  end

  for name, body in pairs(endings) do
    it(name, function()
      run("local function go() " .. body .. " end\ngo()\nos.exit(0, true)")
    end)

    it(name .. ", the loop first", function()
      run("local function go() " .. body .. " end\ngo()\nend_loop()\nos.exit(0, true)")
    end)
  end
end)
