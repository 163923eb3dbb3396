-- SPDX-License-Identifier: MIT
-- The bot: what a script holds. It registers what the script wants to hear of, and forwards everything else to the parts
-- that do it (cunnekt.bot.parts); service/init.lua makes it. It holds only what a script may see.

local chat = require "cunnekt.bot.chat"
local formats = require "cunnekt.store.formats"
local identity = require "cunnekt.provider.identity"
local options = require "cunnekt.base.options"
local record = require "cunnekt.engine.record"
local steps = require "cunnekt.engine.steps"

local bot = {}

---@class cunnekt.bot
---@field client cunnekt.client sends at once, outside any turn
---@field store cunnekt.keys values shared by all conversations
local bot_methods = {}
local bot_mt = { __index = bot_methods, __name = "cunnekt.bot" }

---What a bot forwards to.
---@class cunnekt.bot.parts
---@field engine cunnekt.engine
---@field scope cunnekt.scope
---@field routes cunnekt.routes
---@field hooks cunnekt.hooks
---@field dialogs cunnekt.dialogs
---@field planner cunnekt.planner
---@field service cunnekt.service

-- Kept apart from the bots, so that a script sees nothing of them.
---@type table<cunnekt.bot, cunnekt.bot.parts>
local parts_of = setmetatable({}, { __mode = "k" })

---@param client cunnekt.client
---@param values cunnekt.keys
---@param parts cunnekt.bot.parts they may be filled in later
---@return cunnekt.bot
function bot.new(client, values, parts)
  local self = setmetatable({ client = client, store = values }, bot_mt)
  parts_of[self] = parts
  return self
end

---The parts behind a bot. For the host, and for tests.
---@param of cunnekt.bot
---@return cunnekt.bot.parts
function bot.parts(of)
  return parts_of[of]
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
  local parts = parts_of[self]
  local entry = parts.routes:add(what, matcher, handler, opts, 3)
  parts.dialogs:register(entry.name, handler, {}, matcher)
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
  parts_of[self].routes:wrap(fn)
  return self
end

---Sees every message before it joins the outbox: may change the payload, return another, or return false to drop it.
---@param fn fun(payload: table, chat: cunnekt.chat): table|false|nil
---@return cunnekt.bot self
function bot_methods:before_send(fn)
  check_function("bot:before_send", fn)
  table.insert(parts_of[self].hooks.senders, fn)
  return self
end

---Hears failures: of handlers (kind "handler", with `traceback`) and of messages.
---@param fn fun(err: cunnekt.error, about: table?) `about`: the event, or the handle of the message. A handler's err has `attempts`, and `is_final` when it is not tried again
---@return cunnekt.bot self
function bot_methods:on_error(fn)
  check_function("bot:on_error", fn)
  table.insert(parts_of[self].hooks.failure_listeners, fn)
  return self
end

---Hears once, at a start that takes up what an earlier run of the script left: how many events, messages and dialogs.
---@param fn fun(left: {events: integer, messages: integer, dialogs: integer})
---@return cunnekt.bot self
function bot_methods:on_restart(fn)
  check_function("bot:on_restart", fn)
  table.insert(parts_of[self].hooks.restart_listeners, fn)
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
  if type(name) ~= "string" or name == "" or name:find(formats.handler_pattern) then
    error("bot:dialog: the name must be a string without a colon", 2)
  end
  check_function("bot:dialog", fn)
  opts = options.check("bot:dialog", opts, dialog_spec, 3)
  parts_of[self].dialogs:register(name, fn, {
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
  local parts = parts_of[self]
  parts.dialogs:register(parts.routes:add_global(word, fn).name, fn, {})
  return self
end

-- ---- telling a conversation something ----------------------------------------------------------------------------

-- Tells a conversation something by an event of our own: with the running turn, or at once.
local function tell(parts, kind, contact, told)
  local err
  local engine = parts.engine
  local ok = steps.within(kind, told, function()
    local its_record, its_turn = record.own(contact, told), engine.turns:current()
    if its_turn then
      table.insert(its_turn:buffer "own_events", its_record)
      return true
    end
    local is_kept
    is_kept, err = engine:put_own(its_record)
    return is_kept or false
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
  local ok, err = tell(parts_of[self], "start", self:chat(to).contact, told)
  return ok, err
end

---Sends a signal to the dialog of a contact that waits for it with chat:wait{signal = name}. Durable as bot:start is.
---@param to string the customer's number
---@param name string
---@param value? any what JSON can hold
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside of turns
function bot_methods:signal(to, name, value)
  local ok, err = tell(parts_of[self], "signal", self:chat(to).contact, { status = "dialog_signal", name = name, value = value })
  return ok, err
end

---The conversation with a contact, to write to somebody without having been written to.
---@param to string a number, as the provider gives it in `from`
---@param phone_number_id? string the business number's id, where there are several: by default the one that the handler's customer wrote to, elsewhere the one that a customer wrote to last
---@return cunnekt.chat
function bot_methods:chat(to, phone_number_id)
  local parts, current = parts_of[self], steps.current()
  local number = phone_number_id or (current and identity.phone_number_id(current.contact)) or parts.engine.phone_number_id
  return chat.new(parts.scope, identity.key(number, to), to)
end

-- ---- named jobs: the functions are the planner's, called last so that errors blame the script's line --------------------

---Names a function, for jobs that handlers make: `bot:after(600, {args = …}, "remind " .. msg.from, "remind")` finds it
---again after a restart.
---@param name string
---@param fn fun(job: cunnekt.job)
---@return cunnekt.bot self
function bot_methods:job(name, fn)
  return parts_of[self].planner:job(name, fn)
end

---Runs a job once, after some seconds. Called while the script starts: a job of this name and of as many seconds that is
---still due from an earlier run of the script keeps its time, and is not planned a second time. Called later, by handlers
---and jobs: it replaces one of the same name, and is counted from now.
---@param seconds number
---@param opts cunnekt.job_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) the name of a bot:job, so that it is found again after a restart, or a function
---@return cunnekt.bot? self
---@return cunnekt.error? err kind store; only outside of handlers and jobs
---@overload fun(self, seconds: number, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:after(seconds, opts, name, fn)
  return parts_of[self].planner:after(seconds, opts, name, fn)
end

---Runs a job again and again, the first time after so many seconds. Given again with as many seconds, after a restart as
---well, it keeps its due time; with others it is planned anew.
---@param seconds number from one due time to the next, more than 0
---@param opts cunnekt.job_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot? self
---@return cunnekt.error? err as bot:after
---@overload fun(self, seconds: number, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:every(seconds, opts, name, fn)
  return parts_of[self].planner:every(seconds, opts, name, fn)
end

---Runs a job every day at a time of a zone's clocks. Where they jump over it, it runs right after that; where they show it
---twice, the first time.
---@param time string such as "09:00"
---@param opts cunnekt.daily_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot? self
---@return cunnekt.error? err as bot:after
---@overload fun(self, time: string, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:daily(time, opts, name, fn)
  return parts_of[self].planner:daily(time, opts, name, fn)
end

---Runs a job by a line of cron: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly.
---@param line string such as "0 9 * * 1-5"
---@param opts cunnekt.daily_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot? self
---@return cunnekt.error? err as bot:after
---@overload fun(self, line: string, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:cron(line, opts, name, fn)
  return parts_of[self].planner:cron(line, opts, name, fn)
end

---Calls a job off. A run of it that is under way goes on.
---@param name string
---@return boolean? was_planned
---@return cunnekt.error? err as bot:after
function bot_methods:cancel_job(name)
  return parts_of[self].planner:cancel_job(name)
end

-- ---- serving -----------------------------------------------------------------------------------------------------

---Recovers what an earlier process left, opens the webhook's address and begins to serve.
---@return cunnekt.bot? self
---@return cunnekt.error? err
function bot_methods:listen()
  local ok, err = parts_of[self].service:listen()
  return ok and self or nil, err
end

---Where webhooks come in, as "host:port"; nil before `listen`.
---@return string?
function bot_methods:address()
  return parts_of[self].service:address()
end

---Where /healthz, /readyz and /metrics are, as "host:port"; nil when the setting `admin` is not set, and before `listen`.
---@return string?
function bot_methods:admin_address()
  return parts_of[self].service:admin_address()
end

---Stops: accepts nothing new, finishes what is under way within the grace time, closes the store. Unfinished work resumes
---at the next start.
---@param grace? number seconds; the option `grace` by default
---@return boolean is_clean nothing was cut off
function bot_methods:stop(grace)
  return parts_of[self].service:stop(grace)
end

---Serves until stopped by SIGTERM, SIGINT or bot:stop.
---@return boolean is_clean
function bot_methods:run()
  local is_clean, err = parts_of[self].service:run()
  if is_clean == nil then
    error(err, 2)
  end
  return is_clean
end

return bot
