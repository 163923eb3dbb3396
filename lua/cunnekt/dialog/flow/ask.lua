-- SPDX-License-Identifier: MIT
-- Questions: chat:ask and its variants send a question and continue with the customer's answer. Also chat:step, call, cancel,
-- back, pause and resume. bot/chat.lua documents them; the waiting is in wait.lua.

local answers = require "cunnekt.dialog.flow.answers"
local began_as = require("cunnekt.bot.chat").began_as
local errors = require "cunnekt.base.errors"
local options = require "cunnekt.base.options"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local run = require "cunnekt.dialog.engine.run"
local steps = require "cunnekt.engine.steps"
local stored_dialogs = require "cunnekt.store.dialogs"
local typed = require "cunnekt.bot.typed"
local wait = require "cunnekt.dialog.flow.wait"

local ask = {}

---@type table<string, string> options of every question beside its content, for options.check
ask.option_types = {
  timeout = "number",
  check = "function",
  otherwise = "string|function",
  tries = "integer",
}

-- ---- questions -----------------------------------------------------------------------------------------------------

-- Replies to an invalid answer.
local function reply_to_invalid(chat, opts, why, it, repeat_question)
  local otherwise = opts.otherwise
  if type(otherwise) == "function" then
    local text = otherwise(it, why)
    return type(text) == "string" and chat:reply_text(text)
  elseif otherwise or type(why) == "string" then
    return chat:reply_text(otherwise or why)
  end
  return repeat_question()
end

-- The next message that may be an answer; nil after the timeout. A start of the dialog that waits here asks again.
local function next_answer(dialogs, chat, wanted, where, send)
  while true do
    local its_wait = { types = wanted.types, due = wanted.due, from = wanted.from, asked = wanted.asked }
    local it = wait.for_event(dialogs, chat, its_wait, where)
    if not it or it.status ~= "dialog_again" then
      return it
    end
    send()
  end
end

-- Asks until an answer is valid, or the tries or the time are used up.
local function ask_until(dialogs, chat, question)
  local where, opts, fits = question.where, question.opts, question.fits
  local current = steps.waiting_run(where)
  local from, due = current.n + 1, wait.deadline(current, opts.timeout)
  local asked = {}
  local function send()
    local sent, err = question.send()
    if sent then
      answers.note_asked(asked, sent)
    end
    return sent, err
  end
  local sent, err = send()
  if not sent then
    return nil, err
  end
  -- With `otherwise` or `tries` every message is an answer.
  local taken = (opts.otherwise or opts.tries) and { any = true } or question.types
  local tries = 0
  while true do
    local on = answers.tappable(taken, asked)
    local it = next_answer(dialogs, chat, { types = taken, due = due, from = from, asked = on }, where, send)
    if not it then
      return nil, wait.timed_out(opts.timeout)
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
      return nil, errors.new("tries", ("no valid answer came in %d tries"):format(tries))
    end
    reply_to_invalid(chat, opts, why, it, send)
  end
end

-- Splits a table into content and options of the question.
local function split(where, given)
  local content, opts = {}, {}
  for name, value in pairs(given) do
    (ask.option_types[name] and opts or content)[name] = value
  end
  options.check(where, opts, ask.option_types, 4)
  return content, opts
end

---chat:ask, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param text string
---@param opts? table
---@return table? message
---@return cunnekt.error? err
function ask.ask(dialogs, chat, text, opts)
  return ask_until(dialogs, chat, {
    where = "chat:ask",
    opts = options.check("chat:ask", opts, ask.option_types),
    types = { text = true },
    send = function()
      return chat:reply_text(text)
    end,
    fits = function(it)
      return it.type == "text"
    end,
  })
end

-- Whether an answer is a choice, clicked or typed; sets `reply` for a typed one.
local function choice_of(it, choices, kind)
  for _, choice in ipairs(choices) do
    if it.type == kind and it.reply and it.reply.id == choice.id then
      return true
    elseif it.type == "text" and typed.plain(it.text) == typed.plain(choice.title) then
      it.reply = { id = choice.id, title = choice.title }
      return true
    end
  end
  return false
end

local function ask_choice(dialogs, chat, where, given, kinds)
  local content, opts = split(where, given)
  return ask_until(dialogs, chat, {
    where = where,
    opts = opts,
    types = { [kinds.answer] = true, text = true },
    send = function()
      return chat[kinds.reply](chat, content)
    end,
    fits = function(it)
      return choice_of(it, content[kinds.list] or {}, kinds.answer)
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
  return ask_until(dialogs, chat, {
    where = "chat:ask_form",
    opts = opts,
    types = { form = true },
    send = function()
      return chat:reply_form(content)
    end,
    fits = function(it)
      return it.type == "form"
    end,
  })
end

-- ---- other methods -------------------------------------------------------------------------------------------------

---chat:step, see bot/chat.lua.
---@param chat cunnekt.chat
---@param name string
---@param fn fun(): any
---@return any what fn returned
function ask.step(chat, name, fn)
  local current = steps.waiting_run "chat:step"
  if type(name) ~= "string" or type(fn) ~= "function" then
    error("chat:step: expected a name and a function", 2)
  end
  local _ = chat.state -- loaded before the step, because a replay skips the step
  return (current:step("step", name, fn, { takes_time = true, commits = true }))
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
  local count = steps.within("cancel", { began_as(chat), name or false }, function()
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
      table.insert(its_turn:buffer "own_events", run.resume_record(stored.contact, stored.id, stored.seed))
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
  local asks = current.asks or {}
  if #asks > 0 and current.contact == chat.contact then
    current:fail(errors.new("back", "the dialog goes back to an earlier question", { n = asks[#asks - 1] or asks[1] }))
  end
  return steps.within("back", began_as(chat), function()
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
  local ok = steps.within(is_paused and "pause" or "resume", began_as(chat), function()
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
