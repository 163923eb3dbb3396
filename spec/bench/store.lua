-- SPDX-License-Identifier: MIT
-- How many single-event jobs a second the store commits, and how long one takes, with N in flight.
-- Usage: lua5.4 spec/bench/store.lua [IN_FLIGHT [SECONDS [DATABASE [name=value …]]]]; the rest are options of the store,
-- and shape=append, which leaves out the two tables with random keys: what remains when dedupe is done in memory.
local core = require "cunnekt.core"

local in_flight = tonumber(arg[1]) or 64
local seconds = tonumber(arg[2]) or 5
local path = arg[3] or "bench.db"
local options = {}
for i = 4, #arg do
  local name, value = arg[i]:match("^([^=]+)=(.*)$")
  options[name] = tonumber(value) or value
end
local is_append = options.shape == "append"
options.shape = nil

for _, suffix in ipairs { "", "-wal", "-shm", "-lock" } do os.remove(path .. suffix) end
local store = assert(core.store_open(path, options))
local function run(job)
  local result
  assert(store:run(job, function(...) result = table.pack(...) end))
  while not result do core.step(true) end
  assert(result[1], result[2])
end
run {
  { "CREATE TABLE seen (hash INTEGER PRIMARY KEY, day INTEGER)" },
  { "CREATE TABLE event (id INTEGER PRIMARY KEY, conversation BLOB, body BLOB)" },
  { "CREATE TABLE conversation (hash INTEGER PRIMARY KEY, last INTEGER)" },
}

local see = store:prepare("INSERT OR IGNORE INTO seen VALUES (?, ?)")
local add = store:prepare("INSERT INTO event (conversation, body) VALUES (?, ?)", { if_changed = true })
local note = store:prepare("INSERT INTO conversation VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET last = excluded.last",
  { if_changed = true })
local done = store:prepare("DELETE FROM event WHERE id <= ?")

local body = ("x"):rep(473)
local mask = 0x7fffffffffffffff
local random = math.random
local latencies, count, pending = {}, 0, 0
local monotonic = core.monotonic
local stop_at = monotonic() + seconds

local function submit()
  local began = monotonic()
  pending = pending + 1
  local contact = random(0, 100000)
  local key = is_append and count + pending or random(0) & mask
  assert(store:run({ { see, key, 20000 }, { add, "91999" .. contact, body }, { note, is_append and 1 or contact, 1 } },
    function(ok, message)
      assert(ok, message)
      pending = pending - 1
      count = count + 1
      latencies[count] = monotonic() - began
      -- Finished events leave, as they do in real life.
      if count % 1000 == 0 then store:run({ { done, count - 2000 } }, function() end) end
      if began < stop_at then submit() end
    end))
end

local cpu, began = os.clock(), monotonic()
for _ = 1, in_flight do submit() end
while pending > 0 do core.step(true) end
local took = monotonic() - began
cpu = os.clock() - cpu
table.sort(latencies)
local function at(p) return latencies[math.max(1, math.ceil(#latencies * p))] * 1000 end
local stats = store:stats()
print(("%d in flight: %.0f jobs/s, p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms; CPU %.1f us a job"):format(
  in_flight, count / took, at(0.5), at(0.99), at(0.999), at(1), cpu / count * 1e6))
print(("%.0f batches/s of %.1f jobs; %d checkpoints, longest %.1f ms; longest commit %.1f ms; log %.1f MB"):format(
  stats.batches / took, stats.jobs / stats.batches, stats.checkpoints, stats.max_checkpoint_us / 1000,
  stats.max_commit_us / 1000, stats.wal_bytes / 1e6))
store:close()
while core.step(true) do end
