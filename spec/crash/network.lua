-- SPDX-License-Identifier: MIT
-- Promise 4 on a bad network: between the bot and the API stands a proxy that delays, drops, cuts, answers garbage or
-- errors, and lets answers come after the client has given up. Nothing may arrive twice, and what did not arrive must be
-- on the outbox's lists.
--
--   cunnekt run spec/crash/network.lua [--faults 1000] [--control-faults 200] [--seed N]

local clock = require "cunnekt.time.clock"
local fault_server = require "spec.support.fault_server"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local faults = report.option("faults", 1000)
local control_faults = report.option("control-faults", 200)
local seed = report.option("seed", os.time())

-- The client gives up after this many seconds.
local timeout = 0.3

-- What the proxy does to a request, see spec/support/fault_server.c. None of them fakes an acceptance.
local kinds = {
  "pass-late:50", "pass-late:450", "pass-lost", "close", "reset", "cut", "deaf", "stall", "garbage", "half-stall",
  "half-close", "half-reset", "status:429:1", "status:429", "status:500", "status:502", "status:503", "status:503:1", "status:504",
}

-- What the sandbox does by itself: both take the message, and answer what is no proof of it, or too late.
local sandbox_kinds = { "garbage", "slow", "reset" }

-- Half of the requests pass, so that faults hit connections that are in use.
local function plan(count)
  local actions, hits = {}, 0
  while hits < count do
    local is_fault = math.random() < 0.5
    actions[#actions + 1] = is_fault and kinds[math.random(#kinds)] or "pass"
    hits = hits + (is_fault and 1 or 0)
  end
  return actions
end

local function give(proxy, actions)
  -- "next" puts words before those that are left, so the last ones go first.
  for last = #actions, 1, -200 do
    proxy:next(table.unpack(actions, math.max(1, last - 199), last))
  end
end

local function plan_sandbox_faults(r, count)
  for _ = 1, count do
    r:control("POST", "faults", {
      kind = sandbox_kinds[math.random(#sandbox_kinds)],
      after = math.random(0, 20),
      seconds = 2 * timeout,
      accept = true,
    })
  end
end

local function is_quiet(r, seconds)
  local last, since = -1, clock.monotonic()
  repeat
    task.sleep(0.1)
    local count = r:collect()
    if count ~= last then
      last, since = count, clock.monotonic()
    end
  until clock.monotonic() - since > seconds
end

-- Loads until the proxy has had all its faults, then waits until nothing is under way.
local function torture(count, opts)
  local r <close> = rig.new()
  r:start_sandbox()
  local actions = plan(count)
  local proxy <close> = fault_server.start({ upstream = r.sandbox_port }, "pass")
  give(proxy, actions)
  plan_sandbox_faults(r, count // 20)
  r:start_ready_bot {
    api = proxy.url .. "/v1",
    args = { "--timeout", tostring(timeout), "--retries", "2" },
    env = opts.env,
  }
  local loaded = load.new { url = r.url, workers = 20, contacts = 5, seed = opts.seed, pause = 0.2 }
  loaded:start()
  local deadline = clock.monotonic() + 60 + count / 20
  repeat
    task.sleep(0.1)
    local requests = proxy:count()
    -- No more than what can leave: three events make four messages.
    loaded.pause = loaded.counts.events * 4 / 3 > requests + 500 and 4 or 0.2
  until requests >= #actions or clock.monotonic() > deadline
  loaded:stop()
  for _ = 1, 20 do -- with waits of up to a second between tries
    is_quiet(r, 2)
    r:stop_bot()
    local events, messages = r:waiting()
    if events + messages == 0 then
      break
    end
    r:start_ready_bot { api = r.api, env = opts.env }
  end
  r:collect()
  local outbox, counts = r:outbox()
  local listed = oracle.join(outbox.unknown, outbox.rejected, outbox.failed)
  return oracle.judge(loaded, r.received, listed, r:ever_held()), counts, { requests = proxy:count(), waiting = { r:waiting() } }
end

local function main()
  math.randomseed(seed)
  report.say("network, seed %d", seed)
  local verdict, counts, about = torture(faults, { seed = seed })
  report.say("%d requests, %d faults; the outbox lists %d unknown, %d rejected, %d failed", about.requests, faults, counts.unknown,
    counts.rejected, counts.failed)
  report.check(("%d faults: nothing twice, nothing lost silently, order kept"):format(faults), verdict.total == 0, verdict:describe())
  report.check("nothing is left waiting", about.waiting[1] + about.waiting[2] + about.waiting[3] == 0)

  for i, control in ipairs { { "resend", "twice" }, { "forget_unknown", "lost" } } do
    report.control(control[1], { control[2] }, function(number)
      return (torture(control_faults, { seed = seed + i + number * 2, env = { CRASH_BREAK = control[1] } }))
    end)
  end
  report.finish()
end

main()
