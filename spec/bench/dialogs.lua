-- SPDX-License-Identifier: MIT
-- What open dialogs cost: memory with thousands of them in memory and a million in the store, the start, a message to one
-- in memory and to one that left it, and the hundredth step beside the first ones. Writes a table.
-- Usage: lua5.4 spec/bench/dialogs.lua HOST [IN_MEMORY [IN_STORE]], run from the project's folder.
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local samples = require "cunnekt.sandbox.samples"
local sql = require "spec.support.sql"

local host = assert(arg[1], "the host's path is missing")
local in_memory, in_store = tonumber(arg[2]) or 10000, tonumber(arg[3]) or 1000000
local at_once = 64

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  local text = pipe:read("a"):gsub("%s+$", "")
  return text
end

local root, folder = capture "pwd", capture "mktemp -d"
local database = folder .. "/dialogs.db"

local function wait_until(fn)
  local deadline = core.monotonic() + 600
  while not fn() do
    assert(core.monotonic() < deadline, "something never comes")
    core.timer(0.001, function() end)
    core.step(true)
  end
end

-- ---- the provider --------------------------------------------------------------------------------------------------

local taken, on_message = 0, {}
local sink = assert(core.listen({ port = 0, max_connections = 4096 }, function(exchange, _, _, _, body)
  taken = taken + 1
  exchange:answer(200, ('{"messages":[{"id":"wamid.sink%d"}]}'):format(taken), { "Content-Type: application/json" })
  local to = json.decode(body).mobile
  local tell = on_message[to]
  on_message[to] = nil
  if tell then
    tell()
  end
end))

local function number_of(i)
  return ("91%010d"):format(i)
end

-- ---- the bot -------------------------------------------------------------------------------------------------------

local bot = {}

local function start(parked)
  local began = core.monotonic()
  local log = folder .. "/log"
  os.remove(log)
  bot.pid = capture(("cd %s && CUNNEKT_STORE=sqlite:%s BENCH_SINK=http://127.0.0.1:%d BENCH_PARKED=%s %s/%s run %s/spec/bench/bots/dialogs.lua 2>%s >/dev/null & echo $!")
    :format(folder, database, sink:port(), parked or "", root, host, root, log))
  wait_until(function()
    local file <close> = io.open(log)
    local address = file and file:read("a"):match "listening on (%S+)"
    bot.url = address and "http://" .. address .. "/webhook"
    return address
  end)
  return (core.monotonic() - began) * 1000
end

local function field(name)
  local file <close> = assert(io.open(("/proc/%s/status"):format(bot.pid)))
  return tonumber(file:read("a"):match(name .. ":%s+(%d+)")) / 1024
end

-- Seconds of processor time so far.
local function cpu()
  local file <close> = assert(io.open(("/proc/%s/stat"):format(bot.pid)))
  local user, system = file:read("a"):match "%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
  return (user + system) / 100
end

local function stop()
  os.execute("kill " .. bot.pid)
  wait_until(function()
    return not os.execute(("kill -0 %s 2>/dev/null"):format(bot.pid))
  end)
end

local said = 0

-- A customer writes; `done` once the bot's message has arrived.
local function say(number, done)
  said = said + 1
  on_message[number] = done
  local body = samples.build("text", { from = number, text = "12", message_id = "wamid.said" .. said })
  core.request({ method = "POST", url = bot.url, body = json.encode(body), headers = { "Content-Type: application/json" } }, function(status, ...)
    assert(status == 200, ...)
  end)
end

-- All of these write once, some at a time.
local function all_say(first, last)
  local next_one, ended = first, 0
  local function go()
    if next_one <= last then
      local number = number_of(next_one)
      next_one = next_one + 1
      say(number, function()
        ended = ended + 1
        go()
      end)
    end
  end
  for _ = 1, at_once do
    go()
  end
  wait_until(function()
    return ended == last - first + 1
  end)
end

-- The median of how long it takes one after the other to be answered, in milliseconds.
local function median_answer(numbers)
  local times = {}
  for i, number in ipairs(numbers) do
    local began, is_done = core.monotonic(), false
    say(number, function()
      is_done = true
    end)
    while not is_done do
      core.step(true)
    end
    times[i] = (core.monotonic() - began) * 1000
  end
  table.sort(times)
  return times[#times // 2]
end

-- ---- measuring -----------------------------------------------------------------------------------------------------

local function row(what, format, ...)
  print(("| %s | %s |"):format(what, format:format(...)))
end

local function remove_store()
  os.execute(("rm -f %s*"):format(database))
end

-- What so many open dialogs add to the memory of a bot that is at work.
local function memory_of(what)
  all_say(1, 200)
  local few = field "VmRSS"
  all_say(201, in_memory)
  local many = field "VmRSS"
  row(("memory with 200 dialogs open, and with %d, %s"):format(in_memory, what), "%.1f MB, %.1f MB", few, many)
end

print "| measured | |\n| --- | ---: |"
row("start with an empty store", "%.0f ms", start())
memory_of "1,000 of them in memory"
stop()
remove_store()
start(in_memory * 2)
memory_of "all in memory"

local costs = {}
for round = 2, 100 do
  local before = cpu()
  all_say(1, 1000)
  costs[round] = cpu() - before
end
local early, late = 0, 0
for i = 1, 20 do
  early, late = early + costs[1 + i] / 20, late + costs[80 + i] / 20
end
row("processor time of one step: steps 2 to 21, and 81 to 100", "%.0f µs, %.0f µs", early * 1e3, late * 1e3)
stop()

-- A million that are like one that really was: its row, its journal, its conversation.
remove_store()
start()
all_say(1, 1)
all_say(1, 1)
stop()
local db = sql.open(database)
local numbers = "WITH RECURSIVE number (n) AS (SELECT %d UNION ALL SELECT n + 1 FROM number WHERE n < %d) "
local copies = {
  [[INSERT INTO dialog (id, contact, name, recipient, args, code, seed, started_at, changed_at, waiting, due, sent, steps, error,
      origin, asked) SELECT number.n + 1000000, CAST(replace(contact, '910000000001', printf('91%%010d', number.n)) AS BLOB), name,
      CAST(printf('91%%010d', number.n) AS BLOB), args, code, CAST(seed || number.n AS BLOB), started_at, changed_at, waiting,
      due, sent, steps, error, origin, asked FROM number, dialog WHERE dialog.id = (SELECT min(id) FROM dialog)]],
  [[INSERT INTO step SELECT number.n + 1000000, step.n, mark, result FROM number, step
      WHERE dialog = (SELECT min(id) FROM dialog)]],
  [[INSERT INTO conversation (contact, state, last_inbound, watch, paused, version) SELECT CAST(replace(contact, '910000000001', printf('91%%010d', number.n)) AS BLOB), state,
      last_inbound, watch, paused, version FROM number, conversation WHERE contact LIKE '%%910000000001']],
}
for first = 2, in_store, 20000 do
  local last = math.min(first + 19999, in_store)
  for _, copy in ipairs(copies) do
    db:run((numbers .. copy):format(first, last))
  end
end
db:run(("UPDATE counter SET next = %d WHERE name = CAST('id' AS BLOB)"):format(in_store + 1000001))
db:close()
row(("size of the store with %d open dialogs of two questions"):format(in_store), "%.0f MB", tonumber(capture("stat -c %s " .. database)) / 1e6)
row("start with them", "%.0f ms", start())
row("memory after the start", "%.1f MB", field "VmRSS")
local some = {}
for i = 1, 300 do
  some[i] = number_of(math.random(2, in_store))
end
row("a message to a dialog that is in the store only, median", "%.1f ms", median_answer(some))
row("a message to the same dialogs, now in memory, median", "%.1f ms", median_answer(some))
all_say(1000, 20999)
row("memory after 20,000 others took a step, 1,000 of them in memory", "%.1f MB", field "VmRSS")
stop()
os.execute("rm -rf " .. folder)
