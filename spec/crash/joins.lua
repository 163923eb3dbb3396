-- SPDX-License-Identifier: MIT
-- One person is one conversation, under kill -9. Each person writes two streams of texts, one by number, one by user id, so that
-- two conversations grow; at some text both ids come together, and from then on any of them. Every second person talks with a
-- dialog. Every acknowledged text must have its answer once, in the order of its stream, with the stream's number: a state,
-- an event, a message or a dialog that a join loses, repeats or mixes shows as a wrong one.
--
--   cunnekt run spec/crash/joins.lua [--cycles 100] [--control-cycles 20] [--seed N]

local clock = require "cunnekt.time.clock"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local cycles = report.option("cycles", 100)
local control_cycles = report.option("control-cycles", 20)
local seed = report.option("seed", os.time())

-- Streams of a person are neighbours: the first is by number.
local function person_of(contact)
  local serial = tonumber(contact.number:sub(-5))
  local number = contact.number:sub(1, -6) .. ("%05d"):format(serial - (serial + 1) % 2)
  return number, "IN." .. number, serial % 2 == 1
end

-- Until a stream has this many texts, it has its own id only.
local function joins_at(contact)
  return 1 + tonumber(contact.number:sub(-5)) * 7 % 15
end

-- Sets the ids of a message. The first one that tells both comes before any by the other id.
local function identify(known, message, contact, k)
  local number, user_id, is_by_number = person_of(contact)
  local way = k <= joins_at(contact) and 0 or known[number] and math.random(3) or 3
  known[number] = known[number] or way == 3
  message.from = (is_by_number and way == 0 or way == 1 or way == 3) and number or nil
  message.from_user_id = (not is_by_number and way == 0 or way == 2 or way == 3) and user_id or nil
end

local function contacts_of(messages)
  local contacts = {}
  for i, message in ipairs(messages) do
    contacts[i] = { profile = { name = "Torture" }, wa_id = message.from, user_id = message.from_user_id }
  end
  return contacts
end

local function verdict_of(r, loaded)
  local received, unknown = {}, {}
  for _, text in ipairs(r.arrived) do
    local stream = text:match "^(%d+)%-"
    received[stream] = received[stream] or {}
    table.insert(received[stream], text)
  end
  for _, texts in pairs((r:outbox()).unknown) do
    for text in pairs(texts) do
      local stream = text:match "^(%d+)%-"
      unknown[stream] = unknown[stream] or {}
      unknown[stream][text] = 1
    end
  end
  return oracle.judge(loaded, received, unknown, r:ever_held())
end

local function torture(count, opts)
  local r <close> = rig.new()
  r:start_sandbox()
  local known = {}
  local loaded = load.new {
    url = r.url, workers = 16, contacts = 8, seed = opts.seed, pause = 0.01, contacts_of = contacts_of,
    identify = function(...)
      identify(known, ...)
    end,
  }
  loaded:start()
  for cycle = 1, count do
    r:start_bot(opts)
    local before = loaded.counts.acknowledged
    rig.wait(5, function()
      return loaded.counts.acknowledged > before
    end)
    task.sleep(math.random() * 0.15)
    r:kill_bot()
    if cycle % 20 == 0 then
      r:collect()
    end
  end
  r:start_ready_bot(opts)
  loaded:stop()
  r:kill_bot()
  r:drain(opts, 4) -- for a start rebuilds the dialogs
  local events, messages, dead = r:waiting()
  local joins = r:rows("SELECT count(*) FROM alias")[1][1]
  local broken = r:rows("SELECT count(*) FROM dialog WHERE error IS NOT NULL")[1][1]
  return verdict_of(r, loaded), loaded, { events, messages, joins, broken, dead }
end

local function main()
  local began = clock.monotonic()
  report.say("joins, seed %d", seed)
  local verdict, loaded, left = torture(cycles, { seed = seed, patience = 120, script = "persons.lua" })
  report.say("%d kills in %.0f s; %d events acknowledged, %d ids joined", cycles, clock.monotonic() - began, loaded.counts.events, left[3])
  report.check(("%d kills among joins: nothing lost, twice, out of order, wrong"):format(cycles), verdict.total == 0, verdict:describe())
  report.check("nothing is left waiting, and no dialog is broken", left[1] + left[2] + left[4] + left[5] == 0,
    ("%d events, %d messages, %d broken dialogs, %d dead letters"):format(left[1], left[2], left[4], left[5]))
  report.check("persons were joined", left[3] >= #loaded.contacts // 4, left[3] .. " ids")
  for i, name in ipairs(control_cycles > 0 and { "lanes_apart", "stale_turns" } or {}) do
    report.control(name, nil, function(number)
      local seed_of_play = seed + i + number * 2
      return (torture(control_cycles, { seed = seed_of_play, patience = 20, script = "persons.lua", env = { CRASH_BREAK = name } }))
    end)
  end
  report.finish()
end

main()
