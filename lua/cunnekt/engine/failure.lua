-- SPDX-License-Identifier: MIT
-- What happens to an event whose turn failed: it is retried after a delay, and becomes a dead letter after its last attempt. A
-- turn that was stopped by its budget has only one.
-- A turn that the store could not commit, or that had a conflict, is retried without counting as an attempt. The delays are
-- in provider/retry.lua; the queue is the inbox's.

local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local retry = require "cunnekt.provider.retry"

local failure = {}

local failure_methods = {}
local failure_mt = { __index = failure_methods, __name = "cunnekt.failure" }

---@class cunnekt.failure
---@param parts {store: table, inbox: cunnekt.inbox, counts: table, budget: cunnekt.turn_budget, attempts: integer, on_failure: fun(err: cunnekt.error, about: table?), break_run: fun(its_run: cunnekt.run, err: cunnekt.error, record: table?)} `attempts`: turns of an event at most; `break_run` stores that a dialog cannot continue
---@return cunnekt.failure
function failure.new(parts)
  return setmetatable({
    _store = parts.store,
    _inbox = parts.inbox,
    _counts = parts.counts,
    _attempts = parts.attempts,
    _budget = parts.budget,
    _on_failure = parts.on_failure,
    _break_run = parts.break_run,
    _log_pace = log_pace.new(),
  }, failure_mt)
end

---Handles the failure of a turn.
---@param record cunnekt.inbox.record
---@param err cunnekt.error `attempts` and `is_final` are set
---@param what {event: table?, run: cunnekt.run?, is_finished: boolean} `run`: a stored one that failed in the turn; `is_finished`: the event's turn was committed before the failure
---@param done fun(pause?: number) of the event's lane
function failure_methods:on_turn(record, err, what, done)
  if err.kind == "store" and not what.is_finished then
    -- Not the handler's fault: it runs again when the store can write.
    if self._log_pace:note(err.code or "store") then
      log.warn("a turn could not be committed: %s", err.message)
    end
    return done(retry.store)
  elseif err.kind == "conflict" and not what.is_finished then
    record.had_conflict = true
    return done(0) -- the dialog is rebuilt and gets the event again
  elseif err.kind == "diverged" and what.run then
    -- The dialog is broken, so on the retry the event goes to the handlers.
    self._break_run(what.run, err)
    self._on_failure(err, what.event)
    return done(0)
  end
  self._counts.events_failed = self._counts.events_failed + 1
  record.attempts = record.attempts + 1
  err.attempts = record.attempts
  err.is_final = what.is_finished or err.kind == "budget" or record.attempts >= self._attempts
  local type_of = what.event and (what.event.type or what.event.status) or nil
  err.event = { id = record.id, type = type_of or what.event and what.event.kind, attempts = self._attempts }
  -- The store has it before the script hears of it: functions of bot:on_error may end the process, too.
  if not err.is_final then
    self._store:note_attempt(record)
    local pause = retry.turn(record.attempts)
    err.event.next_try = pause
    self._on_failure(err, what.event)
    return self._inbox:try_later(record, pause, done)
  end
  if what.run then
    self._break_run(what.run, err, record)
  end
  if not what.is_finished then
    self._counts.events_dead = self._counts.events_dead + 1
    self._store:bury(record, err)
    self._budget:settle(record.id, self._store)
  end
  self._on_failure(err, what.event)
  done()
end

return failure
