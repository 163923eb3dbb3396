-- SPDX-License-Identifier: MIT
-- Model engines that take turns on one store, in random schedules. Each engine tries to handle every event of its schedule: it
-- reads a value, a state or both, computes, and commits, again after a conflict. The value is a sum, to
-- which each event adds a number of its own; the state has the tags of events, and sums that were moved to it. What every event
-- adds is found once in the end, or the store has lost or doubled it.
--
-- An engine has always one call under way; the schedule draws whose answer is looked at next, so the calls of several engines
-- are in the store's queue together, in every order. Many schedules run on one store at once, each with keys of its own.

local seam_rig = require "spec.support.rigs.seam_rig"

local schedules = {}

-- Schedules that are under way together.
local together = 100

-- A small generator of its own for each schedule, so that one can be repeated alone.
local function new_random(seed)
  local state = seed * 2654435761 + 12345
  return function(most)
    state = (state ~ (state << 13)) & 0x7fffffffffffffff
    state = state ~ (state >> 7)
    state = (state ~ (state << 17)) & 0x7fffffffffffffff
    return (state >> 11) % most + 1
  end
end

-- ---- what a turn does ------------------------------------------------------------------------------------------------

-- Calls a method of the store; the engine goes on with the answer when its schedule says so.
local function call(name, ...)
  return coroutine.yield(name, ...)
end

local function load_sum(it, reads)
  local row = call("query", "value", { key = it.key })[1] or { version = 0 }
  reads[#reads + 1] = { kind = "value", key = it.key, version = row.version }
  return tonumber(row.value) or 0
end

-- What a state holds: a sum, and the tags of events.
local function parse(state)
  local sum, tags = (state or "0|"):match "^(%d+)|(.*)$"
  return tonumber(sum), tags
end

local function load_state(it, reads)
  local row = call("query", "conversation", { contact = it.key })[1] or { version = 0 }
  reads[#reads + 1] = { kind = "conversation", key = it.key, version = row.version }
  return parse(row.state)
end

local function value_of(it, sum)
  return { { key = it.key, value = sum and tostring(sum) } }
end

local function state_of(it, sum, tags)
  return { { contact = it.key, state = ("%d|%s"):format(sum, tags) } }
end

-- Kind → what an event of this kind does.
local computes = {
  value = function(it, turn, event)
    turn.values = value_of(it, load_sum(it, turn.reads) + event.amount)
  end,
  state = function(it, turn, event)
    local sum, tags = load_state(it, turn.reads)
    turn.states = state_of(it, sum, tags .. event.tag .. ",")
  end,
  both = function(it, turn, event)
    turn.values = value_of(it, load_sum(it, turn.reads) + event.amount)
    local sum, tags = load_state(it, turn.reads)
    turn.states = state_of(it, sum, tags .. event.tag .. ",")
  end,
  -- Moves the value into the state, and deletes it: the next event makes it again.
  move = function(it, turn)
    local moved = load_sum(it, turn.reads)
    local sum, tags = load_state(it, turn.reads)
    turn.values, turn.states = value_of(it, nil), state_of(it, sum + moved, tags)
  end,
}

-- Handles an event, unless another engine has handled it.
local function handle(it, event)
  while true do
    local turn = { event = event.id, reads = {}, now = seam_rig.now }
    computes[event.kind](it, turn, event)
    local ok, message, code = call("commit_turn", turn)
    if ok then
      return
    end
    assert(code == "conflict", message)
    if #call("query", "event_body", { id = event.id }) == 0 then
      return
    end
  end
end

local function run_engine(it, random)
  local order = { table.unpack(it.events) }
  for i = #order, 2, -1 do
    local k = random(i)
    order[i], order[k] = order[k], order[i]
  end
  for _, event in ipairs(order) do
    handle(it, event)
  end
end

-- ---- one schedule ----------------------------------------------------------------------------------------------------

-- Lets an engine go on with its answer, to its next call.
local function resume(seam, engine, on_answer)
  local answer = engine.answer
  engine.answer = nil
  local request = table.pack(coroutine.resume(engine.thread, table.unpack(answer, 1, answer.n)))
  assert(request[1], request[2])
  if coroutine.status(engine.thread) == "dead" then
    engine.is_done = true
    return
  end
  request[request.n + 1] = function(...)
    engine.answer = table.pack(...)
    on_answer(engine)
  end
  seam:begin(table.unpack(request, 2, request.n + 1))
end

local function start(seam, it, random)
  local engines = seam_rig.many(1 + random(2), function()
    return { thread = coroutine.create(function()
      run_engine(it, random)
    end), answer = { n = 0 } }
  end)
  local thread, awaited
  local function on_answer(engine)
    if engine == awaited then
      awaited = nil
      assert(coroutine.resume(thread))
    end
  end
  thread = coroutine.create(function()
    while #engines > 0 do
      local place = random(#engines)
      local engine = engines[place]
      if not engine.answer then
        awaited = engine
        coroutine.yield()
      end
      resume(seam, engine, on_answer)
      if engine.is_done then
        table.remove(engines, place)
      end
    end
    it.is_over = true
  end)
  assert(coroutine.resume(thread))
end

local kinds = { plain = { "value", "state", "both" }, moving = { "value", "move", "value", "move", "both" } }

-- What is wrong in the end, as a sentence.
local function judge(seam, it)
  local sum, tags = parse(seam:conversation(it.key).state)
  sum = sum + (tonumber(seam:value(it.key).value) or 0)
  local times, wanted_sum = {}, 0
  for tag in tags:gmatch "%d+" do
    times[tag] = (times[tag] or 0) + 1
  end
  for _, event in ipairs(it.events) do
    wanted_sum = wanted_sum + ((event.kind == "value" or event.kind == "both") and event.amount or 0)
    local wanted, found = (event.kind == "state" or event.kind == "both") and 1 or 0, times[event.tag] or 0
    if found ~= wanted then
      return ("schedule %d: event %s is there %d times"):format(it.seed, event.tag, found)
    end
  end
  if sum ~= wanted_sum then
    return ("schedule %d: the sum is %d, not %d"):format(it.seed, sum, wanted_sum)
  end
end

-- Makes a schedule's things; its events are accepted together with those of the others.
local function make(seam, seed, kind, accepted)
  local random = new_random(seed)
  local it = { seed = seed, key = "9:" .. seed, events = {} }
  for i = 1, 2 + random(2) do
    local event = seam:event { contact = it.key }
    event.kind, event.tag, event.amount = kinds[kind][random(#kinds[kind])], tostring(i), random(9)
    it.events[i] = event
    accepted[#accepted + 1] = event
  end
  return it, random
end

---Runs schedules, and gives the first sentence of what went wrong.
---@param seam table
---@param options { count: integer, seed: integer, kind: "plain"|"moving", is_quick: boolean? } is_quick: ends with the first failure
---@return string? failure
---@return integer failed how many
function schedules.run(seam, options)
  local failure, failed = nil, 0
  for first = 0, options.count - 1, together do
    local group, accepted = {}, {}
    for i = first, math.min(first + together, options.count) - 1 do
      local it, random = make(seam, options.seed + i, options.kind, accepted)
      group[#group + 1] = { it = it, random = random }
    end
    seam:accept { events = accepted, now = seam_rig.now }
    for _, one in ipairs(group) do
      start(seam, one.it, one.random)
    end
    for _, one in ipairs(group) do
      seam_rig.wait(function()
        return one.it.is_over
      end)
      local said = judge(seam, one.it)
      failure, failed = failure or said, failed + (said and 1 or 0)
    end
    if failure and options.is_quick then
      break
    end
  end
  return failure, failed
end

return schedules
