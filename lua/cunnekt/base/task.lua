-- SPDX-License-Identifier: MIT
-- Waiting. A task is a coroutine that the loop resumes; `await` yields inside one, and steps the loop anywhere else, so
-- that the same function yields in the host and blocks in a plain interpreter.
--
-- A strand is a coroutine within a task that may outlive it: parked in one task, it goes on in another. While it runs it is
-- the task that waits in it.
--
-- Lua code never runs inside a callback of the C libraries (see base/loop.h), so stepping the loop is safe anywhere.

local core = require "cunnekt.core"

local task = {}

---@class cunnekt.task
---@field is_done boolean
---@field results table? packed results of a task that ended well
---@field failure any? what it raised, with a traceback where it was a string

-- The task whose code runs.
local current

local task_mt = { __name = "cunnekt.task" }

-- Made with room for what a task gets later (see cunnekt.turn for the last two).
local function new_task(co, waiters)
  local t = { co = co, is_done = false, waiters = waiters, awaits = nil, cancel = nil, strand = nil, turn = nil, run = nil }
  return setmetatable(t, task_mt)
end

local function finish(t)
  t.is_done = true
  local waiters = t.waiters
  t.waiters = nil
  for _, waiter in ipairs(waiters or {}) do
    waiter()
  end
end

-- A coroutine serves one task after another: a new one, whose stack has to grow anew, costs several times as much, and
-- an event takes two. Between tasks it stands at the yield in `rest`, from which it gives this mark and the results.
local ended = {}
local idle, idle_count = {}, 0
-- So many are kept; each holds a stack of some kilobytes.
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

-- Closes a coroutine; what runs then is still the task's.
local function close_as(t, co)
  local before = current
  current = t
  local ok, failure = coroutine.close(co)
  current = before
  return ok, failure
end

local function fail(t, failure)
  if failure == "not enough memory" then
    -- What the task had under way stays half done: better to end now, and to be taken up from the store.
    core.out_of_memory()
  end
  t.failure = type(failure) == "string" and debug.traceback(t.co, failure) or failure
  t.has_failed = true
  close_as(t, t.co)
  if not t.waiters then
    task.on_failure(t.failure)
  end
  finish(t)
end

-- Deals with the end of a task, if it has ended. What coroutine.resume returns goes through varargs: no table per resume.
local function settle(t, before, ok, mark, ...)
  current = before
  if not ok then
    fail(t, mark)
  elseif mark == ended then
    if select("#", ...) > 0 then
      t.results = table.pack(...)
    end
    keep_coroutine(t.co)
    t.co = nil
    finish(t)
  end
end

local function resume(t, ...)
  local before = current
  current = t
  return settle(t, before, coroutine.resume(t.co, ...))
end

---Hears of tasks that failed while nobody waited for them. Replace it to log elsewhere.
---@param failure any
function task.on_failure(failure)
  io.stderr:write("cunnekt: ", tostring(failure), "\n")
end

---Starts a task: runs `fn` until it first waits.
---@param fn function
---@param ... any its arguments
---@return cunnekt.task
function task.spawn(fn, ...)
  local t = new_task(take_coroutine())
  resume(t, fn, ...)
  return t
end

---The task that is running, if any.
---@return cunnekt.task?
function task.running()
  return current
end

---Whether this code may wait by yielding: not in a coroutine that the script made by itself.
---@return boolean
function task.can_yield()
  return current ~= nil and coroutine.running() == (current.strand or current.co) and coroutine.isyieldable()
end

-- ---- strands -------------------------------------------------------------------------------------------------------

-- What a strand gives that parks itself.
local suspended = {}

local function after_step(t, co, ok, mark, ...)
  if ok and mark == ended then
    t.strand = nil
    keep_coroutine(co)
    return "ended", ...
  elseif ok and mark == suspended then
    t.strand = nil
    return "suspended"
  elseif ok and t.awaits then
    return after_step(t, co, coroutine.resume(co, coroutine.yield()))
  end
  t.strand = nil
  close_as(t, co)
  return "failed", ok and "coroutine.yield outside of a coroutine of the script's own" or mark
end

---A strand that has not begun.
---@return thread
function task.new_strand()
  return take_coroutine()
end

---Lets a strand go on in the running task, until it ends, fails or parks itself.
---@param strand thread
---@param ... any a function and its arguments for one that has not begun, what task.suspend returns for another
---@return "ended"|"failed"|"suspended" how
---@return any ... what the function returned, or raised
function task.resume(strand, ...)
  current.strand = strand
  return after_step(current, strand, coroutine.resume(strand, ...))
end

---Parks the strand that runs.
---@return any ... what it goes on with
function task.suspend()
  return coroutine.yield(suspended)
end

---Drops a parked strand: its pending `<close>` variables run.
---@param strand thread
---@param run cunnekt.run whose code that is
function task.discard(strand, run)
  local owner = new_task(strand)
  owner.run = run
  local ok, failure = close_as(owner, strand)
  if not ok and failure ~= run.fatal then
    task.on_failure(failure)
  end
end

-- ---- waiting -------------------------------------------------------------------------------------------------------

-- What keeps the results of waiting calls in a run, and refuses what cannot be kept; see engine/steps.lua.
local record_in_run, refuse_in_run

---Sets what deals with calls of code that belongs to a run (the field `run` of its task).
---@param record fun(kind: string, subject: any, fn: fun(): any, any): any, any
---@param refuse fun(what: string, level: integer?)
function task.connect(record, refuse)
  record_in_run, refuse_in_run = record, refuse
end

---Does a waiting call. In a run, its result is kept, so that the call is not done again when the run is rebuilt.
---@param kind string
---@param subject any what is asked for, fit for JSON
---@param fn fun(): any, any a value, or nil and an error
---@return any value
---@return any err
function task.record(kind, subject, fn)
  if current and current.run then
    return record_in_run(kind, subject, fn)
  end
  return fn()
end

---Refuses, in a run, what cannot be kept.
---@param what string
---@param level? integer as in `error`; 2 by default: who called the function that calls this
function task.refuse(what, level)
  if current and current.run then
    refuse_in_run(what, (level or 2) + 1)
  end
end

local function call_off(cancel)
  if type(cancel) == "function" then
    cancel()
  elseif type(cancel) == "table" or type(cancel) == "userdata" then
    cancel:close()
  end
end

-- Outside a task: step the loop until the operation has called back.
local function await_stepping(start)
  local results
  local before = current
  local cancel = start(function(...)
    results = results or table.pack(...)
  end)
  while not results do
    current = nil
    local ok, is_any = pcall(core.step, true)
    current = before
    if not ok then
      error(is_any, 0)
    elseif not is_any and not results then
      call_off(cancel)
      error("waiting for something that nothing under way can bring about", 3)
    end
  end
  return table.unpack(results, 1, results.n)
end

---Waits for an operation: `start(done)` begins it, and whatever is given to `done` is returned here. `start` may return
---what calls the operation off when the task is cancelled meanwhile: a function, or something with a method `close`.
---@param start fun(done: fun(...)): any
---@return any ...
function task.await(start)
  if not task.can_yield() then
    return await_stepping(start)
  end
  local t = current
  -- `done` may be called before the yield (an answer at once) or after it; only the first call counts.
  local early
  local function done(...)
    if t.awaits == done then
      t.awaits, t.cancel = nil, nil
      resume(t, ...)
    elseif early == nil then
      early = table.pack(...)
    end
  end
  local cancel = start(done)
  if early then
    return table.unpack(early, 1, early.n)
  end
  early = false
  t.awaits, t.cancel = done, cancel
  return coroutine.yield()
end

---Waits some seconds.
---@param seconds number
function task.sleep(seconds)
  task.await(function(done)
    return core.timer(seconds, done)
  end)
end

---Waits for a task's end and gives its results, or raises what it raised.
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

---Calls a waiting task off: what it waits for is cancelled, and its pending `<close>` variables run.
---@param t cunnekt.task
function task.cancel(t)
  if t.is_done or coroutine.status(t.co) ~= "suspended" then
    return
  end
  local cancel = t.cancel
  t.awaits, t.cancel = nil, nil
  call_off(cancel)
  if t.strand then
    task.discard(t.strand, t.run)
  end
  local ok, failure = close_as(t, t.co)
  if not ok then
    task.on_failure(failure)
  end
  t.is_cancelled = true
  finish(t)
end

---Runs `fn` as a task and the loop until it has ended; the same as a plain call inside a task.
---@param fn function
---@param ... any
---@return any ...
function task.run(fn, ...)
  if current then
    return fn(...)
  end
  local t = new_task(take_coroutine(), {})
  resume(t, fn, ...)
  while not t.is_done do
    if not core.step(true) and not t.is_done then
      task.cancel(t)
      error("the script waits for something that nothing under way can bring about", 2)
    end
  end
  return task.join(t)
end

return task
