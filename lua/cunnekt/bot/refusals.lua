-- SPDX-License-Identifier: MIT
-- Refused replies, and numbers to which a bot cannot write: a script that does not look at `nil, err` would never know. Each is a line
-- of the log with the script's own file and line, once a place and reason, or an error of the handler where the bot was made so.

local advice = require "cunnekt.provider.advice"
local blame = require "cunnekt.base.blame"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

local refusals = {}

-- How often each place has refused for a reason. Beyond so many they are forgotten, and logged again.
local counts, known, max_known = {}, 0, 1000

-- A number that has grown by ten since it was logged is logged again.
local function is_due(count)
  while count >= 10 and count % 10 == 0 do
    count = count // 10
  end
  return count == 1
end

local function count_of(key)
  if not counts[key] then
    if known >= max_known then
      counts, known = {}, 0
    end
    known = known + 1
  end
  counts[key] = (counts[key] or 0) + 1
  return counts[key]
end

-- What was called: a question sends by a reply.
local function name_of(where)
  local running = task.running()
  local current = running and running.run
  return current and current.asking or where
end

---The function of the script that is running, where no frame has its line: as of `return chat:reply_text(…)`, and at a commit.
---@param current cunnekt.run?
---@return string where "bot.lua:3: in the handler of 'text'"
function refusals.function_of(current)
  local entry = current and current.script and current.script.known[current.name]
  if not entry then
    return "in the script"
  end
  local info, event = debug.getinfo(entry.fn, "S"), current.name:match "^on:%d+:(.*)$"
  return ("%s:%d: in the %s '%s'"):format(info.short_src, info.linedefined, event and "handler of" or "dialog", event or current.name)
end

-- The function that has called by `return`: by its name, if it is the one that runs, and not a helper or a function of bot:use.
local function place_of_function(current, begins_at)
  local named = refusals.function_of(current)
  if not begins_at or named:sub(1, #begins_at + 1) == begins_at .. ":" then
    return named
  end
  return begins_at .. ": in the function that begins there"
end

-- What is wrong, whatever the lengths and bytes are: those differ from message to message.
local function reason_of(err)
  return (err.message:gsub("0x%x+", "#"):gsub("%d+", "#"))
end

local function report(place, where, err)
  local key = table.concat({ place, where, err.kind, err.field or "", err.limit or "", reason_of(err) }, " ")
  local count = count_of(key)
  if log.is_shown or is_due(count) then
    local times = count > 1 and not log.is_shown and (" (%d times)"):format(count) or ""
    log.warn("%s: %s: %s%s", place, where, advice.sentence(err, where), times)
  end
end

---A reply that is not sent, for the script: `nil, err`, after it was made known. Raises where the bot was made with
---replies = "raise".
---@param scope cunnekt.scope? nil: never raises, as of what is no reply
---@param where string the method's name
---@param err cunnekt.error
---@return nil
---@return cunnekt.error err
function refusals.note(scope, where, err)
  if err.kind == "cancelled" or err.kind == "store" or err.kind == "conflict" then
    return nil, err -- not the script's mistake
  end
  local running = task.running()
  local current = running and running.run
  local place = blame.place(2) or place_of_function(current, blame.function_place(1))
  local called = name_of(where)
  if scope and scope.replies == "raise" then
    error(("%s: %s: %s"):format(place, called, advice.sentences(err, called)), 0)
  end
  if not current or not (current.replay or current.resumes_at) then -- a replay has said it before
    report(place, called, err)
    for _, one in ipairs(err.more or {}) do
      report(place, called, one)
    end
  end
  return nil, err
end

---Forgets what was logged. For tests.
function refusals.forget()
  counts, known = {}, 0
end

return refusals
