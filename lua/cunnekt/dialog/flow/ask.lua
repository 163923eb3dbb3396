-- SPDX-License-Identifier: MIT
-- Questions: chat:ask and its variants send a question and continue with the customer's answer. Also chat:step, flush, call,
-- cancel, back, pause and resume. bot/chat.lua documents them; the waiting is in wait.lua.

local chat_of = require "cunnekt.bot.chat"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local log = require "cunnekt.base.log"
local options = require "cunnekt.base.options"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local record = require "cunnekt.engine.record"
local remind = require "cunnekt.dialog.flow.remind"
local reply = require "cunnekt.bot.reply"
local route = require "cunnekt.bot.route"
local steps = require "cunnekt.engine.steps"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"
local typed = require "cunnekt.bot.typed"
local wait = require "cunnekt.dialog.flow.wait"
local webhook = require "cunnekt.provider.webhook"

local ask = {}

---@type table<string, string> options of every question beside its content, for options.check
ask.option_types = {
  timeout = "number",
  check = "function",
  otherwise = "string|function",
  tries = "integer",
  accept = "table",
  remind = "table",
}

-- Those of chat:ask, which has no table for the content: the delivery options of its message as well.
local text_option_types = {}
for _, types in ipairs { ask.option_types, reply.delivery_types } do
  for name, kind in pairs(types) do
    text_option_types[name] = kind
  end
end

-- ---- what can answer -----------------------------------------------------------------------------------------------

local answer_types, can_answer = {}, {}
for _, name in ipairs(route.message_types) do
  if not webhook.remark_types[name] then
    can_answer[name] = true
    answer_types[#answer_types + 1] = name
  end
end

-- The option `accept` as a set, which is added to the types of a question. Raises for what cannot answer, blaming the caller of
-- the function that calls this.
local function add_accepted(where, accept, types)
  local more = {}
  for _, name in ipairs(accept) do
    if not can_answer[name] then
      local near = type(name) == "string" and options.suggest(name, answer_types)
      local hint = near and ("did you mean '%s'?"):format(near) or "one of: " .. table.concat(answer_types, ", ")
      error(("%s: a message of type '%s' cannot answer (%s)"):format(where, tostring(name), hint), 3)
    end
    more[name], types[name] = true, true
  end
  if next(more) == nil then
    error(("%s: option 'accept' must be a list of message types"):format(where), 3)
  end
  return more
end

-- ---- questions -----------------------------------------------------------------------------------------------------

-- The messages of a question that was repeated more often are these last ones, when a tap tells on which one it is.
local most_asked = 20

-- Sends the question once more; the fate of its last message is that of the question.
local function repeat_question(question, asked)
  local sent, messages = question:send(), asked.messages
  if sent then
    messages[#messages + 1], asked.last = sent.id, sent
  end
  if #messages > most_asked then
    table.remove(messages, 1)
  end
  return sent
end

-- Replies to an invalid answer; returns the handle of that reply, if there is one.
local function reply_to_invalid(chat, opts, why, it, question, asked)
  local otherwise = opts.otherwise
  if type(otherwise) == "function" then
    local text = otherwise(it, why)
    return type(text) == "string" and chat:reply_text(text)
  elseif otherwise or type(why) == "string" then
    return chat:reply_text(otherwise or why)
  end
  return repeat_question(question, asked)
end

-- The next message that may be an answer; nil after the timeout, nil and an error for a question that was not sent. A start of the
-- dialog that waits here asks again.
local function next_answer(dialogs, chat, question, asked)
  while true do
    local wanted = {
      types = asked.types, due = asked.due, from = asked.from, question = asked.last.id, asked = asked.has_taps and asked.messages or nil,
    }
    local it, err
    if asked.reminders then
      it, err = remind.for_event(dialogs, chat, wanted, question.where, asked.reminders)
    else
      it, err = wait.for_event(dialogs, chat, wanted, question.where, question.run)
    end
    if not it or it.status ~= "dialog_again" then
      return it, err
    end
    repeat_question(question, asked)
  end
end

-- What is known of a question that was sent.
local function begin_asking(question, sent, from, now)
  local opts = question.opts
  local types = (opts.otherwise or opts.tries) and { any = true } or question.types -- with these every message is an answer
  return {
    messages = { sent.id }, last = sent, from = from, types = types, due = opts.timeout and opts.timeout < math.huge and now + opts.timeout or nil,
    has_taps = types.any or types.button or types.list or types.form or types.quick_reply,
    reminders = question.reminders,
  }
end

-- Asks until an answer is valid, or the tries or the time are used up.
local function ask_until(dialogs, chat, question)
  local where, opts = question.where, question.opts
  local current = steps.waiting_run(where, chat)
  local from, now = current.n + 1, current.at
  question.run = current
  question.reminders = opts.remind and remind.new(where, opts, 3)
  current.asking = where
  local sent, err = question:send()
  current.asking = nil
  if not sent then
    return nil, err
  end
  local asked, tries = begin_asking(question, sent, from, now), 0
  while true do
    local it, problem = next_answer(dialogs, chat, question, asked)
    if not it then
      return nil, problem or wait.timed_out(opts.timeout)
    end
    local was_fit, why = question:fits(it)
    local is_good = was_fit
    if was_fit and opts.check then
      is_good, why = opts.check(it)
    end
    if is_good then
      return it
    end
    if log.is_debug and not current:is_rebuilding() then
      local its_record = task.running().turn.record
      log.debug("answer", "event", its_record and its_record.id, "dialog", current.id, "type", it.type, "refused_by", opts.check and was_fit and "the question's check" or "the question")
    end
    tries = tries + 1
    if opts.tries and tries >= opts.tries then
      return nil, errors.new("tries", ("no valid answer came in %d tries"):format(tries))
    end
    asked.last = reply_to_invalid(chat, opts, why, it, question, asked) or asked.last
  end
end

-- What most questions have: they are answered by any message of their types.
local function fits_type(question, it)
  return question.types[it.type]
end

-- The question of chat:ask. The usual one, without delivery options, has a shorter way.
local function send_text(question)
  if not question.delivery then
    return question.chat:reply_text(question.text)
  end
  return question.chat:reply_text(question.text, question.delivery)
end

-- Splits a table into content and options of the question. Delivery options are part of the content, as in a reply.
local function split(where, given)
  if type(given) ~= "table" then
    error(("%s: expected a table, got %s"):format(where, type(given)), 3)
  end
  local content, opts = {}, {}
  for name, value in pairs(given) do
    (ask.option_types[name] and opts or content)[name] = value
  end
  options.check(where, opts, ask.option_types, 4)
  return content, opts
end

local no_options = {}

---chat:ask, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param text string
---@param opts? table
---@return table? message
---@return cunnekt.error? err
function ask.ask(dialogs, chat, text, opts)
  opts = opts == nil and no_options or options.check("chat:ask", opts, text_option_types)
  local types, delivery = { text = opts.accept == nil or nil }, nil
  if opts.accept then
    add_accepted("chat:ask", opts.accept, types)
  end
  for name, value in next, opts do
    if reply.delivery_types[name] then
      delivery = delivery or {}
      delivery[name] = value
    end
  end
  local question = { where = "chat:ask", opts = opts, types = types, send = send_text, fits = fits_type, chat = chat, text = text }
  question.delivery = delivery
  return ask_until(dialogs, chat, question)
end

-- Whether an answer is a choice, clicked, typed, or tapped on the template that went out as the question's fallback; sets `reply`
-- where it has none.
local function choice_of(it, choices, kind)
  for _, choice in ipairs(choices) do
    if it.type == kind and it.reply and it.reply.id == choice.id then
      return true
    elseif (it.type == "quick_reply" and it.payload == choice.id)
      or ((it.type == "text" or it.type == "quick_reply") and it.text and typed.is_same(it, choice.title)) then
      it.reply = { id = choice.id, title = choice.title }
      return true
    end
  end
  return false
end

local function ask_choice(dialogs, chat, where, given, kinds)
  local content, opts = split(where, given)
  local types = { [kinds.answer] = true, text = true, quick_reply = content.fallback ~= nil or nil }
  local more = opts.accept and add_accepted(where, opts.accept, types)
  return ask_until(dialogs, chat, {
    where = where,
    opts = opts,
    types = types,
    send = function()
      return chat[kinds.reply](chat, content)
    end,
    fits = function(_, it)
      return choice_of(it, content[kinds.list] or {}, kinds.answer) or more and more[it.type]
    end,
  })
end

local buttons = { reply = "reply_buttons", list = "buttons", answer = "button" }
local rows = { reply = "reply_list", list = "list", answer = "list" }

---chat:ask_buttons, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param given table
---@return table? message
---@return cunnekt.error? err
function ask.ask_buttons(dialogs, chat, given)
  return ask_choice(dialogs, chat, "chat:ask_buttons", given, buttons)
end

---chat:ask_list, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param given table
---@return table? message
---@return cunnekt.error? err
function ask.ask_list(dialogs, chat, given)
  return ask_choice(dialogs, chat, "chat:ask_list", given, rows)
end

---chat:ask_form, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param given table
---@return table? message
---@return cunnekt.error? err
function ask.ask_form(dialogs, chat, given)
  local content, opts = split("chat:ask_form", given)
  local types = { form = true }
  if opts.accept then
    add_accepted("chat:ask_form", opts.accept, types)
  end
  return ask_until(dialogs, chat, {
    where = "chat:ask_form",
    opts = opts,
    types = types,
    send = function()
      return chat:reply_form(content)
    end,
    fits = fits_type,
  })
end

---chat:ask_template, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param template_id string
---@param given? table
---@return table? message
---@return cunnekt.error? err
function ask.ask_template(dialogs, chat, template_id, given)
  local content, opts = split("chat:ask_template", given or {})
  local types = { quick_reply = true, text = true } -- titles are known to the provider only, so any text answers
  if opts.accept then
    add_accepted("chat:ask_template", opts.accept, types)
  end
  return ask_until(dialogs, chat, {
    where = "chat:ask_template",
    opts = opts,
    types = types,
    send = function()
      return chat:reply_template(template_id, content)
    end,
    fits = fits_type,
  })
end

-- ---- other methods -------------------------------------------------------------------------------------------------

---chat:step, see bot/chat.lua.
---@param chat cunnekt.chat
---@param name string
---@param fn fun(): any ...
---@return any ... what fn returned
function ask.step(chat, name, fn)
  local current = steps.waiting_run "chat:step"
  if type(name) ~= "string" or type(fn) ~= "function" then
    error("chat:step: expected a name and a function", 2)
  end
  local _ = chat.state -- loaded before the step, because a replay skips the step
  return journal.unpack_results((current:step("step", name, function()
    return journal.pack_results(fn())
  end, { takes_time = true, commits = true, changes_states = true })))
end

local flush_opts = { is_internal = true, takes_time = true }

---chat:flush, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
function ask.flush(dialogs)
  local its_turn = dialogs.engine.turns:current()
  if not steps.current() then
    return its_turn and its_turn:commit_more() -- a job has no journal
  end
  local current = steps.waiting_run "chat:flush"
  current:step("flush", {}, function()
    its_turn:commit_more()
    return nil, true
  end, flush_opts)
end

---chat:call, see bot/chat.lua.
---@param chat cunnekt.chat
---@param name string
---@param args any
---@return any ...
function ask.call(chat, name, args)
  local current = steps.waiting_run "chat:call"
  local known = current.script.known[name]
  if not known or not known.opts.is_dialog then
    error(("chat:call: there is no dialog '%s'"):format(tostring(name)), 2)
  end
  return known.fn(chat, args)
end

---chat:cancel, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param name? string
---@return integer? count
---@return cunnekt.error? err
function ask.cancel(dialogs, chat, name)
  local err
  local count = steps.within("cancel", { chat_of.began_as(chat), name or false }, function()
    local ended
    ended, err = dialogs:cancel(chat.contact, name)
    return ended
  end)
  return count, err
end

-- Sends the conversation's newest dialog that waits for an answer back to its previous question.
local function send_back(dialogs, contact)
  local its_turn = dialogs.engine.turns:current()
  for _, stored in ipairs(stored_dialogs.of(dialogs.store, contact)) do
    local can_go = stored.waiting and stored.waiting.from and not stored.error
    local place = can_go and rebuild.place_before(dialogs, stored)
    if place then
      dialogs:evict(stored.id)
      its_turn:buffer("cuts")[stored.id] = { id = stored.id, n = place, steps = stored.steps }
      table.insert(its_turn:buffer "own_events", record.resume(stored.contact, stored.id, stored.seed))
      return true
    end
  end
  return false
end

---chat:back, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@return boolean is_back
function ask.back(dialogs, chat)
  local current = steps.waiting_run "chat:back"
  local asks, last = current.asks or {}, current.asked_last
  if last and current.contact == chat.contact then
    local before = asks[#asks] ~= last and asks[#asks] or asks[#asks - 1] -- the last one may have had no answer
    current:fail(errors.new("back", "the dialog goes back to an earlier question", { n = before or last }))
  end
  return steps.within("back", chat_of.began_as(chat), function()
    return send_back(dialogs, chat.contact)
  end)
end

---chat:pause and chat:resume, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param is_paused boolean
---@return boolean? ok
---@return cunnekt.error? err
function ask.pause(dialogs, chat, is_paused)
  local err
  local ok = steps.within(is_paused and "pause" or "resume", chat_of.began_as(chat), function()
    local done
    done, err = dialogs.engine.turns:within(function(current)
      current:buffer("pauses")[chat.contact] = is_paused
      return true
    end)
    return done
  end)
  return ok, err
end

return ask
