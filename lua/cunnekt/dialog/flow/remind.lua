-- SPDX-License-Identifier: MIT
-- The reminders of a question: texts that are sent while it has no answer. A wait ends at each of them and another one follows,
-- so that they survive a restart as the timeout does.

local options = require "cunnekt.base.options"
local steps = require "cunnekt.engine.steps"
local wait = require "cunnekt.dialog.flow.wait"

local remind = {}

local reminder_types = { after = "number", text = "string", fallback = "table" }

-- A reminder that the script gave, checked.
local function read(where, given, timeout, level)
  options.check(where .. ": remind", given, reminder_types, level + 1)
  local after = given.after
  if not after or not given.text or after <= 0 then
    error(("%s: option 'remind' must be { after = seconds, text = … }, or a list of these"):format(where), level)
  elseif timeout and after >= timeout then
    error(("%s: the reminder after %g seconds cannot be sent: the timeout is %g seconds"):format(where, after, timeout), level)
  end
  return given
end

local function is_earlier(a, b)
  return a.at < b.at
end

---The reminders of a question that is asked now, the first one first. Raises for wrong options, blaming the script's line.
---@param where string the method's name
---@param opts {remind: table, timeout: number?} `remind`: a reminder or a list of them
---@param level integer as in `error`
---@return table[]
function remind.new(where, opts, level)
  local given, now = opts.remind, steps.current().at
  local list = given[1] ~= nil and given or { given }
  local reminders = {}
  for i = 1, #list do
    local one = read(where, list[i], opts.timeout, level + 1)
    reminders[i] = { at = now + one.after, text = one.text, fallback = one.fallback }
  end
  table.sort(reminders, is_earlier)
  return reminders
end

-- Of the reminders that are due, sends the last one: the others were due while the program was down. None is sent when the
-- question has timed out as well.
local function send_due(chat, reminders, due)
  local now = steps.current().at
  local last
  while reminders[1] and reminders[1].at <= now do
    last = table.remove(reminders, 1)
  end
  if last and not (due and due <= now) then
    chat:reply_text(last.text, last.fallback and { fallback = last.fallback } or nil)
  end
end

---Like wait.for_event for the answer to a question with reminders.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param wanted table as in wait.for_event
---@param where string
---@param reminders table[] from `new`; those that were sent are removed
---@return table? event nil after a timeout
---@return cunnekt.error? err why the question was not sent
function remind.for_event(dialogs, chat, wanted, where, reminders)
  local due, began = wanted.due, steps.current().at
  while true do
    local next_wait = {}
    for name, value in pairs(wanted) do
      next_wait[name] = value
    end
    next_wait.due, next_wait.began = reminders[1] and reminders[1].at or due, began
    local it, err = wait.for_event(dialogs, chat, next_wait, where)
    if it or err or not reminders[1] then
      return it, err
    end
    send_due(chat, reminders, due)
  end
end

return remind
