-- SPDX-License-Identifier: MIT
-- How many POSTs a second go out, beside what libcurl does without our code (bare_multi.c). The best of some rounds each,
-- in turns, for other programs disturb.
-- Usage: lua5.4 spec/bench/http.lua [IN_FLIGHT [REQUESTS [ROUNDS [URL]]]]; without a URL, against the test server.
local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"

local in_flight = tonumber(arg[1]) or 64
local requests = tonumber(arg[2]) or 50000
local rounds = tonumber(arg[3]) or 5
local server = not arg[4] and fault_server.start({ log = false }, "ok") or nil
local url = (arg[4] or server.url) .. "/v1/sendreplymessage"

local bare = os.tmpname()
assert(os.execute(("%s -O2 -o %s spec/bench/bare_multi.c -lcurl"):format(os.getenv "CC" or "cc", bare)))

local function bare_rate(way)
  local pipe <close> = assert(io.popen(("%s %d %d %s %s"):format(bare, requests, in_flight, url, way)))
  return (assert(tonumber(pipe:read "l"), "bare_multi failed"))
end

local function own_rate()
  local options = {
    method = "POST",
    url = url,
    headers = { "API-KEY: 0123456789abcdef", "Accept: application/json", "Content-Type: application/json" },
    body = '{"mobile":"919999999999","type":"text","text":"' .. ("."):rep(101) .. '"}',
  }
  local started, done = 0, 0
  local function go()
    started = started + 1
    core.request(options, function(status, ...)
      assert(status == 200, ...)
      done = done + 1
      if started < requests then go() end
    end)
  end
  local from = core.monotonic()
  for _ = 1, in_flight do go() end
  while done < requests do core.step(true) end
  return requests / (core.monotonic() - from)
end

local ways = {
  { "core.request", own_rate },
  { "bare multi, socket_action", function() return bare_rate "action" end },
  { "bare multi, perform", function() return bare_rate "perform" end },
}
local best = {}
for _ = 1, rounds do
  for i, way in ipairs(ways) do best[i] = math.max(best[i] or 0, way[2]()) end
end
os.remove(bare)
for i, way in ipairs(ways) do
  print(("%-26s %7.0f requests/s  core.request is %.2f of it"):format(way[1], best[i], best[1] / best[i]))
end
