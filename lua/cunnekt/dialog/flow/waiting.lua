-- SPDX-License-Identifier: MIT
-- How a dialog waits: the methods of a chat that end the turn until something happens.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local inbox = require "cunnekt.engine.inbox"
local options = require "cunnekt.base.options"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local run = require "cunnekt.dialog.engine.run"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"

local waiting = {}

local methods = {}
waiting.methods = methods

local media_types = { image = true, video = true, audio = true, document = true, sticker = true }

---The run of a dialog or handler that may wait; raises elsewhere.
---@param where string
---@return cunnekt.run
function waiting.current_run(where)
  local current = run.current()
  if not current then
    error(("%s: only a handler or a dialog can do that; begin a dialog with bot:start"):format(where), 3)
  elseif current.is_in_step then
    error(("%s: not within chat:step, which is done as a whole"):format(where), 3)
  elseif not task.can_yield() then
    error(("%s: not in a coroutine of the script's own"):format(where), 3)
  end
  return current
end

---When a wait of so many seconds is over.
---@param current cunnekt.run
---@param timeout number?
---@return number?
function waiting.deadline(current, timeout)
  return timeout and current.at + timeout or nil
end

---@param timeout number
---@return cunnekt.error
function waiting.timed_out(timeout)
  return errors.new("timeout", ("no answer came within %g seconds"):format(timeout))
end

---The event that takes a dialog up which waits for nothing any more.
---@param stored cunnekt.store.dialog
---@return cunnekt.inbox.record
function waiting.resume_record(stored)
  return inbox.own_record(stored.contact, { status = "dialog_resume", run = stored.id, seed = stored.seed })
end

-- ---- one wait ------------------------------------------------------------------------------------------------------

-- What the journal keeps of what ended a wait.
local function as_result(delivery, wanted)
  local it, record = delivery.event, delivery.record
  if it.status == "dialog_timeout" then
    return { from = wanted.from }
  elseif it.status == "dialog_sent" then
    return { state = it.reached, message_id = it.message_id }
  end
  return { bodies = record.bodies or inbox.bodies_of(record), from = wanted.from }
end

-- The event of a wait, from what the journal keeps; nil for a timeout.
local function from_result(self, result, wanted)
  if result.state then
    local handle = wanted.handle
    handle:_advance(result.state)
    handle.message_id = handle.message_id or result.message_id
    return self._bot:_bind_event(self.contact, { kind = "own", status = result.state, sent = handle })
  end
  return result.bodies and self._bot:_read_event(self.contact, result.bodies)
end

-- What ends a wait at once: what a rebuilt run is given, or what is there already.
local function find_delivery(self, current, wanted, handle)
  local dialogs = self._bot._dialogs
  local delivery = current.delivery
  if delivery then
    current.delivery, current.waiting = nil, nil
    return delivery, true
  end
  if wanted.sent then
    dialogs.sent_waits[wanted.sent] = { id = current.id, contact = current.contact }
    -- What has not left yet may not even be in the store.
    local has_left = handle.state ~= "queued" and handle.state ~= "sending"
    local state, message_id = nil, nil
    if has_left then
      state, message_id = dialogs:fate_of(wanted.sent, wanted.reaches)
    end
    if state then
      return { event = { status = "dialog_sent", reached = state, message_id = message_id } }, false
    end
  end
  return dialogs:take_kept(current, wanted), false
end

-- Ends the turn here: parked, until another turn goes on with what came.
local function wait_for_delivery(self, current, wanted)
  self._bot._dialogs:check_may_wait(current)
  current.waiting = wanted
  local delivery = task.park()
  current.waiting = nil
  return delivery
end

---Ends the turn until one of some things happens.
---@param wanted table types?, signal?, sent?, reaches?, due?, from?; handle: the message's, not kept
---@param where string
---@return table? event nil when the time is up
function methods:_rest(wanted, where)
  local current = waiting.current_run(where)
  local handle, it = wanted.handle, nil
  wanted.handle = nil
  local outcome, text = current:begin_step("wait", rebuild.methods.subject_of_wait(wanted))
  local is_recalled = outcome ~= nil
  if not outcome then
    wanted.n = current.n
    local delivery, is_commit = current:guard(find_delivery, self, current, wanted, handle)
    if not delivery then
      delivery, is_commit = wait_for_delivery(self, current, wanted), true
    end
    it = delivery.event
    outcome = { value = as_result(delivery, wanted), at = clock.now(), is_commit = is_commit or nil }
    current:end_step { text = text, outcome = outcome }
  end
  local result = current:give(outcome)
  if wanted.sent then
    self._bot._dialogs.sent_waits[wanted.sent] = nil
  end
  local asks = current.asks or {}
  current.asks = asks
  if result.from and result.bodies and asks[#asks] ~= result.from then
    asks[#asks + 1] = result.from
  end
  if is_recalled or not result.bodies then
    return from_result(self, result, { handle = handle })
  end
  return it
end

-- ---- what a script may wait for ------------------------------------------------------------------------------------

---@type table<string, any> what chat:wait takes
waiting.wait_types = {
  reply = "boolean",
  click = "boolean",
  choice = "boolean",
  form = "boolean",
  media = "boolean",
  any = "boolean",
  signal = "string",
  sent = "table",
  reaches = status_names.awaitable,
  timeout = "number",
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

---Waits for any of some things: reply (a text), click, choice, form, media, any (message); signal = name; sent = a handle,
---which reaches = "accepted", "sent", "delivered" (default) or "read", or comes to no good end; timeout seconds.
---@param wanted table
---@return table? event the message; the signal with `name` and `value`; for a handle {status = its state, sent = handle}
---@return cunnekt.error? err kind timeout
function methods:wait(wanted)
  options.check("chat:wait", wanted, waiting.wait_types)
  local types, handle = types_of(wanted), wanted.sent
  if not types and not wanted.signal and not handle and not wanted.timeout then
    error("chat:wait: say what to wait for: reply, click, choice, form, media, any, signal, sent or timeout", 2)
  elseif handle and not handle.id then
    error("chat:wait: option 'sent' must be what a reply gave back", 2)
  end
  local current = waiting.current_run "chat:wait"
  local it = self:_rest({
    types = types,
    signal = wanted.signal,
    sent = handle and handle.id,
    reaches = handle and (wanted.reaches or "delivered"),
    handle = handle,
    due = waiting.deadline(current, wanted.timeout),
  }, "chat:wait")
  if not it then
    return nil, waiting.timed_out(wanted.timeout)
  end
  return it
end

---Goes on after some seconds, across restarts; messages of the customer meanwhile go to the ordinary handlers.
---@param seconds number
function methods:sleep(seconds)
  if type(seconds) ~= "number" or seconds < 0 then
    error("chat:sleep: seconds must be a number, 0 or more", 2)
  end
  self:_rest({ due = waiting.deadline(waiting.current_run "chat:sleep", seconds) }, "chat:sleep")
end

return waiting
