-- SPDX-License-Identifier: MIT
-- The timers of dialogs: a wait that times out causes an own event for its dialog. The store has the due times, so timers
-- survive a restart; the wall clock may jump, so it is checked at least once a minute.

local clock = require "cunnekt.time.clock"
local log = require "cunnekt.base.log"
local record = require "cunnekt.engine.record"
local task = require "cunnekt.base.task"

local due = {}

-- Maximum of seconds between checks.
local max_pause = 60

local due_methods = {}
local due_mt = { __index = due_methods, __name = "cunnekt.dialog_due" }

---@class cunnekt.dialog_due
---@param engine cunnekt.engine
---@return cunnekt.dialog_due
function due.new(engine)
  return setmetatable({ _engine = engine }, due_mt)
end

local function fire(self)
  local engine = self._engine
  local ok, problem = pcall(function()
    local records = engine.store:take_due(clock.now(), function(dialog)
      local event = { status = "dialog_timeout", run = dialog.id, seed = dialog.seed, n = dialog.waiting.n }
      return record.own(dialog.contact, event)
    end)
    engine.inbox:enqueue(records)
    local _, at = engine.store:dialogs_due()
    self:check_at(at)
  end)
  if not ok and not self._is_stopped then
    log.warn("the timers of dialogs could not be checked: %s", tostring(problem))
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
  self._timer = clock.after(math.min(max_pause, math.max(0, at - clock.now())), function()
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
