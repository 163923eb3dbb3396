-- SPDX-License-Identifier: MIT
-- The bot: what a script holds. It puts the parts together and runs them; the way of an event is
-- server → inbox → turn (routes, handlers) → outbox → client.

local chat = require "cunnekt.bot.chat"
local client = require "cunnekt.provider.client"
local counts = require "cunnekt.engine.counts"
local dialog = require "cunnekt.dialog"
local identity = require "cunnekt.provider.identity"
local inbox = require "cunnekt.engine.inbox"
local keys = require "cunnekt.bot.keys"
local options = require "cunnekt.base.options"
local outbox = require "cunnekt.engine.outbox"
local route = require "cunnekt.bot.route"
local run = require "cunnekt.dialog.engine.run"
local serve = require "cunnekt.service.serve"
local schedule = require "cunnekt.jobs.schedule"
local settings = require "cunnekt.provider.settings"
local store = require "cunnekt.store"
local turn = require "cunnekt.engine.turn"
local wall_clock = require "cunnekt.time.wall_clock"

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
  keep_days = "integer",
  parked = "integer",
  parked_seconds = "number",
}

-- Events handled at once, events that may wait, messages under way at once, seconds to finish in at a stop, turns of an
-- event before it is set aside, whether later events of the contact wait for one that is tried again, days for which
-- what was set aside is kept, dialogs that wait in memory, and seconds for which they do; the others are rebuilt from their
-- journals.
local defaults = {
  concurrency = 1000,
  queue = 100000,
  sends = 256,
  grace = 10,
  unknown = "hold",
  attempts = 5,
  on_failure = "wait",
  keep_days = 30,
  parked = 1000,
  parked_seconds = 600,
}

for _, part in ipairs { "cunnekt.engine.handle", "cunnekt.jobs.jobs", "cunnekt.service.serve" } do
  for name, method in pairs(require(part).methods) do
    bot_methods[name] = method
  end
end

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
  local is_fit = own.parked_seconds == nil or own.parked_seconds > 0
  if not is_fit then
    error(("cunnekt.bot: option 'parked_seconds' must be above 0, got %g"):format(own.parked_seconds), 3)
  end
  return setmetatable(own, { __index = defaults }), script
end

---Makes a bot.
---@param opts? table every option of cunnekt.client and every setting; concurrency: turns at once (1000); queue: events that may wait (100000); grace: seconds to finish in when stopped (10); unknown: what becomes of a message whose outcome nobody knows ("hold"); attempts: turns of a failing event before it is set aside (5); on_failure: whether the contact's later events "wait" meanwhile or "pass"; keep_days: for which events and messages that were set aside are kept (30); parked: dialogs that wait in memory (1000); parked_seconds: for which they do (600)
---@return cunnekt.bot
function bot.new(opts)
  local own, script = split_options(opts)
  local chosen = settings.load { script = script, where = "cunnekt.bot" }
  local self = setmetatable({
    client = client.new(settings.client_options(chosen), 2),
    _settings = chosen,
    _options = own,
    _routes = route.new(),
    _senders = {},
    _failure_hearers = {},
    _restart_hearers = {},
    _globals = {},
    _versions = {},
    _counts = counts.new(),
    _wall = wall_clock.new(),
    _open_turns = 0,
    _places = { first = 1, last = 0, is_taken = false },
    _is_stopping = false,
  }, bot_mt)
  self._store = assert(store.open(chosen.store))
  self.store = keys.new(self)
  self._outbox = outbox.new {
    store = self._store,
    client = self.client,
    counts = self._counts,
    concurrency = own.sends,
    unknown = own.unknown,
    has_unknown = self._store:has_unknown(),
    on_failure = function(err, handle)
      self:_fail(err, handle)
    end,
    tell = function(row, outcome, err)
      return self:_outcome_of(row, outcome, err)
    end,
    on_told = function(records)
      self._inbox:enqueue(records)
    end,
  }
  self._dialogs = dialog.new(self, math.max(1, own.parked), own.parked_seconds)
  self._inbox = inbox.new {
    store = self._store,
    counts = self._counts,
    concurrency = own.concurrency,
    capacity = own.queue,
    has_to_wait = own.on_failure == "wait",
    on_accepted = function(accepted, seq)
      if accepted.timestamp then
        self._wall:witness(accepted.timestamp)
      end
      if accepted.kind == "status" then
        self._outbox:on_status(accepted, seq)
      end
    end,
    run = function(record, done)
      self:_handle(record, done)
    end,
  }
  self._schedule = schedule.new {
    store = self._store,
    attempts = own.attempts,
    keep_days = own.keep_days,
    run = function(fn, done)
      turn.run(self, nil, fn, done)
    end,
    fail = function(err)
      self:_fail(err, nil)
    end,
  }
  serve.add(self)
  return self
end

-- ---- what a script registers -------------------------------------------------------------------------------------

---Adds a handler: the first that matches an event runs; one that returns "next" passes it on.
---@param what string an event type, "message", "status", a status, "error", "unknown" or "any"
---@param matcher string|string[]|cunnekt.filter|cunnekt.action|fun(event: table): boolean a Lua pattern for texts and captions, the exact id for replies and statuses, a list of either, a filter, an action, or a function; may be left out
---@param handler? fun(event: table): string?
---@param opts? table debounce: seconds; texts of a contact that come within so long of each other are joined into one
---@return cunnekt.bot self
---@overload fun(self, what: string, handler: fun(event: table): string?, opts?: table): cunnekt.bot
function bot_methods:on(what, matcher, handler, opts)
  if type(handler) ~= "function" and type(matcher) == "function" and opts == nil then
    matcher, handler, opts = nil, matcher, handler
  end
  local entry = self._routes:add(what, matcher, handler, opts, 3)
  self._dialogs:register(entry.name, handler, {}, matcher)
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

local dialog_spec = {
  unexpected = { "interrupt", "ignore", "queue" },
  on_change = { "keep", "restart" },
  migrate = "function",
}

---Names a dialog: `fn(chat, args)` asks, waits and goes on, across restarts.
---@param name string
---@param fn fun(chat: cunnekt.chat, args: any): any
---@param opts? table unexpected: messages that the dialog does not wait for go to the handlers ("interrupt", default), nowhere ("ignore"), or are kept for its later waits ("queue"); on_change: when the script's code changed, dialogs go on with the old one ("keep", default) or "restart"; migrate: fun(past) gives the args with which they begin again; past has name, args, answers (messages), and event, which came now
---@return cunnekt.bot self
function bot_methods:dialog(name, fn, opts)
  if type(name) ~= "string" or name == "" or name:find "^%a+:" then
    error("bot:dialog: the name must be a string without a colon", 2)
  end
  check_function("bot:dialog", fn)
  opts = options.check("bot:dialog", opts, dialog_spec, 3)
  self._dialogs:register(name, fn, {
    is_dialog = true,
    unexpected = opts.unexpected or "interrupt",
    on_change = opts.migrate or opts.on_change or "keep",
  })
  return self
end

---A word that works everywhere, inside dialogs too, in capitals or not.
---@param word string
---@param fn fun(msg: cunnekt.message)
---@return cunnekt.bot self
function bot_methods:global(word, fn)
  if type(word) ~= "string" or word == "" then
    error("bot:global: the word must be a string", 2)
  end
  check_function("bot:global", fn)
  local entry = { name = "global:" .. word:lower(), run = fn }
  self._globals[word:lower()] = entry
  self._dialogs:register(entry.name, fn, {})
  return self
end

-- Tells a conversation something by an event of our own: with the turn that is running, or at once.
local function tell(self, kind, contact, told)
  local err
  local ok = run.within(kind, told, function()
    local record, its_turn = inbox.own_record(contact, told), turn.current(self)
    if its_turn then
      table.insert(its_turn:gather "tells", record)
      return true
    end
    local is_kept, problem = self._store:put_own(record)
    if not is_kept then
      err = problem
      return false
    end
    self._inbox:enqueue { record }
    return true
  end)
  return ok or nil, err
end

---Begins a dialog with a contact that has not written just now. Durable once this returns; in a handler or a dialog, with
---its turn.
---@param to string the customer's number
---@param name string
---@param args? any what JSON can hold
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside of turns
function bot_methods:start(to, name, args)
  local told = { status = "dialog_start", name = name, to = to, args = args }
  local ok, err = tell(self, "start", self:chat(to).contact, told)
  return ok, err
end

---Sends a signal to the dialog of a contact that waits for it with chat:wait{signal = name}. Durable as bot:start is.
---@param to string the customer's number
---@param name string
---@param value? any what JSON can hold
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside of turns
function bot_methods:signal(to, name, value)
  local ok, err = tell(self, "signal", self:chat(to).contact, { status = "dialog_signal", name = name, value = value })
  return ok, err
end

---Hears once, at a start that takes up what an earlier run of the script left: how many events, messages and dialogs.
---@param fn fun(left: {events: integer, messages: integer, dialogs: integer})
---@return cunnekt.bot self
function bot_methods:on_restart(fn)
  check_function("bot:on_restart", fn)
  table.insert(self._restart_hearers, fn)
  return self
end

---The conversation with a contact, to write to somebody without having been written to.
---@param to string a number, as the provider gives it in `from`
---@param phone_number_id? string the business number's id, where there are several: by default the one that the handler's customer wrote to, elsewhere the one that a customer wrote to last
---@return cunnekt.chat
function bot_methods:chat(to, phone_number_id)
  local current = run.current()
  local number = phone_number_id or (current and identity.phone_number_id(current.contact)) or self._phone_number_id
  return chat.new(self, identity.key(number, to), to)
end

---Whether no bot that serves has anything to do. For `cunnekt dev`.
bot.is_idle = serve.is_idle

---Begins to stop all bots that serve. For `cunnekt dev`.
bot.stop_all = serve.stop_all

---Runs the bots that a script made and did not run. For the host.
bot.serve_unserved = serve.serve_unserved

return bot
