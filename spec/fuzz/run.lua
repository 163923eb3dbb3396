-- SPDX-License-Identifier: MIT
-- Runs the targets of `make fuzz`, as many at a time as there are processors: each over its time without a finding, and then
-- in the build with faults, where it must find the one that was planted for it. make/fuzz.mk builds both programs.
--
--   cunnekt run spec/fuzz/run.lua [--build build/fuzz] [--seconds 60] [--seed 0] [target ...]
--
-- With a seed the inputs are nearly the same each time, so that CI judges the change and not the luck; without, they are new.

local here = debug.getinfo(1, "S").source:match "^@(.*)/" or "."
package.path = here .. "/../crash/?.lua;" .. package.path
local report = require "report"

-- Seconds an input may take, and a control until it has found its fault; bytes of an input.
local MOST_SECONDS, MOST_CONTROL_SECONDS, MOST_BYTES = 5, 90, 4096

-- What each target says of the fault that was planted for it; a line break in a header shows as one of two things.
local planted = {
  { name = "reply", says = "another reader" },
  { name = "framing_in", says = "a value with a control character" },
  { name = "framing_out", says = "a [%w ]*field", or_says = "more than one request" },
  { name = "identity", says = "heap%-buffer%-overflow" },
  { name = "journal", says = "read otherwise than written" },
  { name = "redact", says = "redact_fuzz.lua:%d+: a %w+" },
  { name = "settings", says = "rate is out of range" },
  { name = "signature", says = "one of the last %d+ inputs leaks" },
  { name = "time", says = "a run in the past" },
  { name = "transcript", says = "libFuzzer: timeout" },
  { name = "webhook", says = "heap%-buffer%-overflow" },
  { name = "zone", says = "a change that was before" },
}
local seeds = { webhook = "spec/fixtures/webhooks" }

local build, seconds, seed = "build/fuzz", report.option("seconds", 60), report.option("seed", 0)
local chosen = {}
for i, word in ipairs(arg) do
  if arg[i - 1] == "--build" then
    build = word
  elseif not word:find "^%-%-" and arg[i - 1] ~= "--seconds" and arg[i - 1] ~= "--seed" then
    chosen[word] = true
  end
end

local function read_all(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

local function processors()
  local pipe <close> = assert(io.popen "nproc 2>/dev/null || echo 2")
  return pipe:read "n" or 2
end

-- Starts a program on a target, in a shell that ends it when it does not end by itself. It adds inputs to `corpus`.
local function start(program, target, its_seconds, corpus)
  local out = ("%s/%s-%s"):format(build, program, target)
  local dict = ("spec/fuzz/%s.dict"):format(target)
  local command = table.concat({
    ("mkdir -p %s; CUNNEKT_FUZZ=%s timeout -k 5 %d %s/%s"):format(corpus, target, its_seconds + 60, build, program),
    ("-max_total_time=%d -timeout=%d -max_len=%d -seed=%d"):format(its_seconds, MOST_SECONDS, MOST_BYTES, seed),
    "-detect_leaks=0 -rss_limit_mb=1024 -print_final_stats=1", -- fuzz.c looks for leaks
    ("-artifact_prefix=%s-"):format(out),
    read_all(dict) and "-dict=" .. dict or "",
    corpus,
    "spec/fuzz/corpus/" .. target,
    seeds[target] or "",
    (">%s.log 2>&1; echo $?"):format(out),
  }, " ")
  return { pipe = assert(io.popen(command)), log = out .. ".log" }
end

local function finish(it)
  local status = it.pipe:read "n"
  it.pipe:close()
  return status, read_all(it.log)
end

-- The last of a log is what libFuzzer found; the rest is its progress.
local function finding_in(log)
  return log:match "FINDING: ([^\n]*)" or log:match "SUMMARY: ([^\n]*)" or log:match "[^\n]*\n?$"
end

local function check(target, status, log)
  local inputs = tonumber(log:match "number_of_executed_units: (%d+)") or 0
  local is_fine = status == 0 and inputs > 0
  local details = is_fine and ("%d inputs"):format(inputs) or finding_in(log)
  report.check(("%s holds for %d s"):format(target.name, seconds), is_fine, details)
  if not is_fine then
    local input = log:match "Test unit written to ([^\n]+)"
    report.say("again: CUNNEKT_FUZZ=%s %s/fuzz %s", target.name, build, input or "(no input was written)")
  end
end

local function check_control(target, status, log)
  local says = log:match(target.says) or log:match(target.or_says or target.says)
  local is_found = status ~= 0 and says
  report.check(("%s finds the planted fault"):format(target.name), is_found, is_found and says or finding_in(log))
end

-- Each step of every target, some at a time.
local function run_all(targets, begin, judge)
  local at_once = processors()
  for first = 1, #targets, at_once do
    local running = {}
    for i = first, math.min(first + at_once - 1, #targets) do
      running[#running + 1] = { target = targets[i], it = begin(targets[i]) }
    end
    for _, each in ipairs(running) do
      judge(each.target, finish(each.it))
    end
  end
end

local targets, has_all = {}, next(chosen) == nil
for _, target in ipairs(planted) do
  if has_all or chosen[target.name] then
    targets[#targets + 1] = target
  end
  chosen[target.name] = nil
end
if next(chosen) then
  io.stderr:write(("cunnekt: there is no target '%s' for make fuzz; they are the files spec/fuzz/*_fuzz.lua\n"):format(next(chosen)))
  os.exit(2)
end

run_all(targets, function(target)
  return start("fuzz", target.name, seconds, ("%s/%s.corpus"):format(build, target.name))
end, check)
-- From the inputs in the repository alone, as on a new machine.
run_all(targets, function(target)
  local corpus = ("%s/%s.planted"):format(build, target.name)
  os.execute("rm -rf " .. corpus)
  return start("planted", target.name, MOST_CONTROL_SECONDS, corpus)
end, check_control)
report.finish()
