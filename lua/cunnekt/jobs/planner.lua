-- SPDX-License-Identifier: MIT
-- The implementation of bot:after, every, daily, cron, job and cancel_job: checks arguments and schedules named jobs in the
-- running turn. The bot's methods tail-call these functions, so that errors blame the script's line. schedule.lua decides
-- when a job runs.

local clock = require "cunnekt.time.clock"
local cron = require "cunnekt.time.cron"
local json = require "cunnekt.base.json"
local options = require "cunnekt.base.options"
local steps = require "cunnekt.engine.steps"
local storable = require "cunnekt.base.storable"
local timing = require "cunnekt.jobs.timing"

local planner = {}

local planner_methods = {}
local planner_mt = { __index = planner_methods, __name = "cunnekt.planner" }

---@class cunnekt.planner
---@param parts {schedule: cunnekt.schedule, turns: cunnekt.turns, bot: cunnekt.bot} `bot`: the functions' return value
---@return cunnekt.planner
function planner.new(parts)
  return setmetatable({ _schedule = parts.schedule, _turns = parts.turns, _bot = parts.bot }, planner_mt)
end

---The argument of a job's function.
---@class cunnekt.job
---@field name string
---@field due number scheduled time of this run, in seconds since 1970; the first of several missed ones
---@field last? number time of the previous run
---@field args? any the option `args`

---@class cunnekt.job_options
---@field catch_up? "skip"|"once"|"all" missed runs: none, one for all of them (default), or each, 100 at most
---@field args? any passed to the function; any JSON value

---@class cunnekt.daily_options: cunnekt.job_options
---@field tz? string a time zone such as "Asia/Kolkata"; the computer's by default

local policies = { "skip", "once", "all" }
---@type table<string, any> options of bot:after and bot:every, for options.check
planner.option_types = { catch_up = policies, args = "any" }
---@type table<string, any> options of bot:daily and bot:cron
planner.daily_option_types = { catch_up = policies, args = "any", tz = "string" }

-- What is wrong with a job's name or function, if anything.
local function problem_of(self, name, fn)
  if type(name) ~= "string" or name == "" then
    return ("expected a name for the job, got %s"):format(name == "" and "an empty one" or type(name))
  elseif type(fn) == "string" then
    local functions = self._schedule:functions()
    if functions[fn] then
      return nil
    end
    local names = {}
    for known in pairs(functions) do
      names[#names + 1] = known
    end
    local near = options.suggest(fn, names)
    return ("there is no bot:job '%s'%s"):format(fn, near and (" (did you mean '%s'?)"):format(near) or "")
  elseif type(fn) ~= "function" then
    return ("the job '%s' must be a function, or the name of a bot:job, got %s"):format(name, type(fn))
  end
  return nil
end

local function encode_args(where, args)
  if args == nil then
    return nil
  end
  local ok, text = pcall(json.encode, json.array { args })
  if not ok then
    error(("%s: option 'args' cannot be stored: %s"):format(where, storable.reason(args, text)), 4)
  end
  return text
end

-- Changes the schedule in the running turn, or in a new one. A replay does not repeat it.
local function within(self, kind, name, change)
  local err
  local result, is_replayed = steps.step(kind, name, function()
    local its_result
    its_result, err = self._turns:within(change)
    return its_result
  end)
  return result, err, is_replayed
end

-- Schedules a job. Its callers are methods and must not tail-call it, so that level 3 is the script's line.
local function plan(self, where, known_options, its_timing, opts, name, fn)
  if type(opts) ~= "table" then
    opts, name, fn = nil, opts, name
  end
  opts = options.check(where, opts, known_options, 4)
  local problem, its_run = problem_of(self, name, fn), steps.current()
  if problem and not (its_run and its_run.replay) then -- a replay schedules nothing, and may be of a script from before
    error(("%s: %s"):format(where, problem), 3)
  end
  local is_named = type(fn) == "string"
  local job = {
    name = name,
    fn = not is_named and fn or nil,
    runs = is_named and fn or nil,
    catch_up = opts.catch_up or "once",
    args = encode_args(where, opts.args),
    timing = its_timing(opts),
  }
  job.spec = job.timing.text
  if not self._schedule:is_loaded() then
    self._schedule:declare(job)
    return self._bot
  end
  local ok, err, is_replayed = within(self, "job", name, function(current)
    self._schedule:plan(current, job)
    return true
  end)
  if is_replayed then
    self._schedule:adopt(job)
  end
  return ok and self._bot or nil, err
end

local function check_seconds(where, seconds, is_zero_fine)
  local is_number = type(seconds) == "number" and seconds == seconds and seconds < math.huge
  if not is_number or seconds < 0 or (seconds == 0 and not is_zero_fine) then
    error(("%s: seconds must be a number%s"):format(where, is_zero_fine and ", 0 or more" or " of more than 0"), 3)
  end
  clock.refuse_time(where, seconds, 3)
end

---Watches runs of jobs, see schedule.lua.
---@param on_run fun(fn: function, name: string)
---@return fun(): {what: string, fn: function}[] entries
function planner_methods:watch(on_run)
  return self._schedule:watch(on_run)
end

---bot:job, see bot/init.lua.
---@param name string
---@param fn fun(job: cunnekt.job)
---@return cunnekt.bot
function planner_methods:job(name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    error("bot:job: expected a name and a function", 2)
  end
  self._schedule:name_function(name, fn)
  return self._bot
end

---bot:after, see bot/init.lua.
---@param seconds number
---@param opts cunnekt.job_options
---@param name string
---@param fn string|fun(job: cunnekt.job)
---@return cunnekt.bot?
---@return cunnekt.error?
function planner_methods:after(seconds, opts, name, fn)
  check_seconds("bot:after", seconds, true)
  local planned, err = plan(self, "bot:after", planner.option_types, function()
    return timing.after(seconds)
  end, opts, name, fn)
  return planned, err
end

---bot:every, see bot/init.lua.
---@param seconds number
---@param opts cunnekt.job_options
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot?
---@return cunnekt.error?
function planner_methods:every(seconds, opts, name, fn)
  check_seconds("bot:every", seconds, false)
  local planned, err = plan(self, "bot:every", planner.option_types, function()
    return timing.every(seconds)
  end, opts, name, fn)
  return planned, err
end

-- Creates the timing of a cron expression, or raises for the script's line: three levels up from here, four from the
-- function that is returned, which `plan` calls.
local function by_line(where, line, err)
  if not line then
    error(("%s: %s"):format(where, err.message), 3)
  end
  return function(opts)
    local its_timing, problem = timing.cron(line, opts.tz)
    if not its_timing then
      error(("%s: %s"):format(where, problem.message), 4)
    end
    return its_timing
  end
end

---bot:daily, see bot/init.lua.
---@param time string
---@param opts cunnekt.daily_options
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot?
---@return cunnekt.error?
function planner_methods:daily(time, opts, name, fn)
  local by_time = by_line("bot:daily", cron.daily(tostring(time)))
  local planned, err = plan(self, "bot:daily", planner.daily_option_types, by_time, opts, name, fn)
  return planned, err
end

---bot:cron, see bot/init.lua.
---@param line string
---@param opts cunnekt.daily_options
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot?
---@return cunnekt.error?
function planner_methods:cron(line, opts, name, fn)
  local by_its_line = by_line("bot:cron", cron.parse(tostring(line)))
  local planned, err = plan(self, "bot:cron", planner.daily_option_types, by_its_line, opts, name, fn)
  return planned, err
end

---bot:cancel_job, see bot/init.lua.
---@param name string
---@return boolean?
---@return cunnekt.error?
function planner_methods:cancel_job(name)
  if type(name) ~= "string" then
    error(("bot:cancel_job: expected the job's name, got %s"):format(type(name)), 2)
  end
  if not self._schedule:is_loaded() then
    return self._schedule:withdraw(name)
  end
  local was_planned, err = within(self, "job off", name, function(current)
    return self._schedule:cancel(current, name)
  end)
  return was_planned, err
end

return planner
