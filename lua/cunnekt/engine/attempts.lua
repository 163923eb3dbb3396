-- SPDX-License-Identifier: MIT
-- Runs the function of a turn and commits what it has buffered; and runs it again where another turn was first. Most turns only
-- answer an event: their commit is begun where the function has returned, and no coroutine waits for it.

local answers = require "cunnekt.engine.answers"
local blame = require "cunnekt.base.blame"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local task = require "cunnekt.base.task"

local attempts = {}

local is_stopped = core.is_stopped

-- Conflicts in a row after which a turn fails.
local max_conflicts = 100

-- ---- one at a time -------------------------------------------------------------------------------------------------

-- Retries after conflicts run one at a time: otherwise they would keep conflicting, and waste CPU time on discarded turns.
local function acquire_retry(self)
  local retries = self.turns._retries
  if retries.is_held then
    task.await(function(done)
      retries.last = retries.last + 1
      retries[retries.last] = done
    end)
  end
  retries.is_held, self.holds_retry = true, true
end

---Lets the next turn that had a conflict run again, if this one is such.
---@param self cunnekt.turn
function attempts.release_retry(self)
  if not self.holds_retry then
    return
  end
  self.holds_retry = false
  local retries = self.turns._retries
  if retries.first > retries.last then
    retries.is_held = false
    return
  end
  local go = retries[retries.first]
  retries[retries.first] = nil
  retries.first = retries.first + 1
  go()
end
local release_retry = attempts.release_retry

-- ---- an attempt ----------------------------------------------------------------------------------------------------

---For xpcall: wraps any other error value in a cunnekt.error with its traceback, which blames the script.
---@param failure any
---@return cunnekt.error
function attempts.with_traceback(failure)
  if errors.is(failure) then
    return failure
  end
  local text, traceback = blame.describe(failure, 2)
  return errors.new("handler", text, { traceback = traceback })
end
local with_traceback = attempts.with_traceback

-- A run that waits ends the turn as well.
local function commit_at_end(self)
  return self:commit(self.run and self.run.waiting and "wait" or "end")
end

-- The error of a turn without an event that an earlier process could not stop; it is not run a second time.
local function noted_error(self)
  local its_budget = self.turns.budget
  local err = its_budget:noted_error(self.name)
  its_budget:settle(self.name, self.turns._store)
  return err
end

-- Why an attempt failed.
local function failure_of(self, failure)
  if not errors.is(failure) and self.is_committing then
    -- Out of memory or C stack. Whether the commit succeeded is unknown, so the program must end.
    error(failure, 0)
  end
  if self.task then
    self.task.is_spent = true -- its coroutine may have a stack of many megabytes
  end
  local err = self.task and self.turns.budget:failure(failure)
  return err or with_traceback(failure)
end

-- Runs the function. Returns why it failed.
local function call(self, fn)
  local its_task, its_budget = self.task, self.turns.budget
  local meter, record = its_task and its_budget.meter, self.record
  if meter then
    its_task.charge = meter:enter(record and record.id or self.name)
  end
  local noted = its_budget.noted and not record and self.name and noted_error(self)
  if noted then
    return noted
  end
  local ok, failure = xpcall(fn, with_traceback, self, self.context)
  if not ok then
    return failure_of(self, failure)
  end
  return meter and is_stopped() and its_budget:failure() or nil
end

-- Commits what the function has buffered. Returns why that failed; kind "store" where the store is the reason.
local function commit_all(self)
  -- The commit raises for a state that JSON cannot represent.
  local ok, failure, why = xpcall(commit_at_end, with_traceback, self)
  if ok then
    return why
  end
  return failure_of(self, failure)
end

-- ---- again, after a conflict ---------------------------------------------------------------------------------------

-- After a conflict: whether the event is still there. When an operator has dropped it, the turn ends, and has no effect.
local function check_event(self)
  local record = self.record
  if not record then
    return true
  end
  local is_there, err = self.turns._inbox:reload(record)
  if not is_there and not err then
    self.record = nil
  end
  return is_there, err
end

-- After a failed attempt: whether the turn ends, and with which failure.
local function is_over(self, failure)
  local is_under_way = self.has_committed or self.is_continued
  self:abandon()
  if failure.kind == "budget" then
    self.turns.budget:after_stop(failure)
  elseif failure.kind == "conflict" then
    answers.rewind(self)
    local is_there, err = check_event(self)
    if not is_there then
      return true, err
    end
  end
  if failure.kind == "conflict" and is_under_way and self.record then
    self.record.answers = self.answers -- for the turn that the event gets instead
  end
  return failure.kind ~= "conflict" or is_under_way, failure
end

---Runs `fn` and commits; retries after a conflict, unless a part was committed already. Such a part must not be repeated:
---  A run goes on from its journal. It is dropped here, and the caller gives it the event again (failure.lua).
---  A job, or a function of bot:on_restart, has no journal. From its beginning it would do the first part twice, and nobody
---  knows where in the middle it was; so it fails, and what it did after the commit has no effect.
---@param self cunnekt.turn
---@param fn fun(self: cunnekt.turn)
---@param failure? cunnekt.error of a first attempt that was made already
---@return cunnekt.error? failure
---@return cunnekt.run? its_run that failed
function attempts.run(self, fn, failure)
  for _ = 1, max_conflicts do
    failure = failure or call(self, fn) or commit_all(self)
    if not failure then
      release_retry(self)
      return nil
    end
    local its_run = self.run
    local has_ended, why = is_over(self, failure)
    if has_ended then
      release_retry(self)
      return why, why and its_run or nil
    elseif not self.holds_retry then
      acquire_retry(self)
    end
    self.run, failure = nil, nil
  end
  release_retry(self)
  return errors.new("conflict", "other turns keep changing the same values")
end

-- ---- turns in tasks ------------------------------------------------------------------------------------------------

local function finish(self, failure, its_run)
  self.turns._open = self.turns._open - 1
  self.on_end(failure, self.record, its_run, self.context)
end

---In a task of its own: what the usual way could not do.
---@param self cunnekt.turn
---@param failure cunnekt.error
function attempts.go_on(self, failure)
  local running = task.running()
  running.turn, self.task = self, running
  finish(self, attempts.run(self, self.fn, failure))
end

-- The store has answered to a plain commit. No coroutine is running.
local function on_plain_commit(self, ok, err) -- or the sequence of a question
  if not ok then
    self.turns._outbox:unmark(self.sends)
    self.is_committing = false
    task.spawn(attempts.go_on, self, err)
    return
  end
  self:settle_plain(err)
  finish(self)
end

-- Commits what a turn has buffered that is not plain.
local function end_turn(self, failure)
  failure = failure or commit_all(self)
  if failure then
    return finish(self, attempts.run(self, self.fn, failure))
  end
  release_retry(self)
  finish(self)
end

---Goes on with a turn, in a new coroutine of its task, whose function has suspended itself in the old one.
---@param self cunnekt.turn
function attempts.after_suspension(self)
  local its_budget = self.turns.budget
  end_turn(self, its_budget.meter and is_stopped() and its_budget:failure() or nil)
end

-- Whether a commit would only finish an event, queue messages that have no options, and let a dialog that is stored wait again. The
-- store has a shorter way for these.
local function is_plain(self)
  local record, run = self.record, self.run
  if self.is_special or not record or record.joined then
    return false
  elseif run and run.waiting then
    return run:is_plain()
  end
  return not run or not run.is_stored
end

-- The function of a turn has returned in its task: commits, or tries again.
local function after_call(self, failure)
  if not failure and is_plain(self) then
    failure = self:begin_plain(on_plain_commit)
    if not failure then
      return
    end
  end
  end_turn(self, failure)
end

---Runs a turn in the running task, which is new.
---@param self cunnekt.turn
function attempts.run_in_task(self)
  local running, record = task.running(), self.record
  running.turn, self.task = self, running
  if record and record.had_conflict then
    acquire_retry(self) -- a resident run cannot be retried in place, so this turn must not conflict again
    self.answers, record.answers = record.answers, nil
  end
  after_call(self, call(self, self.fn))
end

---Ends a turn that was bare, in its task, with what follows its handlers.
---@param self cunnekt.turn
---@param follow fun(...: any)
---@param ... any its arguments
function attempts.end_adopted(self, follow, ...)
  local ok, failure = xpcall(follow, with_traceback, ...)
  if not ok then
    failure = failure_of(self, failure)
  else
    local its_budget = self.turns.budget
    failure = its_budget.meter and is_stopped() and its_budget:failure() or nil
  end
  after_call(self, failure)
end

return attempts
