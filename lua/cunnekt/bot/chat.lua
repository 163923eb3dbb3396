-- SPDX-License-Identifier: MIT
-- A conversation with one contact: replies, state, service window and, for handlers and dialogs that wait, questions.
-- Everything is committed with the running turn. The implementation of questions and waits is in dialog/flow; a message's
-- reply_* are its chat's.

local build = require "cunnekt.provider.build"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local state = require "cunnekt.bot.state"
local steps = require "cunnekt.engine.steps"
local task = require "cunnekt.base.task"
local send_times = require "cunnekt.engine.send_times"
local units = require "cunnekt.time.units"

local chat = {}

local window_seconds, digits = limits.service_window, limits.number_digits

---@type table<string, string|string[]> the delivery options of a reply; the other fields of its table are content
chat.delivery_types = {
  unknown = { "hold", "resend", "fail" },
  track = "table",
  after = { "accepted", "delivered" },
  fallback = "table",
  priority = { "normal", "bulk" },
  expires = "number",
  not_before = "number",
  send_between = "table",
}

---The parts that chats and events refer to.
---@class cunnekt.scope
---@field engine cunnekt.engine
---@field hooks cunnekt.hooks
---@field dialogs cunnekt.dialogs
---@field flow table the functions of dialog/flow, by name
---@field bot cunnekt.bot

local chat_methods = {}

---@class cunnekt.chat
---@field contact string the conversation's key: the business number's id and the customer
---@field to string the customer's number, or user id where there is none
---@field state table persistent; changes are committed with the turn
---@field number string? the customer's number, if it is known
---@field user_id string? their user id, if it is known
---@field name string? as they call themselves
---@field username string?
local chat_mt = { __name = "cunnekt.chat" }

-- By which a replay compares what is done with this chat: the contact as it was when the run began.
local function name_of(self)
  return rawget(self, "_name") or self.contact
end

-- Created on first use.
local function state_of(self)
  local its_state = rawget(self, "_state")
  if not its_state then
    its_state = state.new(self._scope.engine, self.contact, name_of(self))
    rawset(self, "_state", its_state)
  end
  return its_state
end

-- What is known of the customer now: number, user_id, name, username. A replay gets what the script saw.
local function person_of(self)
  return steps.within("person", name_of(self), function()
    local known = self._scope.engine.store:conversation(self.contact)
    local _, customer = identity.parts(self.contact)
    local number = identity.number(self.contact)
    return {
      number = known.number or number,
      user_id = known.user_id or not number and customer ~= "" and customer or nil,
      name = known.name,
      username = known.username,
    }
  end)
end

local of_person = { number = true, user_id = true, name = true, username = true }

function chat_mt.__index(self, key)
  if key == "state" then
    return state_of(self):load()
  elseif of_person[key] then
    return person_of(self)[key]
  end
  return chat_methods[key]
end

function chat_mt.__newindex(self, key, value)
  if key ~= "state" then
    error(("a chat has no field '%s' to set; use chat.state"):format(tostring(key)), 2)
  elseif type(value) ~= "table" then
    error(("chat.state must be a table, got %s"):format(type(value)), 2)
  end
  state_of(self):replace(value)
end

---@param scope cunnekt.scope
---@param contact string
---@param to string?
---@param name? string the contact as it was when the run began, if it has become part of another one since
---@return cunnekt.chat
function chat.new(scope, contact, to, name)
  return setmetatable({ _scope = scope, contact = contact, to = to, _name = name }, chat_mt)
end

---The contact as it was when the run began, by which a replay compares what is done with this chat.
---@type fun(its_chat: cunnekt.chat): string
chat.began_as = name_of

-- ---- window ----------------------------------------------------------------------------------------------------

-- When the customer last wrote: from the store, or the message of this turn.
local function last_inbound(self)
  local kept = self._scope.engine.store:conversation(self.contact).last_inbound
  local current = self._scope.engine.turns:current()
  local record = current and current.record
  if record and record.contact == self.contact and record.inbound_at then
    return math.max(kept or 0, record.inbound_at)
  end
  return kept
end

---Requests one event "window_closing" before the service window ends, 24 hours after the customer's last message.
---@param before? number seconds before the end; an hour by default
function chat_methods:watch_window(before)
  before = before or units.hour
  local is_fit = type(before) == "number" and before > 0 and before < window_seconds
  if not is_fit then
    error(("chat:watch_window: seconds must be a number between 0 and %d"):format(window_seconds), 2)
  end
  steps.within("watch", { name_of(self), before }, function()
    self._scope.engine.turns:within(function(current)
      current:buffer("watches")[self.contact] = before
    end)
  end)
end

---Seconds left of the service window.
---@return number seconds 0 when it is closed, or the customer never wrote
function chat_methods:window()
  return steps.within("window", name_of(self), function()
    local at = last_inbound(self)
    return at and math.max(0, math.min(window_seconds, at + window_seconds - self._scope.engine.wall_clock:now())) or 0
  end)
end

-- ---- replies ---------------------------------------------------------------------------------------------------

-- Splits the delivery options from the last argument, without changing the script's table.
local function split_delivery(where, args)
  local last = args[args.n]
  local delivery, content
  for name in pairs(chat.delivery_types) do
    if last[name] ~= nil then
      delivery = delivery or {}
      delivery[name] = last[name]
    end
  end
  if delivery then
    content = {}
    for key, value in pairs(last) do
      if delivery[key] == nil then
        content[key] = value
      end
    end
    args[args.n] = next(content) ~= nil and content or nil
    options.check(where, delivery, chat.delivery_types, 4)
  end
  return delivery
end

-- Whether this turn's message keeps the window open; saves a query.
local function is_just_opened(self, its_turn)
  local record = its_turn and its_turn.record
  local at = record and record.contact == self.contact and record.inbound_at
  return at and at + window_seconds > self._scope.engine.wall_clock:now()
end

-- A customer who is not in this store may have an open window: then the provider decides.
local function is_window_closed(self, payload, its_turn)
  if payload.templateid or is_just_opened(self, its_turn) then
    return false
  end
  return last_inbound(self) and self:window() == 0
end

-- A payload that was built, with this chat's recipient. bot:chat has checked it, or a webhook gave it: whoever wrote must get
-- an answer, even where a country has numbers by now that provider/number_plans.lua does not know.
local function addressed(self, payload, err)
  if not payload then
    return nil, err
  end
  local to = self.to
  if not core.is_number(to, digits.min, digits.max) then
    to, err = identity.normalise(to)
  end
  payload.mobile = to
  return to and payload, err
end

-- The template to send instead when the window is closed.
local function build_fallback(self, fallback)
  local message = {}
  for name, value in pairs(fallback) do
    message[name] = value
  end
  message.template_id = nil
  if fallback.template_id == nil then
    return nil, errors.new("invalid", "fallback.template_id is missing", { field = "fallback.template_id" })
  end
  return addressed(self, build.send_template(build.set_later, fallback.template_id, message))
end

-- The payload to send, and the one to send if the provider finds the window closed.
local function choose_payload(self, payload, delivery, its_turn)
  local fallback, err
  if delivery and delivery.fallback then
    fallback, err = build_fallback(self, delivery.fallback)
    if not fallback then
      return nil, err
    end
  end
  if not is_window_closed(self, payload, its_turn) then
    return payload, fallback
  elseif fallback then
    return fallback
  end
  return nil, errors.new("window_closed", "the customer has not written for 24 hours; only a template can be sent")
end

-- A dialog goes on with the identity of its customer that it began with; what it sends goes to the one that they have now. Another
-- form of the same number stays as it was written.
local function readdressed(self, payload)
  local _, customer = identity.parts(self.contact)
  if identity.canonical(customer) == identity.canonical(payload.mobile) then
    return payload
  end
  local ready = {}
  for name, value in pairs(payload) do
    ready[name] = value
  end
  ready.mobile = customer
  return ready
end

-- Adds a message to the running turn, or outside of turns to a new one. `text`: the payload as JSON, if already encoded.
local function send_now(self, payload, delivery, text, its_turn)
  local scope = self._scope
  local chosen, fallback = choose_payload(self, payload, delivery, its_turn)
  if not chosen then
    return nil, fallback
  end
  local times, problem = nil, nil
  if delivery then
    times, problem = send_times.read(delivery)
  end
  if problem then
    return nil, problem
  end
  local engine, ready = scope.engine, rawget(self, "_name") and readdressed(self, chosen) or chosen
  if scope.hooks.senders[1] then
    local err
    ready, err = scope.hooks:before_send(ready, self)
    if not ready then
      return nil, err
    end
    text = nil
  end
  local function add(current)
    local row = engine.outbox:new_row(self.contact, ready, delivery, times)
    row.fallback = fallback
    row.text = ready == payload and text or nil
    current:send(row)
    return row.handle
  end
  if its_turn then
    return add(its_turn)
  end
  return engine.turns:within(add)
end

local send_step, send_step_as_json = { is_internal = true }, { is_internal = true, is_json = true }

-- Adds a payload to the outbox of this contact, as a step of the run.
local function send(self, payload, delivery)
  local running, handle = task.running(), nil
  local current, its_turn = running and running.run, running and running.turn
  its_turn = its_turn and its_turn.turns == self._scope.engine.turns and its_turn or nil
  if not current then
    return send_now(self, payload, delivery, nil, its_turn)
  end
  if self._scope.hooks.senders[1] then
    state_of(self):load() -- bot:before_send may read it, inside the step
  end
  -- Encoded now, because the script may change the tables afterwards.
  local text = not delivery and json.encode(payload) or nil
  local result, is_replayed = current:step("send", text or { payload, delivery }, function()
    local err
    handle, err = send_now(self, payload, delivery, text, its_turn)
    return { id = handle and handle.id, err = err and journal.pack_error(err) }
  end, text and send_step_as_json or send_step)
  if result.err then
    return nil, journal.unpack_error(result.err)
  elseif is_replayed then
    handle = self._scope.engine.outbox:handle_of(result.id, payload)
    handle.track = delivery and delivery.track
  end
  return handle
end

local function add_reply(name)
  local builder = build["send_" .. name]
  local where = "reply_" .. name
  chat_methods[where] = function(self, ...)
    local count = select("#", ...)
    local delivery, payload, err
    if count > 0 and type((select(count, ...))) == "table" then
      local args = table.pack(...)
      delivery = split_delivery(where, args)
      payload, err = addressed(self, builder(build.set_later, table.unpack(args, 1, args.n)))
    else
      payload, err = addressed(self, builder(build.set_later, ...))
    end
    if not payload then
      return nil, err
    end
    return send(self, payload, delivery)
  end
end

---The methods of a chat; messages use them.
chat.methods = chat_methods

---All kinds of `reply_<kind>`.
chat.kinds = { "template", "text", "buttons", "list", "form", "image", "video", "document", "audio", "cta_url" }
for _, name in ipairs(chat.kinds) do
  add_reply(name)
end

-- The usual reply: a text without options to the message that is being handled. Nothing in it can wait or be refused, so it is no call
-- of its run's, and is only noted there. Nil for any other one.
local function reply_at_once(self, text)
  local scope, running = self._scope, task.running()
  local its_turn, current = running and running.turn, running and running.run
  if not its_turn or its_turn.turns ~= scope.engine.turns or rawget(self, "_name") or scope.hooks.senders[1]
    or (current and not current:is_live()) or not is_just_opened(self, its_turn) then
    return nil
  end
  local to = self.to
  local json_text = core.text_message(text, to, limits.characters.text.max, digits.min, digits.max)
  local id = json_text and scope.engine.store:take_id()
  if not id then
    return nil
  end
  local row = scope.engine.outbox:new_row(self.contact, { type = "text", mobile = to, text = text }, nil, nil, id)
  row.text = json_text
  its_turn:send(row)
  if current then
    current:note_send(json_text, id)
  end
  return row.handle
end

local reply_text = chat_methods.reply_text

function chat_methods.reply_text(self, text, ...)
  local handle = ... == nil and select("#", ...) == 0 and reply_at_once(self, text) or nil
  if handle then
    return handle
  end
  return reply_text(self, text, ...)
end

-- ---- dialogs: tail calls of dialog/flow, so that errors blame the script's line -------------------------------------

---Asks a question and waits for a text.
---@param text string
---@param opts? table accept: list of message types that answer, instead of text; timeout: seconds; remind: {after = seconds, text=, fallback=} or a list of these; check: function(message) → true, or false and the reply; otherwise: the reply to an invalid answer, or a function; tries: maximum of answers; and the delivery options of reply_text
---@return table? message the answer
---@return cunnekt.error? err kind timeout or tries, or why the question was not sent, as soon as that is certain
function chat_methods:ask(text, opts)
  return self._scope.flow.ask(self._scope.dialogs, self, text, opts)
end

---Sends buttons and waits for a click, or a typed title.
---@param given table as reply_buttons; accept: list of message types that answer as well; the other options of ask
---@return table? message `reply.id` is the choice
---@return cunnekt.error? err
function chat_methods:ask_buttons(given)
  return self._scope.flow.ask_buttons(self._scope.dialogs, self, given)
end

---Sends a list and waits for a choice, or a typed title.
---@param given table as reply_list; the options of ask_buttons
---@return table? message `reply.id` is the choice
---@return cunnekt.error? err
function chat_methods:ask_list(given)
  return self._scope.flow.ask_list(self._scope.dialogs, self, given)
end

---Sends a form and waits until it is submitted.
---@param given table as reply_form; the options of ask_buttons
---@return table? message `form` has the answers
---@return cunnekt.error? err
function chat_methods:ask_form(given)
  return self._scope.flow.ask_form(self._scope.dialogs, self, given)
end

---Sends a template and waits for a tap on one of its quick replies, or a text: for a question after the service window has ended.
---@param template_id string
---@param given? table as reply_template; the options of ask_buttons
---@return table? message `payload` is the quick reply's, `text` its title or what was written
---@return cunnekt.error? err
function chat_methods:ask_template(template_id, given)
  return self._scope.flow.ask_template(self._scope.dialogs, self, template_id, given)
end

---Waits for messages that belong together: until none came for `quiet` seconds.
---@param opts? table media: true, text: true (both by default); quiet: seconds (5); max: of messages (at most 100, the default); timeout: seconds for the first one
---@return table[]? messages in order, at least one
---@return cunnekt.error? err kind timeout
function chat_methods:collect(opts)
  return self._scope.flow.collect(self._scope.dialogs, self, opts)
end

---Waits for one of several events.
---@param wanted table reply (a text), click, choice, form, media, any (message): true; signal: name; sent: a handle, until it reaches: "accepted", "sent", "delivered" (default) or "read", or fails; timeout: seconds
---@return table? event the message; the signal with `name` and `value`; for a handle {status = its state, sent = handle}
---@return cunnekt.error? err kind timeout
function chat_methods:wait(wanted)
  return self._scope.flow.wait(self._scope.dialogs, self, wanted)
end

---Continues after some seconds, across restarts; messages in between go to the handlers.
---@param seconds number
---@return nil
function chat_methods:sleep(seconds)
  return self._scope.flow.sleep(self._scope.dialogs, self, seconds)
end

---Runs a function once per dialog and records its results, across restarts: for files, commands, other programs.
---@param name string
---@param fn fun(): any ... may return any JSON values, strings of any bytes, nil, and errors of cunnekt
---@return any ... what fn returned
function chat_methods:step(name, fn)
  return self._scope.flow.step(self, name, fn)
end

---Sends what was said so far, and saves states and values, before the handler or dialog goes on: for a message before something
---slow. The event is done from then on; after a crash the handler or dialog goes on where it was, as after a wait.
---@return nil
function chat_methods:flush()
  return self._scope.flow.flush(self._scope.dialogs)
end

---Runs another dialog inside this one, and returns its results.
---@param name string
---@param args any
---@return any ...
function chat_methods:call(name, args)
  return self._scope.flow.call(self, name, args)
end

---@class cunnekt.start_options
---@field replace? boolean end a waiting dialog of this name, and begin anew

---Starts a dialog in this conversation when the running handler or dialog returns. While one of this name waits, it goes on, and
---asks its question again.
---@param name string
---@param args? any JSON value
---@param opts? cunnekt.start_options
function chat_methods:start(name, args, opts)
  self._scope.dialogs:plan("chat:start", { name = name, contact = self.contact, to = self.to, args = args }, opts)
end

---Ends the waiting dialogs of this conversation, except the calling one.
---@param name? string only those of this name
---@return integer? count
---@return cunnekt.error? err kind store; only outside turns
function chat_methods:cancel(name)
  return self._scope.flow.cancel(self._scope.dialogs, self, name)
end

---Asks the previous question again and continues from there; messages sent and values saved since then stay. In a dialog it
---does not return; elsewhere, as in a bot:global, it applies to the conversation's newest dialog.
---@return boolean is_back false when there is no previous question
function chat_methods:back()
  return self._scope.flow.back(self._scope.dialogs, self)
end

---Human handover: until chat:resume the conversation's messages are kept for people to read (the newest 200), and reach neither
---dialogs nor handlers; the timers of its dialogs do not fire.
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside turns
function chat_methods:pause()
  return self._scope.flow.pause(self._scope.dialogs, self, true)
end

---Ends the human handover. Timers that came due fire now. The messages that were kept are deleted, for a person has read them.
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside turns
function chat_methods:resume()
  return self._scope.flow.pause(self._scope.dialogs, self, false)
end

return chat
