-- SPDX-License-Identifier: MIT
-- Steps: whatever a handler or dialog learns from outside (a value of the store, an HTTP answer, the time) is a step of the
-- run that executes it, so that the run can be rebuilt from its journal. This module is how everything below dialogs
-- takes a step; outside of runs a step is just done. The runs themselves are in dialog/engine/run.lua.

local journal = require "cunnekt.engine.journal"
local task = require "cunnekt.base.task"

local steps = {}

---The run that this code is part of, if any.
---@return cunnekt.run?
function steps.current()
  local running = task.running()
  return running and running.run
end

---Does a step in the current run, or just does it where there is none.
---@param kind string
---@param subject any what is done, fit for JSON: the step is compared by it
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

---As steps.step, with the result alone.
---@param kind string
---@param subject any
---@param fn fun(): any
---@return any
function steps.within(kind, subject, fn)
  return (steps.step(kind, subject, fn))
end

-- ---- what lies below: HTTP, the client, downloads, sleep ------------------------------------------------------------

local waiting_call = { is_internal = true, takes_time = true, commits = true }

-- Does a waiting call as a step, and keeps its result at once: it must not be asked for again. `fn` gives a value, or nil
-- and an error.
local function record(kind, subject, fn)
  local current = steps.current()
  if not current or current.is_in_step then
    return fn()
  end
  local value, err
  local kept, is_replayed = current:step(kind, subject, function()
    value, err = fn()
    return { v = journal.snapshot(value), err = err ~= nil and journal.pack_error(err) or nil }
  end, waiting_call)
  if is_replayed then
    return kept.v, kept.err and journal.unpack_error(kept.err)
  end
  return value, err
end

---Refuses what cannot be journaled: in a dialog, but for chat:step; a handler may, but then it cannot wait afterwards.
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

---Raises where the code that calls this is not the script's own coroutine of a handler or dialog.
---@param where string the method's name, for the message
---@return cunnekt.run
function steps.waiting_run(where)
  local current = steps.current()
  if not current then
    error(("%s: only a handler or a dialog can do that; begin a dialog with bot:start"):format(where), 3)
  elseif current.is_in_step then
    error(("%s: not within chat:step, which is done as a whole"):format(where), 3)
  elseif not task.can_yield() then
    error(("%s: not in a coroutine of the script's own"):format(where), 3)
  end
  return current
end

task.connect(record, steps.refuse)

return steps
