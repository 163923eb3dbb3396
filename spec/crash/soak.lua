-- SPDX-License-Identifier: MIT
-- Memory after a warm-up: the same load goes on, and the host does not grow. What Lua holds is asked of the host, after it
-- has collected its garbage; what the process holds is read from the system.
--
--   cunnekt run spec/crash/soak.lua [--seconds 10] [--warm-up 5] [--rounds 4]

local SIGUSR2 = 12

local clock = require "cunnekt.time.clock"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local seconds = report.option("seconds", 10)
local warm_up = report.option("warm-up", 5)
local rounds = report.option("rounds", 4)

-- Bytes of Lua in use, after two full collections.
local function lua_memory(r)
  r:new_log()
  r:signal(SIGUSR2)
  local text = ""
  rig.wait(10, function()
    text = text .. r:new_log()
    return text:find "lua %d+\n"
  end)
  return tonumber(text:match "lua (%d+)\n")
end

-- Loads for a while, waits until all is answered, and looks.
local function look(r, loaded, duration)
  loaded:start()
  task.sleep(duration)
  loaded:stop()
  local last = -1
  rig.wait(20, function()
    local count = r:collect()
    local is_same = count == last
    last = count
    task.sleep(0.3)
    return is_same
  end)
  return { lua = lua_memory(r), process = r:memory(), events = loaded.counts.events }
end

local function soak(duration, opts)
  local r <close> = rig.new()
  r:start_sandbox()
  assert(r:start_ready_bot(opts))
  local loaded = load.new { url = r.url, workers = 12, contacts = 40, seed = 1 }
  local looks = { look(r, loaded, opts and 1 or warm_up) }
  for _ = 1, rounds do
    table.insert(looks, look(r, loaded, duration / rounds))
  end
  r:stop_bot()
  r:collect()
  return looks, oracle.judge(loaded, r.received, (r:outbox()).unknown, r:ever_held())
end

local function growth(looks, what)
  return looks[#looks][what] - looks[1][what], looks[#looks].events - looks[1].events
end

-- What Lua may grow by: caches that fill up. A leak of one small table an event is some hundred bytes of each.
local function most_lua(events)
  return 150000 + 100 * math.min(events, 20000)
end

local function main()
  local began = clock.monotonic()
  local looks, verdict = soak(seconds)
  local lua, events = growth(looks, "lua")
  local process = growth(looks, "process")
  for i, one in ipairs(looks) do
    report.say("look %d: %d events, Lua %.3f MB, process %.1f MB", i, one.events, one.lua / 1048576, one.process / 1048576)
  end
  report.say("%d events in %.0f s after the warm-up; Lua %.2f MB %+.3f MB, process %.1f MB %+.1f MB", events,
    clock.monotonic() - began, looks[1].lua / 1048576, lua / 1048576, looks[1].process / 1048576, process / 1048576)
  report.check("soak: Lua does not grow", lua < most_lua(events), ("%.1f bytes an event"):format(lua / events))
  -- SQLite fills its cache of 8 MB meanwhile, and the C library keeps some of what was freed.
  report.check("soak: the process does not grow", process < 20 * events + (16 << 20), ("%.1f MB"):format(process / 1048576))
  report.check("soak: nothing is lost", verdict.total == 0, verdict:describe())
  local broken, count = growth(soak(4, { env = { CRASH_BREAK = "leak" } }), "lua")
  report.check("control leak is reported", broken > most_lua(count), ("%.1f bytes an event"):format(broken / count))
  report.finish()
end

main()
