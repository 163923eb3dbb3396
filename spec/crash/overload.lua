-- SPDX-License-Identifier: MIT
-- Ten times as many events as the bot can handle, from senders that don't wait: what does not fit gets 503 at once, memory
-- stays, nothing acknowledged is lost, and it is well again soon after.
--
--   cunnekt run spec/crash/overload.lua [--seconds 5] [--seed N]

local clock = require "cunnekt.time.clock"
local gauge = require "gauge"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local seconds = report.option("seconds", 5)

-- Four handlers of 40 ms at once make 100 events a second; 200 more may wait.
local handlers, pause, queue = 4, 0.04, 200
local capacity = handlers / pause
local most_growth = 64 * 1024 * 1024

local function one(r, loaded, latencies)
  local contact = { number = ("9192%08d"):format(#loaded.contacts + 1), said = 1, acknowledged = 0 }
  table.insert(loaded.contacts, contact)
  local message = { from = contact.number, id = "wamid." .. contact.number, type = "text",
    timestamp = tostring(os.time()), text = { body = load.text(contact.number, 1) } }
  local status = latencies:post(r.url, load.body { message })
  contact.acknowledged = status == 200 and 1 or 0
  return status or 0
end

-- Posts at a fixed rate, whatever becomes of the requests.
local function open_loop(r, loaded, rate, duration, watch)
  local latencies, statuses, under_way = gauge.new(), {}, 0
  local began, started = clock.monotonic(), 0
  while clock.monotonic() - began < duration do
    local due = math.floor((clock.monotonic() - began) * rate)
    while started < due do
      started, under_way = started + 1, under_way + 1
      task.spawn(function()
        local status = one(r, loaded, latencies)
        statuses[status] = (statuses[status] or 0) + 1
        under_way = under_way - 1
      end)
    end
    watch()
    task.sleep(0.01)
  end
  rig.wait(60, function()
    return under_way == 0
  end)
  return statuses, latencies
end

local function overload(env)
  local r <close> = rig.new()
  r:start_sandbox { "--no-statuses" }
  local all = { CRASH_CONCURRENCY = handlers, CRASH_PAUSE = pause, CRASH_QUEUE = queue }
  for name, value in pairs(env or {}) do
    all[name] = value
  end
  r:start_ready_bot { env = all }
  local loaded = load.new { url = r.url, workers = 0, seed = 1 }
  open_loop(r, loaded, capacity / 2, 1, function() end)
  local before, highest = r:memory(), 0
  local statuses, latencies = open_loop(r, loaded, capacity * 10, seconds, function()
    highest = math.max(highest, r:memory())
  end)
  local ended = clock.monotonic()
  rig.wait(20, function()
    return one(r, loaded, latencies) == 200
  end)
  local result = { statuses = statuses, latencies = latencies, growth = highest - before, recovery = clock.monotonic() - ended }
  rig.wait(60, function()
    local acknowledged = 0
    for _, contact in ipairs(loaded.contacts) do
      acknowledged = acknowledged + contact.acknowledged
    end
    return r:collect() >= acknowledged or env
  end)
  r:stop_bot()
  r:collect()
  result.verdict = oracle.judge(loaded, r.received, (r:outbox()).unknown, r:ever_held())
  return result
end

local function main()
  local result = overload()
  local taken, refused = result.statuses[200] or 0, result.statuses[503] or 0
  local others = -taken - refused
  for _, count in pairs(result.statuses) do
    others = others + count
  end
  report.say("%d taken, %d refused, %d others; %s", taken, refused, others, result.latencies:describe())
  report.check("overload: what does not fit is refused with 503", refused > taken and others == 0)
  report.check("overload: what fits is taken", taken >= capacity * seconds * 0.5, ("%d"):format(taken))
  report.check("overload: memory is bounded", result.growth < most_growth, ("%.1f MB more"):format(result.growth / 1048576))
  report.check("overload: nothing acknowledged is lost", result.verdict.total == 0, result.verdict:describe())
  report.check("overload: well again", result.recovery < 5, ("after %.2f s"):format(result.recovery))
  local broken = overload { CRASH_BREAK = "drop_when_full" }
  report.check("control drop_when_full is reported", (broken.verdict.counts.lost or 0) > 0, broken.verdict:describe())
  report.finish()
end

main()
