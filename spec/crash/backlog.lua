-- SPDX-License-Identifier: MIT
-- A start with a long backlog: events that an earlier process accepted and did not handle. Every tenth answer of each
-- customer must arrive, in order and with the right number; memory stays bounded; how fast it drains, and what a new event
-- feels of it, is told beside the same with a short backlog.
--
--   cunnekt run spec/crash/backlog.lua [--events 100000] [--short 10000]

local clock = require "cunnekt.time.clock"
local gauge = require "gauge"
local load = require "load"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local events = report.option("events", 100000)
local short = report.option("short", 10000)

local each = 50 -- events of a customer
local in_body = 1000
-- What the host may take for a backlog: some for itself, some for each event.
local function most_memory(count)
  return (64 << 20) + count * 1024
end

local function outbox_id_of(contact)
  return ("9194%08d"):format(contact)
end

local function message(contact, k)
  local number = outbox_id_of(contact)
  return { from = number, id = ("wamid.%s.%d"):format(number, k), type = "text", timestamp = tostring(os.time()),
    text = { body = load.text(number, k) } }
end

-- Round after round through all customers.
local function fill(r, count)
  local contacts, messages = count // each, {}
  for k = 1, each do
    for contact = 1, contacts do
      messages[#messages + 1] = message(contact, k)
      if #messages == in_body or (k == each and contact == contacts) then
        assert(gauge.new():post(r.url, load.body(messages), 60) == 200, "a body is not taken")
        messages = {}
      end
    end
  end
  return contacts
end

-- New customers write while the backlog drains.
local function probe(r, latencies, state)
  local n = 500000
  while not state.is_over do
    n = n + 1
    latencies:post(r.url, load.body { message(n, 1) })
    task.sleep(0.02)
  end
end

local function check(r, contacts)
  local bad = {}
  for contact = 1, contacts do
    local number, texts = outbox_id_of(contact), r.received[outbox_id_of(contact)] or {}
    for i = 1, math.max(#texts, each // 10) do
      local wanted = ("%s #%d"):format(load.text(number, i * 10), i * 10)
      if texts[i] ~= wanted then
        bad[#bad + 1] = ("%s instead of %s"):format(texts[i], wanted)
      end
    end
  end
  return bad
end

-- Fills, kills, starts, and waits until all is answered.
local function drain(count, env)
  local r <close> = rig.new()
  r:start_sandbox { "--no-statuses" }
  assert(r:start_ready_bot { script = "backlog.lua", env = { CRASH_HANG = 1 } })
  local contacts = fill(r, count)
  r:kill_bot()
  local began = clock.monotonic()
  assert(r:start_ready_bot { script = "backlog.lua", env = env })
  local result = { start = clock.monotonic() - began, latencies = gauge.new(), memory = 0 }
  local state = {}
  local probing = task.spawn(probe, r, result.latencies, state)
  began = clock.monotonic()
  local wanted, deadline = contacts * each // 10, began + (env and 3 or 60 + count / 500)
  while r:collect() < wanted and clock.monotonic() < deadline do
    result.memory = math.max(result.memory, r:memory())
    task.sleep(0.05)
  end
  result.rate = count / (clock.monotonic() - began)
  state.is_over = true
  task.join(probing)
  result.bad = check(r, contacts)
  r:stop_bot()
  result.waiting = { r:waiting() }
  return result
end

local function say(count, result)
  report.say("%d events: ready after %.2f s, %.0f events/s, at most %.0f MB, meanwhile %s", count, result.start, result.rate,
    result.memory / 1048576, result.latencies:describe())
end

local function main()
  local few = drain(short)
  say(short, few)
  local many = drain(events)
  say(events, many)
  report.say("the long backlog drains at %.0f %% of the short one's rate", many.rate / few.rate * 100)
  report.check(("backlog of %d: every answer, in order, with its number"):format(events), #many.bad == 0,
    ("%d wrong; %s"):format(#many.bad, many.bad[1] or ""))
  report.check("backlog: nothing is left waiting", many.waiting[1] + many.waiting[2] + many.waiting[3] == 0)
  report.check("backlog: memory is bounded", many.memory < most_memory(events), ("%.0f MB"):format(many.memory / 1048576))
  local broken = drain(2000, { CRASH_BREAK = "forget_the_rest" })
  report.check("control forget_the_rest is reported", #broken.bad > 0, ("%d wrong; %s"):format(#broken.bad, broken.bad[1] or ""))
  report.finish()
end

main()
