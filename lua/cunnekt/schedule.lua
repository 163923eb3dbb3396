-- SPDX-License-Identifier: MIT
-- Named jobs of a script: once after some seconds, or again and again. A name stands for one job: giving it again
-- replaces the job, so that a reload doesn't double it. Each run is a turn of its own.

local clock = require "cunnekt.clock"

local schedule = {}

local schedule_methods = {}
local schedule_mt = { __index = schedule_methods, __name = "cunnekt.schedule" }

---@param run fun(name: string, fn: function, done: fun()) runs a job as a turn, then calls `done`
function schedule.new(run)
  return setmetatable({ _run = run, _jobs = {}, _is_stopped = false }, schedule_mt)
end

local arm

local function fire(self, job)
  job.timer = nil
  if not job.period then
    self._jobs[job.name] = nil
  end
  self._run(job.name, job.fn, function()
    -- The next run is counted from the last due time, so that a slow job does not drift; missed ones are skipped.
    if job.period and self._jobs[job.name] == job and not self._is_stopped then
      local now = clock.monotonic()
      repeat
        job.due = job.due + job.period
      until job.due > now
      arm(self, job)
    end
  end)
end

function arm(self, job)
  job.timer = clock.after(job.due - clock.monotonic(), function()
    fire(self, job)
  end)
end

---Plans a job, in place of any job of that name.
---@param name string
---@param seconds number until the first run
---@param period? number seconds between runs; nil: once
---@param fn function
function schedule_methods:add(name, seconds, period, fn)
  self:remove(name)
  local job = { name = name, due = clock.monotonic() + seconds, period = period, fn = fn }
  self._jobs[name] = job
  arm(self, job)
  return job
end

---Calls a job off.
---@param name string
---@return boolean was_planned
function schedule_methods:remove(name)
  local job = self._jobs[name]
  if not job then
    return false
  end
  self._jobs[name] = nil
  if job.timer then
    job.timer:close()
  end
  return true
end

---Calls every job off, for good.
function schedule_methods:stop()
  self._is_stopped = true
  for name in pairs(self._jobs) do
    local job = self._jobs[name]
    if job.timer then
      job.timer:close()
    end
  end
  self._jobs = {}
end

return schedule
