-- SPDX-License-Identifier: MIT
-- Promise 6: generated dialogs show their customers the same whatever happens to the bot.
--
-- First in one process, under a virtual clock: the bot is stopped, cut off or its dialogs are let go of between any two
-- steps; spec/dialog/replay_spec.lua is the short form, with the broken engines that are noticed. Then the real host, killed
-- with kill -9 at random instants while customers write. A message that was leaving at that instant may be missing, when
-- the bot lists it as of unknown outcome.
--
--   cunnekt run spec/crash/dialogs.lua [--dialogs 10000] [--rounds 22] [--kills 100] [--talkers 60] [--seed N]

local clock = require "cunnekt.time.clock"
local history = require "spec.support.dialogs.history"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local programs = require "spec.support.dialogs.programs"
local report = require "report"
local rig = require "rig"
local samples = require "cunnekt.sandbox.samples"
local task = require "cunnekt.base.task"

local dialogs = report.option("dialogs", 500)
local rounds = report.option("rounds", 12)
local kills = report.option("kills", 60)
local talkers = report.option("talkers", 60)
local seed = report.option("seed", os.time())

-- ---- in one process ------------------------------------------------------------------------------------------------

-- Conversations at once.
local batch = 500

local function in_process()
  local differences, restarts, ended, messages = {}, math.huge, 0, 0
  for first = 1, dialogs, batch do
    local last = math.min(first + batch - 1, dialogs)
    local calm = history.run { first = first, last = last, rounds = rounds }
    local other = history.run { first = first, last = last, rounds = rounds, disturbed = true, seed = seed + first }
    for _, difference in ipairs(history.compare(calm, other, first, last)) do
      differences[#differences + 1] = difference
    end
    restarts, ended = math.min(restarts, other.restarts), ended + history.count_ended(calm)
    for _, seen in pairs(calm.seen) do
      messages = messages + #seen
    end
  end
  report.say("%d dialogs, %d of them to their end, %d messages, at least %d restarts of each, seed %d", dialogs, ended, messages,
    restarts, seed)
  report.check("the same in one process", #differences == 0, table.concat(differences, "; ", 1, math.min(3, #differences)))
end

-- ---- with kill -9 --------------------------------------------------------------------------------------------------

local function outbox_id_of(talker)
  return ("91%010d"):format(talker)
end

-- Posts a webhook until it is acknowledged.
local function post(r, body)
  repeat
    local answer = http.request { method = "POST", url = r.url, body = body, timeout = 5 }
    if not answer then
      task.sleep(0.005)
    end
  until answer and answer.status == 200
end

-- A customer's messages of a round, in one webhook: so the second came before whatever question the first one leads to, however
-- fast the bot is.
local function talk(r, talker, round, count)
  local actions = programs.customer(talker, round)
  if round == 0 then
    actions = { { type = "text", text = ("begin %s %d"):format(talker % 3 == 0 and "queueing" or "program", talker) } }
  end
  local body
  for i, action in ipairs(actions) do
    local fields = { from = outbox_id_of(talker), message_id = ("wamid.%d.%d.%d"):format(talker, round, i) }
    for name, value in pairs(action) do
      fields[name] = name ~= "type" and name ~= "is_stale" and value or nil -- which message was older is not known here
    end
    local one = assert(samples.build(action.type, fields))
    body = body or one
    body.messages[i] = one.messages[1]
  end
  if body then
    post(r, json.encode(body))
  end
  count.done = count.done + 1
end

local function describe(payload)
  return payload.text or payload.body or payload.type
end

-- Reads what arrived since the last call: number → texts.
local function collect(r, received)
  repeat
    local page = r:control("GET", ("messages?direction=out&limit=1000&after=%d"):format(received.last))
    for _, message in ipairs(page.messages) do
      local texts = received.texts[message.contact] or {}
      received.texts[message.contact] = texts
      texts[#texts + 1] = describe(message.payload)
    end
    received.last = page.last
  until #page.messages == 0
  return received.last
end

-- Waits until nothing comes any more.
local function settle(r, received)
  local last, since = -1, clock.monotonic()
  repeat
    task.sleep(0.05)
    local count = collect(r, received)
    if count ~= last then
      last, since = count, clock.monotonic()
    end
  until clock.monotonic() - since > 0.5
end

-- The messages of unknown outcome: number → text → how many.
local function unknown_of(r)
  local unknown = {}
  for _, row in ipairs(r:rows "SELECT payload FROM outbox WHERE state = 2") do
    local payload = json.decode(row[1])
    local texts = unknown[payload.mobile] or {}
    unknown[payload.mobile] = texts
    texts[describe(payload)] = (texts[describe(payload)] or 0) + 1
  end
  return unknown
end

local function play(killing)
  local r <close> = rig.new()
  r:start_sandbox { "--no-statuses" }
  local opts = { script = "dialogs.lua", env = { LUA_PATH = rig.here .. "/../../?.lua;;" } }
  local killed, received = 0, { last = 0, texts = {} }
  assert(r:start_ready_bot(opts), "the bot does not start:\n" .. r:new_log())
  for round = 0, rounds do
    local count = { done = 0 }
    for talker = 1, talkers do
      task.spawn(talk, r, talker, round, count)
    end
    repeat
      task.sleep(0.002 + math.random() * 0.05)
      if killing and killed < kills * (round + 1) / (rounds + 1) then
        r:kill_bot()
        killed = killed + 1
        r:start_bot(opts)
      end
    until count.done == talkers and (not killing or killed >= kills * (round + 1) / (rounds + 1))
    settle(r, received)
  end
  r:stop_bot()
  return received.texts, unknown_of(r), killed, r:new_log()
end

-- What the customer saw with kills, against what they see without: only what is listed as unknown may be missing.
local function judge(calm, seen, unknown)
  local left, at = {}, 1
  for text, count in pairs(unknown or {}) do
    left[text] = count
  end
  for _, text in ipairs(calm) do
    if seen[at] == text then
      at = at + 1
    elseif (left[text] or 0) > 0 then
      left[text] = left[text] - 1
    else
      return ("'%s' where '%s' was due"):format(tostring(seen[at]), text)
    end
  end
  return seen[at] and ("'%s' too many"):format(seen[at]) or nil
end

local function with_kills()
  math.randomseed(seed)
  local calm = play(false)
  local seen, unknown, killed, log = play(true)
  local differences, lost = {}, 0
  for talker = 1, talkers do
    local number = outbox_id_of(talker)
    local what = judge(calm[number] or {}, seen[number] or {}, unknown[number])
    for _, count in pairs(unknown[number] or {}) do
      lost = lost + count
    end
    differences[#differences + 1] = what and ("talker %d: %s"):format(talker, what)
  end
  report.say("%d conversations of %d rounds, %d kills, %d messages of unknown outcome", talkers, rounds, killed, lost)
  report.check("the same with kill -9", #differences == 0, table.concat(differences, "; ", 1, math.min(3, #differences)))
  report.check("no dialog is broken", not log:find "is broken", log:match "[^\n]*is broken[^\n]*")
end

in_process()
with_kills()
report.finish()
