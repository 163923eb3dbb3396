-- SPDX-License-Identifier: MIT
-- A program for crash_spec.lua: accepts events and commits a turn for each, in a loop, until it is killed. A line tells what
-- was acknowledged: `event N` or `turn N`. Turn N ends event N and writes N into everything else that it changes.
--
--   lua5.4 spec/store/conformance/writer.lua URL LIFE [early|halves]
--
-- For negative controls, `early` acknowledges turns as they are called, and `halves` commits each in two.

local core = require "cunnekt.core"

local url, life, breakage = arg[1], arg[2], arg[3]

-- Turns that are under way together.
local together = 20

io.stdout:setvbuf "line"
local db = assert(core.store_open(url))
local n

-- Ids follow from the number, so that each is used once, in whatever life.
local function id(kind)
  return 1000000 + 3 * n + kind
end

local function turn()
  return {
    now = 1700000000, event = id(0),
    states = { { contact = "1:2", state = tostring(n) } },
    values = { { key = "n", value = tostring(n) } },
    messages = { { id = id(1), contact = "1:2", payload = tostring(n), state = "queued", unknown = "hold" } },
    events = { { id = id(2), contact = "1:3", body = ("x"):rep(n * 37 % 3000), key = "own " .. n } },
    run = {
      id = 1, is_new = n == 1, contact = "1:2", name = "it", seed = "s", started_at = 1, waiting = "{}", before = n - 1, after = n,
      steps = { { n = n, mark = "step", result = tostring(n) } },
    },
  }
end

-- The turn without its messages and its dialog, which come in a turn of their own.
local function commit_halves(whole, done)
  local second = { now = whole.now, messages = whole.messages, run = whole.run }
  whole.messages, whole.run = nil, nil
  db:commit_turn(whole, function(ok, message)
    assert(ok, message)
    db:commit_turn(second, done)
  end)
end

local function add()
  n = n + 1
  local mine = n
  local event = { id = id(0), contact = "1:2", body = tostring(n), key = ("event %s %d"):format(life, n) }
  local its_turn = turn()
  db:accept({ events = { event }, now = 1700000000 }, function(ok, message)
    assert(ok and event.is_fresh, message)
    print("event " .. mine)
  end)
  local function tell(ok, message)
    assert(ok, message)
    print("turn " .. mine)
  end
  if breakage == "early" then
    tell(true)
  end
  local commit = breakage == "halves" and commit_halves or function(request, done)
    db:commit_turn(request, done)
  end
  commit(its_turn, function(ok, message)
    if breakage ~= "early" then
      tell(ok, message)
    end
    add()
  end)
end

-- Goes on after the last turn that is stored.
db:query("value", { key = "n" }, function(rows)
  n = rows[1] and tonumber(rows[1].value) or 0
  for _ = 1, together do
    add()
  end
end)
while core.step(true) do
end
