-- SPDX-License-Identifier: MIT
-- Every allocation fails once, on the way of an event: taken in, handled, answered. First those of the C library's heap
-- (SQLite, curl, the HTTP server, libuv and our own C), then those of Lua. The host must not crash, must not say 200 to
-- what it does not keep, must not leave an event lying, and must not leak.
--
-- lua-cjson ends the process when it gets no memory, and so does the host when a callback or a task does not: that is no
-- crash, for the next process takes everything up.
--
--   cunnekt run spec/crash/heap.lua [--heap-points N] [--lua-points N] [--lua-step N]

local clock = require "cunnekt.time.clock"
local faults = require "faults"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local SIGUSR1 = 10
-- Seconds in which an event must have been answered. Pauses between tries are a twentieth of the usual here.
local patience = 6
-- What one host may grow by while hundreds of its allocations fail: its libraries' caches, and Lua's own slack.
local most_growth = 12 * 1024 * 1024

-- More values than there is memory kept for between webhooks, so that it has to grow for each of them.
local many = {}
for i = 1, 2500 do
  many[i] = 0
end

local function is_held(r, contact)
  return r:ever_held()[load.replies(contact.number, 1)[1]]
end

-- Posts a text of a new customer until it is acknowledged, and waits for the answer, or until it is held as unknown.
local function one_event(r, loaded)
  local contact = { number = ("9191%08d"):format(#loaded.contacts + 1), said = 1, acknowledged = 0 }
  table.insert(loaded.contacts, contact)
  local body = load.body { { from = contact.number, id = "wamid." .. contact.number, type = "text",
    timestamp = tostring(os.time()), text = { body = load.text(contact.number, 1) }, many = many } }
  local deadline = clock.monotonic() + patience
  while contact.acknowledged == 0 and clock.monotonic() < deadline and not r:has_ended() do
    if loaded:post(body) then
      contact.acknowledged = 1
    else
      task.sleep(0.005)
    end
  end
  rig.wait(contact.acknowledged == 1 and patience or 0, function()
    r:collect()
    return r.received[contact.number] or is_held(r, contact) or r:has_ended()
  end)
  return contact.acknowledged == 1, r.received[contact.number] ~= nil or is_held(r, contact)
end

-- The counts of the bot's loop, which it writes on standard error when asked.
local function counts(r)
  r:new_log()
  r:signal(SIGUSR1)
  local text = ""
  rig.wait(2, function()
    text = text .. r:new_log()
    return text:find "counts .*\n"
  end)
  return text:match "counts ([^\n]*)" or "none"
end

local function start(r, env)
  local all = { CRASH_HURRY = 20 }
  for _, some in ipairs { r.orders.env, env or {} } do
    for name, value in pairs(some) do
      all[name] = value
    end
  end
  assert(r:start_ready_bot { env = all, args = { "--timeout", "2" } })
end

-- One point: this allocation from now fails, while an event is on its way.
local function try_point(r, loaded, kind, point, result, env)
  local failed = r.orders:get(kind .. "_failed")
  r.orders:set(kind .. "_after", point)
  local is_acknowledged, is_answered = one_event(r, loaded)
  r.orders:set(kind .. "_after", 0)
  local how, code = r:has_ended()
  if how then
    local log = r:new_log()
    if how == "exit" and (log:find "Out of memory" or log:find "not enough memory") then
      result.given_up = result.given_up + 1
    else
      table.insert(result.crashes, ("point %d: %s %d"):format(point, how, code))
    end
    start(r, env)
  elseif not (is_acknowledged and is_answered) then
    table.insert(result.lying, ("point %d: %s"):format(point, is_acknowledged and "not answered" or "not acknowledged"))
  end
  return r.orders:get(kind .. "_failed") > failed
end

-- Fails one allocation after the other, until an event has no more of them.
local function fail_each(kind, most, step, control)
  local r <close> = rig.new()
  r.orders = faults.new(r.folder)
  r:start_sandbox { "--no-statuses" }
  local env = control and { CRASH_BREAK = control }
  start(r, env)
  local loaded = load.new { url = r.url, workers = 0, seed = 1, timeout = 2 }
  for _ = 1, 200 do
    one_event(r, loaded)
  end
  local result = { hits = 0, given_up = 0, lying = {}, crashes = {}, before = counts(r) }
  local pid, memory = r.pid, r:memory()
  local misses, point = 0, 0
  while result.hits < most and misses < 5 and not (control and #result.lying > 0) do
    point = point + step
    local is_hit = try_point(r, loaded, kind, point, result, env)
    result.hits, misses = result.hits + (is_hit and 1 or 0), is_hit and 0 or misses + 1
    if r.pid ~= pid then
      pid, memory = r.pid, r:memory()
    end
  end
  -- An answer that could not be received is waited for until the client's time-out.
  rig.wait(5, function()
    result.after = counts(r)
    return result.after == result.before
  end)
  result.growth = r:memory() - memory
  r:stop_bot()
  start(r)
  task.sleep(1)
  r:stop_bot()
  r:collect()
  result.verdict = oracle.judge(loaded, r.received, (r:outbox()).unknown, r:ever_held())
  return result
end

local function report_on(kind, result)
  report.check(("%s: %d allocations fail once, no crash"):format(kind, result.hits), #result.crashes == 0,
    ("%d crashes; %d times the host ended itself; %s"):format(#result.crashes, result.given_up, result.crashes[1] or ""))
  report.check(kind .. ": no event is left lying", #result.lying == 0, ("%d; %s"):format(#result.lying, result.lying[1] or ""))
  report.check(kind .. ": nothing is left open", result.before == result.after, ("%s, before %s"):format(result.after, result.before))
  report.check(kind .. ": memory stays", result.growth < most_growth, ("%.1f MB more"):format(result.growth / 1048576))
  report.check(kind .. ": nothing acknowledged is lost", result.verdict.total == 0, result.verdict:describe())
end

local function main()
  report_on("heap", fail_each("heap", report.option("heap-points", 2000), 1))
  report_on("lua", fail_each("lua", report.option("lua-points", 5000), report.option("lua-step", 1)))
  local broken = fail_each("lua", 1000, 3, "go_on_without_memory")
  report.check("control go_on_without_memory is reported", #broken.lying > 0, broken.lying[1])
  report.finish()
end

main()
