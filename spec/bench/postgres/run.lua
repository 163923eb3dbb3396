-- SPDX-License-Identifier: MIT
-- The store on PostgreSQL beside SQLite: everything in turn, and that some rounds over, for machines drift; only ratios within a
-- round count. All programs share all cores. postgres.sh has started the database, and removes all files at the end.
-- Usage: spec/support/postgres.sh --durable lua5.4 spec/bench/postgres/run.lua BUILD [ROUNDS [GROUP …]], from the project's folder.
local here = "spec/bench/postgres/"
package.path = here .. "?.lua;" .. package.path
local core = require "cunnekt.core"
local plan = require "plan"
local report = require "report"
local stores = require "stores"

local build, rounds = arg[1] or "build", tonumber(arg[2]) or 3
local seconds = tonumber(os.getenv "BENCH_SECONDS") or 3
local disk = assert(os.getenv "CUNNEKT_TEST_CLUSTER", "run it by make bench-postgres")
local only = { table.unpack(arg, 3) }
for _, name in ipairs(only) do
  only[name] = true
end
-- A round that would end later than this is not begun.
local most_seconds = 460
local began = core.monotonic()

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  local text = pipe:read "a"
  return pipe:close() and text or nil
end

local root = capture "pwd":gsub("\n", "")

-- ---- programs ------------------------------------------------------------------------------------------------------

-- Each host in a folder of its own: beside its script is its socket for commands.
local function host(bot)
  return ([[sh -c 'mkdir h$BENCH_PORT && cp %s/spec/bench/bots/%s.lua h$BENCH_PORT/ && cd h$BENCH_PORT && exec %s/bin/cunnekt run %s.lua']])
    :format(root, bot, build, bot)
end

local function drive(url, mode, bot, memory)
  local folder = disk .. "/run/now"
  os.execute(("rm -rf %s && mkdir -p %s && sync"):format(folder, folder))
  local command = ("cd %s && CUNNEKT_STORE='%s' BENCH_MEMORY=%s %s/bench/drive %s -- %s 2>drive.txt"):format(
    folder, url, memory or "", build, mode, host(bot))
  local text = capture(command)
  if not text then
    os.execute(("cat %s/drive.txt >&2"):format(folder))
    error("failed: " .. command)
  end
  local figures = {}
  for name, value in text:gmatch "([%w_]+)=([%d.]+)" do
    figures[name] = tonumber(value)
  end
  for _, wrong in ipairs { "lost", "twice", "refused" } do
    if (figures[wrong] or 0) > 0 and not mode:find "kill=1" then
      print(("! %s = %d"):format(wrong, figures[wrong]))
    end
  end
  return figures
end

local function verbs(url, name)
  local text = capture(("lua5.4 spec/store/conformance/bench.lua '%s' '%s'"):format(url, name))
  return { rate = tonumber(text and text:match "(%d+)/s%s*$") or error "the verbs were not measured" }
end

-- ---- stores --------------------------------------------------------------------------------------------------------

local filled, fill_seconds = {}, 0

-- The URL of a store to begin with: an empty one, or one that was filled in this run.
local function store_of(one)
  local store = stores[one.store]
  local name = one.pending and "pending" .. one.pending or one.seen and "seen" .. one.seen or "fresh"
  if name == "fresh" or not filled[one.store .. name] then
    store.clear(name)
    filled[one.store .. name] = true
    if name ~= "fresh" then
      local fill_began = core.monotonic()
      print(("filling %s: %s"):format(store.name, name))
      drive(store.url(name), one.pending and "check kill=1 events=1" or "check events=1", one.pending and "hold" or "pipeline")
      store[one.pending and "pending" or "seen"](name, one.pending or one.seen)
      fill_seconds = fill_seconds + core.monotonic() - fill_began
    end
  end
  return store.url(name)
end

local function measure(one)
  local url = store_of(one)
  if one.verb then
    return verbs(url, one.verb)
  end
  local database = one.store == "postgres" and one.mode ~= "first" and " database=" .. os.getenv "CUNNEKT_TEST_POSTGRES_PID" or ""
  return drive(url, ("%s seconds=%d%s"):format(one.mode, seconds, database), "pipeline", one.memory)
end

-- ---- all of them ---------------------------------------------------------------------------------------------------

os.execute(("mkdir -p %s/run"):format(disk))
local results, done, longest = {}, 0, 0 -- of a round, without what only the first one does
while done < rounds and core.monotonic() - began + longest < most_seconds do
  done = done + 1
  local round_began = core.monotonic()
  for _, group in ipairs(plan) do
    local is_due = (only[1] == nil or only[group.group]) and done <= (group.rounds or rounds)
    for _, one in ipairs(is_due and group or {}) do
      local figures = measure(one)
      report.add(results, group, one, done, figures)
      print(("round %d  %-12s %-28s %s"):format(done, group.group, one[1], report.line(figures)))
    end
  end
  longest = math.max(longest, core.monotonic() - round_began - fill_seconds)
  fill_seconds = 0
end

local about = ("Medians of %d interleaved rounds of %d s each, on %s, %s cores, load %s."):format(done, seconds,
  capture "uname -s":gsub("\n", ""), capture "nproc":gsub("\n", ""), capture "cut -d' ' -f1 /proc/loadavg":gsub("\n", ""))
report.write(plan, results, about, build .. "/bench/postgres.md")
print(("\nwritten: %s/bench/postgres.md, after %.0f s"):format(build, core.monotonic() - began))
