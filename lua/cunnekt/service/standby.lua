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
local log = require "cunnekt.base.log"
local monitor = require "cunnekt.operate.monitor"
local postbox = require "cunnekt.service.postbox"
local signals = require "cunnekt.service.signals"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"
local webhook_server = require "cunnekt.service.webhook_server"

local standby = {}

-- Seconds between tries, and between looks whether another host has the database.
local pace = 0.3

-- Who has the database, and what keeps its session from being ended; nil when that is not why it could not be opened.
local function owner_of(err)
  local owner, rest = err.message:match "it is in use by (.-); one host at a time can use a database(.*)"
  return owner, rest and rest:match "^; (.+)"
end

-- What it has while it waits: `server`, `postbox`, and `close_pages`. Raises when an address cannot be had.
local function open_addresses(settings, about)
  local its_postbox = postbox.new(settings.store)
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
  return { server = server, postbox = its_postbox, close_pages = close_pages }
end

-- It has nothing to finish. What other bots of the script have is in their stores.
local function end_on_signal()
  return signals.watch(function()
    log.info "stopping"
    os.exit(0, false)
  end)
end

local function wait_for_store(url, options, about, its_postbox)
  local is_warned = false
  while true do
    its_postbox:connect()
    about.unready = its_postbox:trouble()
    task.sleep(pace)
    local opened, err = store.open(url, options)
    if opened then
      return opened
    end
    local owner, hindrance = owner_of(err)
    if not owner and not err.message:find "^cannot open" then
      error(err, 0) -- of another version, for example
    end
    about.standing_by = owner and ("standing by: %s has the database"):format(owner) or "standing by: " .. err.message
    if not is_warned and (hindrance or not owner) then
      is_warned = true
      log.warn("standing by: %s", hindrance or err.message)
    end
  end
end

---Opens the store of a bot; stands by until it can be had, where another host may have it. Waits. Raises when an address that it
---needs then cannot be had.
---@param settings table store, take_over, listen, admin
---@return cunnekt.open_store? opened
---@return cunnekt.error? err
function standby.open(settings)
  local url = settings.store
  local is_shared = store.is_postgres(url)
  local options = is_shared and { stands_by = true, take_over_ms = math.floor(settings.take_over * 1000) } or nil
  local opened, err = store.open(url, options)
  local owner = owner_of(err or { message = "" })
  if opened or not is_shared or not owner then
    return opened, err
  end
  local about = { standing_by = ("standing by: %s has the database"):format(owner) }
  local waited = open_addresses(settings, about)
  log.info("standing by: %s has the database; this host takes over when that one ends, or is silent for %g s", owner, settings.take_over)
  local unwatch = end_on_signal()
  local ok, result = pcall(wait_for_store, url, options, about, waited.postbox)
  unwatch()
  waited.close_pages()
  if not ok then
    waited.server:close()
    waited.postbox:close()
    return nil, errors.is(result) and result or error(result, 0)
  end
  result.waited = waited
  log.info("taking over: the database is this host's now, and was that of %s", owner)
  return result
end

---Ends what a host had while it stood by. Waits.
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
  waited.postbox:close()
end

---Ends the process when another host has had the database since.
---@param its_store cunnekt.open_store
---@param url string
---@return fun() stop
function standby.watch(its_store, url)
  if not store.is_postgres(url) then
    return function() end
  end
  local timer
  local function look()
    if its_store:is_taken() then
      log.error "another host has taken the database over; this one ends: started anew, it stands by"
      os.exit(1, false)
    end
    timer = clock.after(pace, look)
  end
  timer = clock.after(pace, look)
  return function()
    timer:close()
  end
end

return standby
