-- SPDX-License-Identifier: MIT
-- The store's part for named jobs: their due times and last runs. The functions are the script's. A job that is scheduled
-- again gets a new serial, so that the end of an earlier run does not change it.

local jobs = {}

-- Rows per request.
local page = 1000

-- Kind of change → its statement.
local writers = {}

function writers.put(sql, job)
  return {
    sql.put_job, job.serial, job.name, job.spec, job.due, job.catch_up, job.runs, job.args, job.ran, job.last, job.attempts,
  }
end

function writers.bind(sql, job)
  return { sql.bind_job, job.catch_up, job.runs, job.args, job.serial }
end

function writers.done(sql, job, change)
  if not change.due then
    return { sql.delete_job, job.serial }
  end
  return { sql.move_job, change.due, change.ran, change.last, job.serial }
end

function writers.tried(sql, job)
  return { sql.try_job, job.attempts, job.serial }
end

function writers.drop(sql, _, change)
  return { sql.drop_job, change.name }
end

---Appends the changes of named jobs to a request.
---@param request table[]
---@param changes table<string, table> name → kind "put", "bind", "done", "tried" or "drop", and what it is about
function jobs:add_jobs(request, changes)
  for _, change in pairs(changes) do
    request[#request + 1] = writers[change.kind](self._sql, change.job, change)
  end
end

---Writes changes of named jobs. Waits.
---@param changes table<string, table>
---@return table|boolean|nil ok
---@return cunnekt.error? err kind store
function jobs:put_jobs(changes)
  local request = {}
  self:add_jobs(request, changes)
  if #request == 0 then
    return true
  end
  return self:_run(request)
end

---Writes a change, and retries until it is committed.
---@param change table
---@param done? fun() called after the commit
function jobs:write_job(change, done)
  local request = {}
  self:add_jobs(request, { change })
  self:_run_until_committed(request, done)
end

---All named jobs. Waits.
---@return table[]? rows serial, name, spec, due, catch_up, runs, args, ran, last, attempts
---@return cunnekt.error? err kind store
function jobs:jobs()
  local rows, after = {}, 0
  repeat
    local results, err = self:_run { { self._sql.get_jobs, after, page } }
    if not results then
      return nil, err
    end
    for _, row in ipairs(results[1]) do
      after = row[1]
      rows[#rows + 1] = {
        serial = row[1],
        name = row[2],
        spec = row[3],
        due = row[4],
        catch_up = row[5],
        runs = row[6],
        args = row[7],
        ran = row[8],
        last = row[9],
        attempts = row[10],
      }
    end
  until #results[1] < page
  return rows
end

return jobs
