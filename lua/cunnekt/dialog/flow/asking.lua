-- SPDX-License-Identifier: MIT
-- How a dialog asks: the methods of a chat that put a question and go on with the customer's answer. What they wait with
-- stands in dialog/waiting.lua.

local errors = require "cunnekt.base.errors"
local options = require "cunnekt.base.options"
local run = require "cunnekt.dialog.engine.run"
local turn = require "cunnekt.engine.turn"
local waiting = require "cunnekt.dialog.flow.waiting"

local asking = {}

local methods = {}
asking.methods = methods
for name, method in pairs(waiting.methods) do
  methods[name] = method
end

---@type table<string, string> what every question takes beside its contents, for options.check
asking.option_types = {
  timeout = "number",
  check = "function",
  otherwise = "string|function",
  tries = "integer",
}
---@type table<string, any> what chat:wait takes
asking.wait_types = waiting.wait_types

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
  local current = waiting.current_run(where)
  local from, due = current.n + 1, waiting.deadline(current, opts.timeout)
  local sent, err = ask()
  if not sent then
    return nil, err
  end
  -- Where the script has something to say to a wrong answer, every message is an answer.
  local taken = (opts.otherwise or opts.tries) and { any = true } or types
  local tries = 0
  while true do
    local it = self:_rest({ types = taken, due = due, from = from }, where)
    if not it then
      return nil, waiting.timed_out(opts.timeout)
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

-- ---- other ways through a conversation -----------------------------------------------------------------------------

---Does something that happens once in the dialog's life, whatever is restarted: files, commands, other programs.
---@param name string
---@param fn fun(): any may return what JSON can hold, and strings of any bytes
---@return any what fn returned
function methods:step(name, fn)
  local current = waiting.current_run "chat:step"
  if type(name) ~= "string" or type(fn) ~= "function" then
    error("chat:step: a name and a function are wanted", 2)
  end
  self:_load_state() -- not first within the step, which is not done again
  return (current:step("step", name, fn, { takes_time = true, commits = true }))
end

---Runs another dialog as part of this one, and gives what it returns.
---@param name string
---@param args any
---@return any ...
function methods:call(name, args)
  local current = waiting.current_run "chat:call"
  local known = current.script.known[name]
  if not known or not known.opts.is_dialog then
    error(("chat:call: there is no dialog '%s'"):format(tostring(name)), 2)
  end
  return known.fn(self, args)
end

---Begins a dialog in this conversation, once the handler or dialog that runs has returned.
---@param name string
---@param args? any what JSON can hold
function methods:start(name, args)
  self._bot._dialogs:plan("chat:start", name, self.contact, self.to, args)
end

---Ends the dialogs of this conversation that wait; not the one that calls it, which returns for that.
---@param name? string only those of this name
---@return integer count
function methods:cancel(name)
  local err
  local count = run.within("cancel", { self.contact, name or false }, function()
    local ended
    ended, err = self._bot._dialogs:cancel(self.contact, name)
    return ended
  end)
  return count, err
end

-- The newest dialog of the conversation that waits for an answer is made to ask the question before it again.
local function send_back(self)
  local bot, its_turn = self._bot, turn.current(self._bot)
  for _, stored in ipairs(bot._store:dialogs_of(self.contact)) do
    local place = stored.waiting and stored.waiting.from and not stored.error and bot._dialogs:place_before(stored)
    if place then
      bot._dialogs.parked:evict(stored.id)
      its_turn:gather("cuts")[stored.id] = { n = place, steps = stored.steps }
      table.insert(its_turn:gather "tells", waiting.resume_record(stored))
      return true
    end
  end
  return false
end

---Goes back to the question before: it is asked again, and everything from there on is done again. What was sent and kept
---since stays so. In a dialog this does not return; elsewhere, as in a bot:global, it is the conversation's newest dialog
---that goes back.
---@return boolean is_back false when there is no question to go back to
function methods:back()
  local current = waiting.current_run "chat:back"
  local asks = current.asks or {}
  if #asks > 0 and current.contact == self.contact then
    current:fail(errors.new("back", "the dialog goes back to an earlier question", { n = asks[#asks - 1] or asks[1] }))
  end
  return run.within("back", self.contact, function()
    return send_back(self)
  end)
end

-- Notes who has the conversation, with the turn that is running.
local function pause(self, is_paused)
  local err
  local ok = run.within(is_paused and "pause" or "resume", self.contact, function()
    local done
    done, err = turn.within(self._bot, function(current)
      current:gather("pauses")[self.contact] = is_paused
      return true
    end)
    return done
  end)
  return ok, err
end

---Hands the conversation over to a person: its messages reach neither dialogs nor handlers until chat:resume, and the
---time of its dialogs stands still.
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside of turns
function methods:pause()
  return pause(self, true)
end

---Takes the conversation back. What was due meanwhile is due now.
---@return boolean? ok
---@return cunnekt.error? err kind store; only outside of turns
function methods:resume()
  return pause(self, false)
end

return asking
