-- SPDX-License-Identifier: MIT
-- The changes of a named job, as the store takes them (struct cnk_job_change of src/store/store.h). `job` in one is whose it
-- is here; the store does not look at that. schedule.lua decides about them and applies them.

local clock = require "cunnekt.time.clock"

local job_change = {}

---Seconds by which a run may be late before it counts as missed.
job_change.grace = 60

---Whether the run that is due counts as missed. One that has begun does not: it has its tries still, until the next one is due.
---@param job cunnekt.schedule.job
---@param now number
---@return boolean
function job_change.is_missed(job, now)
  if job.due >= now - job_change.grace then
    return false
  end
  local following = job.timing:next(job.due, job.due)
  local has_begun = job.retry_at or job.attempts > 0
  return not has_begun or (following ~= nil and following <= now)
end

---A name for the log, without customers' numbers.
---@param name string
---@return string
function job_change.redacted(name)
  return (name:gsub("%d%d%d%d%d+", "…"))
end

---A change with all that the job has now.
---@param kind "put"|"bind"|"done"|"tried"
---@param job cunnekt.schedule.job
---@return table change
function job_change.new(kind, job)
  return {
    kind = kind,
    job = job,
    name = job.name,
    version = job.version,
    spec = job.spec,
    catch_up = job.catch_up,
    runs = job.runs,
    args = job.args,
    due = job.due,
    ran = job.ran,
    last = job.last,
    attempts = job.attempts,
  }
end

---The change of a job that ran.
---@param job cunnekt.schedule.job
---@param due number? the next time; without one it ends
---@param ran number? due time of the run
---@param last number? time of the run
---@return table change
function job_change.done(job, due, ran, last)
  local change = job_change.new("done", job)
  change.due, change.ran, change.last = due, ran, last
  return change
end

---Schedules a job from now.
---@param job cunnekt.schedule.job
---@param now number
---@return table change
function job_change.plan(job, now)
  job.due, job.attempts = job.timing:first(now), 0
  return job_change.new("put", job)
end

---The change that removes a job.
---@param name string
---@return table change
function job_change.drop(name)
  return { kind = "drop", name = name }
end

---Buffers what becomes of a job, in the place of all that the turn has said of it before.
---@param current cunnekt.turn
---@param change table
function job_change.buffer(current, change)
  current:buffer("jobs")[change.name], current:buffer("bindings")[change.name] = change, nil
end

---Buffers another function and other arguments for a scheduled job, also beside the run that the turn is.
---@param current cunnekt.turn
---@param job cunnekt.schedule.job with the timing of the scheduled one
function job_change.buffer_binding(current, job)
  current:buffer("bindings")[job.name] = job_change.new("bind", job)
end

---Takes over the stored times of a job.
---@param job cunnekt.schedule.job
---@param row table
function job_change.restore(job, row)
  local now = clock.now()
  job.version, job.due, job.ran, job.last, job.attempts = row.version, row.due, row.ran, row.last, row.attempts
  if job.due > now then
    job.due = job.timing:corrected(job.due, now, job.ran) or job.due
  end
end

return job_change
