-- SPDX-License-Identifier: MIT
-- Standing by: a host whose database another host has waits here until it can have it. Meanwhile it has its addresses, and takes
-- webhooks for that host (postbox.lua), so that a load balancer may send them to any of the two. Its webhook server stays open when
-- it takes over.
--
-- And the other side: a host whose database another one has had since ends at once. What it remembers is of the past; the
-- service manager starts it anew, and then it stands by.

local admin_server = require "cunnekt.operate.admin_server"
local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local location = require "cunnekt.store.location"
local log = require "cunnekt.base.log"
local monitor = require "cunnekt.operate.monitor"
local postbox = require "cunnekt.service.postbox"
local signals = require "cunnekt.service.signals"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"
local webhook_server = require "cunnekt.service.webhook_server"

local standby = {}

-- Seconds between looks whether the database is this host's, and whether it is another's.
local wait_pace, watch_pace = 0.05, 0.3
-- So many without trouble, and the next one is another, which is logged as well.
local calm = 2

-- What it has while it waits: `server`, and `close_pages`. Raises when an address cannot be had.
local function open_addresses(settings, about, its_store)
  local its_postbox = postbox.new(its_store)
  local server, err = webhook_server.open(settings, its_postbox)
  if not server then
    error(err, 0)
  end
  local admin
  admin, err = admin_server.open_address(settings.admin, monitor.new(about))
  if err then
    server:close()
    error(err, 0)
  end
  local function close_pages()
    if admin then
      admin:close()
    end
  end
  function about.trouble()
    return its_postbox:trouble()
  end
  return { server = server, close_pages = close_pages }
end

-- It has nothing to finish. What other bots of the script have is in their stores.
local function end_on_signal()
  return signals.watch(function()
    log.info "stopping"
    os.exit(0, false)
  end)
end

-- Until the store is this host's; gives who had it.
local function wait_for_store(its_store, about, owner)
  local trouble_at, is_ours
  repeat
    task.sleep(wait_pace)
    is_ours = not its_store:stands_by()
    local now, hindrance = its_store:owner()
    owner = now or owner
    about.standing_by = "standing by: " .. (now and now .. " has the database" or "nobody has the database now")
    local problem = hindrance or (not is_ours and about.trouble())
    local is_calm = not (trouble_at and clock.monotonic() < trouble_at + calm)
    if problem and is_calm then
      log.warn("standing by: %s", problem)
    elseif trouble_at and is_calm then
      log.info "standing by: that is over"
      trouble_at = nil
    end
    trouble_at = problem and clock.monotonic() or trouble_at
  until is_ours
  return owner
end

---Opens the store of a bot; stands by until it can be had, where another host may have it. Waits. Raises when an address that it
---needs then cannot be had.
---@param settings table store, take_over, listen, admin
---@return cunnekt.open_store? opened
---@return cunnekt.error? err
function standby.open(settings)
  local options = location.is_postgres(settings.store) and { may_stand_by = true, take_over_ms = math.floor(settings.take_over * 1000) } or nil
  local opened, err = store.open(settings.store, options)
  if not opened or not opened:stands_by() then
    return opened, err
  end
  local owner = opened:owner() or "another host"
  local about = { standing_by = ("standing by: %s has the database"):format(owner) }
  opened.waited = open_addresses(settings, about, opened)
  log.info("standing by: %s has the database; this host takes over when that one ends, or is silent for %g s", owner, settings.take_over)
  local unwatch = end_on_signal()
  owner = wait_for_store(opened, about, owner)
  task.sleep(0) -- a signal that came meanwhile is heard
  unwatch()
  opened.waited.close_pages()
  local problem = opened:look() and select(2, opened:is_writable())
  if problem then
    standby.finish(opened, false)
    opened:close()
    return nil, errors.new("store", problem)
  end
  log.info("taking over: the database is this host's now, and was that of %s", owner)
  return opened
end

---Ends what a host had while it stood by.
---@param its_store cunnekt.open_store
---@param keeps_server boolean its webhook server is the running host's now
function standby.finish(its_store, keeps_server)
  local waited = its_store.waited
  if not waited then
    return
  end
  its_store.waited = nil
  if not keeps_server then
    waited.server:close()
  end
end

---Ends the process when another host has had the database since, or that has lost what it had confirmed.
---@param its_store cunnekt.open_store
---@param url string
---@return fun() stop
function standby.watch(its_store, url)
  if not location.is_postgres(url) then
    return function() end
  end
  local timer
  local function look()
    local reason = its_store:look()
    if reason then
      log.error("%s", reason)
      os.exit(1, false)
    end
    timer = clock.after(watch_pace, look)
  end
  timer = clock.after(watch_pace, look)
  return function()
    timer:close()
  end
end

return standby
