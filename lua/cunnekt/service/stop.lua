-- SPDX-License-Identifier: MIT
-- The stop of a service: it accepts nothing new, finishes running work within the grace time, and closes the store.
-- Unfinished work resumes at the next start.

local clock = require "cunnekt.time.clock"
local standby = require "cunnekt.service.standby"
local task = require "cunnekt.base.task"

local stop = {}

-- Seconds. What is not known then is in the store, or was never confirmed to anybody.
local most_for_commits = 3

-- Waits for what a part tells with one of its methods, or for the deadline.
local function wait_for(part, method, deadline)
  task.await(function(done)
    local timer = clock.after(math.max(0, deadline - clock.monotonic()), done)
    part[method](part, function()
      timer:close()
      done()
    end)
  end)
end

-- Stops whatever starts new work.
local function stop_starting(service)
  local current = service.engine.turns:current()
  if current and current.is_of_job then
    current:commit_more() -- otherwise the job that calls bot:stop would be due again at the next start
  end
  service.schedule:stop(current and current.is_of_job or false)
  service.dialogs:stop()
  service.inbox.mail:stop()
  standby.finish(service.store, false) -- where it did not get so far as to start
  if service.maintenance then
    service.maintenance:stop()
  end
  if service.webhook_server then
    service.webhook_server:pause()
  end
  if service.store.is_kept then
    service.inbox:stop()
  end
end

-- Seconds of the grace that are left for the messages that are being sent, when turns take all of the rest.
local function for_answers(grace)
  return math.min(3, grace / 3)
end

-- What waits to be sent is in the store, and waits for the next start. A store in memory has no next start.
local function wait_for_sends(service, deadline)
  local outbox = service.outbox
  if not service.store.is_kept then
    wait_for(outbox, "when_empty", deadline)
  end
  outbox:stop()
  wait_for(outbox, "when_quiet", deadline)
end

-- Commits and marks that are under way are answered first; unless the store is away, and a commit may wait for hours.
local function wait_for_commits(store)
  task.await(function(done)
    local timer = clock.after(most_for_commits, done)
    task.spawn(function()
      store:query "has_unknown"
      timer:close()
      done()
    end)
  end)
end

---Stops a service: it takes nothing new, lets turns end, starts no more sends, lets those under way end, settles them all, and
---closes the store, in this order.
---@param service cunnekt.service
---@param grace number seconds
---@return boolean is_clean all running work was finished
function stop.run(service, grace)
  local inbox, outbox, schedule = service.inbox, service.outbox, service.schedule
  stop_starting(service)
  local deadline = clock.monotonic() + grace
  -- Turns first, because they add messages, and may wait for them.
  wait_for(schedule, "when_quiet", deadline - for_answers(grace))
  wait_for(inbox, "when_quiet", deadline - for_answers(grace))
  wait_for_sends(service, deadline)
  local is_clean = schedule:active() + inbox:active() + outbox:active() == 0
  inbox:stop()
  if service.webhook_server then
    service.webhook_server:close()
    service.admin_server:close()
  end
  service.dialogs:evict_all()
  wait_for_commits(service.store) -- what they mark is put back then
  outbox:settle_unanswered()
  service.store:close()
  if service.unwatch then
    service.unwatch()
  end
  return is_clean
end

return stop
