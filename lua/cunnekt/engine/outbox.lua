-- SPDX-License-Identifier: MIT
-- The queue of messages between their turn's commit and the provider: in order for each contact. Only what was certainly not
-- accepted is retried; a message whose delivery is uncertain is settled by its policy or by a later status. Statuses advance
-- the handles that scripts hold.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local lanes = require "cunnekt.engine.lanes"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local messages = require "cunnekt.store.messages"
local records = require "cunnekt.store.records"
local retry = require "cunnekt.provider.retry"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"

local outbox = {}

-- Temporary failures: the message was certainly not accepted, and stays queued. A rejected key or certificate is one of
-- them: an operator will fix it, and the replies must not be lost by then.
local is_temporary = { network = true, tls = true, timeout = true, rate_limited = true, auth = true }
-- Handles of this many recent messages are kept, for messages with `after`.
local remembered = 1024
-- Maximum of statuses that wait for the response with their message id, which they sometimes overtake.
local max_early = 1000

local outbox_methods = {}
local outbox_mt = { __index = outbox_methods, __name = "cunnekt.outbox" }

---@class cunnekt.outbox.row
---@field id integer
---@field contact string
---@field payload table
---@field text string? the payload as JSON, if already encoded
---@field unknown "hold"|"resend"|"fail"
---@field track table?
---@field after "accepted"|"delivered"|nil state that the previous message must have reached
---@field fallback table? the payload to send when the window is closed
---@field handle cunnekt.sent
---@field attempts integer
---@field lost_at number? when it was sent by an earlier process, which ended before the response

---@class cunnekt.outbox
---@param options table `store`; `client`; `handles`: bot/sent.lua, which creates and advances handles; `concurrency`: maximum of running sends; `unknown`: the default policy; `has_unknown`: whether the store has messages whose delivery is uncertain; `counts`: is incremented
---@return cunnekt.outbox
function outbox.new(options)
  local self = setmetatable({
    _store = options.store,
    _client = options.client,
    _unknown = options.unknown,
    _handles = options.handles,
    _has_unknown = options.has_unknown or false,
    _counts = options.counts,
    _last = setmetatable({}, { __mode = "v" }), -- contact → handle of its last message, if that is one of `_recent`
    _recent = {}, -- a ring
    _recent_at = 0,
    _by_id = setmetatable({}, { __mode = "v" }),
    _by_message_id = setmetatable({}, { __mode = "v" }),
    _warned = {},
    _early = {},
    _early_count = 0,
  }, outbox_mt)
  self._lanes = lanes.new(options.concurrency)
  return self
end

local apply_early, deliver, give_up_lost

---Sets the hooks, and the inbox for events that report an outcome.
---@param hooks cunnekt.engine.hooks
---@param inbox cunnekt.inbox
function outbox_methods:connect(hooks, inbox)
  self._hooks, self._inbox = hooks, inbox
  self._lanes:connect(function(row, done)
    task.spawn(deliver, self, row, done)
  end)
end

---The number of messages that wait or are being sent.
---@return integer
function outbox_methods:count()
  return self._lanes:count()
end

---The number of messages that are being sent.
---@return integer
function outbox_methods:active()
  return self._lanes:active()
end

---Starts no more sends; running ones may finish.
function outbox_methods:stop()
  self._lanes:stop()
end

---Calls `fn` whenever the last running send ends, and now if none is running.
---@param fn fun()
function outbox_methods:when_quiet(fn)
  self._lanes:when_quiet(fn)
end

---A row and a handle for a message that a turn buffers.
---@param contact string
---@param payload table
---@param delivery table? unknown, track, after
---@return cunnekt.outbox.row
function outbox_methods:new_row(contact, payload, delivery)
  local id, handle = self._store:next_id(), self._handles.new(payload)
  handle.id, handle.track = id, delivery and delivery.track
  self._by_id[id] = handle
  return {
    id = id,
    contact = contact,
    payload = payload,
    unknown = delivery and delivery.unknown or self._unknown,
    track = handle.track,
    after = delivery and delivery.after,
    handle = handle,
    attempts = 0,
  }
end

---Queues stored rows.
---@param rows cunnekt.outbox.row[] in the order of the script's calls
function outbox_methods:enqueue(rows)
  self._counts.messages_queued = self._counts.messages_queued + #rows
  for _, row in ipairs(rows) do
    self._lanes:push(row.contact, row)
  end
end

---Marks the rows of a turn that will be sent as soon as it is committed: the turn's commit stores them as being sent, which
---saves another commit.
---@param rows cunnekt.outbox.row[]
function outbox_methods:mark(rows)
  local has_first = {}
  for _, row in ipairs(rows) do
    row.is_marked = not has_first[row.contact] and self._lanes:is_free(row.contact)
    has_first[row.contact] = true
  end
end

---Drops a row whose turn failed before its commit.
---@param row cunnekt.outbox.row
function outbox_methods:discard(row)
  local why = errors.new("cancelled", "the handler failed before its turn was committed")
  self._handles.advance(row.handle, "dropped", why)
end

-- Adds a handle to a row from the store.
local function attach_handle(self, row)
  row.handle = self._handles.new(row.payload)
  row.handle.id, row.handle.track = row.id, row.track
  self._by_id[row.id] = row.handle
end

---Recovers the messages of an earlier process: queued ones are sent; the delivery of those that were being sent is uncertain.
---@param rows cunnekt.outbox.row[] in order, see store/recovery.lua
function outbox_methods:recover(rows)
  for _, row in ipairs(rows) do
    attach_handle(self, row)
    local is_lost = row.state == "sending" and row.unknown ~= "resend"
    if is_lost then
      give_up_lost(self, row)
    else
      self._lanes:push(row.contact, row)
    end
  end
end

---Sends a failed message again, ahead of all others to its contact.
---@param row table as the store returns it; queued
function outbox_methods:retry_first(row)
  attach_handle(self, row)
  self._lanes:push_front(row.contact, row)
end

---Drops a waiting message.
---@param id integer
---@param contact string
---@return boolean is_dropped false when it is being sent
function outbox_methods:drop(id, contact)
  local row = self._lanes:find(contact, function(one)
    return one.id == id
  end)
  if not row then
    return true
  elseif row.is_marked or row.handle.state == "sending" then
    return false
  end
  row.is_dropped = true
  self._lanes:retry_now(contact)
  return true
end

---The outbox id of an accepted message. May wait.
---@param message_id string the provider's
---@return integer? id nil when it is unknown
function outbox_methods:id_of(message_id)
  local handle = self._by_message_id[message_id]
  return handle and handle.id or messages.id_of(self._store, message_id)
end

---The handle of an earlier message, of this process or an earlier one. May wait.
---@param id integer
---@param payload table
---@return cunnekt.sent
function outbox_methods:handle_of(id, payload)
  local handle = self._by_id[id]
  if handle then
    return handle
  end
  handle = self._handles.new(payload)
  handle.id = id
  self._by_id[id] = handle
  local state, message_id = messages.state(self._store, id)
  handle.state, handle.message_id = state or "rejected", message_id
  if message_id then
    self._by_message_id[message_id] = handle
  end
  return handle
end

-- ---- one delivery ----------------------------------------------------------------------------------------------

local function pause_seconds(row, err)
  return math.max(err.retry_after or 0, retry.message(row.attempts))
end

-- Stores what became of a message, with the events that report it.
local function settle(self, row, outcome, report, err)
  local events = self._hooks.on_answer(row, report, err)
  outcome.events = events
  self._store:settle({ outcome }, events and function()
    self._inbox:enqueue(events)
  end)
end

-- Ends a message that was not accepted.
local function give_up(self, row, state, err)
  self._handles.advance(row.handle, state, err)
  self._counts["messages_" .. state] = self._counts["messages_" .. state] + 1
  self._has_unknown = self._has_unknown or state == "unknown"
  local report = err.kind == "unknown_outcome" and "unknown_outcome" or "rejected"
  settle(self, row, records.outcome(row, state, err), report, err)
  self._hooks.on_failure(err, row.handle)
end

local unknown_ends = { hold = "unknown", fail = "failed" }

-- Seconds between log lines about the same kind of failure.
local warn_pace = 60

-- Logs why messages wait: once a minute for any number of them.
local function warn_of(self, err)
  local now = clock.monotonic()
  if now >= (self._warned[err.kind] or -math.huge) + warn_pace then
    self._warned[err.kind] = now
    log.warn("messages wait and will be retried: %s", tostring(err))
  end
end

local function settle_failure(self, row, err, done)
  local is_unknown = err.kind == "unknown_outcome"
  if err.kind == "window_closed" and row.fallback then
    -- The provider knows when the customer last wrote.
    row.payload, row.text, row.fallback = row.fallback, nil, nil
    row.handle.payload = row.payload
    local outcome = records.outcome(row, "sending")
    outcome.payload = json.encode(row.payload)
    self._store:settle { outcome }
    return done(0)
  end
  if is_unknown and unknown_ends[row.unknown] then
    give_up(self, row, unknown_ends[row.unknown], err)
    return done()
  elseif not is_unknown and not is_temporary[err.kind] and not err.retryable then
    give_up(self, row, "rejected", err)
    return done()
  end
  warn_of(self, err)
  self._handles.requeue(row.handle, err)
  row.is_marked = false
  self._store:settle { records.outcome(row, "queued", err) }
  done(pause_seconds(row, err))
end

-- A message that was being sent when an earlier process ended.
function give_up_lost(self, row)
  local message = "the program ended while the message was being sent; it may or may not have been delivered"
  row.lost_at = row.changed_at
  give_up(self, row, unknown_ends[row.unknown], errors.new("unknown_outcome", message, { sent = true }))
end

local function settle_accepted(self, row, answer, done)
  local handle = row.handle
  self._counts.messages_accepted = self._counts.messages_accepted + 1
  handle.message_id = answer.message_id
  local statuses = answer.message_id and self._early[answer.message_id] or nil
  settle(self, row, records.accepted(row, answer.message_id, statuses), "accepted")
  self._handles.advance(handle, "accepted")
  if answer.message_id then
    self._by_message_id[answer.message_id] = handle
    if self._early_count > 0 then
      apply_early(self, answer.message_id)
    end
  end
  done()
end

-- Seconds for which a message waits for the previous one to arrive; then it is sent anyway.
local max_wait = 60

-- Waits until the previous message was delivered. It is accepted already, because a lane sends one at a time.
local function wait_for_previous(self, row)
  local previous = row.after == "delivered" and self._last[row.contact]
  if previous and previous ~= row.handle then
    self._handles.wait_until(previous, "delivered", max_wait)
  end
  self._recent_at = self._recent_at % remembered + 1
  self._recent[self._recent_at], self._last[row.contact] = row.handle, row.handle
end

-- Sends a message, in a task of its own.
function deliver(self, row, done)
  wait_for_previous(self, row)
  if row.is_dropped then
    local why = errors.new("cancelled", "the message was dropped from the command line")
    self._handles.advance(row.handle, "dropped", why)
    return done()
  end
  row.attempts = row.attempts + 1
  self._handles.advance(row.handle, "sending")
  local answer, err
  if not row.is_marked then
    answer, err = self._store:mark_sending(row)
    if not answer then
      -- For example, the disk is full. A message that cannot be marked is not sent.
      self._handles.requeue(row.handle, err)
      return done(pause_seconds(row, err))
    end
  end
  answer, err = self._client:transmit(row.payload, row.text)
  if answer then
    settle_accepted(self, row, answer, done)
  else
    settle_failure(self, row, err, done)
  end
end

-- ---- uncertain deliveries that a status settles ----------------------------------------------------------------------

-- Seconds by which the provider's clock and ours may differ, and for which a status may settle a lost response.
local clock_slack, max_uncertain = 60, 3600

---Whether messages may be held because their delivery is uncertain.
---@return boolean
function outbox_methods:has_unknown()
  return self._has_unknown
end

---Waits for the response to the message that is being sent to this contact, if any.
---@param contact string
function outbox_methods:wait_for_answer(contact)
  local row = self._lanes:head(contact)
  if row then
    self._handles.wait_until(row.handle, "accepted", max_wait)
  end
end

---Settles a contact's one message whose response was lost, by a status with an unknown message id: it was accepted.
---@param contact string
---@param status table
---@return table? track as messages.track_of
function outbox_methods:settle_by_status(contact, status)
  if not self._has_unknown then
    return nil
  end
  local at = status.timestamp or clock.now()
  return messages.settle_unknown(self._store, contact, status, at + clock_slack, at - max_uncertain)
end

-- ---- statuses --------------------------------------------------------------------------------------------------

local function error_of(status)
  if status.status ~= "failed" then
    return nil
  end
  local title, code = status_names.reason(status)
  return errors.new("rejected", title, { code = code })
end

---Advances the handle of the message that a status is about.
---@param status table an event of kind "status"
---@param record? cunnekt.inbox.record of the event, if it was just stored
function outbox_methods:on_status(status, record)
  local handle = status.id and self._by_message_id[status.id]
  if handle then
    if record and record.rank and not record.is_applied then
      -- It was stored before the message was as accepted; this comes behind that.
      self._store:persist("note_status", { message_id = status.id, rank = record.rank, reason = record.error })
    end
    self._handles.advance(handle, status.status, error_of(status))
  elseif status.id and self._lanes:active() > 0 and self._early_count < max_early then
    local waiting = self._early[status.id] or {}
    self._early[status.id] = waiting
    waiting[#waiting + 1] = status
    self._early_count = self._early_count + 1
  end
end

-- Applies the statuses that came before the message's id.
function apply_early(self, message_id)
  local waiting = self._early[message_id] or {}
  self._early[message_id] = nil
  self._early_count = self._early_count - #waiting
  for _, status in ipairs(waiting) do
    self:on_status(status)
  end
  -- Statuses of messages that other programs sent from this number must not stay in the list.
  if self._lanes:active() <= 1 then
    self._early, self._early_count = {}, 0
  end
end

return outbox
