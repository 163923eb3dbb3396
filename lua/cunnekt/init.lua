-- SPDX-License-Identifier: MIT
-- require "cunnekt": everything public, each part loaded when it is first used, so that a program that only sends does
-- not load a bot.

if _VERSION ~= "Lua 5.4" then
  error(("cunnekt needs Lua 5.4, and this is %s; for busted: busted --lua=/usr/bin/lua5.4"):format(_VERSION), 0)
end

---@class cunnekt
---@field version string
---@field _VERSION string the same
---@field client fun(opts?: cunnekt.client.options): cunnekt.client makes a client, which sends
---@field bot fun(opts?: cunnekt.bot.options): cunnekt.bot makes a bot, which answers
---@field action fun(name: string, fields?: string[]): cunnekt.action declares ids of buttons that carry values
---@field filter cunnekt.filters makes matchers that combine with &, | and ~
---@field build cunnekt.build makes payloads without sending them
---@field http cunnekt.http
---@field json cunnekt.json
---@field webhook cunnekt.webhook
local cunnekt = { version = "0.1.0", _VERSION = "0.1.0" }

local constructors = { client = "cunnekt.provider.client", bot = "cunnekt.service", action = "cunnekt.bot.action" }
local parts = {
  build = "cunnekt.provider.build",
  filter = "cunnekt.bot.filter",
  http = "cunnekt.provider.http",
  json = "cunnekt.base.json",
  webhook = "cunnekt.provider.webhook",
}

local function check_function(where, fn)
  if type(fn) ~= "function" then
    error(("%s: expected a function, got %s; write %s(function() … end)"):format(where, type(fn), where), 3)
  end
end

---Runs `fn` with waiting calls that yield, and returns when it has returned.
---@param fn function
---@param ... any its arguments
---@return any ... what fn returns; raises what it raises
function cunnekt.run(fn, ...)
  check_function("cunnekt.run", fn)
  return require("cunnekt.base.task").run(fn, ...)
end

---Starts `fn` beside the caller, inside cunnekt.run or the host.
---@param fn function
---@param ... any its arguments
---@return cunnekt.task
function cunnekt.spawn(fn, ...)
  local task = require "cunnekt.base.task"
  check_function("cunnekt.spawn", fn)
  task.refuse("cunnekt.spawn", 2)
  return task.spawn(fn, ...)
end

---Waits some seconds; other tasks go on.
---@param seconds number
function cunnekt.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then
    error(("cunnekt.sleep: seconds must be a number, got %s"):format(type(seconds) == "number" and "none" or type(seconds)), 2)
  end
  local task = require "cunnekt.base.task"
  task.record("sleep", seconds, function()
    task.sleep(seconds)
  end)
end

return setmetatable(cunnekt, {
  __index = function(self, name)
    local value
    if constructors[name] then
      value = require(constructors[name]).new
    elseif parts[name] then
      value = require(parts[name])
    end
    rawset(self, name, value)
    return value
  end,
})
