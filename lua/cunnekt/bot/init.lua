-- SPDX-License-Identifier: MIT
-- The bot: the object that a script holds. It registers handlers and forwards all other calls to its parts
-- (cunnekt.bot.parts), which it does not expose; service/init.lua creates it.

local calls = require "cunnekt.bot.calls"
local chat = require "cunnekt.bot.chat"
local clock = require "cunnekt.time.clock"
local formats = require "cunnekt.store.formats"
local lines = require "cunnekt.bot.lines"
local options = require "cunnekt.base.options"
local receiver = require "cunnekt.base.receiver"
local record = require "cunnekt.engine.record"
local refusals = require "cunnekt.bot.refusals"
local steps = require "cunnekt.engine.steps"
local storable = require "cunnekt.base.storable"

local bot = {}

---@class cunnekt.bot
---@field client cunnekt.client sends immediately, outside any turn
---@field store cunnekt.keys values shared by all conversations
local bot_methods = {}
local bot_mt = { __index = bot_methods, __name = "cunnekt.bot" }

---What a bot forwards to.
---@class cunnekt.bot.parts
---@field engine cunnekt.engine
---@field scope cunnekt.scope
---@field routes cunnekt.routes
---@field hooks cunnekt.hooks
---@field taps cunnekt.taps
---@field dialogs cunnekt.dialogs
---@field planner cunnekt.planner
---@field service cunnekt.service

-- Outside the bots, so that scripts cannot see them.
---@type table<cunnekt.bot, cunnekt.bot.parts>
local parts_of = setmetatable({}, {
  __mode = "k",
  -- A method that was called with a dot.
  __index = function(_, self)
    local method = debug.getinfo(2, "f").func
    for name, fn in pairs(bot_methods) do
      if fn == method then
        receiver.refuse("bot", name, self, 4)
      end
    end
  end,
})

---@param client cunnekt.client
---@param values cunnekt.keys
---@param parts cunnekt.bot.parts may be filled in later
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

-- Refuses to register something in a turn: it would be there once more after each such event, for all customers, and gone after a
-- restart.
local function refuse_late(name, parts)
  if parts.engine and parts.engine.turns:current() then
    error(calls.late:format(name), 3)
  end
end

-- ---- what a script registers -------------------------------------------------------------------------------------

---Adds a handler: the first that matches an event runs; one that returns "next" forwards it to the next match.
---@param what cunnekt.event_name an event type, "message", "status", a status, "error", "unknown" or "any"
---@param matcher string|(string|cunnekt.filter|cunnekt.action|fun(event: table): boolean)[]|cunnekt.filter|cunnekt.action|fun(event: table): boolean words for texts and captions, in whatever case they are typed, or a Lua pattern; the exact id for replies and statuses, a filter, an action, a function, or a list of these; may be left out
---@param handler fun(event: cunnekt.event.any): any "next" forwards the event
---@param opts? cunnekt.on_options
---@return cunnekt.bot self
---@overload fun(self, what: cunnekt.event_name, handler: fun(event: cunnekt.event.any): any, opts?: cunnekt.on_options): cunnekt.bot
function bot_methods:on(what, matcher, handler, opts)
  local parts = parts_of[self]
  refuse_late("on", parts)
  calls.check_event(what)
  if type(handler) ~= "function" and type(matcher) == "function" and opts == nil then
    matcher, handler, opts = nil, matcher, handler
  elseif matcher == nil and type(handler) == "function" then
    calls.refuse_missing_matcher(what)
  end
  local entry = parts.routes:add(what, matcher, handler, opts, 3)
  parts.dialogs:register(entry.name, handler, {}, matcher)
  return self
end

---Adds middleware, which wraps every handler, every bot:global, and what customers write to dialogs, in the order of the calls.
---Around what a dialog gets it is not part of the dialog's journal, and cannot wait.
---@param fn fun(event: cunnekt.event.any, next: fun(): any): any without a call of `next` the event ends there
---@return cunnekt.bot self
function bot_methods:use(fn)
  local parts = parts_of[self]
  refuse_late("use", parts)
  calls.check_function("use", fn)
  parts.routes:wrap(fn)
  return self
end

---Adds a function that sees every event, before it is handled, and every message out, when its turn is committed, also of a
---conversation that is paused. It gets a copy, changes nothing, and cannot wait. Its failures are logged, once a place.
---@param fn fun(what: table) the fields of an event, or a cunnekt.tapped_message: {kind = "outgoing", to, phone_number_id, payload, track}
---@return cunnekt.bot self
function bot_methods:tap(fn)
  local parts = parts_of[self]
  refuse_late("tap", parts)
  calls.check_function("tap", fn)
  parts.taps:add(fn)
  return self
end

---Adds a function that gets every reply before it joins the outbox: may change the payload, return another, or return false
---to drop it.
---@param fn fun(payload: table, chat: cunnekt.chat): table|false|nil
---@return cunnekt.bot self
function bot_methods:before_send(fn)
  local parts = parts_of[self]
  refuse_late("before_send", parts)
  calls.check_function("before_send", fn)
  table.insert(parts.hooks.senders, fn)
  return self
end

---Adds a function for failures of handlers (kind "handler", with `traceback`), jobs and messages.
---@param fn fun(err: cunnekt.error, about: table?) `about`: the event, or the handle of the message. A handler's err has `attempts`, and `is_final` when it will not be retried
---@return cunnekt.bot self
function bot_methods:on_error(fn)
  local parts = parts_of[self]
  refuse_late("on_error", parts)
  calls.check_function("on_error", fn)
  table.insert(parts.hooks.failure_listeners, fn)
  return self
end

---Adds a function that is called at a start that recovers earlier work, with the counts.
---@param fn fun(left: {events: integer, messages: integer, dialogs: integer})
---@return cunnekt.bot self
function bot_methods:on_restart(fn)
  local parts = parts_of[self]
  refuse_late("on_restart", parts)
  calls.check_function("on_restart", fn)
  table.insert(parts.hooks.restart_listeners, fn)
  return self
end

local unexpected_words = { unexpected = { "interrupt", "ignore", "queue" } }

local dialog_spec = {
  unexpected = "string|function",
  expires = "number",
  on_change = { "keep", "restart" },
  migrate = "function",
}

---Registers a dialog: `fn(chat, args)` asks, waits and continues, across restarts.
---@param name string
---@param fn fun(chat: cunnekt.chat, args: any): any
---@param opts? cunnekt.dialog_options
---@return cunnekt.bot self
function bot_methods:dialog(name, fn, opts)
  local parts = parts_of[self]
  refuse_late("dialog", parts)
  calls.refuse_table("dialog", "a name", name)
  if type(name) ~= "string" or name == "" or name:find(formats.handler_pattern) then
    error("bot:dialog: the name must be a non-empty string without a prefix such as 'on:'", 2)
  end
  calls.check_function("dialog", fn)
  opts = options.check("bot:dialog", opts, dialog_spec, 3)
  if type(opts.unexpected) == "string" then
    options.check("bot:dialog", { unexpected = opts.unexpected }, unexpected_words, 3)
  end
  if opts.expires and opts.expires <= 0 then
    error("bot:dialog: option 'expires' must be more than 0 seconds", 2)
  end
  parts.dialogs:register(name, fn, {
    is_dialog = true,
    unexpected = opts.unexpected or "interrupt",
    expires = opts.expires,
    on_change = opts.migrate or opts.on_change or "keep",
  })
  return self
end

---Registers a command that works everywhere, inside dialogs too, in whatever case and form it is typed.
---@param words string|string[] a word, or a list of words for one command
---@param fn fun(msg: cunnekt.message)
---@param opts? cunnekt.global_options
---@return cunnekt.bot self
function bot_methods:global(words, fn, opts)
  local parts = parts_of[self]
  refuse_late("global", parts)
  calls.check_words(words, fn)
  calls.check_function("global", fn)
  local entry = parts.routes:add_global(words, fn, opts, 3)
  parts.dialogs:register(entry.name, fn, {}, entry.words)
  return self
end

-- ---- own events --------------------------------------------------------------------------------------------------

-- Queues an own event for a conversation: with the running turn, or immediately. `keep`: seconds after which it expires.
local function put_event(parts, kind, contact, event, keep)
  local err
  local engine = parts.engine
  local ok = steps.within(kind, keep and { event, keep } or event, function()
    event.expires = keep and clock.now() + keep or nil
    local its_record, its_turn = record.own(contact, event), engine.turns:current()
    if its_turn then
      if kind == "start" then
        parts.dialogs:refuse_unknown("bot:start", event.name)
      end
      table.insert(its_turn:buffer "own_events", its_record)
      return true
    end
    local is_kept
    is_kept, err = engine:put_own(its_record)
    return is_kept or false
  end)
  return ok or nil, err
end

---@class cunnekt.bot.chat_options
---@field phone_number_id? string|integer id of the business number to write from; by default the one that the handler's customer wrote to, then the option of cunnekt.bot, then the only one known

---@class cunnekt.bot.start_options: cunnekt.bot.chat_options, cunnekt.start_options

local start_types = { phone_number_id = "string|integer", replace = "boolean" }

---Starts a dialog with a contact who has not just written. Durable when it returns; in a handler or a dialog, with the turn. While
---one of this name waits there, it goes on, and asks its question again.
---@param to string|number the customer's number however it is written, or user id
---@param name string
---@param args? any JSON value
---@param opts? cunnekt.bot.start_options
---@return boolean? ok
---@return cunnekt.error? err kind invalid; store, only outside of turns
function bot_methods:start(to, name, args, opts)
  local parts, replace = parts_of[self], nil
  calls.refuse_table("start", "a customer's number", to)
  calls.check_string("start", "the name of a dialog", name)
  args = storable.copy("bot:start", "the dialog's args", args, 2)
  if type(opts) ~= "string" then
    local checked = options.check("bot:start", opts, start_types, 3)
    opts, replace = { phone_number_id = checked.phone_number_id }, checked.replace
  end
  local contact, found = lines.find(parts.engine, "bot:start", to, opts, 2)
  if not contact then
    return refusals.note(nil, "bot:start", found)
  end
  lines.warn_of_unknown(parts.engine, contact)
  local ok, err = put_event(parts, "start", contact, { status = "dialog_start", name = name, to = found, args = args, replace = replace })
  return ok, err
end

---@class cunnekt.bot.signal_options: cunnekt.bot.chat_options
---@field keep? number seconds for which the signal waits for a dialog that will ask for it; without it one that nobody waits for is dropped

-- Splits `keep` from the options.
local function split_keep(opts)
  if type(opts) ~= "table" or opts.keep == nil then
    return nil, opts
  end
  local keep, rest = opts.keep, {}
  if type(keep) ~= "number" or not (keep > 0 and keep < math.huge) then
    error("bot:signal: option 'keep' must be a number of seconds, more than 0", 3)
  end
  for name, value in pairs(opts) do
    rest[name] = name ~= "keep" and value or nil
  end
  return keep, rest
end

---Sends a signal to the contact's dialog that waits for it with chat:wait{signal = name}, or with `keep` to the first one that
---will. Durable like bot:start.
---@param to string|number the customer's number however it is written, or user id
---@param name string
---@param value? any JSON value
---@param opts? cunnekt.bot.signal_options
---@return boolean? ok
---@return cunnekt.error? err kind invalid; store, only outside of turns
function bot_methods:signal(to, name, value, opts)
  local parts, keep, rest = parts_of[self], split_keep(opts)
  calls.refuse_table("signal", "a customer's number", to)
  calls.check_string("signal", "the name of a signal", name)
  value = storable.copy("bot:signal", "the value", value, 2)
  local contact, found = lines.find(parts.engine, "bot:signal", to, rest, 2)
  if not contact then
    return refusals.note(nil, "bot:signal", found)
  end
  local ok, err = put_event(parts, "signal", contact, { status = "dialog_signal", name = name, value = value }, keep)
  return ok, err
end

---The conversation with a contact, to write first. Raises when customers write to several business numbers and none of them
---is chosen.
---@param to string|number the customer's number however it is written, or user id
---@param opts? cunnekt.bot.chat_options|string or only the phone_number_id
---@return cunnekt.chat?
---@return cunnekt.error? err kind invalid: `to` is no number
function bot_methods:chat(to, opts)
  local parts = parts_of[self]
  calls.refuse_table("chat", "a customer's number", to)
  local contact, found, typed = lines.find(parts.engine, "bot:chat", to, opts, 2)
  if not contact then
    return refusals.note(nil, "bot:chat", found)
  end
  return chat.new(parts.scope, contact, found, typed ~= contact and typed or nil)
end

-- ---- named jobs: tail calls of the planner, so that errors blame the script's line -----------------------------------

---Registers a function by name, for jobs from handlers: `bot:after(600, {args = …}, "remind " .. msg.from, "remind")` finds
---it after a restart.
---@param name string
---@param fn fun(job: cunnekt.job)
---@return cunnekt.bot self
function bot_methods:job(name, fn)
  local its_planner = parts_of[self].planner
  refuse_late("job", parts_of[self])
  calls.refuse_table("job", "a name", name)
  return its_planner:job(name, fn)
end

---Runs a job once, after some seconds. At the top of a script, a job with this name and interval that is still scheduled
---keeps its time. In handlers and jobs it replaces a job of the same name and counts from now.
---@param seconds number
---@param opts cunnekt.job_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) the name of a bot:job, which is found after a restart, or a function
---@return cunnekt.bot? self
---@return cunnekt.error? err kind store; only outside handlers and jobs
---@overload fun(self, seconds: number, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:after(seconds, opts, name, fn)
  local its_planner = parts_of[self].planner
  calls.refuse_table("after", "a number of seconds", seconds)
  return its_planner:after(seconds, opts, name, fn)
end

---Runs a job repeatedly; the first run is after this interval. With an unchanged interval it keeps its due time, also across
---restarts.
---@param seconds number interval, more than 0
---@param opts cunnekt.job_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot? self
---@return cunnekt.error? err as bot:after
---@overload fun(self, seconds: number, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:every(seconds, opts, name, fn)
  local its_planner = parts_of[self].planner
  calls.refuse_table("every", "a number of seconds", seconds)
  return its_planner:every(seconds, opts, name, fn)
end

---Runs a job every day at a local time. A skipped time runs right after the change, a repeated one the first time.
---@param time string such as "09:00"
---@param opts cunnekt.daily_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot? self
---@return cunnekt.error? err as bot:after
---@overload fun(self, time: string, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:daily(time, opts, name, fn)
  local its_planner = parts_of[self].planner
  calls.refuse_table("daily", "a time of day", time)
  return its_planner:daily(time, opts, name, fn)
end

---Runs a job by a cron expression: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly,
---@monthly, @yearly.
---@param line string such as "0 9 * * 1-5"
---@param opts cunnekt.daily_options may be left out
---@param name string
---@param fn string|fun(job: cunnekt.job) as in bot:after
---@return cunnekt.bot? self
---@return cunnekt.error? err as bot:after
---@overload fun(self, line: string, name: string, fn: string|fun(job: cunnekt.job)): cunnekt.bot?, cunnekt.error?
function bot_methods:cron(line, opts, name, fn)
  local its_planner = parts_of[self].planner
  calls.refuse_table("cron", "a cron line", line)
  return its_planner:cron(line, opts, name, fn)
end

---Cancels a job. A running one finishes.
---@param name string
---@return boolean? was_planned
---@return cunnekt.error? err as bot:after
function bot_methods:cancel_job(name)
  local its_planner = parts_of[self].planner
  calls.refuse_table("cancel_job", "the name of a job", name)
  return its_planner:cancel_job(name)
end

-- ---- start and stop ----------------------------------------------------------------------------------------------

---Recovers the work of an earlier process, opens the webhook's address and starts handling events.
---@return cunnekt.bot? self
---@return cunnekt.error? err
function bot_methods:listen()
  local ok, err = parts_of[self].service:listen()
  return ok and self or nil, err
end

---The webhook's address, as "host:port"; nil before `listen`.
---@return string?
function bot_methods:address()
  return parts_of[self].service:address()
end

---The admin address (/healthz, /readyz, /metrics), as "host:port"; nil without the setting `admin`, and before `listen`.
---@return string?
function bot_methods:admin_address()
  return parts_of[self].service:admin_address()
end

---Stops: accepts nothing new, finishes running work within the grace time, closes the store. Unfinished work resumes at the
---next start.
---@param grace? number seconds; the option `grace` by default
---@return boolean is_clean all running work was finished
function bot_methods:stop(grace)
  local service = parts_of[self].service
  if grace ~= nil and not (type(grace) == "number" and grace >= 0) then
    calls.refuse_table("stop", "a number of seconds", grace)
    error(("bot:stop: grace must be a number of seconds, 0 or more, got %s"):format(tostring(grace)), 2)
  end
  return service:stop(grace)
end

---Runs until SIGTERM, SIGINT, SIGHUP or bot:stop.
---@return boolean is_clean
function bot_methods:run()
  local is_clean, err = parts_of[self].service:run()
  if is_clean == nil then
    error(err, 2)
  end
  return is_clean
end

return bot
