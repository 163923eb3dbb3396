-- SPDX-License-Identifier: MIT
-- The bot's part for its life: taking up what an earlier run left, serving, the looks that it takes now and then, and a
-- stop that cuts nothing off. The methods are the bot's own; see bot.lua.

local adapter = require "cunnekt.service.adapter"
local admin_server = require "cunnekt.operate.admin_server"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local log = require "cunnekt.base.log"
local server = require "cunnekt.service.server"
local task = require "cunnekt.base.task"
local turn = require "cunnekt.engine.turn"
local upkeep = require "cunnekt.service.upkeep"

local serve = {}

local methods = {}
serve.methods = methods

-- Bots that a script made and did not run, which the host serves; and those that serve now.
local unserved, serving = {}, {}

---Remembers a new bot, until it is run.
---@param bot table
function serve.add(bot)
  unserved[#unserved + 1] = bot
end

local function forget_unserved(bot)
  for i, other in ipairs(unserved) do
    if other == bot then
      table.remove(unserved, i)
      return
    end
  end
end

-- What an earlier run left behind.
local function read_rest(self)
  local records, err = self._store:pending()
  if not records then
    return nil, err
  end
  local rows
  rows, err = self._store:outgoing()
  if not rows then
    return nil, err
  end
  local is_loaded
  is_loaded, err = self._schedule:load()
  if not is_loaded then
    return nil, err
  end
  if #records + #rows > 0 then
    log.info("taking up %d events and %d messages from before", #records, #rows)
  end
  return { records = records, rows = rows }
end

-- Tells the script what was left, in a turn of its own, before anything of it goes on.
local function tell_of_rest(self, rest)
  if #self._restart_hearers == 0 then
    return
  end
  local left = { events = #rest.records, messages = #rest.rows, dialogs = self._store:count_dialogs() }
  if left.events + left.messages + left.dialogs == 0 then
    return
  end
  turn.run(self, nil, function()
    for _, fn in ipairs(self._restart_hearers) do
      fn(left)
    end
  end, function(err)
    if err then
      self:_fail(err, nil)
    end
  end)
end

---Takes up what an earlier run left behind, opens the webhook's address and begins to serve.
---@return cunnekt.bot? self
---@return cunnekt.error? err
function methods:listen()
  if self._server then
    return self
  end
  forget_unserved(self)
  self._dialogs:start()
  local rest, err = read_rest(self)
  if not rest then
    return nil, err
  end
  local doors, opened
  doors, err = admin_server.open(adapter.of(self))
  if not doors then
    return nil, err
  end
  opened, err = server.open(self._settings, self._inbox)
  if not opened then
    doors:close()
    return nil, err
  end
  self._server, self._address, self._doors = opened, opened:address(), doors
  serving[self] = true
  -- Nothing has come in yet, for the loop has not run: what is older is queued first.
  tell_of_rest(self, rest)
  self._outbox:recover(rest.rows)
  self._inbox:enqueue(rest.records)
  self._schedule:start()
  self._upkeep = upkeep.start(self)
  return self
end

---Where webhooks come in, as "host:port"; nil before `listen`.
---@return string?
function methods:address()
  return self._address
end

---Where /healthz, /readyz and /metrics are, as "host:port"; nil when the setting `admin` is not set, and before `listen`.
---@return string?
function methods:admin_address()
  return self._doors and self._doors:address()
end

-- Waits until nothing of these lanes is under way, or the deadline has come.
local function wait_until_quiet(lanes, deadline)
  task.await(function(done)
    local timer = clock.after(math.max(0, deadline - clock.monotonic()), done)
    lanes:when_quiet(function()
      timer:close()
      done()
    end)
  end)
end

---Stops: takes nothing new, finishes what is under way within the grace time, closes the store. What is not finished
---stays in the store, for the next run.
---@param grace? number seconds; the option `grace` by default
---@return boolean is_clean nothing was cut off
function methods:stop(grace)
  if self._is_stopping then
    return false
  end
  self._is_stopping = true
  local current = turn.current(self)
  if current and current.is_of_job then
    current:commit_more() -- the job that stops everything would be due again
  end
  self._schedule:stop(current and current.is_of_job or false)
  self._dialogs:stop()
  if self._upkeep then
    self._upkeep:stop()
  end
  if self._server then
    self._server:pause()
  end
  local deadline = clock.monotonic() + (grace or self._options.grace)
  if self._store.is_kept then
    self._inbox.lanes:stop()
  end
  -- Turns first, for they say more messages.
  wait_until_quiet(self._schedule, deadline)
  wait_until_quiet(self._inbox.lanes, deadline)
  wait_until_quiet(self._outbox.lanes, deadline)
  local is_clean = self._schedule:active() + self._inbox.lanes:active() + self._outbox.lanes:active() == 0
  self._inbox.lanes:stop()
  self._outbox.lanes:stop()
  if self._server then
    self._server:close()
    self._doors:close()
  end
  self._dialogs:evict_all()
  self._store:close()
  serving[self] = nil
  self._is_clean = is_clean
  if self._on_stopped then
    self._on_stopped()
  end
  return is_clean
end

-- Stops at the first signal, and leaves at once at the second.
local function watch_signals(self)
  local handles = {}
  local function on_signal()
    if self._is_stopping then
      os.exit(1, false)
    end
    log.info("stopping")
    task.spawn(self.stop, self)
  end
  for i, name in ipairs { "SIGTERM", "SIGINT" } do
    handles[i] = core.signal(name, on_signal)
  end
  return function()
    for _, handle in ipairs(handles) do
      handle:close()
    end
  end
end

---Serves until stopped by SIGTERM, SIGINT or bot:stop.
---@return boolean is_clean
function methods:run()
  local started, err = self:listen()
  if not started then
    error(err, 2)
  end
  log.info("listening on %s", self:address())
  if self:admin_address() then
    log.info("admin pages on %s", self:admin_address())
  end
  local unwatch = watch_signals(self)
  if self._is_clean == nil then
    task.await(function(done)
      self._on_stopped = done
    end)
  end
  unwatch()
  return self._is_clean
end

---Whether no bot that serves has anything to do. For `cunnekt dev`.
---@return boolean
function serve.is_idle()
  for one in pairs(serving) do
    if one._schedule:active() + one._inbox.lanes:count() + one._outbox.lanes:count() > 0 then
      return false
    end
  end
  return true
end

---Begins to stop all bots that serve. For `cunnekt dev`.
function serve.stop_all()
  for one in pairs(serving) do
    task.spawn(one.stop, one)
  end
end

---Runs the bots that a script made and did not run. For the host.
function serve.serve_unserved()
  local running = {}
  while unserved[1] do
    local next_bot = table.remove(unserved, 1)
    running[#running + 1] = task.spawn(next_bot.run, next_bot)
  end
  for _, t in ipairs(running) do
    task.join(t)
  end
end

return serve
