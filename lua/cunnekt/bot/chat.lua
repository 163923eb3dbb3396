-- SPDX-License-Identifier: MIT
-- A conversation with one contact: state, service window, replies (reply.lua) and, for handlers and dialogs that wait, questions.
-- Everything is committed with the running turn. The implementation of questions and waits is in dialog/flow; a message's
-- reply_* are its chat's.

local identity = require "cunnekt.provider.identity"
local limits = require "cunnekt.provider.limits"
local receiver = require "cunnekt.base.receiver"
local reply = require "cunnekt.bot.reply"
local state = require "cunnekt.bot.state"
local steps = require "cunnekt.engine.steps"
local storable = require "cunnekt.base.storable"
local units = require "cunnekt.time.units"

local chat = {}

local metatable_of, window_seconds = receiver.metatable_of, limits.service_window

---The parts that chats and events refer to.
---@class cunnekt.scope
---@field engine cunnekt.engine
---@field hooks cunnekt.hooks
---@field dialogs cunnekt.dialogs
---@field flow table the functions of dialog/flow, by name
---@field bot cunnekt.bot
---@field replies "return"|"raise" what a refused reply does

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
  local method = chat_methods[key]
  if method then
    return method
  elseif key == "state" then
    return state_of(self):load()
  elseif of_person[key] then
    return person_of(self)[key]
  end
  return nil
end

function chat_mt.__newindex(self, key, value)
  if key ~= "state" then
    error(("a chat has no field '%s' to set; use chat.state"):format(tostring(key)), 2)
  elseif type(value) ~= "table" then
    error(("chat.state must be a table, got %s"):format(type(value)), 2)
  end
  local copy = storable.copy("chat.state", "the table", value, 2)
  state_of(self):replace(copy)
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

-- What a method refers to; refuses one that was called with a dot.
local function scope_of(self, name)
  if metatable_of(self) ~= chat_mt then
    receiver.refuse("chat", name, self, 4)
  end
  return self._scope
end

-- ---- window ----------------------------------------------------------------------------------------------------

---Requests one event "window_closing" before the service window ends, 24 hours after the customer's last message.
---@param before? number seconds before the end; an hour by default
function chat_methods:watch_window(before)
  local scope = scope_of(self, "watch_window")
  before = before or units.hour
  local is_fit = type(before) == "number" and before > 0 and before < window_seconds
  if not is_fit then
    error(("chat:watch_window: seconds must be a number between 0 and %d"):format(window_seconds), 2)
  end
  steps.within("watch", { name_of(self), before }, function()
    scope.engine.turns:within(function(current)
      current:buffer("watches")[self.contact] = before
    end)
  end)
end

---Seconds left of the service window.
---@return number seconds 0 when it is closed, or the customer never wrote
function chat_methods:window()
  local scope = scope_of(self, "window")
  return steps.within("window", name_of(self), function()
    local at = reply.last_inbound(self)
    return at and math.max(0, math.min(window_seconds, at + window_seconds - scope.engine.wall_clock:now())) or 0
  end)
end

---The methods of a chat; messages use them.
chat.methods = chat_methods

---All kinds of `reply_<kind>`.
chat.kinds = reply.kinds
reply.add_to(chat_methods, chat_mt)

-- ---- dialogs: tail calls of dialog/flow, so that errors blame the script's line -------------------------------------

---Asks a question and waits for a text.
---@param text string
---@param opts? cunnekt.ask_options
---@return cunnekt.message? message the answer
---@return cunnekt.error? err kind timeout or tries, or why the question was not sent, as soon as that is certain
function chat_methods:ask(text, opts)
  if metatable_of(self) ~= chat_mt then -- a call less for each question
    receiver.refuse("chat", "ask", self)
  end
  return self._scope.flow.ask(self._scope.dialogs, self, text, opts)
end

---Sends buttons and waits for a click, or a typed title.
---@param given cunnekt.buttons_question
---@return cunnekt.message? message `reply.id` is the choice
---@return cunnekt.error? err
function chat_methods:ask_buttons(given)
  local scope = scope_of(self, "ask_buttons")
  return scope.flow.ask_buttons(scope.dialogs, self, given)
end

---Sends a list and waits for a choice, or a typed title.
---@param given cunnekt.list_question
---@return cunnekt.message? message `reply.id` is the choice
---@return cunnekt.error? err
function chat_methods:ask_list(given)
  local scope = scope_of(self, "ask_list")
  return scope.flow.ask_list(scope.dialogs, self, given)
end

---Sends a form and waits until it is submitted.
---@param given cunnekt.form_question
---@return cunnekt.message? message `form` has the answers
---@return cunnekt.error? err
function chat_methods:ask_form(given)
  local scope = scope_of(self, "ask_form")
  return scope.flow.ask_form(scope.dialogs, self, given)
end

---Sends a template and waits for a tap on one of its quick replies, or a text: for a question after the service window has ended.
---@param template_id string
---@param given? cunnekt.template_question
---@return cunnekt.message? message `payload` is the quick reply's, `text` its title or what was written
---@return cunnekt.error? err
function chat_methods:ask_template(template_id, given)
  local scope = scope_of(self, "ask_template")
  return scope.flow.ask_template(scope.dialogs, self, template_id, given)
end

---Waits for messages that belong together: until none came for `quiet` seconds.
---@param opts? cunnekt.collect_options
---@return cunnekt.message[]? messages in order, at least one
---@return cunnekt.error? err kind timeout
function chat_methods:collect(opts)
  local scope = scope_of(self, "collect")
  return scope.flow.collect(scope.dialogs, self, opts)
end

---Waits for one of several events.
---@param wanted cunnekt.wait_options
---@return table? event the message; the signal with `name` and `value`; for a handle {status = its state, sent = handle}
---@return cunnekt.error? err kind timeout
function chat_methods:wait(wanted)
  local scope = scope_of(self, "wait")
  return scope.flow.wait(scope.dialogs, self, wanted)
end

---Continues after some seconds, across restarts; messages in between go to the handlers.
---@param seconds number
---@return nil
function chat_methods:sleep(seconds)
  local scope = scope_of(self, "sleep")
  return scope.flow.sleep(scope.dialogs, self, seconds)
end

---Runs a function once per dialog and records its results, across restarts: for files, commands, other programs.
---@param name string
---@param fn fun(): any ... may return any JSON values, strings of any bytes, nil, and errors of cunnekt
---@return any ... what fn returned
function chat_methods:step(name, fn)
  local scope = scope_of(self, "step")
  return scope.flow.step(self, name, fn)
end

---Sends what was said so far, and saves states and values, before the handler or dialog goes on: for a message before something
---slow. The event is done from then on; after a crash the handler or dialog goes on where it was, as after a wait.
---@return nil
function chat_methods:flush()
  local scope = scope_of(self, "flush")
  return scope.flow.flush(scope.dialogs)
end

---Runs another dialog inside this one, and returns its results.
---@param name string
---@param args any
---@return any ...
function chat_methods:call(name, args)
  local scope = scope_of(self, "call")
  return scope.flow.call(self, name, args)
end

---@class cunnekt.start_options
---@field replace? boolean end a waiting dialog of this name, and begin anew; false by default

---Starts a dialog in this conversation when the running handler or dialog returns. While one of this name waits, it goes on, and
---asks its question again.
---@param name string
---@param args? any JSON value
---@param opts? cunnekt.start_options
function chat_methods:start(name, args, opts)
  local scope = scope_of(self, "start")
  scope.dialogs:plan("chat:start", { name = name, contact = self.contact, to = self.to, args = args }, opts)
end

---Ends the waiting dialogs of this conversation, except the calling one.
---@param name? string only those of this name
---@return integer? count
---@return cunnekt.error? err kind store; only outside turns
function chat_methods:cancel(name)
  local scope = scope_of(self, "cancel")
  return scope.flow.cancel(scope.dialogs, self, name)
end

---Asks the previous question again and continues from there; messages sent and values saved since then stay. In a dialog it
---does not return; elsewhere, as in a bot:global, it applies to the conversation's newest dialog.
---@return boolean is_back false when there is no previous question
function chat_methods:back()
  local scope = scope_of(self, "back")
  return scope.flow.back(scope.dialogs, self)
end

---Human handover: until chat:resume the conversation's messages are kept for people to read (the newest 200), and reach neither
---dialogs nor handlers; the timers of its dialogs do not fire.
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside turns
function chat_methods:pause()
  local scope = scope_of(self, "pause")
  return scope.flow.pause(scope.dialogs, self, true)
end

---Ends the human handover. Timers that came due fire now. The messages that were kept are deleted, for a person has read them.
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside turns
function chat_methods:resume()
  local scope = scope_of(self, "resume")
  return scope.flow.pause(scope.dialogs, self, false)
end

return chat
