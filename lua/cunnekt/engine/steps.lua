-- SPDX-License-Identifier: MIT
-- Steps: every input of a handler or dialog (a value of the store, an HTTP response, the time) is a step of its run, so that
-- the run can be rebuilt from its journal. The layers below dialogs record their steps here; outside a run a step is a
-- plain call. The runs themselves are in dialog/engine/run.lua.

local answers = require "cunnekt.engine.answers"
local journal = require "cunnekt.engine.journal"
local task = require "cunnekt.base.task"

local steps = {}

---The run that this code is part of, if any.
---@return cunnekt.run?
function steps.current()
  local running = task.running()
  return running and running.run
end

---The current run, but not inside a step: its result is recorded as a whole, so it may use Lua's own functions.
---@return cunnekt.run?
function steps.outside_step()
  local current = steps.current()
  return current and not current.is_in_step and current or nil
end

---Runs a step in the current run, or as a plain call outside of runs.
---@param kind string
---@param subject any JSON value by which a replay compares the step
---@param fn fun(): any
---@param opts? table as in cunnekt.run's method `step`
---@return any result
---@return boolean is_replayed
function steps.step(kind, subject, fn, opts)
  local current = steps.current()
  if not current then
    return fn(), false
  end
  return current:step(kind, subject, fn, opts)
end

---Like steps.step, without the second result.
---@param kind string
---@param subject any
---@param fn fun(): any
---@return any
function steps.within(kind, subject, fn)
  return (steps.step(kind, subject, fn))
end

-- ---- what lies below: HTTP, the client, downloads, sleep ------------------------------------------------------------

local waiting_call = { is_internal = true, takes_time = true, commits = true }

-- Makes a network call. A turn that runs again after a conflict does not repeat it.
local function call(kind, subject, fn)
  local its_turn = task.running().turn
  if its_turn then
    return answers.call(its_turn, kind, subject, fn)
  end
  return fn()
end

-- Runs a network call as a step, and commits its result immediately, because the call must not be repeated. `fn` returns a
-- value, or nil and an error.
local function record(kind, subject, fn)
  local current = steps.current()
  if not current or current.is_in_step then
    return call(kind, subject, fn)
  end
  local value, err
  local kept, is_replayed = current:step(kind, subject, function()
    value, err = call(kind, subject, fn)
    return { v = journal.snapshot(value), err = err ~= nil and journal.pack_error(err) or nil }
  end, waiting_call)
  if is_replayed then
    return kept.v, kept.err and journal.unpack_error(kept.err)
  end
  return value, err
end

---Raises for a call that cannot be journaled, in a dialog and outside chat:step. A handler may make it, but cannot wait
---afterwards.
---@param what string
---@param level? integer as in `error`
function steps.refuse(what, level)
  local current = steps.current()
  if not current or current.is_in_step then
    return
  elseif current.is_dialog or current.is_stored then
    local message = "%s cannot be repeated when the dialog is rebuilt: do it in chat:step(name, function() … end)"
    error(message:format(what), level and level + 1 or 3)
  end
  current.tainted = current.tainted or what
end

---Whether this code is a function of bot:use around what a dialog gets: it has no journal.
---@return boolean
function steps.is_wrapping()
  local running = task.running()
  return running ~= nil and running.turn ~= nil and running.run == nil and running.turn.is_wrapping == true
end

---Raises where the code is a function of bot:use around what a dialog gets.
---@param where string the method's name, for the message
---@param level integer as in `error`
function steps.refuse_in_wrapper(where, level)
  if steps.is_wrapping() then
    local message = "%s: a function of bot:use cannot wait around an answer to a dialog; let it start a dialog with msg:start"
    error(message:format(where), level + 1)
  end
end

---The current run. Raises where it cannot wait: outside of runs, inside chat:step, in a coroutine of the script, in a function that C
---calls, in one of bot:use around an answer; or for what another customer writes.
---@param where string the method's name, for the message
---@param chat? cunnekt.chat whose customer it waits for
---@return cunnekt.run
function steps.waiting_run(where, chat)
  local current = steps.current()
  if not current then
    steps.refuse_in_wrapper(where, 3)
    error(("%s: only works in a handler or a dialog; start a dialog with bot:start"):format(where), 3)
  elseif current.is_in_step then
    error(("%s: cannot be used inside chat:step"):format(where), 3)
  elseif not task.can_yield() then
    error(("%s: cannot be used %s"):format(where, task.hindrance()), 3)
  elseif chat and chat.contact ~= current.contact and chat.contact ~= current.origin then
    error(("%s: waits only for the customer of this handler or dialog; bot:start(number, name) starts a dialog with another one"):format(where), 3)
  end
  return current
end

task.connect(record, steps.refuse)

return steps
