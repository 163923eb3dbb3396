-- SPDX-License-Identifier: MIT
-- Runs named jobs when they are due. The store keeps the due times, the script provides the functions, and the name connects
-- the two. A run is a turn: its effects and the job's next due time are committed together.
--
-- Due times use the wall clock, which may jump: see clock.longest_wait. The option `catch_up` decides about missed runs.

local clock = require "cunnekt.time.clock"
local heap = require "cunnekt.base.heap"
local job_change = require "cunnekt.jobs.job_change"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local merge = require "cunnekt.jobs.merge"
local recovery = require "cunnekt.store.recovery"
local retry = require "cunnekt.provider.retry"
local task = require "cunnekt.base.task"

local schedule = {}

local schedule_methods = {}
local schedule_mt = { __index = schedule_methods, __name = "cunnekt.schedule" }

local grace = job_change.grace
-- After a downtime thousands of jobs may be due.
local max_running = 100
-- Missed runs that `catch_up = "all"` repeats; the others are skipped.
local max_caught_up = 100
-- Seconds by which the wall clock may be set back without a correction of due times.
local slack = 1

---@class cunnekt.schedule.job
---@field name string
---@field timing cunnekt.timing
---@field spec string the timing's text
---@field catch_up "skip"|"once"|"all"
---@field fn fun(job: cunnekt.job)? nil: looked up by `runs`
---@field runs string? the name of a function registered with bot:job
---@field args string? JSON
---@field version integer? of the job in the store; changes when it is scheduled anew and when it has run
---@field due number? seconds since 1970; nil when it has ended
---@field ran number? due time of the last run
---@field last number? time of the last run
---@field attempts integer consecutive failures

---@class cunnekt.schedule
---@param options table store; attempts: runs of a failing job; keep_days: days to keep jobs without a function; run(fn, done, name): runs a turn; fail(err)
function schedule.new(options)
  return setmetatable({
    _options = options,
    _store = options.store,
    _functions = {}, -- of bot:job, by name
    _declared = {}, -- by the script before the start, by name
    _jobs = {}, -- scheduled, by name
    _orphans = {}, -- rows without a function in this script, by name
    _queue = heap.new(),
    _log_pace = log_pace.new(),
    _running = 0,
    _seen = clock.now(),
  }, schedule_mt)
end

-- ---- waiting -----------------------------------------------------------------------------------------------------

local run_due

-- Sets the timer to the earliest job, unless it fires earlier anyway.
local function arm(self)
  local first = self._queue:first()
  if self._is_stopped or not self._is_started or not first or self._running >= max_running then
    return
  end
  local pause = math.max(0, math.min(first.at - clock.now(), clock.longest_wait))
  local at = clock.monotonic() + pause
  if self._timer and self._timer_at <= at then
    return
  elseif self._timer then
    self._timer:close()
  end
  self._timer_at = at
  self._timer = clock.after(pause, function()
    self._timer = nil
    run_due(self)
  end)
end

-- Queues a job for its due time or its retry. An entry queued earlier becomes stale.
local function queue(self, job)
  job.entry = { at = job.retry_at or job.due, job = job }
  self._queue:push(job.entry)
end

-- The wall clock was set back: due times from the old time may be far too late.
local function correct(self, now)
  self._queue = heap.new()
  for _, job in pairs(self._jobs) do
    if not job.is_running then
      job.retry_at = nil
      if job.due > now then
        job.due = job.timing:corrected(job.due, now, job.ran) or job.due
      end
      queue(self, job)
    end
  end
end

-- ---- a run -------------------------------------------------------------------------------------------------------

-- Whether the store still has this version of a job, after a conflict: who else runs on the store may have changed it. Then
-- what it has is taken over. Waits; raises when the store cannot be read.
local function is_unchanged(self, job)
  local row, err = recovery.job(self._store, job.name)
  if err then
    error(err, 0)
  elseif self._jobs[job.name] ~= job or (row and row.version == job.version) then
    return self._jobs[job.name] == job
  elseif row and row.spec == job.spec then
    job_change.restore(job, row)
  else
    self._jobs[job.name], self._orphans[job.name] = nil, row
  end
  return false
end

-- Queues a job after a change that was stored, if it is still scheduled.
local function queue_again(self, job)
  if self._jobs[job.name] == job and not self._is_stopped then
    queue(self, job)
    arm(self)
  end
end

-- Stores a change that must not be lost, and then applies it.
local function write_done(self, change)
  self._store:persist("commit_turn", { jobs = { change } }, function(err)
    if not err then
      self:apply { change }
      return queue_again(self, change.job)
    end
    task.spawn(function()
      local is_read, failure = pcall(is_unchanged, self, change.job)
      if not is_read then
        log.warn("the job '%s' could not be read again: %s", job_change.redacted(change.name), tostring(failure))
      end
      queue_again(self, change.job)
    end)
  end)
end

-- The due time to run for and the next one; no first one when `skip` skips the run.
local function due_times(job, now)
  local due = job.due
  if job.catch_up == "skip" and job_change.is_missed(job, now) then
    due = job.timing:at_or_after(due, now - grace)
    if not due or due > now then
      return nil, due
    end
  end
  if job.catch_up ~= "all" then
    return due, job.timing:next(due, now)
  end
  local following = job.timing:next(due, due)
  job.caught_up = following and following <= now and (job.caught_up or 0) + 1 or 0
  if job.caught_up > max_caught_up then
    log.warn("the job '%s' missed more than %d runs: the rest is skipped", job_change.redacted(job.name), max_caught_up)
    job.caught_up, following = 0, job.timing:next(due, now)
  end
  return due, following
end

-- Retries a run that committed nothing, unless the next one is due before that.
local function after_failure(self, job, change, err)
  if err.kind == "store" then
    if self._log_pace:note(err.code or "store") then
      log.warn("a run of the job '%s' could not be committed: %s", job_change.redacted(job.name), err.message)
    end
    job.retry_at = clock.now() + retry.store
    return queue(self, job)
  end
  job.attempts = job.attempts + 1
  local retry_at = clock.now() + retry.turn(job.attempts)
  err.attempts = job.attempts
  err.is_final = err.kind == "budget" or job.attempts >= self._options.attempts
    or (change.due ~= nil and change.due <= retry_at)
  err.job = { name = job_change.redacted(job.name), attempts = self._options.attempts, next_try = not err.is_final and retry_at - clock.now() or nil }
  -- The store has it before the script hears of it: functions of bot:on_error may end the process, too.
  if err.is_final then
    write_done(self, change)
    return self._options.fail(err)
  end
  job.retry_at = retry_at
  queue(self, job)
  self._store:persist("commit_turn", { jobs = { job_change.new("tried", job) } })
  self._options.fail(err)
end

local function ended(self, job, change, err)
  self._running = self._running - 1
  job.is_running = false
  if err and err.kind ~= "store" then
    err.message = ("the job '%s' failed: %s"):format(job_change.redacted(job.name), err.message)
  end
  local is_planned = self._jobs[job.name] == job and not self._is_stopped
  if err and is_planned and not change.is_applied then
    after_failure(self, job, change, err)
  else
    if err and err.kind ~= "store" then
      err.is_final = true
      self._options.fail(err)
    end
    if is_planned then
      queue(self, job)
    end
  end
  arm(self)
  if self._on_quiet and self:active() == 0 then
    self._on_quiet()
  end
end

-- Whether a run that had a conflict is made again. One whose job was scheduled anew is not: it is as if it had not begun.
local function must_run_again(self, job)
  local known = self._jobs[job.name]
  return known == nil or (known == job and is_unchanged(self, job))
end

-- Calls a job's function in a turn.
local function run_function(self, current, change, times)
  local job = change.job
  current.is_of_job = true
  if self._jobs[job.name] == job then
    change.version = job.version
    current:buffer("jobs")[job.name] = change
  end
  local fn = job.fn or self._functions[job.runs]
  if self._on_run then
    self._on_run(fn, job.name)
  end
  fn {
    name = job.name,
    due = times.due,
    last = times.last,
    args = job.args and json.decode(job.args)[1],
  }
  -- One that was called off meanwhile finishes, and there is no next time.
  if current.jobs[job.name] == change and self._jobs[job.name] == nil then
    current.jobs[job.name] = nil
  end
end

local function fire(self, job, now)
  local due, following = due_times(job, now)
  if not due then
    return write_done(self, job_change.done(job, following, job.ran, job.last))
  end
  local change, last = job_change.done(job, following, due, now), job.last
  job.retry_at, job.is_running = nil, true
  self._running = self._running + 1
  local runs = 0
  self._options.run(function(current)
    runs = runs + 1
    if runs == 1 or must_run_again(self, job) then
      run_function(self, current, change, { due = due, last = last })
    end
  end, function(err)
    ended(self, job, change, err)
  end, "job " .. job.name)
end

function run_due(self)
  local now = clock.now()
  if now < self._seen - slack then
    correct(self, now)
  end
  self._seen = now
  while self._running < max_running and not self._is_stopped do
    local first = self._queue:first()
    if not first or first.at > now then
      break
    end
    self._queue:pop()
    local job = first.job
    if job.entry == first and self._jobs[job.name] == job then
      fire(self, job, now)
    end
  end
  arm(self)
end

---Applies the changes of a committed turn.
---@param changes table[]
function schedule_methods:apply(changes)
  for _, change in ipairs(changes) do
    local name, job = change.name, change.job
    if change.kind == "put" then
      job.version = change.version
      self._jobs[name], self._orphans[name] = job, nil
      queue(self, job)
    elseif change.kind == "bind" then
      local known = self._jobs[name]
      if known and known.spec == job.spec then
        known.fn, known.runs, known.args, known.catch_up = job.fn, job.runs, job.args, job.catch_up
      end
    elseif change.kind == "drop" then
      self._jobs[name], self._orphans[name] = nil, nil
    elseif change.kind == "done" then
      change.is_applied = true
      job.version = change.version
      job.due, job.ran, job.last, job.attempts = change.due, change.ran, change.last, 0
      job.retry_at = nil
      for _, jobs in ipairs(job.due and {} or { self._jobs, self._orphans }) do
        jobs[name] = jobs[name] ~= job and jobs[name] or nil
      end
    end
  end
  arm(self)
end

-- ---- planning ----------------------------------------------------------------------------------------------------

---Registers a function by name, so that jobs from handlers find it after a restart.
---@param name string
---@param fn fun(job: cunnekt.job)
function schedule_methods:name_function(name, fn)
  self._functions[name] = fn
end

---The registered functions, by name.
---@return table<string, function>
function schedule_methods:functions()
  return self._functions
end

---Calls `on_run` before each run of a job. For `cunnekt test`, which shows those that did not run.
---@param on_run fun(fn: function, name: string)
---@return fun(): {what: string, fn: function}[] entries gives the jobs and the functions of bot:job that there are then
function schedule_methods:watch(on_run)
  self._on_run = on_run
  return function()
    local entries = {}
    for name, fn in pairs(self._functions) do
      entries[#entries + 1] = { what = ("bot:job('%s')"):format(name), fn = fn }
    end
    for _, jobs in ipairs { self._declared, self._jobs } do
      for name, job in pairs(jobs) do
        entries[#entries + 1] = job.fn and { what = ("job '%s'"):format(name), fn = job.fn }
      end
    end
    return entries
  end
end

---Declares a job before the start; `load` merges it with what the store has.
---@param job cunnekt.schedule.job
function schedule_methods:declare(job)
  self._declared[job.name] = job
end

---Removes a declared job.
---@param name string
---@return boolean was_declared
function schedule_methods:withdraw(name)
  local was_declared = self._declared[name] ~= nil
  self._declared[name] = nil
  return was_declared
end

---Queues a scheduled job anew, for the time that it has now.
---@param job cunnekt.schedule.job
function schedule_methods:queue(job)
  if not job.is_running then
    queue(self, job)
    arm(self)
  end
end

---Whether jobs are now scheduled in turns, and not by `declare`.
---@return boolean
function schedule_methods:is_loaded()
  return self._is_loaded == true
end

---Schedules a job in a turn. A repeating one with an unchanged timing keeps its due time.
---@param current cunnekt.turn
---@param job cunnekt.schedule.job
function schedule_methods:plan(current, job)
  local name, now = job.name, clock.now()
  local known, change, orphan = self._jobs[name], current.jobs[name], self._orphans[name]
  local is_changed = change and (change.kind == "put" or change.kind == "drop")
  local repeats = job.timing.kind ~= "after"
  if repeats and known and known.spec == job.spec and not is_changed then
    job_change.buffer_binding(current, job)
  elseif repeats and orphan and orphan.spec == job.spec and not is_changed then
    job_change.restore(job, orphan)
    job_change.buffer(current, job_change.new("put", job))
  else
    job_change.buffer(current, job_change.plan(job, now))
  end
end

---Binds the function of a stored job, when a replay of its handler schedules it again.
---@param job cunnekt.schedule.job
function schedule_methods:adopt(job)
  local orphan = self._orphans[job.name]
  if orphan and orphan.spec == job.spec then
    job_change.restore(job, orphan)
    self:apply { job_change.new("put", job) }
  end
end

---Cancels a job in a turn.
---@param current cunnekt.turn
---@param name string
---@return boolean was_planned
function schedule_methods:cancel(current, name)
  local change = current.jobs[name]
  local is_planned = (self._jobs[name] or self._orphans[name]) ~= nil
  if change then
    is_planned = change.kind ~= "drop" and (change.kind ~= "done" or change.due ~= nil)
  end
  job_change.buffer(current, job_change.drop(name))
  return is_planned
end

-- ---- the start ---------------------------------------------------------------------------------------------------

-- Stores the changes of a start.
local function store_changes(self, changes)
  local ok, err = self._store:commit_turn { jobs = changes }
  for _, change in ipairs(ok and changes or {}) do
    if change.kind == "put" then
      change.job.version = change.version
    end
  end
  return ok, err
end

---Merges the declared jobs with the stored ones. Waits; nothing runs before `start`.
---@return boolean? ok
---@return cunnekt.error? err kind store
function schedule_methods:load()
  local rows, err = recovery.jobs(self._store)
  if not rows then
    return nil, err
  end
  local loaded, changes = merge.merge {
    declared = self._declared,
    functions = self._functions,
    rows = rows,
    keep_days = self._options.keep_days,
    orphans = self._orphans,
  }
  for _, job in ipairs(loaded) do
    self._jobs[job.name] = job
    queue(self, job)
  end
  self._is_loaded = true
  return changes[1] == nil or store_changes(self, changes)
end

---Starts running due jobs.
function schedule_methods:start()
  self._is_started = true
  arm(self)
end

-- ---- the end -----------------------------------------------------------------------------------------------------

---Starts no more runs. Running ones may finish.
---@param is_inside boolean whether a run called bot:stop
function schedule_methods:stop(is_inside)
  self._is_stopped = true
  self._inside = is_inside and 1 or 0
  if self._timer then
    self._timer:close()
    self._timer = nil
  end
end

---The number of running jobs; one that called bot:stop does not count.
---@return integer
function schedule_methods:active()
  return self._running - (self._inside or 0)
end

---Calls `fn` whenever the last running job ends, and now if none is running.
---@param fn fun()
function schedule_methods:when_quiet(fn)
  self._on_quiet = fn
  if self:active() == 0 then
    fn()
  end
end

return schedule
