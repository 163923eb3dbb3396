-- SPDX-License-Identifier: MIT
-- Waits: chat:wait and chat:sleep, which end the turn of a handler or dialog until an event. bot/chat.lua documents them;
-- questions are in ask.lua. Which run gets an event is decided in offer.lua.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local event = require "cunnekt.bot.event"
local formats = require "cunnekt.store.formats"
local kept_events = require "cunnekt.dialog.flow.kept_events"
local offer = require "cunnekt.dialog.flow.offer"
local options = require "cunnekt.base.options"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local record_of = require "cunnekt.engine.record"
local sent = require "cunnekt.bot.sent"
local status_names = require "cunnekt.provider.status"
local steps = require "cunnekt.engine.steps"
local task = require "cunnekt.base.task"

local wait = {}

---The types of messages with a file.
wait.media_types = { image = true, video = true, audio = true, document = true, sticker = true }

---The time at which a wait ends.
---@param current cunnekt.run
---@param timeout number? seconds; math.huge as none
---@return number?
function wait.deadline(current, timeout)
  return timeout and timeout < math.huge and current.at + timeout or nil
end

---The error of a wait that timed out.
---@param timeout number
---@return cunnekt.error
function wait.timed_out(timeout)
  return errors.new("timeout", ("no answer came within %g seconds"):format(timeout))
end

-- ---- one wait ------------------------------------------------------------------------------------------------------

-- The journal's form of the event that ended a wait.
local function as_result(delivery, wanted)
  local it, record = delivery.event, delivery.record
  local status = it.status
  if status == "dialog_timeout" then
    return { from = wanted.from }
  elseif status == "dialog_sent" then
    return { state = it.reached, message_id = it.message_id }
  elseif status == "dialog_unsent" then
    return { unsent = journal.pack_error(it.err) }
  elseif status == "dialog_again" then
    return { again = true }
  end
  return { bodies = record.bodies or record_of.bodies_of(record), from = wanted.from, rules = formats.rules }
end

-- The event that ended a wait, from its journal form; nil for a timeout, nil and an error for a question that was not sent.
local function from_result(dialogs, chat, result, handle)
  if result.unsent then
    return nil, journal.unpack_error(result.unsent)
  elseif result.again then
    return { kind = "own", status = "dialog_again" }
  elseif result.state then
    sent.advance(handle, result.state)
    handle.message_id = core.sent_now(handle, "message_id") or result.message_id
    return event.bind(dialogs.scope, chat.contact, { kind = "own", status = result.state, sent = handle })
  end
  return result.bodies and dialogs:read_event(chat.contact, result, steps.current().origin)
end

-- The event that ends a wait immediately: one that a rebuilt run gets, or one that is there already.
local function find_delivery(dialogs, current, wanted, handle)
  local delivery = current.delivery
  if delivery then
    current.delivery, current.waiting = nil, nil
    if delivery.event then
      task.running().turn:charge() -- the replay has ended
      return delivery, true
    end
    current:skip_saved() -- it waits again
  end
  if wanted.sent then
    dialogs.sent_waits[wanted.sent] = { id = current:find_id(), contact = current.contact }
    -- A message that is not sent yet may not be in the store.
    local before = core.sent_now(handle, "state")
    local has_left = before ~= "queued" and before ~= "sending"
    local state, message_id = nil, nil
    if has_left then
      state, message_id = dialogs:delivery_of(wanted.sent, wanted.reaches)
    end
    if state then
      return { event = { status = "dialog_sent", reached = state, message_id = message_id } }, delivery ~= nil
    end
  end
  local signal = wanted.signal and kept_events.take_signal(dialogs, current, wanted.signal)
  return signal or offer.take_kept(dialogs, current, wanted), delivery ~= nil
end

-- Ends the turn; a later turn continues with the event.
local function wait_for_delivery(current, wanted)
  current:check_may_wait()
  current.waiting = wanted
  local delivery = task.suspend()
  current.waiting = nil
  return delivery
end

---Ends the turn until one of several events.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param wanted table types?, signal?, sent?, reaches?, due?, from?, asked?; question: the message that asks; not stored: handle: the message's; began: when the first of several waits did
---@param where string the method's name, for errors
---@param current? cunnekt.run of who has looked already whether it can wait
---@return table? event nil after a timeout
---@return cunnekt.error? err why the question surely was not sent
function wait.for_event(dialogs, chat, wanted, where, current)
  current = current or steps.waiting_run(where)
  local handle, began, it = wanted.handle, wanted.began or current.at, nil
  wanted.handle, wanted.began = nil, nil
  local outcome, mark = current:begin_step("wait", rebuild.subject_of_wait(wanted))
  local is_replayed = outcome ~= nil
  if not outcome then
    wanted.n = current.n
    local known = wanted.types and current.script.known[current.name]
    local expires = known and known.opts.expires
    if expires and expires < math.huge and not (wanted.due and wanted.due <= began + expires) then
      wanted.due, wanted.expires = began + expires, true -- a dialog that its customer has left ends by itself
    end
    local delivery, is_commit = current:guard(find_delivery, dialogs, current, wanted, handle)
    if not delivery then
      delivery, is_commit = wait_for_delivery(current, wanted), true
    end
    it = delivery.event
    it._origin = current.origin
    outcome = { value = as_result(delivery, wanted), at = clock.now(), is_commit = is_commit or nil }
    current:end_step { n = nil, mark = mark, outcome = outcome }
  end
  local result = current:apply_outcome(outcome)
  if wanted.sent then
    dialogs.sent_waits[wanted.sent] = nil
  end
  local asks = current.asks or {}
  current.asks, current.asked_last = asks, wanted.from or current.asked_last
  if result.from and result.bodies and asks[#asks] ~= result.from then
    asks[#asks + 1] = result.from
  end
  if is_replayed or not result.bodies then
    return from_result(dialogs, chat, result, handle)
  end
  return it
end

-- ---- chat:wait, chat:sleep -----------------------------------------------------------------------------------------

---@type table<string, any> options of chat:wait
wait.types = {
  reply = "boolean",
  click = "boolean",
  choice = "boolean",
  form = "boolean",
  media = "boolean",
  any = "boolean",
  signal = "string",
  sent = "userdata",
  reaches = status_names.awaitable,
  timeout = "number",
}

local function types_of(wanted)
  local types = {}
  types.text, types.any = wanted.reply, wanted.any
  types.button, types.quick_reply = wanted.click, wanted.click
  types.list, types.form = wanted.choice, wanted.form
  for name in pairs(wanted.media and wait.media_types or {}) do
    types[name] = true
  end
  return next(types) ~= nil and types or nil
end

---chat:wait, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param wanted table
---@return table? event
---@return cunnekt.error? err
function wait.wait(dialogs, chat, wanted)
  if type(wanted) == "table" and wanted.sent ~= nil and type(wanted.sent) ~= "userdata" then
    error("chat:wait: option 'sent' must be the handle of a reply", 2)
  end
  if wanted == nil then
    error("chat:wait: say what to wait for, as chat:wait { reply = true }", 2)
  end
  options.check("chat:wait", wanted, wait.types)
  local types, handle = types_of(wanted), wanted.sent
  if not types and not wanted.signal and not handle and not wanted.timeout then
    error("chat:wait: expected one of: reply, click, choice, form, media, any, signal, sent, timeout", 2)
  elseif handle and not handle.id then
    error("chat:wait: option 'sent' must be the handle of a reply", 2)
  end
  local current = steps.waiting_run("chat:wait", chat)
  local it = wait.for_event(dialogs, chat, {
    types = types,
    signal = wanted.signal,
    sent = handle and handle.id,
    reaches = handle and (wanted.reaches or "delivered"),
    handle = handle,
    due = wait.deadline(current, wanted.timeout),
  }, "chat:wait")
  if not it then
    return nil, wait.timed_out(wanted.timeout)
  end
  return it
end

---chat:sleep, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param seconds number
function wait.sleep(dialogs, chat, seconds)
  if type(seconds) ~= "number" or seconds < 0 then
    error("chat:sleep: seconds must be a number, 0 or more", 2)
  end
  clock.refuse_time("chat:sleep", seconds, 2)
  wait.for_event(dialogs, chat, { due = wait.deadline(steps.waiting_run "chat:sleep", seconds) }, "chat:sleep")
end

return wait
