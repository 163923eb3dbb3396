-- SPDX-License-Identifier: MIT
-- Standing by: a host whose database another host has waits here until it can have it. Meanwhile it has its addresses, so that a
-- second one by mistake on one machine ends with a sentence, and a load balancer sees that it is there and not ready.
--
-- And the other side: a host whose database another one has had since ends at once. What it remembers is of the past; the
-- service manager starts it anew, and then it stands by.

local address = require "cunnekt.base.address"
local admin_server = require "cunnekt.operate.admin_server"
local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local limits = require "cunnekt.provider.limits"
local log = require "cunnekt.base.log"
local monitor = require "cunnekt.operate.monitor"
local network = require "cunnekt.base.network"
local retry = require "cunnekt.provider.retry"
local signals = require "cunnekt.service.signals"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"

local standby = {}

-- Seconds between tries, and between looks whether another host has the database.
local pace = 0.3

-- Who has the database, and what keeps its session from being ended; nil when that is not why it could not be opened.
local function owner_of(err)
  local owner, rest = err.message:match "it is in use by (.-); one host at a time can use a database(.*)"
  return owner, rest and rest:match "^; (.+)"
end

-- Raises when an address cannot be had.
local function open_addresses(settings, about)
  local host, port = address.parse(settings.listen)
  local refusal = { "Content-Type: text/plain; charset=utf-8", ("Retry-After: %d"):format(retry.sender) }
  local webhooks, problem
  if host then
    webhooks, problem = network.listen({ host = host, port = port, max_body = limits.webhook_bytes }, function(exchange)
      exchange:answer(503, "this host stands by\n", refusal)
    end)
  end
  if not webhooks then
    problem = host and errors.new("network", problem .. "; stop the program that has it, or choose another one (CUNNEKT_LISTEN=HOST:PORT)")
    error(problem or port, 0)
  end
  local admin, err = admin_server.open_address(settings.admin, monitor.new(about))
  if err then
    webhooks:close()
    error(err, 0)
  end
  return function()
    webhooks:close()
    if admin then
      admin:close()
    end
  end
end

-- It has nothing to finish. What other bots of the script have is in their stores.
local function end_on_signal()
  return signals.watch(function()
    log.info "stopping"
    os.exit(0, false)
  end)
end

local function wait_for_store(url, options, about)
  local is_warned = false
  while true do
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
  local close = open_addresses(settings, about)
  log.info("standing by: %s has the database; this host takes over when that one ends, or is silent for %g s", owner, settings.take_over)
  local unwatch = end_on_signal()
  local ok, result = pcall(wait_for_store, url, options, about)
  unwatch()
  close()
  if not ok then
    return nil, errors.is(result) and result or error(result, 0)
  end
  log.info("taking over: the database is this host's now, and was that of %s", owner)
  return result
end

---Ends the process when another host has had the database since, or that has lost what it had confirmed.
---@param its_store cunnekt.open_store
---@param url string
---@return fun() stop
function standby.watch(its_store, url)
  if not store.is_postgres(url) then
    return function() end
  end
  local timer
  local function look()
    local reason = its_store:look()
    if reason then
      log.error("%s", reason)
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
