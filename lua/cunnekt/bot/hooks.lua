-- SPDX-License-Identifier: MIT
-- The functions that a script registers with bot:before_send, bot:on_error and bot:on_restart. This file calls those of
-- bot:before_send and bot:on_error; service/start.lua calls those of bot:on_restart. Handlers and middleware are in route.lua.

local build = require "cunnekt.provider.build"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local personal = require "cunnekt.provider.personal"
local task = require "cunnekt.base.task"

local hooks = {}

local hooks_methods = {}
local hooks_mt = { __index = hooks_methods, __name = "cunnekt.hooks" }

---@class cunnekt.hooks
---@field senders function[] bot:before_send
---@field failure_listeners function[] bot:on_error
---@field restart_listeners function[] bot:on_restart

---@return cunnekt.hooks
function hooks.new()
  return setmetatable({ senders = {}, failure_listeners = {}, restart_listeners = {} }, hooks_mt)
end

---Calls the functions of bot:before_send, and checks the payload that they return.
---@param payload table
---@param chat cunnekt.chat
---@return table? payload
---@return cunnekt.error? err kind cancelled or invalid
function hooks_methods:before_send(payload, chat)
  for _, fn in ipairs(self.senders) do
    local verdict = fn(payload, chat)
    if verdict == false then
      return nil, errors.new("cancelled", "before_send dropped the message")
    end
    payload = type(verdict) == "table" and verdict or payload
  end
  return build.send(payload)
end

---Calls the functions of bot:on_error, or logs the failure without them, and without what the customer wrote.
---@param err cunnekt.error
---@param about table? the event, or the handle of the message
function hooks_methods:on_failure(err, about)
  if #self.failure_listeners == 0 then
    log.error("%s", personal.error(err.traceback or tostring(err), about))
  end
  for _, fn in ipairs(self.failure_listeners) do
    task.spawn(function()
      local ok, problem = xpcall(fn, debug.traceback, err, about)
      if not ok then
        log.error("bot:on_error failed: %s", personal.error(tostring(problem), about))
      end
    end)
  end
end

return hooks
