-- SPDX-License-Identifier: MIT
-- One delivery of a message of the outbox, where something is not as usual: it waits for more than its turn, was refused, or its
-- outcome is uncertain. The usual way is src/bind/engine/delivery.c; the queue is outbox.lua's, whose private fields these functions use.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local incoming = require "cunnekt.store.incoming"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local log = require "cunnekt.base.log"
local messages = require "cunnekt.store.messages"
local personal = require "cunnekt.provider.personal"
local redact = require "cunnekt.base.redact"
local records = require "cunnekt.store.records"
local retry = require "cunnekt.provider.retry"
local send_times = require "cunnekt.engine.send_times"
local task = require "cunnekt.base.task"

local delivery = {}

-- Policy → what becomes of a message whose delivery is uncertain.
local unknown_ends = { hold = "unknown", fail = "failed" }
-- Temporary failures: the message was certainly not accepted, and stays queued. A rejected key or certificate is one of
-- them, and so is an address where something else answers than the API: an operator will fix it, and the replies must not be
-- lost by then. Nothing that is about this message alone: it would hold up its contact's later ones for ever.
local is_temporary = { network = true, tls = true, timeout = true, rate_limited = true, auth = true, http = true }

local function pause_seconds(row, err)
  return math.max(err.retry_after or 0, retry.message(row.attempts))
end

-- Stores what became of a message, with the events that report it.
local function store_outcome(self, outcome, events, done)
  outcome.events = events
  self._store:settle({ outcome }, (events or done) and function()
    if events then
      self._inbox:enqueue(events)
    end
    if done then
      done()
    end
  end)
end

-- Kinds of error that are reported by their own name; all others are rejections.
local has_own_report = { unknown_outcome = true, expired = true }

-- Ends a message that was not accepted; calls `done` after the commit.
local function give_up(self, row, state, err, done)
  self._handles.advance(row.handle, state, err)
  self._counts["messages_" .. state] = self._counts["messages_" .. state] + 1
  self._has_unknown = self._has_unknown or state == "unknown"
  local events = self._hooks.on_answer(row, has_own_report[err.kind] and err.kind or "rejected", err)
  store_outcome(self, records.outcome(row, state, err), events, done)
  if state ~= "expired" then -- as was asked for, so it is no failure
    self._hooks.on_failure(err, row.handle)
  end
end

-- Ends a message by its policy, whose answer nobody heard.
local function give_up_uncertain(self, row, message)
  give_up(self, row, unknown_ends[row.unknown], errors.new("unknown_outcome", message, { sent = true }))
end

-- Logs why messages wait, and what becomes of this one.
local function warn_of(self, row, err, pause)
  if self._log_pace:note(err.kind) then
    local what = row.payload.type or "template"
    local cause = row.event and ("event %d"):format(row.event) or "no event"
    log.warn("messages wait and will be retried: %s (message %d to %s, %s, for %s, attempt %d; next try in %.0f s)", tostring(err), row.id,
      personal.contact(row.contact), what, cause, row.attempts, pause)
  end
end

-- A message that certainly was not accepted waits for its next try. The store has it as queued first: otherwise the mark of
-- that try might be there before.
local function wait_again(self, row, outcome, pause, done)
  row.is_marked, row.has_permit = false, false
  self._store:settle({ outcome }, function()
    done(pause)
  end)
end

local function settle_failure(self, row, err, done)
  if log.is_debug then
    log.debug("send", "message", row.id, "result", err.kind, "code", err.code, "attempt", row.attempts)
  end
  local is_unknown = err.kind == "unknown_outcome"
  if err.kind == "window_closed" and row.fallback then
    -- The provider knows when the customer last wrote.
    row.payload, row.text, row.fallback = row.fallback, nil, nil
    row.handle.payload = row.payload
    local outcome = records.outcome(row, "queued")
    outcome.payload = json.encode(row.payload)
    return wait_again(self, row, outcome, 0, done)
  end
  if is_unknown and unknown_ends[row.unknown] then
    give_up(self, row, unknown_ends[row.unknown], err)
    return done()
  elseif not is_unknown and not is_temporary[err.kind] and not err.retryable then
    give_up(self, row, "rejected", err)
    return done()
  end
  local pause = pause_seconds(row, err)
  warn_of(self, row, err, pause)
  self._handles.requeue(row.handle, err)
  wait_again(self, row, records.outcome(row, "queued", err, clock.now() + pause), pause, done)
end

---The ids that a message says its recipient by.
---@param row cunnekt.outbox.row
---@return string line
---@return string customer of its conversation
---@return string? written whom it is addressed to, where that is somebody else, or another id of them than the conversation's
function delivery.ids_of(row)
  local line, customer = identity.parts(row.contact)
  local mobile = row.payload.mobile
  if mobile == customer then
    return line, customer
  end
  local written = mobile:gsub("^%+", "")
  return line, customer, identity.canonical(written) ~= identity.canonical(customer) and written or nil
end

---Gives back the permit of a row that is not written now.
---@param self cunnekt.outbox
---@param row cunnekt.outbox.row
function delivery.return_permit(self, row)
  if row.has_permit then
    row.has_permit = false
    self._client:return_permit(row.payload)
  end
end

---A row that is marked and cannot be written now: it only waits again.
---@param self cunnekt.outbox
---@param row cunnekt.outbox.row
---@param done fun() called when the store has it as queued
function delivery.put_back(self, row, done)
  row.is_marked = false
  delivery.return_permit(self, row)
  self._store:settle({ records.outcome(row, "queued") }, done)
end

---Settles a message whose answer nobody will hear, for the program stops.
---@param self cunnekt.outbox
---@param row cunnekt.outbox.row
function delivery.give_up_unanswered(self, row)
  row.is_given_up = true
  if row.unknown == "resend" then
    return self._store:settle { records.outcome(row, "queued") }
  end
  give_up_uncertain(self, row, "the program was stopped before the provider answered; the message may or may not have been delivered")
end

---Settles a message that was being sent when an earlier process ended.
---@param self cunnekt.outbox
---@param row cunnekt.outbox.row
function delivery.give_up_lost(self, row)
  row.lost_at = row.changed_at
  give_up_uncertain(self, row, "the program ended while the message was being sent; it may or may not have been delivered")
end

-- A message was accepted with something to be said beside it. `events`: those that report it; false: not asked for yet.
local function settle_accepted(self, row, message_id, events)
  local handle, known = row.handle, self._known
  if log.is_debug then
    log.debug("send", "message", row.id, "result", "accepted", "id", message_id and redact.id(message_id), "attempt", row.attempts)
  end
  self._counts.messages_accepted = self._counts.messages_accepted + 1
  handle.message_id = message_id
  local early = known.early_count > 0 and message_id and known:early(message_id) or nil
  if events == false then
    events = self._hooks.on_answer(row, "accepted")
  end
  store_outcome(self, records.accepted(row, message_id, early), events)
  self._handles.advance(handle, "accepted")
  if message_id then
    known.by_message_id[message_id] = handle
    if known.early_count > 0 then
      known:apply_early(message_id, self._lanes:active() <= 1)
    end
  elseif self._log_pace:note "no_id" then
    log.warn("a message was accepted without an id, so nobody will hear what becomes of it (message %d to %s)", row.id, personal.contact(row.contact))
  end
end

-- Seconds for which a message waits for the previous one to arrive; then it is sent anyway.
local max_wait = 60

-- The handle of the message before, of an earlier process, or of long ago. Nil where that has arrived, as far as is known.
local function previous_in_store(self, row)
  local ok, id, payload = pcall(messages.previous_of, self._store, row.contact, row.id)
  return ok and id and self._known:of(id, payload) or nil
end

-- A message with `after = "delivered"` waits until the previous one was delivered. That is accepted already, because a lane
-- sends one at a time. It takes its permit afterwards; false when there is none, and the lane waits for it.
local function wait_for_previous(self, row, done)
  local previous = self._core:last_of(row.contact) or previous_in_store(self, row)
  if previous and previous ~= row.handle then
    self._handles.wait_until(previous, "delivered", max_wait)
  end
  row.has_waited = true
  local pause = self._core:pass(row)
  if pause then
    done(pause)
  end
  return pause == nil
end

-- Reads the content of a row that memory let go. False when the lane goes on without it.
local function load(self, row, done)
  local found, err = lists.queued_message(self._store, row.id)
  if err then
    done(pause_seconds(row, err))
    return false
  elseif not found then
    done() -- an operator dropped it
    return false
  end
  row.payload, row.fallback, row.track, row.is_light = found.payload, found.fallback, found.track, false
  self._known:attach(row)
  return true
end

-- Whom a message goes to whose person has left the number that it was written to: the one that they have now. Nil where it is theirs,
-- as mostly. Waits; raises when the store cannot be read.
local function new_recipient(self, row)
  local line, customer, written = delivery.ids_of(row)
  if not written or self._store.persons:has_id(row.contact, identity.key(line, written)) then
    return nil
  end
  return customer ~= "" and customer or nil
end

local function with_recipient(payload, to)
  local copy = {}
  for name, value in pairs(payload) do
    copy[name] = value
  end
  copy.mobile = to
  return copy
end

-- Addresses a message anew that waited while its person changed their number. False when the lane waits: for a permit, since its own
-- was the old number's, or for the store.
local function readdress(self, row, done)
  local ok, to = pcall(new_recipient, self, row)
  if not ok and not errors.is(to) then
    error(to, 0)
  elseif not ok then
    delivery.return_permit(self, row)
    done(pause_seconds(row, to --[[@as cunnekt.error]]))
    return false
  elseif not to then
    return true
  end
  delivery.return_permit(self, row)
  row.payload, row.text = with_recipient(row.payload, to), nil
  row.fallback = row.fallback and with_recipient(row.fallback, to)
  row.handle.payload = row.payload
  local pause = self._core:pass(row)
  if pause then
    done(pause)
  end
  return pause == nil
end

local function drop_row(self, row, done)
  delivery.return_permit(self, row)
  local why = errors.new("cancelled", "the message was dropped from the command line")
  if row.handle then
    self._handles.advance(row.handle, "dropped", why)
  end
  done()
end

-- Whether a message may be sent at this time; otherwise it has expired, or waits outside of its lane.
local function is_time(self, row, done)
  local now = clock.now()
  local earliest = math.max(now, row.due or now) -- later than now, when the clock was set back
  local at = row.hours and send_times.next_open(row.hours, earliest) or earliest
  if row.expires and at >= row.expires then -- by then, which is certain now
    delivery.return_permit(self, row)
    -- Done after the commit: a lane that is filled again must not find it as queued.
    give_up(self, row, "expired", errors.new("expired", "the message was not sent before it expired"), done)
    return false
  elseif at <= now then
    return true
  end
  delivery.return_permit(self, row)
  local outcome = records.outcome(row, "queued", nil, at)
  outcome.is_parked = true
  self._store:settle({ outcome }, function()
    self:wait_until(at)
    done()
  end)
  return false
end

-- The store has not marked a row, or nothing is written any more.
local function on_unmarked(self, row, is_marked, err)
  local done = row.done
  if is_marked then
    row.attempts = row.attempts - 1
    delivery.put_back(self, row, function()
      done(0) -- a stopped lane starts nothing
    end)
  elseif err.kind == "conflict" then
    drop_row(self, row, done) -- an operator was faster
  else
    -- For example, the disk is full. A message that cannot be marked is not sent.
    delivery.return_permit(self, row)
    self._handles.requeue(row.handle, err)
    done(pause_seconds(row, err))
  end
end

-- Sends a row that waits for nothing else.
local function send(self, row, done)
  if not (row.expires or row.hours or row.due) or is_time(self, row, done) then
    self._core:send(row)
  end
end

-- In a task of its own: what a row has to wait for.
local function prepare(self, row, done)
  row.task = task.running()
  if row.is_light and not load(self, row, done) then
    return
  elseif row.after == "delivered" and not row.has_waited and not wait_for_previous(self, row, done) then
    return
  elseif self._store.persons.has_aliases and not row.is_marked and not readdress(self, row, done) then
    return
  end
  row.task = nil
  send(self, row, done)
end

-- Sends a message that is not the usual one.
local function run(self, row)
  local done = row.done
  if row.is_dropped then
    drop_row(self, row, done)
  elseif row.is_marked then
    send(self, row, done) -- it was there with its turn, and could go at once
  elseif row.is_light or row.after == "delivered" or self._store.persons.has_aliases then
    task.spawn(prepare, self, row, done)
  else
    send(self, row, done)
  end
end

---Sets what the core of an outbox asks; see src/bind/engine/outbox.h.
---@param self cunnekt.outbox
---@param parts table
function delivery.connect(self, parts)
  function parts.run(row)
    run(self, row)
  end
  function parts.not_marked(row, is_marked, err, code)
    if type(err) == "string" then
      err = incoming.error_of(err, code) -- it was not asked
    end
    on_unmarked(self, row, is_marked, err)
  end
  function parts.transmit(row, on_outcome)
    row.request = self._client:transmit(row, on_outcome)
  end
  function parts.read(row, ...)
    self._client:read(row, parts.on_outcome, ...)
  end
  function parts.fail(row, err)
    settle_failure(self, row, err, row.done)
  end
  function parts.on_answer(row, outcome)
    return self._hooks.on_answer(row, outcome)
  end
  function parts.settle(row, message_id, events)
    settle_accepted(self, row, message_id, events)
  end
  -- The acceptance could not be stored: it is until it can be.
  function parts.store_again(row, is_stored)
    if not is_stored then
      self._store:settle { records.accepted(row, core.sent_now(row.handle, "message_id")) }
    end
  end
end

---Ends what a row waits for, at the end of a stop.
---@param self cunnekt.outbox
---@param row cunnekt.outbox.row
function delivery.cancel(self, row)
  if self._core:cancel(row) then
    return
  elseif row.request then
    row.request:close()
  elseif row.task then
    task.cancel(row.task)
  end
end

return delivery
