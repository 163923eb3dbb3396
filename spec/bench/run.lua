-- SPDX-License-Identifier: MIT
-- The benchmarks against others: every measurement in turn, and that some rounds over, for machines drift; only ratios
-- within a round count. The program under measurement has one core, what loads it another.
-- Usage: lua5.4 spec/bench/run.lua BUILD [ROUNDS [GROUP …]], run from the project's folder; groups are those of `plan`.
local here = "spec/bench/"
package.path = here .. "?.lua;" .. package.path
local report = require "report"

local build, rounds = arg[1] or "build", tonumber(arg[2]) or 3
local bench = build .. "/bench"
local seconds = tonumber(os.getenv "BENCH_SECONDS") or 4
local only = {}
for i = 3, #arg do
  only[arg[i]] = true
end

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  return pipe:close() and text or nil
end

local root = capture("pwd"):gsub("\n", "")
local cores = tonumber(capture "nproc")
local pins = cores > 1 and "cpu=0 load_cpu=1" or ""

-- ---- programs ------------------------------------------------------------------------------------------------------

local host = build .. "/bin/cunnekt"

local function bot(name)
  return ("%s run %s/%sbots/%s.lua"):format(host, root, here, name)
end

-- Node finds its modules beside the script.
local function node(name)
  assert(os.execute(("cp %sothers/%s.mjs %s/"):format(here, name, bench)))
  return ("node %s/%s.mjs"):format(bench, name)
end

local nginx = ([[sh -c 'sed "s#@PORT@#$BENCH_PORT#; s#@DIR@#$PWD#" %s/%sothers/nginx.conf > nginx.conf; exec nginx -p $PWD -c $PWD/nginx.conf']])
  :format(root, here)
local wrk = ('load="%swrk -t1 -c64 -d%d --latency -s %s/%sothers/webhooks.lua http://127.0.0.1:{port}/ > wrk.txt; tail -n 1 wrk.txt"')
  :format(cores > 1 and "taskset -c 1 " or "", seconds, root, here)
local multi = ([[sh -c 'exec %s/bare_multi 1000000000 64 $BENCH_SINK/sendreplymessage action']]):format(bench)

-- group → measurements, each with the name of the one measured, drive's mode and options, the program, and the folder
-- whose database it begins with.
local plan = {
  {
    group = "receive",
    { "cunnekt", "serve " .. wrk, bot "receive" },
    { "nginx", "serve " .. wrk, nginx },
  },
  {
    group = "pipeline",
    { "cunnekt", "pipeline", bot "pipeline" },
    { "undici", "pipeline", node "pipeline_undici" },
    { "whatsapp-api-js", "pipeline", node "pipeline_whatsapp_api_js" },
  },
  -- A long warm-up, in which Node compiles and what piled up meanwhile is worked off.
  {
    group = "latency",
    { "cunnekt", "pipeline rate=3000 warm=4", bot "pipeline" },
    { "undici", "pipeline rate=3000 warm=4", node "pipeline_undici" },
  },
  {
    group = "send",
    { "cunnekt", "send messages=40000", bot "send" },
    { "undici", "send messages=40000", node "send_undici" },
    { "libcurl", "send messages=40000", multi },
  },
  {
    group = "start",
    { "cunnekt", "start", bot "pipeline" },
    { "undici", "start", node "pipeline_undici" },
  },
  {
    group = "conversations",
    { "1000", "pipeline contacts=1000", bot "pipeline", filled = 1000 },
    { "1000000", "pipeline contacts=1000000", bot "pipeline", filled = 1000000 },
  },
}

-- ---- one measurement -----------------------------------------------------------------------------------------------

local function fill(count)
  local folder = ("%s/filled-%d"):format(bench, count)
  if not os.execute(("test -s %s/done"):format(folder)) then
    print(("filling a store with %d conversations"):format(count))
    assert(os.execute(("rm -rf %s && mkdir -p %s && cd %s && lua5.4 %s/%sfill.lua %d && echo done > done"):format(
      folder, folder, folder, root, here, count)))
  end
  return folder
end

local function measure(one)
  local folder = bench .. "/run"
  os.execute(("rm -rf %s && mkdir -p %s"):format(folder, folder))
  if one.filled then
    assert(os.execute(("cp %s/cunnekt.db %s/"):format(fill(one.filled), folder)))
    os.execute "sync"
  end
  local command = ("cd %s && CUNNEKT_STORE=sqlite:$PWD/cunnekt.db %s/drive %s %s seconds=%d -- %s 2>drive.txt"):format(
    folder, bench, one[2]:gsub("^(%w+)", "%1 " .. pins), "", seconds, one[3])
  local text = capture(command)
  if not text then
    os.execute(("cat %s/drive.txt >&2"):format(folder))
    error(("failed: %s: %s"):format(one[1], command))
  end
  local figures = {}
  for name, value in text:gmatch "([%w_]+)=([%d.]+)" do
    figures[name] = tonumber(value)
  end
  if figures.cpu and figures.requests then
    figures.cpu_us = figures.cpu / figures.requests * 1e6
  end
  for _, wrong in ipairs { "lost", "twice", "refused" } do
    if (figures[wrong] or 0) > 0 then
      print(("! %s: %s = %d"):format(one[1], wrong, figures[wrong]))
    end
  end
  return figures
end

-- ---- all of them ---------------------------------------------------------------------------------------------------

local results = {}
for round = 1, rounds do
  for _, group in ipairs(plan) do
    if next(only) == nil or only[group.group] then
      local found = results[group.group] or { names = {}, rounds = {} }
      results[group.group] = found
      found.rounds[round] = {}
      for i, one in ipairs(group) do
        local figures = measure(one)
        found.names[i] = one[1]
        found.rounds[round][one[1]] = figures
        print(("round %d  %-14s %-16s %s"):format(round, group.group, one[1], report.line(figures)))
      end
    end
  end
end
os.execute(("rm -rf %s/run"):format(bench))

local where = capture "uname -s":gsub("\n", "") .. (", %d cores, load %s"):format(cores, capture "cut -d' ' -f1 /proc/loadavg":gsub("\n", ""))
report.write(results, { rounds = rounds, seconds = seconds, where = where }, bench .. "/performance.md", bench .. "/performance.svg")
print(("\nwritten: %s/performance.md and performance.svg"):format(bench))
