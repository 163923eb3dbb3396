-- SPDX-License-Identifier: MIT
-- Calls a second of the seam's verbs on a store. Not a spec:
--
--   eval "$(make -s env)"; lua5.4 spec/store/conformance/bench.lua [URL [VERB]]
--
-- Without a URL it measures every backend. VERB is a line of its table. `one` waits for each answer before the next call, `many` has 200 calls under way.

local core = require "cunnekt.core"
local seam_rig = require "spec.support.rigs.seam_rig"

-- Seconds for each measurement.
local span = 0.4
local now = seam_rig.now

local body = ("x"):rep(400)

-- Repeats calls for a while, so many at once; calls a second. `make` gives the method and its arguments.
local function measure(seam, together, make)
  local started, answered, under_way = core.real_monotonic(), 0, 0
  local is_over = false
  local function start()
    local arguments = table.pack(make(seam))
    arguments[arguments.n + 1] = function(ok, message)
      assert(ok, message)
      answered, under_way = answered + 1, under_way - 1
      is_over = is_over or core.real_monotonic() - started > span
      if not is_over then
        start()
      end
    end
    under_way = under_way + 1
    assert(seam.db[arguments[1]](seam.db, table.unpack(arguments, 2, arguments.n + 1)))
  end
  for _ = 1, together do
    start()
  end
  while under_way > 0 do
    core.step(true)
  end
  return answered / (core.real_monotonic() - started)
end

local function events(seam, count)
  return seam_rig.many(count, function(i)
    local event = seam:event { contact = "1:" .. i % 50, body = body, inbound_at = now }
    event.key = "key " .. event.id
    return event
  end)
end

-- Reserves ids before the clock runs: `seam:id` waits when its block is used up.
local function prepare(seam)
  seam.id = function(self)
    self._next = (self._next or self:reserve_ids({ count = 10000000 }).first) + 1
    return self._next
  end
  seam:id()
  local dialog = seam:waiting { after = 50 }
  local messages = seam_rig.many(100, function()
    return seam:message()
  end)
  seam:turn { messages = messages, states = { { contact = "1:2", state = body } } }
  return dialog, messages
end

-- The rows of the table: a name, and what is called.
local function rows_of(dialog, messages)
  local function any()
    return messages[math.random(#messages)].id
  end
  -- Another number each time: a row that is written as it was costs SQLite nothing.
  local attempts = 0
  local function next_attempt()
    attempts = attempts + 1
    return attempts
  end
  local rows = {}
  local function add(name, make)
    rows[#rows + 1] = { name = name, make = make }
  end
  add("accept, 1 event", function(seam)
    return "accept", { events = events(seam, 1), now = now }
  end)
  add("accept, 100 events", function(seam)
    return "accept", { events = events(seam, 100), now = now }
  end)
  add("commit_turn: a state and a message", function(seam)
    local contact = "1:" .. math.random(1000)
    return "commit_turn", { states = { { contact = contact, state = body } }, messages = { seam:message { payload = body } }, now = now }
  end)
  add("commit_turn: nothing but reads", function()
    return "commit_turn", { reads = { { kind = "value", key = "never", version = 0 } }, now = now }
  end)
  add("mark_sending", function()
    return "mark_sending", { messages = { { id = any(), attempts = next_attempt() } }, now = now }
  end)
  add("settle: accepted", function(seam)
    local id = seam:id()
    return "settle", { outcomes = { { id = id, state = "accepted", message_id = "wamid." .. id, contact = "1:2", rank = 0 } }, now = now }
  end)
  add("settle: queued again", function()
    return "settle", { outcomes = { { id = any(), state = "queued", attempts = next_attempt() } }, now = now }
  end)
  add("query conversation", function()
    return "query", "conversation", { contact = "1:2" }
  end)
  add("query journal, 50 steps", function()
    return "query", "journal", { dialog = dialog.id, after = 0 }
  end)
  return rows
end

local function bench(name, seam, only)
  print(("%-36s %12s %12s"):format(name, "one", "many"))
  for _, row in ipairs(rows_of(prepare(seam))) do
    if not only or row.name == only then
      print(("  %-34s %10.0f/s %10.0f/s"):format(row.name, measure(seam, 1, row.make), measure(seam, 200, row.make)))
    end
  end
  seam:close()
end

if arg[1] then
  bench(arg[1], assert(seam_rig.open_at(arg[1])), arg[2])
else
  for _, backend in ipairs(seam_rig.backends) do
    bench(backend.name, seam_rig.open(backend))
  end
end
