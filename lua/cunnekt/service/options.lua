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
  budget = "table|boolean",
  replies = { "return", "raise" },
}

-- docs/reference/bot.md describes them, except `sends`: messages being sent concurrently.
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
  replies = "return",
}

-- The smallest value of each that is a number.
local least = { concurrency = 1, attempts = 1, queue = 0, grace = 0, keep_days = 0, parked = 0 }

-- The host itself needs some ten of them.
local min_memory_mb = 32

local default_budget = { seconds = 5, memory = "256MB" }

-- The bytes of a size such as "256MB"; nil when it is none.
local function bytes_of(text)
  local number, unit = text:match "^%s*(%d+)%s*([MG])B%s*$"
  number = math.tointeger(tonumber(number))
  return number and number < 1 << 20 and number << (unit == "G" and 30 or 20) or nil
end

local function check_budget(given, level)
  if given == nil or given == false then
    return
  elseif given == true then
    error("cunnekt.bot: option 'budget' must be a table or false, got true", level + 1)
  end
  options.check("cunnekt.bot: budget", given, { seconds = "number", memory = "string" }, level + 2)
  if given.seconds and not (given.seconds >= 0.1 and given.seconds <= 3600) then
    error(("cunnekt.bot: option 'budget.seconds' must be from 0.1 to 3600, got %g"):format(given.seconds), level + 1)
  end
  local bytes = given.memory and bytes_of(given.memory)
  if given.memory and (not bytes or bytes < min_memory_mb << 20) then
    local problem = "cunnekt.bot: option 'budget.memory' must be a size such as \"256MB\" or \"1GB\", %dMB or more, got '%s'"
    error(problem:format(min_memory_mb, given.memory), level + 1)
  end
end

---The budget of turns, for cunnekt.engine.budget.
---@param own table the bot's options
---@param store string where the bot keeps its state
---@return {seconds: number, memory: integer, notes: string?}
function bot_options.budget(own, store)
  if own.budget == false then
    return { seconds = 0, memory = 0 }
  end
  local given = own.budget or default_budget
  local file = store:match "^sqlite:(.+)$"
  return {
    seconds = given.seconds or default_budget.seconds,
    memory = bytes_of(given.memory or default_budget.memory),
    notes = file and file .. "-stopped",
  }
end

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
  for name, value in pairs(options.check("cunnekt.bot", given, all, level + 1, settings.known)) do
    (bot_options.types[name] and own or script)[name] = value
  end
  for name, value in pairs(own) do
    if least[name] and value < least[name] then
      error(("cunnekt.bot: option '%s' must be %d or more, got %g"):format(name, least[name], value), level)
    end
  end
  local is_fit = own.parked_seconds == nil or own.parked_seconds > 0
  if not is_fit then
    error(("cunnekt.bot: option 'parked_seconds' must be above 0, got %g"):format(own.parked_seconds), level)
  end
  check_budget(own.budget, level)
  return setmetatable(own, { __index = defaults }), script
end

return bot_options
