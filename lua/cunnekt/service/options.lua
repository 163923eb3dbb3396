-- SPDX-License-Identifier: MIT
-- What cunnekt.bot takes: its own options with their defaults, and every setting (provider/settings.lua).

local options = require "cunnekt.base.options"
local settings = require "cunnekt.provider.settings"

local bot_options = {}

---@type table<string, string|string[]> what cunnekt.bot takes beside the settings, for options.check
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

-- Events handled at once, events that may wait, messages being sent at once, seconds to finish in at a stop, the policy for
-- uncertain deliveries, turns of an event before it becomes a dead letter, whether later events of the contact wait for one
-- that is tried again, days for which dead letters are kept, dialogs that wait in memory, and seconds for which they do; the
-- others are rebuilt from their journals.
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
---@param level integer whose line is blamed, as in `error`
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
