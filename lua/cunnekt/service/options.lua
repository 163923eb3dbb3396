-- SPDX-License-Identifier: MIT
-- The options of cunnekt.bot: its own with their defaults, and every setting (provider/settings.lua, which also loads
-- environment and configuration file). This file only checks and splits them.

local options = require "cunnekt.base.options"
local settings = require "cunnekt.provider.settings"

local bot_options = {}

---@type table<string, string|string[]> the bot's own options, for options.check
bot_options.types = {
  concurrency = "integer",
  queue = "integer",
  grace = "number",
  unknown = { "hold", "resend", "fail" },
  attempts = "integer",
  on_failure = { "wait", "pass" },
  keep_days = "integer",
  parked = "integer",
  parked_seconds = "number",
}

-- docs/script.md describes them, except `sends`: messages being sent concurrently.
local defaults = {
  concurrency = 1000,
  queue = 100000,
  sends = 256,
  grace = 10,
  unknown = "hold",
  attempts = 5,
  on_failure = "wait",
  keep_days = 30,
  parked = 1000,
  parked_seconds = 600,
}

---Checks the options of a script, and splits them.
---@param given? table
---@param level integer as in `error`
---@return table own the bot's options, with defaults
---@return table script the settings among them
function bot_options.split(given, level)
  local all, own, script = {}, {}, {}
  for name, setting in pairs(settings.known) do
    all[name] = setting.type
  end
  for name, kind in pairs(bot_options.types) do
    all[name] = kind
  end
  for name, value in pairs(options.check("cunnekt.bot", given, all, level + 1)) do
    (bot_options.types[name] and own or script)[name] = value
  end
  local is_fit = own.parked_seconds == nil or own.parked_seconds > 0
  if not is_fit then
    error(("cunnekt.bot: option 'parked_seconds' must be above 0, got %g"):format(own.parked_seconds), level)
  end
  return setmetatable(own, { __index = defaults }), script
end

return bot_options
