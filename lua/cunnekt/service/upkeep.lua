-- SPDX-License-Identifier: MIT
-- What a serving bot looks after now and then: service windows that end soon, and rows that are old enough to go.

local clock = require "cunnekt.time.clock"
local identity = require "cunnekt.provider.identity"
local inbox = require "cunnekt.engine.inbox"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

local upkeep = {}

-- Seconds between looks for windows, and between clearings; a clearing goes in small steps with a pause between them, so
-- that it is never felt.
local window_pace, clearing_pace, step_pause = 30, 3600, 0.2

local upkeep_methods = {}
local upkeep_mt = { __index = upkeep_methods, __name = "cunnekt.upkeep" }

local function tell_of_windows(bot)
  local records, err = bot._store:closing_windows(function(contact, ends_at)
    local _, to = identity.parts(contact)
    return inbox.own_record(contact, { status = "window_closing", recipient = to, ends_at = ends_at })
  end)
  if not records then
    return log.warn("the windows could not be looked up: %s", err.message)
  end
  bot._inbox:enqueue(records)
end

local function clear_old_rows(bot)
  local days, now = bot._options.keep_days, bot._wall:certain()
  if not now then
    return -- nothing has come in since the start
  end
  repeat
    local is_done, err = bot._store:clear_old(days, now)
    if is_done == nil then
      return log.warn("old rows could not be cleared away: %s", err.message)
    end
    task.sleep(step_pause)
  until is_done or bot._is_stopping
end

-- Runs `work` again and again, counted from its end.
local function repeat_every(self, name, seconds, work)
  self[name] = clock.after(seconds, function()
    self[name] = nil
    task.spawn(function()
      work(self._bot)
      if not self._is_stopped then
        repeat_every(self, name, seconds, work)
      end
    end)
  end)
end

---Begins to look after a bot.
---@param bot table
function upkeep.start(bot)
  local self = setmetatable({ _bot = bot }, upkeep_mt)
  repeat_every(self, "_windows", window_pace, tell_of_windows)
  repeat_every(self, "_clearing", clearing_pace, clear_old_rows)
  return self
end

---Stops for good.
function upkeep_methods:stop()
  self._is_stopped = true
  for _, name in ipairs { "_windows", "_clearing" } do
    if self[name] then
      self[name]:close()
    end
  end
end

return upkeep
