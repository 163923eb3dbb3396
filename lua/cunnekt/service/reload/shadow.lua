-- SPDX-License-Identifier: MIT
-- A shadow bot: what a script registers while it is loaded beside the one that runs. It has handlers, dialogs and jobs of its own, and
-- the store, the client and the outbox of the running service. `swap` puts what it has in the place of the running script's; from then
-- on it is a bot like the first.

local bot = require "cunnekt.bot"
local bot_options = require "cunnekt.service.options"
local declared = require "cunnekt.dialog.declared"
local dialog_replacement = require "cunnekt.dialog.replacement"
local hooks = require "cunnekt.bot.hooks"
local job_replacement = require "cunnekt.jobs.replacement"
local planner = require "cunnekt.jobs.planner"
local route = require "cunnekt.bot.route"
local task = require "cunnekt.base.task"

local shadow = {}

local shadow_methods = {}
local shadow_mt = { __index = shadow_methods, __name = "cunnekt.shadow" }

---@class cunnekt.shadow
---@field bot cunnekt.bot

-- Waits until the running service has stopped.
local function wait_for_stop(live)
  if live.is_clean ~= nil then
    return
  end
  task.await(function(done)
    local before = live.on_stopped
    function live.on_stopped()
      if before then
        before()
      end
      done()
    end
  end)
end

-- The service as the script sees it before the swap: it runs already.
local function stand_in_for(live, on_run)
  local its = {}
  function its.run()
    on_run()
    wait_for_stop(live)
    return live.is_clean
  end
  function its.listen()
    return true
  end
  for _, name in ipairs { "address", "admin_address", "stop" } do
    its[name] = function(_, ...)
      return live[name](live, ...)
    end
  end
  return its
end

---Creates a bot beside that of a running service.
---@param live cunnekt.service
---@param opts table? those of cunnekt.bot. Raises for wrong ones, and blames the caller's caller
---@param on_run fun() the script has come to bot:run
---@return cunnekt.shadow
function shadow.new(live, opts, on_run)
  bot_options.split(opts, 4)
  local self = setmetatable({ _live = live, _known = {}, _taps = {}, _jobs = job_replacement.stand_in() }, shadow_mt)
  local known, taps = self._known, self._taps
  local parts = {
    engine = live.engine,
    scope = live.scope,
    routes = route.new(),
    hooks = hooks.new(),
    service = stand_in_for(live, on_run),
    dialogs = {
      register = function(_, ...)
        declared.add(known, ...)
      end,
    },
    taps = {
      add = function(_, fn)
        taps[#taps + 1] = fn
      end,
    },
  }
  self._parts = parts
  self.bot = bot.new(live.bot.client, live.bot.store, parts)
  parts.planner = planner.new { schedule = self._jobs, turns = live.engine.turns, bot = self.bot }
  return self
end

---Puts what was registered in the place of what the running script has. No turn may be running.
function shadow_methods:swap()
  local live, parts = self._live, self._parts
  local its = bot.parts(live.bot)
  its.routes:replace(parts.routes)
  live.hooks:replace(parts.hooks)
  live.taps:replace(self._taps)
  dialog_replacement.replace(live.dialogs, self._known)
  parts.routes, parts.hooks, parts.taps, parts.dialogs, parts.service = its.routes, live.hooks, live.taps, live.dialogs, live
  parts.planner = planner.new { schedule = live.schedule, turns = live.engine.turns, bot = self.bot }
end

---After the swap: schedules the script's jobs, and gives it the open dialogs that fit it. Waits.
---@return cunnekt.dialog.moved[]? moved
---@return cunnekt.error? err kind store
function shadow_methods:settle()
  local live = self._live
  local ok, err = job_replacement.replace(live.schedule, live.engine.turns, self._jobs)
  if not ok then
    return nil, err
  end
  return dialog_replacement.move(live.dialogs)
end

---The number of handlers and of dialogs.
---@return integer handlers
---@return integer dialogs
function shadow_methods:counts()
  local count = 0
  for _, one in pairs(self._known) do
    count = count + (one.opts.is_dialog and 1 or 0)
  end
  return bot.parts(self._live.bot).routes:count(), count
end

return shadow
