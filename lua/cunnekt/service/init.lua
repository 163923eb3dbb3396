-- SPDX-License-Identifier: MIT
-- A service: a bot and all the parts that run it. This file assembles them; start.lua and stop.lua start and stop it. The
-- host runs the services of bots that a script created and did not run itself.

local blame = require "cunnekt.base.blame"
local bot = require "cunnekt.bot"
local bot_options = require "cunnekt.service.options"
local budget = require "cunnekt.engine.budget"
local chat = require "cunnekt.bot.chat"
local client = require "cunnekt.provider.client"
local core = require "cunnekt.core"
local dialog = require "cunnekt.dialog"
local dispatch = require "cunnekt.dialog.dispatch"
local engine = require "cunnekt.engine"
local failure = require "cunnekt.engine.failure"
local flow = require "cunnekt.dialog.flow"
local hooks = require "cunnekt.bot.hooks"
local identity = require "cunnekt.provider.identity"
local location = require "cunnekt.store.location"
local log = require "cunnekt.base.log"
local planner = require "cunnekt.jobs.planner"
local route = require "cunnekt.bot.route"
local schedule = require "cunnekt.jobs.schedule"
local sent = require "cunnekt.bot.sent"
local settings = require "cunnekt.provider.settings"
local signals = require "cunnekt.service.signals"
local standby = require "cunnekt.service.standby"
local start = require "cunnekt.service.start"
local stop = require "cunnekt.service.stop"
local tap = require "cunnekt.bot.tap"
local task = require "cunnekt.base.task"
local values = require "cunnekt.bot.values"

local service = {}

local service_methods = {}
local service_mt = { __index = service_methods, __name = "cunnekt.service" }

---@class cunnekt.service
---@field bot cunnekt.bot
---@field engine cunnekt.engine
---@field inbox cunnekt.inbox the engine's, as are outbox, store and counts
---@field outbox cunnekt.outbox
---@field store table
---@field counts table<string, integer>
---@field dialogs cunnekt.dialogs
---@field schedule cunnekt.schedule
---@field hooks cunnekt.hooks
---@field taps cunnekt.taps
---@field settings table<string, any>
---@field place string? where the script makes its bot, such as "bot.lua:2"
---@field options table<string, any> those of cunnekt.bot
---@field store_option string? its option `store`
---@field started_at number? seconds since 1970; nil before the start
---@field is_stopping boolean
---@field is_clean boolean? set by `stop`
---@field webhook_server table? opened by `start`, as are admin_server and maintenance
---@field admin_server table?
---@field maintenance table?
---@field unwatch fun()? set by `start`: ends the watch whether another host has taken the store

-- Services whose bot the script has not run, for the host; and running ones.
---@type cunnekt.service[]
local unserved = {}
---@type table<cunnekt.service, boolean>
local serving = {}

-- ---- assembly ------------------------------------------------------------------------------------------------------

-- Sets the engine's hooks.
local function connect(self, routes)
  local on_failure = function(err, about)
    self.hooks:on_failure(err, about)
  end
  local its_failure = failure.new {
    store = self.store,
    inbox = self.inbox,
    counts = self.counts,
    attempts = self.options.attempts,
    budget = self.engine.budget,
    on_failure = on_failure,
    break_run = function(its_run, err, record)
      self.dialogs:break_run(its_run, err, record)
    end,
  }
  local its_dispatch = dispatch.new {
    engine = self.engine,
    dialogs = self.dialogs,
    routes = routes,
    scope = self.scope,
    taps = self.taps,
    failure = its_failure,
  }
  self.engine:connect {
    on_turn = its_dispatch.on_turn,
    on_answer = its_dispatch.on_answer,
    on_join = its_dispatch.on_join,
    is_heard = its_dispatch.is_heard,
    on_failure = on_failure,
    on_commit = function(change)
      if change.run then
        change.run:on_committed()
      end
      self.dialogs:on_pauses(change.pauses)
      self.schedule:apply(change.jobs)
    end,
  }
  its_dispatch.serve_bare()
end

-- What a person can do about it. "No such file" of PostgreSQL is the socket of a server that is down.
local function advice_of(message, url)
  if message:find "open already" then
    return ": give each bot a store of its own, cunnekt.bot{ store = \"sqlite:FILE\" }"
  elseif location.is_postgres(url) then
    return message:find "connection to server" and "; see that the database runs there and lets this user in" or ""
  elseif message:find "is in use" then
    return "; stop that one first, or give this bot a store of its own (CUNNEKT_STORE=sqlite:FILE)"
  elseif message:find "Permission denied" and (message:find "in its folder" or not core.stat(location.path(url) --[[@as string]])) then
    return (": the bot's user (number %d) must be able to write its folder (sudo chown %d FOLDER)"):format(core.user(), core.user())
  elseif message:find "Permission denied" then
    return "; the bot's user must be able to write the store's files and their folder (sudo chown --reference=FOLDER FILE)"
  elseif message:find "No such file or directory" then
    return ": make its folder first, or choose another file (CUNNEKT_STORE=sqlite:FILE)"
  end
  return ""
end

local function open_store(chosen)
  local opened, err = standby.open(chosen)
  if not opened then
    err.message = err.message .. advice_of(err.message, chosen.store)
    error(err, 0)
  end
  for _, note in ipairs(opened:notes()) do
    log.warn("the store's database: %s", note)
  end
  return opened
end

local function new_schedule(self)
  return schedule.new {
    store = self.store,
    attempts = self.options.attempts,
    keep_days = self.options.keep_days,
    run = function(fn, done, name)
      self.engine.turns:run(nil, fn, done, name)
    end,
    fail = function(err)
      self.hooks:on_failure(err, nil)
    end,
  }
end

-- The script's bot with this option `store`.
local function find_bot(store)
  for _, list in ipairs { unserved, serving } do
    for key, one in pairs(list) do
      one = one == true and key or one
      if one.store_option == store then
        return one.bot
      end
    end
  end
  return nil
end

-- Creates the parts of a service, from the lowest layer up.
local function assemble(own, chosen, its_client)
  local its_hooks, routes, parts = hooks.new(), route.new(), {}
  local its_engine = engine.new {
    store = open_store(chosen),
    client = its_client,
    options = own,
    phone_number_id = chosen.phone_number_id and identity.line(chosen.phone_number_id),
    handles = sent,
    budget = budget.new(bot_options.budget(own, chosen.store)),
  }
  its_hooks.budget, its_hooks.is_kept = its_engine.budget, its_engine.store.is_kept
  local self = setmetatable({
    engine = its_engine,
    inbox = its_engine.inbox,
    outbox = its_engine.outbox,
    store = its_engine.store,
    counts = its_engine.counts,
    hooks = its_hooks,
    taps = tap.new { turns = its_engine.turns, budget = its_engine.budget },
    settings = chosen,
    options = own,
    is_stopping = false,
  }, service_mt)
  self.bot = bot.new(its_client, values.new(its_engine), parts)
  self.scope = { engine = its_engine, hooks = its_hooks, flow = flow, bot = self.bot, replies = own.replies }
  self.dialogs = dialog.new {
    engine = its_engine,
    scope = self.scope,
    routes = routes,
    resident = math.max(1, own.parked),
    resident_seconds = own.parked_seconds,
    find_bot = find_bot,
  }
  self.scope.dialogs = self.dialogs
  self.schedule = new_schedule(self)
  connect(self, routes)
  parts.engine, parts.scope, parts.routes, parts.hooks = its_engine, self.scope, routes, its_hooks
  parts.dialogs, parts.service, parts.taps = self.dialogs, self, self.taps
  parts.planner = planner.new { schedule = self.schedule, turns = its_engine.turns, bot = self.bot }
  return self
end

---Called with each service that is made. Replace it to see the bots of a script.
---@param new cunnekt.service
function service.on_new(new) -- luacheck: no unused args
end

---Creates a bot.
---@param opts? cunnekt.bot.options
---@return cunnekt.bot
function service.new(opts)
  local own, script = bot_options.split(opts, 3)
  local chosen = settings.load { script = script, where = "cunnekt.bot" }
  local its_client = client.new(settings.client_options(chosen), 2)
  local self = assemble(own, chosen, its_client)
  self.place, self.store_option = blame.place(2), script.store
  unserved[#unserved + 1] = self
  service.on_new(self)
  return self.bot
end

---The service of a bot. For the host, and for tests.
---@param of cunnekt.bot
---@return cunnekt.service
function service.of(of)
  return bot.parts(of).service
end

-- ---- start and stop ------------------------------------------------------------------------------------------------

local function forget_unserved(self)
  for i, other in ipairs(unserved) do
    if other == self then
      table.remove(unserved, i)
      return
    end
  end
end

---Recovers the work of an earlier process, opens the addresses and starts handling events.
---@return boolean? ok
---@return cunnekt.error? err
function service_methods:listen()
  if self.webhook_server then
    return true
  end
  forget_unserved(self)
  local ok, err = start.run(self)
  if not ok then
    return nil, err
  end
  serving[self] = true
  return true
end

---The webhook's address, as "host:port"; nil before `listen`.
---@return string?
function service_methods:address()
  return self.webhook_address
end

---The admin address, as "host:port"; nil when there is none, and before `listen`.
---@return string?
function service_methods:admin_address()
  return self.admin_server and self.admin_server:address()
end

---The conversation of a key.
---@param contact string
---@return cunnekt.chat
function service_methods:chat(contact)
  local _, customer = identity.parts(contact)
  return chat.new(self.scope, contact, customer)
end

---Whether nothing waits or runs.
---@return boolean
function service_methods:is_idle()
  return self.schedule:active() + self.inbox:count() + self.outbox:count() == 0
end

---Stops, see bot:stop.
---@param grace? number seconds
---@return boolean is_clean
function service_methods:stop(grace)
  if self.is_stopping then
    return false
  end
  self.is_stopping = true
  forget_unserved(self)
  self.is_clean = stop.run(self, grace or self.options.grace)
  serving[self] = nil
  if self.on_stopped then
    self.on_stopped()
  end
  return self.is_clean
end

---Runs until a signal or bot:stop. One that cannot start is stopped: its store is closed.
---@return boolean? is_clean nil when it cannot start
---@return cunnekt.error? err
function service_methods:run()
  local ok, err = self:listen()
  if not ok then
    self:stop(0)
    return nil, err
  end
  local unwatch = signals.stop_on_signal(self) -- before anybody reads that it runs, and sends one
  log.info("listening on %s", self:address())
  if self:admin_address() then
    log.info("admin pages on %s", self:admin_address())
  end
  if self.is_clean == nil then
    task.await(function(done)
      self.on_stopped = done
    end)
  end
  unwatch()
  return self.is_clean
end

-- ---- for the host --------------------------------------------------------------------------------------------------

---Whether all running bots are idle. For `cunnekt dev`.
---@return boolean
function service.is_idle()
  for one in pairs(serving) do
    if not one:is_idle() then
      return false
    end
  end
  return true
end

---Whether a bot runs. For `cunnekt dev`.
---@return boolean
function service.is_serving()
  return next(serving) ~= nil
end

---Stops all running bots, without waiting for them. For `cunnekt dev`.
function service.stop_all()
  for one in pairs(serving) do
    task.spawn(one.stop, one)
  end
end

-- Starts all of these, or stops them all: a host of which a part does not serve would look alive. Raises a cunnekt.error.
local function listen_all(services)
  for _, one in ipairs(services) do
    local ok, err = one:listen()
    if not ok then
      local stopping = {}
      for i, other in ipairs(services) do
        stopping[i] = task.spawn(other.stop, other, not other.webhook_server and 0 or nil)
      end
      for _, t in ipairs(stopping) do
        task.join(t)
      end
      error(err, 0)
    end
  end
end

---Runs the bots that a script created and did not run. For the host. Raises when one of them cannot start.
function service.serve_unserved()
  local services, running = unserved, {}
  unserved = {}
  task.run(listen_all, services)
  for i, one in ipairs(services) do
    running[i] = task.spawn(one.bot.run, one.bot)
  end
  for _, t in ipairs(running) do
    task.join(t)
  end
end

return service
