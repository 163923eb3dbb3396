-- SPDX-License-Identifier: MIT
-- Signals that end a program, SIGTERM, SIGINT and SIGHUP. The first stops a service within its grace time, a second SIGTERM or
-- SIGINT ends the process immediately, whatever Lua does then: that is src/bind/loop.c's. No data is lost; a restart recovers it.
-- Of SIGHUP two come when a terminal is gone, from the shell and from the system, so it never ends anything immediately; under
-- nohup it is ignored.

local core = require "cunnekt.core"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

---@class cunnekt.signals
---@field is_ending boolean whether such a signal has stopped a service: its script does not go on for what else it has begun
local signals = { is_ending = false }

---Calls a function on the first signal that ends a program.
---@param on_signal fun() may not wait
---@return fun() unwatch
function signals.watch(on_signal)
  local handles = {}
  for i, name in ipairs { "SIGTERM", "SIGINT", "SIGHUP" } do
    handles[i] = core.signal(name, on_signal)
  end
  return function()
    for _, handle in ipairs(handles) do
      handle:close()
    end
  end
end

---Stops a service on a signal.
---@param service cunnekt.service
---@return fun() unwatch
function signals.stop_on_signal(service)
  return signals.watch(function()
    signals.is_ending = true
    if not service.is_stopping then
      log.info("stopping")
      task.spawn(service.stop, service)
    end
  end)
end

return signals
