-- SPDX-License-Identifier: MIT
-- The functions of bot:tap, which see every event and every message out. They change nothing: they get copies, run outside of turns
-- and lanes, and what they try to change raises. A failure of one is logged, and nobody else notices.

local blame = require "cunnekt.base.blame"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local log = require "cunnekt.base.log"
local personal = require "cunnekt.provider.personal"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"
local webhook = require "cunnekt.provider.webhook"

local tap = {}

local taps_methods = {}
local taps_mt = { __index = taps_methods, __name = "cunnekt.taps" }

-- Of this many places failures are logged, once each.
local max_places = 100

-- Own events that scripts hear; the others are the engine's.
local is_public = status_names.set(status_names.own_events)

---@class cunnekt.taps
---@field is_used boolean whether there are any
---@param parts {turns: cunnekt.turns, budget: cunnekt.turn_budget}
---@return cunnekt.taps
function tap.new(parts)
  return setmetatable({
    is_used = false,
    _functions = {},
    _turns = parts.turns,
    _budget = parts.budget,
    _logged = {}, -- place → true
    _places = 0,
  }, taps_mt)
end

---Adds a function.
---@param fn fun(what: table)
function taps_methods:add(fn)
  table.insert(self._functions, fn)
  if not self.is_used then
    self.is_used = true
    self._turns:listen(function(rows)
      self:hear_messages(rows)
    end)
  end
end

---Sets the functions, in the place of those that there are.
---@param functions fun(what: table)[]
function taps_methods:replace(functions)
  self._functions = {}
  for _, fn in ipairs(functions) do
    self:add(fn)
  end
end

-- ---- what they see -------------------------------------------------------------------------------------------------

local refusal = "bot:tap: a function of bot:tap changes nothing: it can neither reply nor wait, and has no chat.state and bot.store"

local is_method = { chat = true, start = true, download = true }

local seen_mt = {
  __name = "cunnekt.tapped",
  __index = function(_, key)
    if is_method[key] or (type(key) == "string" and key:find "^reply_") then
      error(refusal, 2)
    end
  end,
}

-- A copy of the fields of `value`. Joined texts refer to each other.
local function copy(value, seen, is_ours)
  if type(value) ~= "table" then
    return value
  elseif seen[value] then
    return seen[value]
  end
  local made = {}
  seen[value] = made
  for key, item in next, value do
    if not (is_ours and key:sub(1, 1) == "_") then
      made[key] = copy(item, seen)
    end
  end
  return setmetatable(made, is_ours and seen_mt or getmetatable(value))
end

local function event_of(it)
  webhook.raw(it) -- with it comes what the event has only when it is asked for
  return copy(it, {}, true)
end

---A message out, as functions of bot:tap see it.
---@class cunnekt.tapped_message
---@field kind "outgoing"
---@field to string
---@field phone_number_id string? of the business number
---@field payload table what is sent, as cunnekt.build returns it
---@field track table?

local function message_of(row)
  local line = identity.parts(row.contact)
  local shown = { kind = "outgoing", to = row.payload.mobile, phone_number_id = line, payload = row.payload, track = row.track }
  return copy(shown, {}, true)
end

-- ---- calling them --------------------------------------------------------------------------------------------------

local function traceback(failure)
  return errors.is(failure) and failure or select(2, blame.describe(failure, 2))
end

-- Logs a failure, once a place.
local function report(self, fn, failure, about)
  local info, text = debug.getinfo(fn, "S"), tostring(failure)
  local place = text:match "^[^\n]-:%d+:"
  if not place then
    place = ("%s:%d:"):format(info.short_src, info.linedefined)
    text = place .. " " .. text
  end
  if self._logged[place] or self._places == max_places then
    return
  end
  self._logged[place], self._places = true, self._places + 1
  log.error("bot:tap failed, which is logged once a place: %s", personal.logged(text, about))
end

-- A turn in which nothing can be changed.
local function new_turn(self)
  local its_turn = self._turns:new(nil)
  function its_turn.buffer()
    error(refusal, 0)
  end
  return its_turn
end

local function call_in_task(self, fn, what)
  task.running().turn = new_turn(self)
  self._budget:charge(self._budget.tap)
  local ok, failure = xpcall(fn, traceback, what)
  if ok then
    return
  end
  local stop = self._budget:failure(failure)
  report(self, fn, stop or failure, what)
  if stop then
    self._budget:after_stop(stop)
  end
end

-- Calls one of them. What would wait is cancelled: nobody knows how much of it there would be at a time.
local function call(self, fn, what)
  local stop = self._budget.stopped_tap
  if stop then
    return report(self, fn, stop, what)
  end
  local t = task.spawn(call_in_task, self, fn, what)
  if not t.is_done then
    task.cancel(t)
    report(self, fn, "a function of bot:tap cannot wait; let it start a task with cunnekt.spawn", what)
  end
end

local function call_all(self, make, subject)
  for _, fn in ipairs(self._functions) do
    call(self, fn, make(subject))
  end
end

---Shows them an event, the first time that it is handled in this process.
---@param record cunnekt.inbox.record
---@param it table the event
function taps_methods:hear_event(record, it)
  if record.is_tapped or (it.kind == "own" and not is_public[it.status]) then
    return
  end
  record.is_tapped = true
  call_all(self, event_of, it)
end

---Shows them the messages of a committed turn.
---@param rows cunnekt.outbox.row[]
function taps_methods:hear_messages(rows)
  for _, row in ipairs(rows) do
    call_all(self, message_of, row)
  end
end

return tap
