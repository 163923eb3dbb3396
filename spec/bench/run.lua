-- SPDX-License-Identifier: MIT
-- The benchmarks against others: every measurement in turn, and that some rounds over, for machines drift; only ratios
-- within a round count. The program under measurement has one core, what loads it another.
-- Usage: lua5.4 spec/bench/run.lua BUILD [ROUNDS [GROUP …]], run from the project's folder; groups are those of plan.lua.
local here = "spec/bench/"
package.path = here .. "?.lua;" .. package.path
local check = require "check"
local plan = require "plan"
local report = require "report"

local build, rounds = arg[1] or "build", tonumber(arg[2]) or 5
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
local groups, durable, hold = plan.make { root = root, build = build, bench = bench, seconds = seconds, cores = cores }

-- ---- one measurement -----------------------------------------------------------------------------------------------

-- A folder with a store that was filled once, by a command within it.
local function filled(name, command)
  local folder = ("%s/%s"):format(bench, name)
  if not os.execute(("test -s %s/done"):format(folder)) then
    print(("filling a store: %s"):format(name))
    assert(os.execute(("rm -rf %s && mkdir -p %s && cd %s && %s && echo done > done"):format(folder, folder, folder, command)))
  end
  return folder
end

local function fill(one)
  if one.pending then -- accepted by the host itself, which is killed then
    return filled(("pending-%d"):format(one.pending), ("CUNNEKT_STORE=sqlite:$PWD/cunnekt.db %s/drive check kill=1 events=%d -- %s 2>drive.txt")
      :format(bench, one.pending, hold))
  end
  return one.filled and filled(("filled-%d"):format(one.filled), ("lua5.4 %s/%sfill.lua %d"):format(root, here, one.filled))
end

-- Runs a program by drive in a new folder. Gives what drive prints, and the folder.
local function run(one, mode)
  local folder = bench .. "/run"
  os.execute(("rm -rf %s && mkdir -p %s"):format(folder, folder))
  local store = fill(one)
  if store then
    assert(os.execute(("cp %s/cunnekt.db %s/ && { ! test -e %s/cunnekt.db-wal || cp %s/cunnekt.db-wal %s/; }"):format(
      store, folder, store, store, folder)))
  end
  -- What earlier programs have written is not to reach the disk during this one.
  os.execute "sync"
  local command = ("cd %s && CUNNEKT_STORE=sqlite:$PWD/cunnekt.db %s/drive %s -- %s 2>drive.txt"):format(
    folder, bench, mode:gsub("^(%w+)", "%1 " .. pins), one[3])
  local text = capture(command)
  if not text then
    os.execute(("cat %s/drive.txt >&2"):format(folder))
    error(("failed: %s: %s"):format(one[1], command))
  end
  local figures = {}
  for name, value in text:gmatch "([%w_]+)=([%d.]+)" do
    figures[name] = tonumber(value)
  end
  return figures, folder
end

local function measure(one)
  local figures = run(one, ("%s seconds=%d"):format(one[2], seconds))
  if figures.cpu and figures.requests then
    figures.cpu_us = figures.cpu / figures.requests * 1e6
  end
  local wanted = tonumber(one[2]:match "rate=(%d+)")
  if wanted and figures.rate < 0.97 * wanted then
    print(("! %s: only %.0f of %d events a second; its latency is that of a queue"):format(one[1], figures.rate, wanted))
  end
  for _, wrong in ipairs { "lost", "twice", "refused" } do
    if (figures[wrong] or 0) > 0 then
      print(("! %s: %s = %d"):format(one[1], wrong, figures[wrong]))
    end
  end
  return figures
end

-- ---- all of them ---------------------------------------------------------------------------------------------------

local function is_wanted(name)
  return next(only) == nil or only[name]
end

for _, group in ipairs(groups) do
  if group.group == "pipeline" and (is_wanted "pipeline" or is_wanted "latency") then
    for _, one in ipairs(group) do
      check.program(one, durable[one[1]], run)
    end
  end
end

local results = {}
for round = 1, rounds do
  for _, group in ipairs(groups) do
    if is_wanted(group.group) then
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
