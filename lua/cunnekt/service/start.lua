-- SPDX-License-Identifier: MIT
-- The start of a service: it recovers the work of an earlier process, opens its addresses, and only then runs anything. What
-- is recovered is queued before the first new event.

local admin_server = require "cunnekt.operate.admin_server"
local clock = require "cunnekt.time.clock"
local log = require "cunnekt.base.log"
local maintenance = require "cunnekt.service.maintenance"
local recovery = require "cunnekt.store.recovery"
local standby = require "cunnekt.service.standby"
local stored_dialogs = require "cunnekt.store.dialogs"
local webhook_server = require "cunnekt.service.webhook_server"

local start = {}

-- The unfinished work of an earlier process.
local function read_unfinished(service)
  local records, err = recovery.events(service.store)
  if not records then
    return nil, err
  end
  local rows, parked
  rows, err = recovery.park(service.store, service.store:first_own_id())
  if not rows then
    return nil, err
  end
  parked, err = recovery.count_parked(service.store)
  if not parked then
    return nil, err
  end
  local is_loaded
  is_loaded, err = service.schedule:load()
  if not is_loaded then
    return nil, err
  end
  local messages = #rows + parked.replies + parked.bulk + parked.timed
  if #records + messages > 0 then
    log.info("recovering %d events and %d messages", #records, messages)
  end
  return { records = records, rows = rows, parked = parked, messages = messages }
end

-- Calls the functions of bot:on_restart in a turn, before any recovered work runs.
local function call_on_restart(service, rest)
  local listeners = service.hooks.restart_listeners
  if #listeners == 0 then
    return
  end
  local left = { events = #rest.records, messages = rest.messages, dialogs = stored_dialogs.count(service.store) }
  if left.events + left.messages + left.dialogs == 0 then
    return
  end
  service.engine.turns:run(nil, function()
    for _, fn in ipairs(listeners) do
      fn(left)
    end
  end, function(err)
    if err then
      service.hooks:on_failure(err, nil)
    end
  end, "bot:on_restart")
end

-- Which turns the earlier process could not stop.
local function load_budget(service, records)
  local pending = {}
  for _, record in ipairs(records) do
    pending[record.id] = true
  end
  service.engine.budget:load(function(event)
    return pending[event] == true
  end)
end

-- Opens the admin server and the webhook's address: both or none.
local function open_servers(service)
  local admin, err = admin_server.open(service)
  if not admin then
    return nil, err
  end
  local waited = service.store.waited
  local opened = waited and waited.server
  if opened then
    opened:give_to(service.inbox, service.place)
  else
    opened, err = webhook_server.open(service.settings, service.inbox, service.place)
  end
  if not opened then
    admin:close()
    return nil, err
  end
  service.webhook_server, service.webhook_address, service.admin_server = opened, opened:address(), admin
  service.started_at = clock.now()
  return true
end

---Starts a service. When it fails nothing has been started, and it may be tried again.
---@param service cunnekt.service
---@return boolean? ok
---@return cunnekt.error? err
function start.run(service)
  service.dialogs:load()
  service.store.persons:have_aliases()
  local rest, err = read_unfinished(service)
  if not rest then
    return nil, err
  end
  load_budget(service, rest.records)
  local ok
  ok, err = service.engine.budget:check_room()
  if not ok then
    return nil, err
  end
  ok, err = open_servers(service)
  if not ok then
    return nil, err
  end
  -- The loop has not run, so nothing new has arrived: older work is queued first.
  call_on_restart(service, rest)
  service.outbox:recover(rest.rows, rest.parked)
  service.inbox:enqueue(rest.records)
  if service.store.is_kept then
    service.inbox.mail:start(service.store.is_shared)
  end
  standby.finish(service.store, true)
  service.dialogs:start()
  service.schedule:start()
  service.maintenance = maintenance.start(service)
  service.unwatch = standby.watch(service.store, service.settings.store)
  return true
end

return start
