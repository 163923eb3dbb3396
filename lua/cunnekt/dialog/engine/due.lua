-- SPDX-License-Identifier: MIT
-- The time of dialogs: looks when the first wait is over, and tells the dialog by an event of its own. The store knows
-- when each is due, so a restart changes nothing; the clock may jump, so it is looked at again now and then.

local clock = require "cunnekt.time.clock"
local inbox = require "cunnekt.engine.inbox"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

local due = {}

-- Seconds between looks at most.
local longest_look = 60

local due_methods = {}
local due_mt = { __index = due_methods, __name = "cunnekt.dialog_due" }

---@class cunnekt.dialog_due
---@param bot table
function due.new(bot)
  return setmetatable({ _bot = bot }, due_mt)
end

local function fire(self)
  local bot = self._bot
  local ok, problem = pcall(function()
    local records = bot._store:take_due(clock.now(), function(dialog)
      local told = { status = "dialog_timeout", run = dialog.id, seed = dialog.seed, n = dialog.waiting.n }
      return inbox.own_record(dialog.contact, told)
    end)
    bot._inbox:enqueue(records)
    local _, at = bot._store:dialogs_due()
    self:look_at(at)
  end)
  if not ok and not self._is_stopped then
    log.warn("the timers of dialogs could not be looked up: %s", tostring(problem))
    self:look_at(clock.now() + 1)
  end
end

---Makes sure that somebody looks when this time has come.
---@param at number? seconds since 1970
function due_methods:look_at(at)
  if not at or self._is_stopped or (self._next and self._next <= at) then
    return
  end
  if self._timer then
    self._timer:close()
  end
  self._next = at
  self._timer = clock.after(math.min(longest_look, math.max(0, at - clock.now())), function()
    self._timer, self._next = nil, nil
    task.spawn(fire, self)
  end)
end

---Looks no more.
function due_methods:stop()
  self._is_stopped = true
  if self._timer then
    self._timer:close()
  end
end

return due
