-- SPDX-License-Identifier: MIT
-- The bot: what a script holds. It puts the parts together and runs them; the way of an event is
-- server → inbox → turn (routes, handlers) → outbox → client.

local chat = require "cunnekt.chat"
local client = require "cunnekt.client"
local build = require "cunnekt.build"
local clock = require "cunnekt.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.errors"
local event = require "cunnekt.event"
local inbox = require "cunnekt.inbox"
local keys = require "cunnekt.keys"
local log = require "cunnekt.log"
local options = require "cunnekt.options"
local outbox = require "cunnekt.outbox"
local route = require "cunnekt.route"
local schedule = require "cunnekt.schedule"
local server = require "cunnekt.server"
local settings = require "cunnekt.settings"
local store = require "cunnekt.store"
local task = require "cunnekt.task"
local turn = require "cunnekt.turn"

local bot = {}

---@class cunnekt.bot
---@field client cunnekt.client sends at once, outside any turn
---@field store cunnekt.keys values shared by all conversations
local bot_methods = {}
local bot_mt = { __index = bot_methods, __name = "cunnekt.bot" }

---@type table<string, string|string[]> what cunnekt.bot takes besides the settings, for options.check
bot.option_types = {
  concurrency = "integer",
  queue = "integer",
  grace = "number",
  unknown = { "hold", "resend", "fail" },
  attempts = "integer",
  on_failure = { "wait", "pass" },
}

-- Events handled at once, events that may wait, messages under way at once, seconds to finish in at a stop, turns of an
-- event before it is set aside, and whether later events of the contact wait for one that is tried again.
local defaults = {
  concurrency = 1000,
  queue = 100000,
  sends = 256,
  grace = 10,
  unknown = "hold",
  attempts = 5,
  on_failure = "wait",
}

-- Bots that a script made and did not run, which the host serves; and those that serve now.
local unserved, serving = {}, {}

local function split_options(opts)
  local all, own, script = {}, {}, {}
  for name, setting in pairs(settings.known) do
    all[name] = setting.type
  end
  for name, kind in pairs(bot.option_types) do
    all[name] = kind
  end
  for name, value in pairs(options.check("cunnekt.bot", opts, all, 4)) do
    (bot.option_types[name] and own or script)[name] = value
  end
  return setmetatable(own, { __index = defaults }), script
end

---Makes a bot.
---@param opts? table every option of cunnekt.client and every setting; concurrency: turns at once (1000); queue: events that may wait (100000); grace: seconds to finish in when stopped (10); unknown: what becomes of a message whose outcome nobody knows ("hold"); attempts: turns of a failing event before it is set aside (5); on_failure: whether the contact's later events "wait" meanwhile or "pass"
---@return cunnekt.bot
function bot.new(opts)
  local own, script = split_options(opts)
  local chosen = settings.load { script = script, where = "cunnekt.bot" }
  local self = setmetatable({
    client = client.new(settings.client_options(chosen)),
    _settings = chosen,
    _options = own,
    _routes = route.new(),
    _senders = {},
    _failure_hearers = {},
    _versions = {},
    _open_turns = 0,
    _is_stopping = false,
  }, bot_mt)
  self._store = assert(store.open(chosen.store))
  self.store = keys.new(self)
  self._outbox = outbox.new {
    store = self._store,
    client = self.client,
    concurrency = own.sends,
    unknown = own.unknown,
    on_failure = function(err, handle)
      self:_fail(err, handle)
    end,
    tell = function(row, outcome, err)
      return self:_outcome_of(row, outcome, err)
    end,
    on_told = function(record)
      self._inbox:enqueue { record }
    end,
  }
  self._inbox = inbox.new {
    store = self._store,
    concurrency = own.concurrency,
    capacity = own.queue,
    has_to_wait = own.on_failure == "wait",
    on_accepted = function(accepted)
      if accepted.kind == "status" then
        self._outbox:on_status(accepted)
      end
    end,
    run = function(record, done)
      self:_handle(record, done)
    end,
  }
  self._schedule = schedule.new(function(name, fn, done)
    self:_run_job(name, fn, done)
  end)
  unserved[#unserved + 1] = self
  return self
end

-- ---- what a script registers -------------------------------------------------------------------------------------

---Adds a handler: the first that matches an event runs; one that returns "next" passes it on.
---@param what string an event type, "message", "status", a status, "error", "unknown" or "any"
---@param matcher string|string[]|fun(event: table): boolean a Lua pattern for texts and captions, the exact id for replies and statuses, a list of either, or a function; may be left out
---@param handler? fun(event: table): string?
---@return cunnekt.bot self
---@overload fun(self, what: string, handler: fun(event: table): string?): cunnekt.bot
function bot_methods:on(what, matcher, handler)
  if handler == nil then
    matcher, handler = nil, matcher
  end
  self._routes:add(what, matcher, handler, 3)
  return self
end

local function check_function(where, fn)
  if type(fn) ~= "function" then
    error(("%s: a function is wanted, got %s"):format(where, type(fn)), 3)
  end
end

---Wraps every handler, in the order of the calls.
---@param fn fun(event: table, next: fun(): any): any
---@return cunnekt.bot self
function bot_methods:use(fn)
  check_function("bot:use", fn)
  self._routes:wrap(fn)
  return self
end

---Sees every message before it joins the outbox: may change the payload, return another, or return false to drop it.
---@param fn fun(payload: table, chat: cunnekt.chat): table|false|nil
---@return cunnekt.bot self
function bot_methods:before_send(fn)
  check_function("bot:before_send", fn)
  table.insert(self._senders, fn)
  return self
end

---Hears failures: of handlers (kind "handler", with `traceback`) and of messages.
---@param fn fun(err: cunnekt.error, about: table?) `about`: the event, or the handle of the message. A handler's err has `attempts`, and `is_final` when it is not tried again
---@return cunnekt.bot self
function bot_methods:on_error(fn)
  check_function("bot:on_error", fn)
  table.insert(self._failure_hearers, fn)
  return self
end

local function check_job(where, seconds, name, fn)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error(("%s: seconds must be a number, 0 or more"):format(where), 3)
  elseif type(name) ~= "string" then
    error(("%s: the second argument is the job's name, got %s"):format(where, type(name)), 3)
  elseif type(fn) ~= "function" then
    error(("%s('%s'): the job must be a function, got %s"):format(where, name, type(fn)), 3)
  end
end

---Runs a job once, after some seconds. A job of the same name is replaced.
---@param seconds number
---@param name string
---@param fn fun()
---@return cunnekt.bot self
function bot_methods:after(seconds, name, fn)
  check_job("bot:after", seconds, name, fn)
  self._schedule:add(name, seconds, nil, fn)
  return self
end

---Runs a job again and again. A job of the same name is replaced.
---@param seconds number between runs, more than 0
---@param name string
---@param fn fun()
---@return cunnekt.bot self
function bot_methods:every(seconds, name, fn)
  check_job("bot:every", seconds, name, fn)
  if seconds <= 0 then
    error("bot:every: seconds must be more than 0", 2)
  end
  self._schedule:add(name, seconds, seconds, fn)
  return self
end

---The conversation with a contact, to write to somebody without having been written to.
---@param to string a number, as the provider gives it in `from`
---@param phone_number_id? string the business number's id, where there are several
---@return cunnekt.chat
function bot_methods:chat(to, phone_number_id)
  return chat.new(self, ("%s:%s"):format(phone_number_id or self._phone_number_id or "", to), to)
end

-- ---- what happens to an event --------------------------------------------------------------------------------------

---Lets the script see a message, and checks what it made of it.
function bot_methods:_before_send(payload, to)
  for _, fn in ipairs(self._senders) do
    local verdict = fn(payload, to)
    if verdict == false then
      return nil, errors.new("cancelled", "before_send dropped the message")
    end
    payload = type(verdict) == "table" and verdict or payload
  end
  if #self._senders > 0 then
    return build.send(payload)
  end
  return payload
end

---Tells the script, or the log, of a failure.
function bot_methods:_fail(err, about)
  if #self._failure_hearers == 0 then
    log.error("%s", err.traceback or tostring(err))
  end
  for _, fn in ipairs(self._failure_hearers) do
    task.spawn(function()
      local ok, problem = xpcall(fn, debug.traceback, err, about)
      if not ok then
        log.error("bot:on_error failed: %s", problem)
      end
    end)
  end
end

-- Gives a status what the script kept with the message that it is about.
local function add_track(self, status)
  if status.id and self._routes:hears(status) then
    local track = self._store:track_of(status.id)
    status.track = track and next(track) ~= nil and track or nil
  end
end

function bot_methods:_handle(record, done)
  local it
  turn.run(self, record, function()
    local parsed, err = self._inbox:take(record)
    if err then
      error(err, 0)
    elseif not parsed then
      return -- dropped from the command line meanwhile
    end
    it = event.bind(self, record.contact, parsed)
    self._phone_number_id = it.phone_number_id or self._phone_number_id
    if it.kind == "status" then
      add_track(self, it)
    end
    self._routes:dispatch(it)
  end, function(err, is_finished)
    if err then
      self:_turn_failed(record, err, is_finished, it, done)
    else
      done()
    end
  end)
end

-- Seconds before the next try of an event: a second, then four times longer each time, of which half is chance.
local function retry_pause(attempts)
  return 4 ^ (attempts - 1) * (0.5 + clock.random() / 2)
end

function bot_methods:_turn_failed(record, err, is_finished, it, done)
  if err.kind == "store" and not is_finished then
    -- The handler is not to blame: it runs again when the store can write.
    log.warn("a turn could not be kept: %s", err.message)
    return done(1)
  end
  record.attempts = record.attempts + 1
  err.attempts = record.attempts
  err.is_final = is_finished or record.attempts >= self._options.attempts
  self:_fail(err, it)
  if not err.is_final then
    self._store:note_attempt(record)
    return self._inbox:try_later(record, retry_pause(record.attempts), done)
  end
  if not is_finished then
    self._store:bury(record, err)
  end
  done()
end

-- The event that tells the script what became of a message; nil where no handler wants to know.
function bot_methods:_outcome_of(row, outcome, err)
  local told = { kind = "own", status = outcome }
  if not self._routes:hears(told) then
    return nil
  end
  told.id, told.recipient, told.track = row.handle.message_id, row.payload.mobile, row.track
  told.payload = row.payload
  told.err = err and { kind = err.kind, message = err.message, code = err.code }
  return inbox.own_record(row.contact, told)
end

function bot_methods:_run_job(name, fn, done)
  turn.run(self, nil, fn, function(err)
    if err then
      err.message = ("the job '%s' failed: %s"):format(name, err.message)
      self:_fail(err, nil)
    end
    done()
  end)
end

-- ---- running -------------------------------------------------------------------------------------------------------

-- Takes up what an earlier run left behind.
local function recover(self)
  local events, err = self._inbox:recover()
  if not events then
    return nil, err
  end
  local messages
  messages, err = self._outbox:recover()
  if not messages then
    return nil, err
  end
  if events + messages > 0 then
    log.info("taking up %d events and %d messages from before", events, messages)
  end
  return true
end

---Takes up what an earlier run left behind, opens the webhook's address and begins to serve.
---@return cunnekt.bot? self
---@return cunnekt.error? err
function bot_methods:start()
  if self._server then
    return self
  end
  for i, other in ipairs(unserved) do
    if other == self then
      table.remove(unserved, i)
      break
    end
  end
  local is_ready, problem = recover(self)
  if not is_ready then
    return nil, problem
  end
  local opened, err = server.open(self._settings, self._inbox)
  if not opened then
    return nil, err
  end
  self._server = opened
  serving[self] = true
  return self
end

---Where webhooks come in, as "host:port"; nil before `start`.
---@return string?
function bot_methods:address()
  return self._server and self._server:address()
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
function bot_methods:stop(grace)
  if self._is_stopping then
    return false
  end
  self._is_stopping = true
  self._schedule:stop()
  if self._server then
    self._server:pause()
  end
  local deadline = clock.monotonic() + (grace or self._options.grace)
  if self._store.is_kept then
    self._inbox.lanes:stop()
  end
  -- Turns first, for they say more messages.
  wait_until_quiet(self._inbox.lanes, deadline)
  wait_until_quiet(self._outbox.lanes, deadline)
  local is_clean = self._inbox.lanes:active() == 0 and self._outbox.lanes:active() == 0
  self._inbox.lanes:stop()
  self._outbox.lanes:stop()
  if self._server then
    self._server:close()
  end
  self._store:close()
  if self._on_stopped then
    self._on_stopped(is_clean)
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
function bot_methods:run()
  local started, err = self:start()
  if not started then
    error(err, 2)
  end
  log.info("listening on %s", self:address())
  local unwatch = watch_signals(self)
  local is_clean = task.await(function(done)
    self._on_stopped = done
  end)
  unwatch()
  return is_clean
end

---Whether no bot that serves has anything to do. For `cunnekt dev`.
---@return boolean
function bot.is_idle()
  for one in pairs(serving) do
    if one._inbox.lanes:count() > 0 or one._outbox.lanes:count() > 0 then
      return false
    end
  end
  return true
end

---Begins to stop all bots that serve. For `cunnekt dev`.
function bot.stop_all()
  for one in pairs(serving) do
    task.spawn(one.stop, one)
  end
end

---Runs the bots that a script made and did not run. For the host.
function bot.serve_unserved()
  local running = {}
  while unserved[1] do
    local next_bot = table.remove(unserved, 1)
    running[#running + 1] = task.spawn(next_bot.run, next_bot)
  end
  for _, t in ipairs(running) do
    task.join(t)
  end
end

return bot
