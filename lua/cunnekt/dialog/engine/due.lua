-- SPDX-License-Identifier: MIT
-- The timers of dialogs: a wait that times out causes an own event for its dialog. The store has the due times, so timers
-- survive a restart; the wall clock may jump: see clock.longest_wait.

local clock = require "cunnekt.time.clock"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local record = require "cunnekt.engine.record"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local due = {}

local due_methods = {}
local due_mt = { __index = due_methods, __name = "cunnekt.dialog_due" }

---@class cunnekt.dialog_due
---@param engine cunnekt.engine
---@return cunnekt.dialog_due
function due.new(engine)
  return setmetatable({ _engine = engine, _log_pace = log_pace.new() }, due_mt)
end

-- The timer of a wait that is due. While a person has taken over the conversation it is only cleared; chat:resume sets it
-- again.
local function timer_of(row)
  local waiting, event = row.waiting and json.decode(row.waiting), nil
  if waiting and row.is_paused == 0 then
    event = record.own(row.contact, { status = "dialog_timeout", run = row.id, seed = row.seed, n = waiting.n })
  end
  return { dialog = row.id, due = row.due, steps = row.steps, event = event }
end

local function fire(self)
  local store, inbox = self._engine.store, self._engine.inbox
  local ok, problem = pcall(function()
    local timers = {}
    for i, row in ipairs(store:read("due_dialogs", { ["until"] = clock.now() })) do
      timers[i] = timer_of(row)
    end
    inbox:enqueue(assert(store:fire(timers)))
    local _, at = stored_dialogs.overview(store)
    self:check_at(at)
  end)
  if not ok and not self._is_stopped then
    if self._log_pace:note "timers" then
      log.warn("the timers of dialogs could not be checked: %s", tostring(problem))
    end
    self:check_at(clock.now() + 1)
  end
end

---Checks at this time, or earlier.
---@param at number? seconds since 1970
function due_methods:check_at(at)
  if not at or self._is_stopped or (self._next and self._next <= at) then
    return
  end
  if self._timer then
    self._timer:close()
  end
  self._next = at
  self._timer = clock.after(math.min(clock.longest_wait, math.max(0, at - clock.now())), function()
    self._timer, self._next = nil, nil
    task.spawn(fire, self)
  end)
end

---Stops the checks.
function due_methods:stop()
  self._is_stopped = true
  if self._timer then
    self._timer:close()
  end
end

return due
