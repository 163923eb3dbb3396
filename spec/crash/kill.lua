-- SPDX-License-Identifier: MIT
-- Promises 1 to 4 under kill -9: the bot is killed at random instants, its start and its recovery included, while the
-- generator goes on. Afterwards every acknowledged text must have had its answer once, in order, with the right number,
-- or the answer must be on the outbox's list of unknown outcomes.
--
--   cunnekt run spec/crash/kill.lua [--cycles 200] [--control-cycles 60] [--seed N]

local clock = require "cunnekt.time.clock"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local cycles = report.option("cycles", 200)
local control_cycles = report.option("control-cycles", 60)
local seed = report.option("seed", os.time())

-- One life in four ends at any moment of its start, within so many seconds; the others so many after the first event
-- that was acknowledged.
local longest_start, longest_work = 0.1, 0.12

local function live(loaded)
  if math.random(4) == 1 then
    return task.sleep(math.random() * longest_start)
  end
  local before = loaded.counts.acknowledged
  rig.wait(5, function()
    return loaded.counts.acknowledged > before
  end)
  task.sleep(math.random() * longest_work)
end

local function verdict_now(r, loaded)
  local outbox, counts = r:outbox()
  local verdict = oracle.judge(loaded, r.received, outbox.unknown, r:ever_held())
  return verdict, counts
end

local function torture(count, opts)
  local r <close> = rig.new()
  r:start_sandbox(opts.flags)
  local loaded = load.new { url = r.url, workers = 12, contacts = 4, seed = opts.seed, pause = 0.01 }
  loaded:start()
  for cycle = 1, count do
    r:start_bot(opts)
    live(loaded)
    r:kill_bot()
    if cycle % 20 == 0 then
      r:collect()
    end
  end
  r:start_ready_bot(opts)
  loaded:stop()
  r:kill_bot()
  r:drain(opts, 1.5)
  local verdict, states = verdict_now(r, loaded)
  return verdict, states, loaded, { r:waiting() }
end

local function main()
  local began = clock.monotonic()
  report.say("kill -9, seed %d", seed)
  local verdict, states, loaded, waiting = torture(cycles, { seed = seed, patience = 120, env = { CRASH_FAILING = 0.01 } })
  report.say("%d kills in %.0f s; %d events acknowledged, %d bodies without an answer, %d refused, %d duplicates sent", cycles,
    clock.monotonic() - began, loaded.counts.events, loaded.counts.lost, loaded.counts.refused, loaded.counts.duplicates)
  report.check(("%d kills: nothing lost, twice, out of order"):format(cycles), verdict.total == 0, verdict:describe())
  report.check("nothing is left waiting", waiting[1] + waiting[2] + waiting[3] == 0,
    ("%d events, %d messages, %d dead letters"):format(table.unpack(waiting)))
  report.check("unknown outcomes are few, and listed", states.unknown <= cycles * 48, ("%d at the end"):format(states.unknown))

  -- Each break, and the faults of which the oracle must report at least one.
  local controls = {
    { "acknowledge_early", "lost" },
    { "no_dedupe", "wrong" },
    { "mark_late", "twice" },
    { "split_turn", "wrong" },
    { "no_order", "wrong" },
    { "resend", "twice" },
  }
  for i, control in ipairs(control_cycles > 0 and controls or {}) do
    local name, fault = control[1], control[2]
    report.control(name, { fault }, function(number)
      return (torture(control_cycles, { seed = seed + i + number * #controls, patience = 10, env = { CRASH_BREAK = name } }))
    end)
  end
  report.finish()
end

main()
