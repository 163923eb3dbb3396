-- SPDX-License-Identifier: MIT
-- Tasks: coroutines that the loop resumes. `await` yields inside a task and steps the loop elsewhere, so the same function
-- yields in the host and blocks in a plain interpreter.
--
-- A strand is a coroutine inside a task that may outlive it: suspended in one task, it is resumed in another. While it runs,
-- its waits are those of the task.
--
-- Lua code never runs inside a callback of the C libraries (see base/loop.h), so stepping the loop is safe anywhere.

local blame = require "cunnekt.base.blame"
local core = require "cunnekt.core"
local log = require "cunnekt.base.log"
local redact = require "cunnekt.base.redact"

local task = {}

---@class cunnekt.task
---@field is_done boolean
---@field results table? packed results of a task that succeeded
---@field failure any? what it raised; a string has a traceback
---@field become_strand fun(t: cunnekt.task, strand: thread)? called when its coroutine is suspended

local task_mt = { __name = "cunnekt.task" }

-- What is done for each event is src/bind/engine/tasks.c's. A task is charged as the one that starts it: `charge` says who pays for
-- what runs (engine/budget.lua). `turn` and `run` are set by engine/attempts.lua and dialog/engine/execute.lua.
local spawn, start, resume, running, set_running

local function finish(t)
  t.is_done = true
  local waiters = t.waiters
  if not waiters then
    return
  end
  t.waiters = nil
  for _, waiter in ipairs(waiters) do
    waiter()
  end
end

-- A task that awaits nothing.
local function new_task(fields)
  local current = running()
  fields.is_done, fields.charge = false, current and current.charge
  return setmetatable(fields, task_mt)
end

-- ---- the coroutines of strands -------------------------------------------------------------------------------------

-- Between strands a coroutine is suspended in `wait_for_work`, which yields this marker and the results.
local ended = {}
local idle, idle_count = {}, 0
-- Each holds a stack of some kilobytes.
local max_idle = 256

local work

local function wait_for_work(...)
  return work(coroutine.yield(ended, ...))
end

function work(fn, ...)
  return wait_for_work(fn(...))
end

local function take_coroutine()
  if idle_count == 0 then
    return coroutine.create(work)
  end
  local co = idle[idle_count]
  idle[idle_count] = nil
  idle_count = idle_count - 1
  return co
end

local function keep_coroutine(co)
  if idle_count < max_idle then
    idle_count = idle_count + 1
    idle[idle_count] = co
  else
    coroutine.close(co)
  end
end

-- ---- the end of a task ---------------------------------------------------------------------------------------------

-- Closes a coroutine; its `<close>` variables run as part of the task.
local function close_as(t, co)
  local before = running()
  set_running(t)
  local ok, failure = coroutine.close(co)
  set_running(before)
  return ok, failure
end

local function fail(t, failure)
  if failure == "not enough memory" then
    -- The task's work is half done: the process exits, and a restart recovers it from the store. Where a budget refused the
    -- memory, the turn is noted, so that it does not happen again.
    if core.is_refused(t.charge) then
      core.start_anew(t.charge)
    end
    core.out_of_memory()
  end
  t.failure = type(failure) == "string" and blame.traceback(t.co, failure) or failure
  t.has_failed = true
  close_as(t, t.co)
  if not t.waiters then
    task.on_failure(t.failure)
  end
  finish(t)
end

local function on_end(t, ok, ...)
  if not ok then
    return fail(t, (...))
  elseif select("#", ...) > 0 then
    t.results = table.pack(...)
  end
  finish(t)
end

---Called for a task that failed while nothing waited for it. Replace it to log elsewhere.
---@param failure any
function task.on_failure(failure)
  log.fatal(redact.sentence(redact.own_secrets(blame.text(failure))))
end

-- Called when a task's coroutine has yielded values: it becomes a strand, where that is foreseen.
local function on_suspend(t)
  local co, become_strand = t.co, t.become_strand
  if not become_strand then
    return fail(t, "coroutine.yield outside of a coroutine that the script created")
  end
  t.co, t.become_strand = nil, nil
  become_strand(t, co)
end

spawn, start, resume, running, set_running = core.tasks(task_mt, on_end, on_suspend)

---Starts a task: runs `fn` until its first wait.
---@type fun(fn: function, ...: any): cunnekt.task
task.spawn = spawn

---Goes on with a task whose coroutine has become a strand, in another coroutine.
---@type fun(t: cunnekt.task, fn: function, ...: any)
task.go_on = start

---The running task, if any. A finalizer (`__gc`) runs in none, whatever it interrupts.
---@type fun(): cunnekt.task?
task.running = running

---Makes a task of a coroutine that runs already, see src/bind/engine/tasks.h.
---@param fields table co, charge
---@return cunnekt.task
function task.adopt(fields)
  fields.is_done = false
  return setmetatable(fields, task_mt)
end

---Whether this code may wait by yielding: false in a coroutine that the script created.
---@return boolean
function task.can_yield()
  local current = running()
  return current ~= nil and coroutine.running() == (current.strand or current.co) and coroutine.isyieldable()
end

---Where this code is, which cannot wait, and what to do.
---@return string where
function task.hindrance()
  return coroutine.isyieldable() and "in a coroutine of the script; wait in the function that resumes it"
    or "in a function that string.gsub, table.sort or the like calls; let that one only collect, and wait in a loop behind it"
end

-- ---- strands -------------------------------------------------------------------------------------------------------

-- What a strand yields to be suspended.
local suspended = {}

-- Running strand → the one that has resumed it, if that was a strand, too.
local outer_of = setmetatable({}, { __mode = "k" })

-- What a strand yields at its end that began as the coroutine of a task: below is what that task was about to do.
local ended_within = {}

local function after_step(t, co, ok, mark, ...)
  if ok and mark == ended then
    t.strand, outer_of[co] = outer_of[co], nil
    if (...) ~= false then -- a failed one may have been left with a large stack
      keep_coroutine(co)
    end
    return "ended", ...
  elseif ok and mark == ended_within then
    t.strand, outer_of[co] = outer_of[co], nil
    coroutine.close(co)
    return "ended", ...
  elseif ok and mark == suspended then
    t.strand, outer_of[co] = outer_of[co], nil
    return "suspended"
  elseif ok and t.awaits then
    return after_step(t, co, coroutine.resume(co, coroutine.yield()))
  end
  t.strand, outer_of[co] = outer_of[co], nil
  close_as(t, co)
  return "failed", ok and "coroutine.yield outside of a coroutine that the script created" or mark
end

---A strand that has not started.
---@return thread
function task.new_strand()
  return take_coroutine()
end

---Resumes a strand in the running task, or in its running strand, until it ends, fails or suspends itself.
---@param strand thread
---@param ... any for a strand that has not started a function and its arguments, else the results of task.suspend
---@return "ended"|"failed"|"suspended" how
---@return any ... what the function returned or raised
function task.resume(strand, ...)
  local current = running()
  outer_of[strand], current.strand = current.strand, strand
  return after_step(current, strand, coroutine.resume(strand, ...))
end

---Ends a strand that was the coroutine of a task: `task.resume` gives these values. Does not return.
---@param ... any
function task.end_strand(...)
  coroutine.yield(ended_within, ...)
end

---Suspends the running strand; or the running task's coroutine, which becomes one: the task's field `become_strand` is called with the
---task and the strand, and lets the task go on.
---@return any ... what task.resume passes to it
function task.suspend()
  return coroutine.yield(suspended)
end

---Discards a suspended strand: its pending `<close>` variables run.
---@param strand thread
---@param run cunnekt.run? that it executed
function task.discard(strand, run)
  local owner = new_task { co = strand, run = run }
  local ok, failure = close_as(owner, strand)
  if not ok and not (run and failure == run.fatal) then
    task.on_failure(failure)
  end
end

-- ---- waiting -------------------------------------------------------------------------------------------------------

-- Records the results of waiting calls of a turn and its run, and refuses calls that cannot be recorded; see engine/steps.lua.
local record_in_run, refuse_in_run

---Sets the hooks for calls by a turn's code (the fields `turn` and `run` of its task); `refuse` only for a run's.
---@param record fun(kind: string, subject: any, fn: fun(): any, any): any, any
---@param refuse fun(what: string, level: integer?)
function task.connect(record, refuse)
  record_in_run, refuse_in_run = record, refuse
end

---Makes a waiting call. In a turn and its run the result is recorded, so that a repetition or a replay does not repeat the call.
---@param kind string
---@param subject any JSON value that identifies the call
---@param fn fun(...): any, any a value, or nil and an error
---@param a? any what it is called with, as the next ones
---@param b? any
---@param c? any
---@param d? any
---@return any value
---@return any err
function task.record(kind, subject, fn, a, b, c, d)
  local current = running()
  if current and (current.run or current.turn) then
    return record_in_run(kind, subject, function()
      return fn(a, b, c, d)
    end)
  end
  return fn(a, b, c, d)
end

---Refuses a call that cannot be recorded, in a run.
---@param what string
---@param level? integer as in `error`; 2 by default: the caller of the function that calls this
function task.refuse(what, level)
  local current = running()
  if current and current.run then
    refuse_in_run(what, (level or 2) + 1)
  end
end

local function cancel_operation(cancel)
  if type(cancel) == "function" then
    cancel()
  elseif type(cancel) == "table" or type(cancel) == "userdata" then
    cancel:close()
  end
end

-- Raises for a wait that nothing can end. A task that cannot yield gets here where time only passes between its turns, as in a transcript.
local function refuse_wait()
  if not running() then
    error("deadlock: waiting for something that no running operation can cause", 4)
  end
  local place = blame.place(2)
  error(("%snothing can be waited for %s"):format(place and place .. ": " or "", task.hindrance()), 0)
end

-- Outside a task: step the loop until the operation has called back.
local function await_stepping(begin)
  if core.in_finalizer() then
    error("a finalizer cannot send, store or wait: it runs in the middle of whatever takes memory", 0)
  end
  local results
  local before = running()
  local cancel = begin(function(...)
    results = results or table.pack(...)
  end)
  while not results do
    set_running(nil)
    local ok, is_any = pcall(core.step, true)
    set_running(before)
    if not ok then
      error(is_any, 0)
    elseif not is_any and not results then
      cancel_operation(cancel)
      refuse_wait()
    end
  end
  return table.unpack(results, 1, results.n)
end

---Waits for an operation: `begin(done)` starts it, and the arguments of `done` are returned here. `begin` may return what
---cancels the operation with the task: a function, or an object with a method `close`.
---@param begin fun(done: fun(...)): any
---@return any ...
function task.await(begin)
  if not task.can_yield() then
    return await_stepping(begin)
  end
  local t = running()
  -- `done` may be called before the yield or after it; only the first call counts.
  local early
  local function done(...)
    if t.awaits == done then
      t.awaits, t.cancel = nil, nil
      resume(t, ...)
    elseif early == nil then
      early = table.pack(...)
    end
  end
  local cancel = begin(done)
  if early then
    return table.unpack(early, 1, early.n)
  end
  early = false
  t.awaits, t.cancel = done, cancel
  return coroutine.yield()
end

-- Of waits that are numbered: a task awaits the number, and is given with it.
local function on_answer(t, number, ...)
  if t.awaits == number then
    t.awaits, t.cancel = nil, nil
    resume(t, ...)
  end
end

---Waits for a method of the C core that takes a value, a function and what that is called with before its own values, as
---`endpoint:post`; gives what cancels it, with a method `close`; and calls the function later. The same as `task.await`, in less time.
---@param object any
---@param name string
---@param value any
---@return any ...
function task.await_method(object, name, value)
  if not task.can_yield() then
    return await_stepping(function(done)
      return object[name](object, value, done)
    end)
  end
  local t = running()
  local number = (t.waits or 0) + 1
  t.waits = number
  t.awaits, t.cancel = number, object[name](object, value, on_answer, t, number)
  return coroutine.yield()
end

---Waits some seconds.
---@param seconds number
function task.sleep(seconds)
  task.await(function(done)
    return core.timer(seconds, done)
  end)
end

---Waits for a task to end, and returns its results or raises what it raised.
---@param t cunnekt.task
---@return any ...
function task.join(t)
  if not t.is_done then
    task.await(function(done)
      t.waiters = t.waiters or {}
      table.insert(t.waiters, done)
    end)
  end
  if t.has_failed then
    error(t.failure, 0)
  end
  return table.unpack(t.results or {}, 1, t.results and t.results.n or 0)
end

---Cancels a waiting task with the operation that it waits for; its pending `<close>` variables run.
---@param t cunnekt.task
function task.cancel(t)
  if t.is_done or coroutine.status(t.co) ~= "suspended" then
    return
  end
  local cancel = t.cancel
  t.awaits, t.cancel = nil, nil
  cancel_operation(cancel)
  while t.strand do
    local strand = t.strand
    task.discard(strand, t.run)
    t.strand, outer_of[strand] = outer_of[strand], nil
  end
  local ok, failure = close_as(t, t.co)
  if not ok then
    task.on_failure(failure)
  end
  t.is_cancelled = true
  finish(t)
end

---Runs `fn` as a task and the loop until it ends; inside a task, a plain call.
---@param fn function
---@param ... any
---@return any ...
function task.run(fn, ...)
  if running() then
    return fn(...)
  end
  local t = new_task { waiters = {} }
  start(t, fn, ...)
  while not t.is_done do
    if not core.step(true) and not t.is_done then
      task.cancel(t)
      error("deadlock: the script waits for something that no running operation can cause", 2)
    end
  end
  return task.join(t)
end

return task
