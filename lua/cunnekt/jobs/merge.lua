-- SPDX-License-Identifier: MIT
-- The start of the schedule: merges the jobs that a script declares with those that the store has. It reads and writes
-- nothing itself; schedule.lua stores the changes and queues the jobs.

local clock = require "cunnekt.time.clock"
local job_change = require "cunnekt.jobs.job_change"
local log = require "cunnekt.base.log"
local timing = require "cunnekt.jobs.timing"
local units = require "cunnekt.time.units"

local merge = {}

local function log_orphans(orphans)
  local names = {}
  for name in pairs(orphans) do
    names[#names + 1] = job_change.redacted(name)
  end
  if #names == 0 then
    return
  end
  table.sort(names)
  local first = table.concat(names, ", ", 1, math.min(5, #names))
  local rest = #names > 5 and (" and %d more"):format(#names - 5) or ""
  log.warn("jobs without a function in this script are kept, and not run: %s%s", first, rest)
end

---Makes a row a job again, if one of `functions` is what it runs.
---@param row table as recovery.jobs gives it
---@param functions table<string, function>
---@return boolean is_job
function merge.revive(row, functions)
  if not row.runs or not functions[row.runs] then
    return false
  end
  local its_timing, err = timing.parse(row.spec)
  if not its_timing then
    log.warn("the job '%s' cannot run: %s", job_change.redacted(row.name), err.message)
    return false
  end
  row.timing = its_timing
  job_change.restore(row, row)
  return true
end

-- A row that this script did not declare: a job from a handler, or one without a function.
local function load_row(parts, row, result)
  if merge.revive(row, parts.functions) then
    table.insert(result.jobs, row)
  elseif row.due < clock.now() - parts.keep_days * units.day then
    table.insert(result.changes, job_change.drop(row.name))
  else
    parts.orphans[row.name] = row
  end
end

-- A declared job continues where an earlier process left it, if its timing is unchanged.
local function load_declared(job, row)
  local now = clock.now()
  if not row or row.spec ~= job.spec then
    return job_change.plan(job, now)
  end
  job_change.restore(job, row)
  if job.timing.kind == "after" and job.catch_up == "skip" and job_change.is_missed(job, now) then
    return job_change.plan(job, now)
  end
  return job_change.new("bind", job)
end

---Merges declared and stored jobs.
---@param parts {declared: table<string, cunnekt.schedule.job>, functions: table<string, function>, rows: table[], keep_days: integer, orphans: table<string, table>} `orphans`: gets the rows without a function
---@return cunnekt.schedule.job[] jobs to run
---@return table[] changes to store
function merge.merge(parts)
  local result, by_name = { jobs = {}, changes = {} }, {}
  for _, row in ipairs(parts.rows) do
    by_name[row.name] = row
    if not parts.declared[row.name] then
      load_row(parts, row, result)
    end
  end
  for name, job in pairs(parts.declared) do
    table.insert(result.changes, load_declared(job, by_name[name]))
    table.insert(result.jobs, job)
  end
  log_orphans(parts.orphans)
  return result.jobs, result.changes
end

return merge
