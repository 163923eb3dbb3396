-- SPDX-License-Identifier: MIT
-- Runs named jobs when they are due. The store keeps the due times, the script provides the functions, and the name connects
-- the two. A run is a turn: its effects and the job's next due time are committed together.
--
-- Due times use the wall clock, which may jump, so it is checked at least once a minute. The option `catch_up` decides about
-- missed runs.

local clock = require "cunnekt.time.clock"
local heap = require "cunnekt.base.heap"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local retry = require "cunnekt.provider.retry"
local timing = require "cunnekt.jobs.timing"
local units = require "cunnekt.time.units"

local schedule = {}

local schedule_methods = {}
local schedule_mt = { __index = schedule_methods, __name = "cunnekt.schedule" }

-- Seconds between checks of the clock, and seconds by which a run may be late before it counts as missed.
local max_sleep, grace = 60, 60
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
---@field serial integer? identifies this version of the job in the store
---@field due number? seconds since 1970; nil when it has ended
---@field ran number? due time of the last run
---@field last number? time of the last run
---@field attempts integer consecutive failures

---@class cunnekt.schedule
---@param options table store; attempts: runs of a failing job; keep_days: days to keep jobs without a function; run(fn, done): runs a turn; fail(err)
function schedule.new(options)
  return setmetatable({
    _options = options,
    _store = options.store,
    _functions = {}, -- of bot:job, by name
    _declared = {}, -- by the script before the start, by name
    _jobs = {}, -- scheduled, by name
    _orphans = {}, -- rows without a function in this script, by name
    _queue = heap.new(),
    _serial = 0,
    _running = 0,
    _seen = clock.now(),
  }, schedule_mt)
end

-- A name for the log, without customers' numbers.
local function redacted(name)
  return (name:gsub("%d%d%d%d%d+", "…"))
end

-- ---- waiting -----------------------------------------------------------------------------------------------------

local run_due

-- Sets the timer to the earliest job, unless it fires earlier anyway.
local function arm(self)
  local first = self._queue:first()
  if self._is_stopped or not self._is_started or not first or self._running >= max_running then
    return
  end
  local pause = math.max(0, math.min(first.at - clock.now(), max_sleep))
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

-- Stores a change that must not be lost, and then applies it.
local function write_done(self, change)
  self._store:write_job(change, function()
    self:apply { [change.job.name] = change }
    if self._jobs[change.job.name] == change.job then
      queue(self, change.job)
      arm(self)
    end
  end)
end

-- The due time to run for and the next one; no first one when `skip` skips the run.
local function due_times(job, now)
  local due = job.due
  if job.catch_up == "skip" and due < now - grace then
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
    log.warn("the job '%s' missed more than %d runs: the rest is skipped", redacted(job.name), max_caught_up)
    job.caught_up, following = 0, job.timing:next(due, now)
  end
  return due, following
end

-- Retries a run that committed nothing, unless the next one is due before that.
local function after_failure(self, job, change, err)
  if err.kind == "store" then
    log.warn("a run of the job '%s' could not be committed: %s", redacted(job.name), err.message)
    job.retry_at = clock.now() + retry.store
    return queue(self, job)
  end
  job.attempts = job.attempts + 1
  local retry_at = clock.now() + retry.turn(job.attempts)
  err.attempts = job.attempts
  err.is_final = job.attempts >= self._options.attempts or (change.due ~= nil and change.due <= retry_at)
  self._options.fail(err)
  if err.is_final then
    return write_done(self, change)
  end
  job.retry_at = retry_at
  queue(self, job)
  self._store:write_job { kind = "tried", job = job }
end

local function ended(self, job, change, err)
  self._running = self._running - 1
  job.is_running = false
  if err and err.kind ~= "store" then
    err.message = ("the job '%s' failed: %s"):format(redacted(job.name), err.message)
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

local function fire(self, job, now)
  local due, following = due_times(job, now)
  if not due then
    return write_done(self, { kind = "done", job = job, due = following, ran = job.ran, last = job.last })
  end
  local change = { kind = "done", job = job, due = following, ran = due, last = now }
  local info = { name = job.name, due = due, last = job.last, args = job.args and json.decode(job.args)[1] }
  job.retry_at, job.is_running = nil, true
  self._running = self._running + 1
  self._options.run(function(current)
    current:buffer("jobs")[job.name] = change
    current.is_of_job = true
    return (job.fn or self._functions[job.runs])(info)
  end, function(err)
    ended(self, job, change, err)
  end)
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
---@param changes table<string, table> as cunnekt.turn buffers them
function schedule_methods:apply(changes)
  for name, change in pairs(changes) do
    local job = change.job
    if change.kind == "put" then
      self._jobs[name], self._orphans[name] = job, nil
      queue(self, job)
    elseif change.kind == "drop" then
      self._jobs[name], self._orphans[name] = nil, nil
    elseif change.kind == "done" then
      change.is_applied = true
      job.due, job.ran, job.last, job.attempts = change.due, change.ran, change.last, 0
      job.retry_at = nil
      if not job.due and self._jobs[name] == job then
        self._jobs[name] = nil
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

-- Schedules a job from now.
local function schedule_new(self, job, now)
  self._serial = self._serial + 1
  job.serial, job.due, job.attempts = self._serial, job.timing:first(now), 0
  return { kind = "put", job = job }
end

-- Takes over the stored times of a job.
local function restore(job, row, now)
  job.serial, job.due, job.ran, job.last, job.attempts = row.serial, row.due, row.ran, row.last, row.attempts
  if job.due > now then
    job.due = job.timing:corrected(job.due, now, job.ran) or job.due
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
    known.fn, known.runs, known.args, known.catch_up = job.fn, job.runs, job.args, job.catch_up
    current:buffer("jobs")[name] = change or { kind = "bind", job = known }
  elseif repeats and orphan and orphan.spec == job.spec and not is_changed then
    restore(job, orphan, now)
    current:buffer("jobs")[name] = { kind = "put", job = job }
  else
    current:buffer("jobs")[name] = schedule_new(self, job, now)
  end
end

---Binds the function of a stored job, when a replay of its handler schedules it again.
---@param job cunnekt.schedule.job
function schedule_methods:adopt(job)
  local orphan = self._orphans[job.name]
  if orphan and orphan.spec == job.spec then
    restore(job, orphan, clock.now())
    self:apply { [job.name] = { kind = "put", job = job } }
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
  current:buffer("jobs")[name] = { kind = "drop", name = name }
  return is_planned
end

-- ---- the start ---------------------------------------------------------------------------------------------------

local function log_orphans(self)
  local names = {}
  for name in pairs(self._orphans) do
    names[#names + 1] = redacted(name)
  end
  if #names == 0 then
    return
  end
  table.sort(names)
  local first = table.concat(names, ", ", 1, math.min(5, #names))
  local rest = #names > 5 and (" and %d more"):format(#names - 5) or ""
  log.warn("jobs without a function in this script are kept, and not run: %s%s", first, rest)
end

-- A row that this script did not declare: a job from a handler, or one without a function.
local function load_row(self, row, now, changes)
  local its_timing, err
  if row.runs and self._functions[row.runs] then
    its_timing, err = timing.parse(row.spec)
  end
  if err then
    log.warn("the job '%s' cannot run: %s", redacted(row.name), err.message)
  end
  if its_timing then
    row.timing = its_timing
    restore(row, row, now)
    self._jobs[row.name] = row
    queue(self, row)
  elseif row.due < now - self._options.keep_days * units.day then
    changes[row.name] = { kind = "drop", name = row.name }
  else
    self._orphans[row.name] = row
  end
end

-- A declared job continues where an earlier process left it, if its timing is unchanged.
local function load_declared(self, job, row, now)
  local is_same = row and row.spec == job.spec
  local is_over = is_same and job.timing.kind == "after" and job.catch_up == "skip" and row.due < now - grace
  if not is_same or is_over then
    return schedule_new(self, job, now)
  end
  restore(job, row, now)
  return { kind = "bind", job = job }
end

---Merges the declared jobs with the stored ones. Waits; nothing runs before `start`.
---@return boolean? ok
---@return cunnekt.error? err kind store
function schedule_methods:load()
  local rows, err = self._store:jobs()
  if not rows then
    return nil, err
  end
  local now, changes, by_name = clock.now(), {}, {}
  for _, row in ipairs(rows) do
    by_name[row.name] = row
    self._serial = math.max(self._serial, row.serial)
    if not self._declared[row.name] then
      load_row(self, row, now, changes)
    end
  end
  for name, job in pairs(self._declared) do
    changes[name] = load_declared(self, job, by_name[name], now)
    self._jobs[name] = job
    queue(self, job)
  end
  self._is_loaded = true
  log_orphans(self)
  return self._store:put_jobs(changes)
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
