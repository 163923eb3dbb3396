-- SPDX-License-Identifier: MIT
-- Another script in the place of the current one, while jobs are scheduled: as after a restart, a job whose timing has not changed
-- keeps its time, one that is new is scheduled, and one without a function is kept and not run.

local clock = require "cunnekt.time.clock"
local job_change = require "cunnekt.jobs.job_change"
local merge = require "cunnekt.jobs.merge"

local replacement = {}

---What a script says of jobs while it is loaded beside the running one; stands in for the schedule.
---@class cunnekt.schedule.stand_in
---@field declared table<string, cunnekt.schedule.job>
---@field named table<string, function>
local stand_in_methods = {}
local stand_in_mt = { __index = stand_in_methods, __name = "cunnekt.schedule.stand_in" }

---@return cunnekt.schedule.stand_in
function replacement.stand_in()
  return setmetatable({ declared = {}, named = {} }, stand_in_mt)
end

---@return boolean
function stand_in_methods:is_loaded()
  return false
end

---@return table<string, function>
function stand_in_methods:functions()
  return self.named
end

---@param name string
---@param fn fun(job: cunnekt.job)
function stand_in_methods:name_function(name, fn)
  self.named[name] = fn
end

---@param job cunnekt.schedule.job
function stand_in_methods:declare(job)
  self.declared[job.name] = job
end

---@param name string
---@return boolean was_declared
function stand_in_methods:withdraw(name)
  local was_declared = self.declared[name] ~= nil
  self.declared[name] = nil
  return was_declared
end

-- Takes jobs off that the old script had declared, and the new one has not. Those of its handlers keep the function that they have.
local function retire(schedule, said)
  for name, job in pairs(schedule._jobs) do
    local is_known = said.declared[name] or (job.runs and said.named[job.runs])
    if not is_known and (job.runs or schedule._declared[name]) then
      schedule._jobs[name], schedule._orphans[name] = nil, job
    elseif job.retry_at then
      job.retry_at = clock.now() -- perhaps the new script does not fail
      schedule:queue(job)
    end
  end
end

-- Takes jobs back whose function an earlier script did not have, and this one has.
local function take_back(schedule)
  for name, orphan in pairs(schedule._orphans) do
    if merge.revive(orphan, schedule._functions) then
      orphan.retry_at = nil
      schedule._jobs[name], schedule._orphans[name] = orphan, nil
      schedule:queue(orphan)
    end
  end
end

---Replaces what a script says of jobs. Waits.
---@param schedule cunnekt.schedule
---@param turns cunnekt.turns
---@param said cunnekt.schedule.stand_in
---@return boolean? ok
---@return cunnekt.error? err kind store
function replacement.replace(schedule, turns, said)
  retire(schedule, said)
  schedule._functions, schedule._declared = said.named, said.declared
  take_back(schedule)
  if next(said.declared) == nil then
    return true
  end
  return turns:within(function(current)
    for name, job in pairs(said.declared) do
      local known = schedule._jobs[name]
      if known and known.spec == job.spec then
        job_change.buffer_binding(current, job)
      else
        schedule:plan(current, job)
      end
    end
    return true
  end)
end

return replacement
