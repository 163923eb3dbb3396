-- SPDX-License-Identifier: MIT
-- Handlers without end: loops, caught and uncaught, pattern bombs, memory, recursion. Each turn must be stopped within twice its
-- budget of CPU time, and its event be a dead letter with the script's line; other customers go on, and are answered within a
-- second afterwards; the memory comes back. Meanwhile the generator's customers write, and each of their texts is
-- answered once.
--
--   cunnekt run spec/crash/runaway.lua [--seconds 0.5] [--rounds 1]

local clock = require "cunnekt.time.clock"
local http = require "cunnekt.provider.http"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local seconds = report.option("seconds", 0.5)
local memory_mb = 64
-- The allocator's region, which stays, and the caches of a host that has started anew.
local most_growth = (32 + 16) * 1024 * 1024
-- Hundredths of a second, as the system counts CPU time.
local ticks_a_second = 100

-- Loops and memory first; at the bombs, and where memory stays, the program starts anew.
local probes = {
  "loop", "loop_in_pcall", "loop_in_xpcall", "loop_in_error_handler", "nested_pcall", "loop_in_coroutine", "loop_in_wrap",
  "loop_of_yields", "loop_in_close", "loop_in_close_of_a_stop", "loop_in_closed_coroutine", "loop_in_dead_coroutine",
  "loop_in_sort", "loop_in_metamethod", "loop_in_tostring", "loop_in_gsub", "loop_of_changes", "loop_in_step", "in_use_loop",
  "in_job_loop_in_pcall", "in_listener_loop_in_pcall", "in_dialog_loop",
  "doubling_string", "doubling_in_pcall", "huge_rep", "large_reps", "concat", "tables", "tables_in_a_global", "closures",
  "coroutines", "json", "recursion", "recursion_in_c",
  "bomb_in_find", "bomb_in_match", "bomb_in_gmatch", "bomb_in_gsub", "in_use_bomb_in_find", "in_job_bomb_in_find",
  "in_dialog_bomb_in_find",
  "in_listener_bomb_in_find", -- the last one: bot:on_error, which reports the others, is not called after it
}

local refused = { "os_exit", "finalizer", "finalizer_by_debug", "sethook", "registry", "bytecode", "load", "own_name" }

-- ---- one host ------------------------------------------------------------------------------------------------------

local function environment(more)
  local env = { RUNAWAY_SECONDS = seconds, RUNAWAY_MEMORY = memory_mb .. "MB" }
  for name, value in pairs(more or {}) do
    env[name] = value
  end
  return { script = "runaway.lua", env = env }
end

local function start(more)
  local r = rig.new()
  r:start_sandbox { "--no-statuses" }
  assert(r:start_ready_bot(environment(more)), "the bot does not start")
  r.said, r.log = 0, ""
  return r
end

-- Posts a text until it is acknowledged.
local function say(r, number, text, patience)
  r.said = r.said + 1
  local body = load.body { { from = number, id = "wamid.said." .. r.said, type = "text", timestamp = tostring(os.time()),
    text = { body = text } } }
  return rig.wait(patience or 10, function()
    local answer = http.request { method = "POST", url = r.url, body = body, timeout = patience or 2,
      headers = { ["Content-Type"] = "application/json" } }
    return answer and answer.status == 200
  end)
end

-- Waits for a line of the bot's log; gives what the pattern captures.
local function wait_for_log(r, patience, pattern)
  return rig.wait(patience, function()
    r.log = r.log .. r:new_log()
    return r.log:match(pattern)
  end)
end

-- CPU seconds of the process, also across its new start.
local function cpu(r)
  local file <close> = io.open(("/proc/%d/stat"):format(r.pid or 0))
  local fields = {}
  for word in (file and file:read "a" or ""):gsub("^.*%) ", ""):gmatch "%S+" do
    fields[#fields + 1] = tonumber(word) or 0
  end
  return fields[12] and (fields[12] + fields[13]) / ticks_a_second or 0
end

local function is_answered(r, number, text)
  r:collect()
  for _, one in ipairs(r.received[number] or {}) do
    if one == text then
      return true
    end
  end
  return false
end

-- How long a new customer waits for an answer; nil: too long.
local function time_to_answer(r, number, patience)
  local began = clock.monotonic()
  local text = "hello " .. number
  return say(r, number, text, patience) and rig.wait(patience, function()
    return is_answered(r, number, "answer to " .. text)
  end) and clock.monotonic() - began
end

-- ---- one probe -----------------------------------------------------------------------------------------------------

-- Has a customer's text run away. Gives the CPU and the time until it was stopped, and the failure that was reported.
local function run_away(r, name, number, patience)
  if name:find "^in_dialog_" then
    say(r, number, "ask")
    rig.wait(5, function()
      return is_answered(r, number, "what?")
    end)
  end
  r.log = ""
  r:new_log()
  say(r, number, name)
  local what = name:gsub("^in_%l-_", "")
  if not wait_for_log(r, 10, "begun " .. what .. "\n") then
    return nil
  end
  local began, used = clock.monotonic(), cpu(r)
  local pattern = name:find "^in_job_" and "stopped job: (%l+ [^\n]*)" or ("stopped %s: (budget [^\n]*)"):format(name)
  if name:find "^in_listener_" then
    pattern = name:find "bomb" and "bot:on_error (is not called [^\n]*)" or "bot:on_error failed: (budget[^\n]*)"
  end
  local failure = wait_for_log(r, patience, pattern)
  return failure and { cpu = cpu(r) - used, time = clock.monotonic() - began, failure = failure }
end

-- What is wrong after a probe; nil: nothing.
local function faults_of(r, name, number, base)
  local stop = run_away(r, name, number, 4 * seconds + 6)
  if not stop then
    return "is not stopped; the log says " .. r.log:sub(-300)
  elseif stop.cpu > 2 * seconds then
    return ("takes %.2f s of CPU, %.2f s in all"):format(stop.cpu, stop.time)
  elseif name:find "^in_" == nil and not stop.failure:find "runaway%.lua:%d+: " then
    return "has no line: " .. stop.failure
  end
  local waited = time_to_answer(r, (number:gsub("^9195", "9197")), 5)
  if not waited or waited > 1 then
    return ("leaves others without an answer for %.2f s"):format(waited or 5)
  end
  local growth = r:memory() - base
  if growth > most_growth then
    return ("leaves %.0f MB"):format(growth / 1048576)
  end
  return nil, stop
end

local function judge_probes(r, base)
  local slowest, most = { time = 0 }, { cpu = 0 }
  local wrong = {}
  for i, name in ipairs(probes) do
    local fault, stop = faults_of(r, name, ("9195%08d"):format(i), base)
    if fault then
      wrong[#wrong + 1] = ("%s %s"):format(name, fault)
    else
      slowest = stop.time > slowest.time and stop or slowest
      most = stop.cpu > most.cpu and stop or most
    end
    if r:has_ended() then
      wrong[#wrong + 1] = name .. " ends the host"
      assert(r:start_ready_bot(environment()))
    end
  end
  report.check(("%d runaway turns are stopped, the others go on, the memory comes back"):format(#probes), #wrong == 0,
    #wrong > 0 and table.concat(wrong, "\n    ")
      or ("at most %.2f s of CPU with a budget of %g s, %.2f s in all"):format(most.cpu, seconds, slowest.time))
end

local function judge_refused(r)
  local wrong = {}
  for i, name in ipairs(refused) do
    r.log = ""
    say(r, ("9196%08d"):format(i), name)
    if not wait_for_log(r, 5, ("stopped %s: handler "):format(name)) then
      wrong[#wrong + 1] = name
    end
  end
  report.check(("%d ways out of a handler are refused"):format(#refused), #wrong == 0 and not r:has_ended(), table.concat(wrong, ", "))
end

-- The store's view: a dead letter for each, with its kind and line, and nothing sent of what they said before.
local function judge_dead_letters(r)
  local errors, missing, sent = {}, {}, 0
  for _, row in ipairs(r:rows "SELECT error, body FROM dead") do
    errors[row[2]:match '"body":%s*"(%l[%w_]*)"' or ""] = row[1]
  end
  for _, name in ipairs(probes) do
    local is_event = not name:find "^in_job_" and not name:find "^in_listener_"
    if is_event and not (errors[name] or ""):find "^budget: .*runaway%.lua:%d+: " then
      missing[#missing + 1] = ("%s (%s)"):format(name, (errors[name] or "none"):sub(1, 60))
    end
  end
  for _, texts in pairs(r.received) do
    for _, text in ipairs(texts) do
      sent = sent + (text == "never sent" and 1 or 0)
    end
  end
  report.check("each is a dead letter with its kind and line", #missing == 0, table.concat(missing, ", "))
  report.check("nothing is sent of a stopped turn", sent == 0, ("%d messages"):format(sent))
end

local function judge_round()
  local r <close> = start()
  local loaded = load.new { url = r.url, workers = 2, contacts = 3, seed = 7, pause = 0.1, timeout = 5 }
  loaded:start()
  task.sleep(1)
  judge_refused(r)
  judge_probes(r, r:memory())
  loaded:stop()
  rig.wait(6, function()
    r:collect()
    return oracle.judge(loaded, r.received, {}, r:ever_held()).total == 0
  end)
  r:stop_bot()
  r:collect()
  local verdict = oracle.judge(loaded, r.received, (r:outbox()).unknown, r:ever_held())
  report.check("nothing acknowledged of others is lost or answered twice", verdict.total == 0, verdict:describe())
  judge_dead_letters(r)
end

-- ---- killed in between ---------------------------------------------------------------------------------------------

-- The note alone has to be enough.
local function judge_kill()
  local r <close> = start()
  say(r, "919500000001", "bomb_in_find")
  local is_noted = wait_for_log(r, 4 * seconds + 6, "starts anew")
  r:kill_bot()
  r.log = ""
  assert(r:start_ready_bot(environment()))
  local failure = wait_for_log(r, 4 * seconds + 6, "stopped bomb_in_find: (budget [^\n]*)")
  report.check("a stopped turn is not tried again when the host is killed at its new start", is_noted and failure
    and not r.log:find "begun", failure)
end

-- ---- replays -------------------------------------------------------------------------------------------------------

-- A replay repeats what was paid for.
local function judge_replay()
  local r <close> = start()
  local number, is_asked = "919500000001", true
  say(r, number, "burn")
  for i = 1, 4 do
    is_asked = is_asked and rig.wait(10, function()
      return is_answered(r, number, "question " .. i)
    end)
    if i == 4 then
      r:kill_bot()
      assert(r:start_ready_bot(environment()))
    end
    say(r, number, "answer")
  end
  local is_over = is_asked and rig.wait(10, function()
    return is_answered(r, number, "burnt")
  end)
  report.check("a replay of turns that used half of their budget each is not stopped", is_over, r:new_log():sub(-200))
end

-- ---- controls ------------------------------------------------------------------------------------------------------

local function judge_control(name, probe, more)
  local r <close> = start(more)
  local stop = run_away(r, probe, "919500000001", 4 * seconds)
  local waited = not stop and time_to_answer(r, "919700000001", 1)
  report.check(("control %s is reported"):format(name), not stop and not waited, probe .. " goes on, and nobody is answered")
end

for _ = 1, report.option("rounds", 1) do
  judge_round()
end
judge_kill()
judge_replay()
judge_control("no_budget", "loop", { RUNAWAY_BREAK = "no_budget" })
judge_control("stop_once", "loop_in_pcall", { CRASH_BREAK = "stop_once,no_new_start" })
judge_control("no_new_start", "bomb_in_find", { CRASH_BREAK = "no_new_start" })
report.finish()
