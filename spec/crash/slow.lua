-- SPDX-License-Identifier: MIT
-- Clients that say a byte a second, in their heads or in their bodies: thousands of them hold connections while good
-- requests go on, on connections that are kept and on new ones.
--
--   cunnekt run spec/crash/slow.lua [--connections 2000] [--seconds 5]

local clock = require "cunnekt.time.clock"
local gauge = require "gauge"
local load = require "load"
local rawclient = require "rawclient"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

-- Each takes a file here and one in the host.
local connections = math.min(report.option("connections", 2000), (tonumber(rig.run "ulimit -Hn") or 1000000) - 200)
local seconds = report.option("seconds", 5)
-- The promise is 100 ms; two busy cores that serve the clients, too, are given more.
local longest_p99 = report.option("p99", 0.25)

local head = "POST /webhook HTTP/1.1\r\nHost: slow\r\nX-Long: "
local in_body = "POST /webhook HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n{"

local function open_slow(r, count)
  local slow = {}
  for i = 1, count do
    slow[i] = rawclient.connect("127.0.0.1", r.port)
    slow[i]:send(i % 2 == 0 and head or in_body)
    if i % 50 == 0 then
      task.sleep(0)
    end
  end
  return slow
end

local function drip(slow, state)
  while not state.is_over do
    for i, client in ipairs(slow) do
      client:send "x"
      if i % 100 == 0 then
        task.sleep(0.005)
      end
    end
    task.sleep(0.5)
  end
end

local function message(n)
  return load.body { { from = ("9193%08d"):format(n), id = "wamid.slow." .. n, type = "text", timestamp = tostring(os.time()),
    text = { body = "good " .. n } } }
end

-- A new connection for each, as a sender has that does not keep them.
local function post_alone(r, body, timeout)
  local client = rawclient.connect("127.0.0.1", r.port)
  local began = clock.monotonic()
  client:send(("POST /webhook HTTP/1.1\r\nHost: good\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
  local text = ""
  rig.wait(timeout, function()
    local data = client:receive()
    text = text .. (data or "")
    return data == nil
  end)
  client:close()
  return text:find "^HTTP/1.1 200" and clock.monotonic() - began or nil
end

-- Good requests beside so many slow clients.
local function measure(count, duration, timeout, env)
  local r <close> = rig.new()
  r:start_sandbox { "--no-statuses" }
  assert(r:start_ready_bot { env = env })
  local before = r:memory()
  local slow, state = open_slow(r, count), {}
  local dripping = task.spawn(drip, slow, state)
  local result = { kept = gauge.new(), alone = gauge.new(), failed = 0, open = 0 }
  local n, deadline = 0, clock.monotonic() + duration
  repeat
    n = n + 2
    local status = result.kept:post(r.url, message(n), timeout)
    local took = post_alone(r, message(n + 1), timeout)
    table.insert(result.alone, took)
    result.failed = result.failed + (status == 200 and 0 or 1) + (took and 0 or 1)
    task.sleep(0.005)
  until clock.monotonic() > deadline
  state.is_over = true
  task.join(dripping)
  for _, client in ipairs(slow) do
    result.open = result.open + (client:receive() and 1 or 0)
    client:close()
  end
  result.growth = r:memory() - before
  return result
end

local function main()
  local result = measure(connections, seconds, 15)
  report.say("%d slow connections, %d still open at the end; %.1f MB more memory", connections, result.open, result.growth / 1048576)
  report.say("kept connection: %s", result.kept:describe())
  report.say("new connections: %s", result.alone:describe())
  local worst = math.max(result.kept:at(0.99), result.alone:at(0.99))
  report.check(("%d slow clients: good requests go on"):format(connections), result.failed == 0 and worst < longest_p99,
    ("p99 %.1f ms, %d failed"):format(worst * 1000, result.failed))
  local broken = measure(300, 2, 1, { CRASH_BREAK = "few_connections" })
  report.check("control few_connections is reported", broken.failed > 0, ("%d failed"):format(broken.failed))
  report.finish()
end

main()
