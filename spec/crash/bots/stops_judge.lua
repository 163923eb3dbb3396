-- SPDX-License-Identifier: MIT
-- The judge of ../stops.lua. It compares what was acknowledged with what the provider took; and the rows that the store has
-- after each end of the host with what the provider had received and not answered at that moment.

local json = require "cunnekt.base.json"
local load = require "load"

local judge = {}

local QUEUED, SENDING, UNKNOWN = 0, 1, 2 -- states in the table outbox

-- Sends at once, see service/options.lua.
local concurrency = 256
-- Seconds: what was answered so short a time before a kill may not be settled yet; and before the end of the grace.
local settling, settling_at_stop = 1, 0.25

local function describe(plan, life)
  return ("round %d, life %d (%d contacts × %d, %s, %s at %s, rate %.3g, grace %g)"):format(plan.number, life.number or 0,
    #plan.contacts, plan.replies, life.way, life.ending or "drain", life.moment or "its end", life.rate or 0, life.grace)
end

-- ---- the verdict ---------------------------------------------------------------------------------------------------

local verdict_methods = {}
local verdict_mt = { __index = verdict_methods }

---An empty verdict: faults by kind, examples of them, and figures.
function judge.new_verdict()
  return setmetatable({
    counts = {}, examples = {}, total = 0, messages = 0, requests = 0, stops = 0, kills = 0, unknown = 0, unwritten = 0,
    longest = 0,
  }, verdict_mt)
end

---@param fault string its kind
---@param details string the message, or what was seen
function verdict_methods:add(fault, plan, life, details)
  self.total = self.total + 1
  local count = (self.counts[fault] or 0) + 1
  self.counts[fault] = count
  if count <= 2 then
    table.insert(self.examples, ("%s: %s: %s"):format(fault, describe(plan, life), details))
  end
end

---In words.
function verdict_methods:describe()
  local words = {}
  for fault, count in pairs(self.counts) do
    words[#words + 1] = ("%d %s"):format(count, fault)
  end
  table.sort(words)
  local text = #words > 0 and table.concat(words, ", ") or "0 lost, 0 twice, 0 out of order, 0 left as being sent, 0 unknown that waited"
  return #self.examples > 0 and text .. "\n    " .. table.concat(self.examples, "\n    ") or text
end

-- ---- a life -------------------------------------------------------------------------------------------------------

local function copy_file(from, to)
  local source = io.open(from, "rb")
  if source then
    local target = assert(io.open(to, "wb"))
    target:write((source:read "a"))
    target:close()
    source:close()
  end
end

-- The store's rows, from a copy: closing a database that was left by a kill would repair it.
local function look(round, statement)
  local r = round.rig
  local path, copy = r.store_path, r.folder .. "/copy.db"
  os.remove(copy .. "-shm")
  os.remove(copy .. "-wal")
  copy_file(path, copy)
  copy_file(path .. "-wal", copy .. "-wal")
  r.store_path = copy
  -- A host that was killed early has no tables yet.
  local has_tables = r:rows("SELECT count(*) FROM sqlite_master WHERE name = 'outbox'")[1][1] > 0
  local rows = has_tables and r:rows(statement) or {}
  r.store_path = path
  return rows
end

-- Whether a request says why nobody knows what became of its message: its answer came to a host that had ended, or was about
-- to; at a stop, to one whose grace was over.
local function explains(life, request)
  if not request or request.life ~= life then
    return false
  elseif request.is_cut or life.timeout then
    return true
  end
  local heard_at = math.min(request.answered_at or math.huge, life.ended_at)
  local latest = life.is_clean and life.gives_up_at - settling_at_stop or life.ended_at - settling
  local word = heard_at == request.answered_at and "was answered" or "was given up"
  return heard_at >= latest, ("%s %.2f s too early for it"):format(word, latest - heard_at)
end

-- How many messages a kill may catch between the mark and the last byte of the request.
local function most_unwritten(life, provider, on_wire)
  if life.is_clean then
    return 0
  end
  local room = concurrency - on_wire
  if life.rate > 0 then
    local permits = math.max(1, life.rate) + life.rate * (life.ended_at - life.began_at) + 1
    room = math.min(room, permits // 1 - provider.received)
  end
  return math.max(0, room)
end

---Compares the store that a life of the host has left with what the provider knows.
function judge.life(round, life)
  local provider, verdict, plan = round.provider, round.verdict, round.plan
  local on_wire, unwritten = 0, {}
  for _, row in ipairs(look(round, "SELECT state, payload FROM outbox WHERE state > 0")) do
    local state, text = row[1], json.decode(row[2]).text
    if state == SENDING and life.is_clean then
      verdict:add("left as being sent", plan, life, text)
    elseif state > UNKNOWN then
      verdict:add("rejected", plan, life, text)
    end
    if not provider.doubtful[text] then
      provider:doubt(text)
      verdict.unknown = verdict.unknown + 1
      local request = provider.requests[text]
      local is_explained, why = explains(life, request)
      if is_explained then
        on_wire = on_wire + (state == SENDING and 1 or 0)
      elseif request and request.life == life and not (request.was_refused and not life.is_clean) then
        verdict:add("unknown without need", plan, life, text .. " " .. why)
      else
        unwritten[#unwritten + 1] = text -- or its next try is
      end
    end
  end
  verdict.unwritten = verdict.unwritten + #unwritten
  for i = most_unwritten(life, provider, on_wire) + 1, #unwritten do
    verdict:add("unknown that waited", plan, life, unwritten[i])
  end
  verdict.requests = verdict.requests + provider.received
end

-- ---- a round ------------------------------------------------------------------------------------------------------

local function judge_contact(round, life, contact, listed)
  local provider, verdict, place, last = round.provider, round.verdict, 0, 0
  local places = {}
  for k = 1, contact.said do
    for i = 1, round.plan.replies do
      local text = ("%s #%d.%d"):format(load.text(contact.number, k), k, i)
      place = place + 1
      places[text] = place
      if k <= contact.acknowledged and not provider.taken[text] and listed[text] ~= UNKNOWN then
        verdict:add("lost", round.plan, life, text)
      elseif (provider.taken[text] or 0) > 1 then
        verdict:add("twice", round.plan, life, text)
      end
    end
  end
  for _, text in ipairs(provider.order[contact.number] or {}) do
    if not places[text] then
      verdict:add("wrong", round.plan, life, text)
    elseif not provider.doubtful[text] then
      if places[text] < last then
        verdict:add("out of order", round.plan, life, text)
      end
      last = places[text]
    end
  end
end

---Compares what was acknowledged with what was taken, when nothing waits any more.
function judge.round(round, life)
  local listed = {}
  for _, row in ipairs(look(round, "SELECT state, payload FROM outbox")) do
    local text = json.decode(row[2]).text
    listed[text] = row[1]
    if row[1] == QUEUED then
      round.verdict:add("left waiting", round.plan, life, text)
    end
  end
  local waiting = #look(round, "SELECT seq FROM event UNION ALL SELECT seq FROM dead")
  if waiting > 0 then
    round.verdict:add("left waiting", round.plan, life, ("%d events"):format(waiting))
  end
  for _, contact in ipairs(round.plan.contacts) do
    judge_contact(round, life, contact, listed)
  end
end

return judge
