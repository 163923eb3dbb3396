-- SPDX-License-Identifier: MIT
-- Promises 1 and 4 at every end of the host: with a backlog, at any rate, and an API that is quick, slow, closed, cut or
-- too late, it is stopped, stopped twice or killed at a random moment, and started again. The provider is in this process,
-- so what it has received, taken and answered is known exactly: only a message that was on the wire may become unknown.
--
--   cunnekt run spec/crash/stops.lua [--rounds 1000] [--control-rounds 20] [--seed N] [--first I] [--workers 6]

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local judge = require "bots.stops_judge"
local load = require "load"
local new_provider = require("bots.stops_provider").new
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local rounds = report.option("rounds", 1000)
local control_rounds = report.option("control-rounds", 20)
local seed = report.option("seed", os.time())
local first_round = report.option("first", 1)
local workers = report.option("workers", 6)

local SIGTERM = 15
-- Seconds: what a stop may take beyond its grace.
local stop_slack = 2

local function pick(list)
  return list[math.random(#list)]
end

-- ---- what is done in a round, all of it chosen before it begins ------------------------------------------------------

local function size_of_backlog()
  local share = math.random()
  if share < 0.6 then
    return math.random(20)
  elseif share < 0.9 then
    return math.random(20, 150)
  elseif share < 0.975 then
    return math.random(150, 800)
  end
  return math.random(800, 5000)
end

local function choose_life(size)
  local way = pick { "quick", "quick", "slow", "slow", "slow", "refused", "unavailable", "limited", "reset", "late", "mixed" }
  local ending = pick { "stop", "stop", "stop", "twice", "kill", "kill" }
  return {
    way = way,
    slowest = pick { 0.3, 0.5, 0.5, 1, 3 },
    timeout = way == "late" and 0.25 or nil,
    rate = pick { 0, 0, 0, 1, 5, 20, 80, math.random() * 80 },
    ending = ending,
    grace = pick { 0.1, 0.3, 0.3, 1, 2 },
    second = math.random() * 0.2, -- seconds to the second signal
    moment = pick { ending == "kill" and "start" or "posting", "posting", "acknowledged", "requests", "requests", "later" },
    pause = math.random(),
    nth = math.random(math.min(size, 60)), -- the request at which it ends
    adds = math.random() < 0.3,
  }
end

local function choose_round(number, change)
  math.randomseed(seed + number)
  local size = change and math.random(50, 300) or size_of_backlog() -- a control needs no more
  local replies = math.random(math.min(size, pick { 1, 2, 10, 50 }))
  local plan = { number = number, replies = replies, contacts = {}, lives = {} }
  for i = 1, pick { 1, 1, 1, 2, 3 } do
    plan.lives[i] = choose_life(size)
    if change then
      change(plan.lives[i])
    end
  end
  plan.lives[1].adds = true
  for i = 1, math.ceil(size / replies) do
    plan.contacts[i] = { number = ("91%04d%06d"):format(number % 10000, i), said = 0, acknowledged = 0 }
  end
  return plan
end

-- ---- one life of the host ------------------------------------------------------------------------------------------

-- Below the ports that the system gives to connections, so that none of them sits on it while the host is down.
local next_port = 20000 + math.random(0, 9000)

local function stable_port()
  while true do
    next_port = next_port < 32000 and next_port + 1 or 20000
    local listener = core.listen({ host = "127.0.0.1", port = next_port }, function() end)
    if listener then
      listener:close()
      return next_port
    end
  end
end

local function message(contact)
  return {
    from = contact.number,
    id = ("wamid.%s.%d"):format(contact.number, contact.said),
    timestamp = ("%d"):format(clock.now() // 1),
    type = "text",
    text = { body = load.text(contact.number, contact.said) },
  }
end

local events_at_once = 200

-- Each contact says its next text; or the last one again, as long as that has no 200.
local function post(round, adds)
  local contacts = {}
  for _, contact in ipairs(round.plan.contacts) do
    if contact.acknowledged < contact.said or contact.said == 0 or adds then
      contact.said = contact.acknowledged + 1
      contacts[#contacts + 1] = contact
    end
  end
  for from = 1, #contacts, events_at_once do
    local messages = {}
    for i = from, math.min(#contacts, from + events_at_once - 1) do
      messages[#messages + 1] = message(contacts[i])
    end
    local headers = { ["Content-Type"] = "application/json" }
    local answer = http.request { method = "POST", url = round.rig.url, body = load.body(messages), headers = headers, timeout = 10 }
    for i = from, from + (answer and answer.status == 200 and #messages or 0) - 1 do
      contacts[i].acknowledged = contacts[i].said
    end
  end
end

local function start(round, life)
  local provider = round.provider
  provider.life, provider.received = life, 0
  life.number, round.life = round.life + 1, round.life + 1
  life.began_at = clock.monotonic()
  round.rig:start_bot {
    script = "stops.lua",
    api = (life.way == "refused" and round.nobody or provider.url) .. "/v1",
    env = {
      CUNNEKT_RATE = ("%.3f"):format(life.rate or 0),
      CRASH_REPLIES = round.plan.replies,
      CRASH_GRACE = life.grace,
      CRASH_TIMEOUT = life.timeout,
      CRASH_WAY = round.way,
    },
  }
end

local function is_up(round)
  return rig.wait(60, function()
    return round.rig:has_ended() or round.rig:is_ready()
  end) and round.rig.pid ~= nil
end

-- Starts the host, and gives it work until the moment at which it is to end.
local function live(round, life)
  start(round, life)
  if life.moment == "start" then
    return task.sleep(life.pause * 0.15)
  end
  if not is_up(round) then
    return round.verdict:add("no start", round.plan, life, round.rig:new_log())
  end
  local posting = task.spawn(post, round, life.adds)
  life.posting = posting
  if life.moment == "posting" then
    return task.sleep(life.pause * 0.03)
  end
  task.join(posting)
  if life.moment == "acknowledged" then
    task.sleep(life.pause * 0.02)
  elseif life.moment == "later" then
    task.sleep(life.pause * 0.6)
  else
    rig.wait(0.7, function()
      return round.provider.received >= life.nth
    end)
  end
end

local function stop(round, life)
  local r, began, limit = round.rig, clock.monotonic(), life.grace
  local function has_ended()
    return r:has_ended()
  end
  if r.pid then
    r:signal(SIGTERM)
    life.gives_up_at = began + life.grace
    if life.ending == "twice" and not rig.wait(life.second, has_ended) then
      r:signal(SIGTERM)
      began, limit, life.was_twice = clock.monotonic(), 0, true
    end
    rig.wait(limit + 10, has_ended)
  end
  life.took = clock.monotonic() - began
  if r.pid then
    r:kill_bot()
  end
  if life.took > limit + stop_slack then
    round.verdict:add("stop too late", round.plan, life, ("after %.2f s"):format(life.took))
  end
end

-- Of a second SIGTERM; the signal itself, when that comes after the stop.
local second_exits = { ["exit 1"] = true, ["signal 15"] = true }

-- How it ended, and whether it may end so.
local function note_end(round, life)
  local r, verdict = round.rig, round.verdict
  life.ended_at = clock.monotonic()
  life.is_clean = r.end_how == "exit" and r.end_code == 0
  local kind = life.is_clean and "stops" or "kills"
  verdict[kind] = verdict[kind] + 1
  if life.is_clean then
    verdict.longest = math.max(verdict.longest, life.took - (life.was_twice and 0 or life.grace))
  elseif life.ending ~= "kill" and not (life.was_twice and second_exits[r.end_how .. " " .. r.end_code]) then
    verdict:add("wrong exit", round.plan, life, ("%s %s: %s"):format(r.end_how, r.end_code, r:new_log():sub(-400)))
  end
end

local function end_life(round, life)
  if life.ending == "kill" then
    round.rig:kill_bot()
  else
    stop(round, life)
  end
  note_end(round, life)
  if life.posting then
    task.join(life.posting)
  end
  round.provider:read_the_rest()
end

-- Starts the host with a healthy API until nothing waits.
local function drain(round)
  local life = { way = "quick", ending = "stop", grace = 10, rate = 0 }
  local total = 0
  start(round, life)
  if not is_up(round) then
    round.verdict:add("no start", round.plan, life, round.rig:new_log())
  end
  post(round, false)
  for _, contact in ipairs(round.plan.contacts) do
    total = total + contact.acknowledged * round.plan.replies
  end
  rig.wait(20, function()
    -- What was being sent when the host ended is not sent again.
    local missing = total - round.provider.certain
    return missing <= round.provider.doubtful_count
  end)
  end_life(round, life)
  judge.life(round, life)
  return life, total
end

-- ---- rounds --------------------------------------------------------------------------------------------------------

local function play(plan, verdict, way)
  local r <close> = rig.new()
  local provider <close> = new_provider()
  r.port = stable_port()
  r.url = ("http://127.0.0.1:%d/webhook"):format(r.port)
  local round = {
    plan = plan,
    rig = r,
    provider = provider,
    verdict = verdict,
    way = way,
    life = 0,
    nobody = ("http://127.0.0.1:%d"):format(stable_port()),
  }
  for _, life in ipairs(plan.lives) do
    live(round, life)
    end_life(round, life)
    judge.life(round, life)
  end
  local last, total = drain(round)
  judge.round(round, last)
  verdict.messages = verdict.messages + total
end

---Plays rounds, some of them at the same time, for most of the time is spent waiting.
---@param count integer
---@param way string? in which the bot is broken
---@param change fun(life: table)? what makes this show in few rounds
---@param skip integer? rounds that were played before
local function torture(count, way, change, skip)
  local before = first_round - 1 + (skip or 0)
  local verdict, number, running = judge.new_verdict(), before, {}
  for i = 1, math.min(workers, count) do
    running[i] = task.spawn(function()
      while number < before + count do
        number = number + 1
        play(choose_round(number, change), verdict, way)
      end
    end)
  end
  for _, one in ipairs(running) do
    task.join(one)
  end
  return verdict
end

-- Each break of bots/stops.lua, the faults of which the judge must report one, and the lives in which it happens.
local controls = {
  {
    "mark_before_wait",
    { "left as being sent", "unknown that waited" },
    function(life)
      life.way, life.rate, life.timeout = "quick", 1, nil
    end,
  },
  {
    "close_before_settling",
    { "left as being sent", "unknown without need" },
    function(life)
      life.way, life.rate, life.ending, life.moment, life.grace, life.timeout = "slow", 0, "stop", "acknowledged", 2, nil
    end,
  },
  {
    "no_put_back",
    { "left as being sent", "unknown that waited" },
    function(life)
      life.way, life.rate, life.ending, life.moment, life.timeout = "quick", 0, "stop", "requests", nil
    end,
  },
}

local function check_control(name, faults, change)
  report.control(name, faults, function(play_number)
    return (torture(control_rounds, name, change, (play_number - 1) * control_rounds))
  end)
end

local function main()
  local began = clock.monotonic()
  report.say("stops, seed %d", seed)
  local verdict = torture(rounds)
  report.say("%d rounds in %.0f s: %d stops and %d kills, %d messages, %d requests; %d became unknown, %d of them unwritten at a kill", rounds,
    clock.monotonic() - began, verdict.stops, verdict.kills, verdict.messages, verdict.requests, verdict.unknown, verdict.unwritten)
  report.say("a stop took at most %.2f s beyond its grace", verdict.longest)
  report.check(("%d rounds: only what was on the wire is unknown, the rest arrives once and in order"):format(rounds),
    verdict.total == 0, verdict:describe())
  for _, control in ipairs(control_rounds > 0 and controls or {}) do
    check_control(table.unpack(control))
  end
  report.finish()
end

main()
