-- SPDX-License-Identifier: MIT
-- Waiting. A task is a coroutine that the loop resumes; `await` yields inside one, and steps the loop anywhere else, so
-- that the same function yields in the host and blocks in a plain interpreter.
--
-- Lua code never runs inside a callback of the C libraries (see core/loop.h), so stepping the loop is safe anywhere.

local core = require "cunnekt.core"
local clock = require "cunnekt.clock"

local task = {}

---@class cunnekt.task
---@field is_done boolean
---@field results table? packed results of a task that ended well
---@field failure any? what it raised, with a traceback where it was a string

-- coroutine → task, weak: a coroutine that nobody resumes any more must not live on here.
local tasks = setmetatable({}, { __mode = "k" })

local task_mt = { __name = "cunnekt.task" }

local function finish(t)
  t.is_done = true
  local waiters = t.waiters
  t.waiters = nil
  for _, waiter in ipairs(waiters or {}) do
    waiter()
  end
end

-- Resumes a task and deals with its end. What coroutine.resume returns goes through varargs: no table per resume.
local function settle(t, ok, ...)
  if coroutine.status(t.co) ~= "dead" then
    return
  end
  if ok then
    t.results = table.pack(...)
  else
    local failure = ...
    t.failure = type(failure) == "string" and debug.traceback(t.co, failure) or failure
    t.has_failed = true
    coroutine.close(t.co)
    if not t.waiters then
      task.on_failure(t.failure)
    end
  end
  finish(t)
end

local function resume(t, ...)
  return settle(t, coroutine.resume(t.co, ...))
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
  local t = setmetatable({ co = coroutine.create(fn), is_done = false }, task_mt)
  tasks[t.co] = t
  resume(t, ...)
  return t
end

---The task that is running, if any.
---@return cunnekt.task?
function task.running()
  return tasks[coroutine.running()]
end

-- Outside a task: step the loop until the operation has called back.
local function await_stepping(start)
  local results
  local cancel = start(function(...)
    results = results or table.pack(...)
  end)
  while not results do
    if not core.step(true) and not results then
      if cancel then
        cancel()
      end
      error("waiting for something that nothing under way can bring about", 3)
    end
  end
  return table.unpack(results, 1, results.n)
end

---Waits for an operation: `start(done)` begins it, and whatever is given to `done` is returned here. `start` may return
---a function that calls the operation off; it runs when the task is cancelled meanwhile.
---@param start fun(done: fun(...)): fun()?
---@return any ...
function task.await(start)
  local t = tasks[coroutine.running()]
  if not t or not coroutine.isyieldable() then
    return await_stepping(start)
  end
  -- `done` may be called before the yield (an answer at once) or after it; only the first call counts.
  local early, is_waiting, is_over
  local cancel = start(function(...)
    if is_over then
      return
    end
    is_over = true
    if is_waiting then
      t.cancel = nil
      resume(t, ...)
    else
      early = table.pack(...)
    end
  end)
  if early then
    return table.unpack(early, 1, early.n)
  end
  is_waiting = true
  t.cancel = function()
    is_over = true
    if cancel then
      cancel()
    end
  end
  return coroutine.yield()
end

---Waits some seconds.
---@param seconds number
function task.sleep(seconds)
  task.await(function(done)
    local timer = clock.after(seconds, done)
    return function()
      timer:close()
    end
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
  t.cancel = nil
  if cancel then
    cancel()
  end
  local ok, failure = coroutine.close(t.co)
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
  if tasks[coroutine.running()] then
    return fn(...)
  end
  local t = setmetatable({ co = coroutine.create(fn), is_done = false, waiters = {} }, task_mt)
  tasks[t.co] = t
  resume(t, ...)
  while not t.is_done do
    if not core.step(true) and not t.is_done then
      task.cancel(t)
      error("the script waits for something that nothing under way can bring about", 2)
    end
  end
  return task.join(t)
end

return task
