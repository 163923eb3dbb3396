-- SPDX-License-Identifier: MIT
-- How a dialog asks and waits: the methods of a chat that end the turn and go on with the customer's answer.

local clock = require "cunnekt.clock"
local errors = require "cunnekt.errors"
local options = require "cunnekt.options"
local run = require "cunnekt.dialog.run"
local turn = require "cunnekt.turn"

local asking = {}

local methods = {}
asking.methods = methods

local media_types = { image = true, video = true, audio = true, document = true, sticker = true }

---@type table<string, string> what every question takes beside its contents, for options.check
asking.option_types = {
  timeout = "number",
  check = "function",
  otherwise = "string|function",
  tries = "integer",
}

-- ---- one wait ------------------------------------------------------------------------------------------------------

local function current_run(where)
  local current = run.current()
  if not current then
    error(("%s: only a handler or a dialog can wait; begin one with bot:start"):format(where), 3)
  end
  return current
end

-- What the journal keeps of an event that ended a wait.
local function as_result(delivery)
  local it = delivery.event
  return { at = clock.now(), body = it.status == "dialog_timeout" and "" or delivery.record.body }
end

-- The event of a wait, from what the journal keeps; nil for a timeout.
local function from_result(self, result)
  if result.body == "" then
    return nil
  end
  return self._bot:_read_event(self.contact, result.body)
end

---Ends the turn until one of some things happens.
---@param wanted table types?, signal?, due?
---@return table? event nil when the time is up
function methods:_rest(wanted, where)
  local current = current_run(where)
  local it
  local result, is_recalled = current:step("wait", { types = wanted.types, signal = wanted.signal }, function()
    local delivery = current.delivery
    if delivery then
      current.delivery = nil
    else
      wanted.n = current.n
      current.waiting = wanted
      delivery = self._bot._dialogs:rest(current)
    end
    current.waiting = nil
    it = delivery.event
    return as_result(delivery)
  end)
  current.at = result.at
  current.segment = (current.segment or 0) + 1
  if is_recalled or (it and it.status == "dialog_timeout") then
    it = from_result(self, result)
  end
  return it
end

local function deadline(timeout)
  return timeout and clock.now() + timeout or nil
end

local function timed_out(timeout)
  return errors.new("timeout", ("no answer came within %g seconds"):format(timeout))
end

-- ---- questions -----------------------------------------------------------------------------------------------------

-- What is said when an answer does not fit.
local function object(self, opts, why, it, ask)
  local otherwise = opts.otherwise
  if type(otherwise) == "function" then
    local text = otherwise(it, why)
    return type(text) == "string" and self:reply_text(text)
  elseif otherwise or type(why) == "string" then
    return self:reply_text(otherwise or why)
  end
  return ask()
end

-- Asks until an answer fits, the tries are used up or the time is.
local function ask_until(self, where, ask, types, fits, opts)
  local sent, err = ask()
  if not sent then
    return nil, err
  end
  -- Where the script has something to say to a wrong answer, every message is an answer.
  local taken = (opts.otherwise or opts.tries) and { any = true } or types
  local due, tries = deadline(opts.timeout), 0
  while true do
    local it = self:_rest({ types = taken, due = due }, where)
    if not it then
      return nil, timed_out(opts.timeout)
    end
    local is_good, why = fits(it)
    if is_good and opts.check then
      is_good, why = opts.check(it)
    end
    if is_good then
      return it
    end
    tries = tries + 1
    if opts.tries and tries >= opts.tries then
      return nil, errors.new("tries", ("no fitting answer came in %d tries"):format(tries))
    end
    object(self, opts, why, it, ask)
  end
end

-- Splits a table of content and of asking options.
local function split(where, given)
  local content, opts = {}, {}
  for name, value in pairs(given) do
    (asking.option_types[name] and opts or content)[name] = value
  end
  options.check(where, opts, asking.option_types, 4)
  return content, opts
end

---Asks a question and waits for a text.
---@param text string
---@param opts? table timeout: seconds; check: function(message) → true, or false and what to say; otherwise: what is said to an answer that does not fit, or a function; tries: answers at most
---@return table? message the answer
---@return cunnekt.error? err kind timeout or tries, or why the question cannot be sent
function methods:ask(text, opts)
  opts = options.check("chat:ask", opts, asking.option_types)
  return ask_until(self, "chat:ask", function()
    return self:reply_text(text)
  end, { text = true }, function(it)
    return it.type == "text"
  end, opts)
end

local function lower(text)
  return (text or ""):lower():match "^%s*(.-)%s*$"
end

-- A choice is clicked, or its title typed.
local function choice_of(it, choices, kind)
  for _, choice in ipairs(choices) do
    if it.type == kind and it.reply and it.reply.id == choice.id then
      return true
    elseif it.type == "text" and lower(it.text) == lower(choice.title) then
      it.reply = { id = choice.id, title = choice.title }
      return true
    end
  end
  return false
end

-- A text that is no title is none of the question's business, unless the script minds.
local function ask_choice(self, where, reply, given, list_name, kind)
  local content, opts = split(where, given)
  return ask_until(self, where, function()
    return self[reply](self, content)
  end, { [kind] = true, text = true }, function(it)
    return choice_of(it, content[list_name] or {}, kind)
  end, opts)
end

---Shows buttons and waits for a click on one of them, or its title typed.
---@param given table as reply_buttons; timeout, check, otherwise, tries as ask
---@return table? message its reply.id says which
---@return cunnekt.error? err
function methods:ask_buttons(given)
  return ask_choice(self, "chat:ask_buttons", "reply_buttons", given, "buttons", "button")
end

---Shows a list and waits for a choice from it, or its title typed.
---@param given table as reply_list; timeout, check, otherwise, tries as ask
---@return table? message its reply.id says which
---@return cunnekt.error? err
function methods:ask_list(given)
  return ask_choice(self, "chat:ask_list", "reply_list", given, "list", "list")
end

---Shows a form and waits until it is sent.
---@param given table as reply_form; timeout, check, otherwise, tries as ask
---@return table? message its form holds the answers
---@return cunnekt.error? err
function methods:ask_form(given)
  local content, opts = split("chat:ask_form", given)
  return ask_until(self, "chat:ask_form", function()
    return self:reply_form(content)
  end, { form = true }, function(it)
    return it.type == "form"
  end, opts)
end

---@type table<string, string> what chat:wait takes
asking.wait_types = {
  reply = "boolean", click = "boolean", choice = "boolean", form = "boolean", media = "boolean", any = "boolean",
  signal = "string", timeout = "number",
}

local function types_of(wanted)
  local types = {}
  types.text, types.any = wanted.reply, wanted.any
  types.button, types.quick_reply = wanted.click, wanted.click
  types.list, types.form = wanted.choice, wanted.form
  for name in pairs(wanted.media and media_types or {}) do
    types[name] = true
  end
  return next(types) ~= nil and types or nil
end

---Waits for any of some things: reply (a text), click, choice, form, media, any (message), signal = name; timeout seconds.
---@param wanted table
---@return table? event the message, or the signal with `name` and `value`
---@return cunnekt.error? err kind timeout
function methods:wait(wanted)
  options.check("chat:wait", wanted, asking.wait_types)
  local types = types_of(wanted)
  if not types and not wanted.signal and not wanted.timeout then
    error("chat:wait: say what to wait for: reply, click, choice, form, media, any, signal or timeout", 2)
  end
  local it = self:_rest({ types = types, signal = wanted.signal, due = deadline(wanted.timeout) }, "chat:wait")
  if not it then
    return nil, timed_out(wanted.timeout)
  end
  return it
end

---Goes on after some seconds, across restarts; messages of the customer meanwhile go to the ordinary handlers.
---@param seconds number
function methods:sleep(seconds)
  if type(seconds) ~= "number" or seconds < 0 then
    error("chat:sleep: seconds must be a number, 0 or more", 2)
  end
  self:_rest({ due = deadline(seconds) }, "chat:sleep")
end

---Does something that happens once in the dialog's life, whatever is restarted: files, commands, other programs.
---@param name string
---@param fn fun(): any may return what JSON can hold
---@return any what fn returned
function methods:step(name, fn)
  local current = current_run "chat:step"
  if type(name) ~= "string" or type(fn) ~= "function" then
    error("chat:step: a name and a function are wanted", 2)
  end
  return (current:step("step", name, function()
    current.is_in_step = true
    local ok, result = pcall(fn)
    current.is_in_step = false
    if not ok then
      error(result, 0)
    end
    return result
  end))
end

---Runs another dialog as part of this one, and gives what it returns.
---@param name string
---@param args any
---@return any ...
function methods:call(name, args)
  local known = self._bot._dialogs._known[name]
  if not known then
    error(("chat:call: there is no dialog '%s'"):format(tostring(name)), 2)
  end
  current_run "chat:call"
  return known.fn(self, args)
end

-- Notes who has the conversation, with the turn that is running.
local function pause(self, is_paused)
  self._bot._dialogs.has_paused = self._bot._dialogs.has_paused or is_paused
  turn.within(self._bot, function(current)
    current.pauses[self.contact] = is_paused
  end)
end

---Hands the conversation over to a person: its messages reach neither dialogs nor handlers until chat:resume.
function methods:pause()
  pause(self, true)
end

---Takes the conversation back.
function methods:resume()
  pause(self, false)
end

---Begins a dialog in this conversation, once the handler or dialog that runs has returned.
---@param name string
---@param args? any what JSON can hold
function methods:start(name, args)
  self._bot._dialogs:plan("chat:start", name, self.contact, self.to, args)
end

---Ends the dialogs of this conversation that wait.
---@param name? string only those of this name
---@return integer count
function methods:cancel(name)
  return self._bot._dialogs:cancel(self.contact, name)
end

return asking
