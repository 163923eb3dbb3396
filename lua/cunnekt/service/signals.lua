-- SPDX-License-Identifier: MIT
-- Signals: the first SIGTERM or SIGINT stops a service within its grace time, the second ends the process immediately. No
-- data is lost then; a restart recovers it.

local core = require "cunnekt.core"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

local signals = {}

---Stops a service on a signal.
---@param service cunnekt.service
---@return fun() unwatch
function signals.watch(service)
  local handles = {}
  local function on_signal()
    if service.is_stopping then
      os.exit(1, false)
    end
    log.info("stopping")
    task.spawn(service.stop, service)
  end
  for i, name in ipairs { "SIGTERM", "SIGINT" } do
    handles[i] = core.signal(name, on_signal)
  end
  return function()
    for _, handle in ipairs(handles) do
      handle:close()
    end
  end
end

return signals
