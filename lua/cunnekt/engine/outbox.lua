-- SPDX-License-Identifier: MIT
-- The queue of messages between their turn's commit and the provider: in order for each contact. It owns permits, waits and
-- retries; the client only writes. A message is marked as being sent only with a permit of the rate limits in hand, right
-- before it is written: what only waits was not sent, and is sent after a crash. Only what was certainly not accepted is
-- retried; a message whose delivery is uncertain is settled by its policy or by a status. Statuses advance the handles
-- that scripts hold.

local answer = require "cunnekt.provider.answer"
local backlog = require "cunnekt.engine.backlog"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local delivery = require "cunnekt.engine.delivery"
local errors = require "cunnekt.base.errors"
local handles = require "cunnekt.engine.handles"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local messages = require "cunnekt.store.messages"
local personal = require "cunnekt.provider.personal"
local status_names = require "cunnekt.provider.status"

local outbox = {}

core.read_payloads(json.decode)

---Seconds for which a status waits for the response to a message that is being sent.
outbox.longest_wait = 60

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
---@field is_plain boolean? it has no options: neither a track nor times nor another of them
---@field lane string key of its lane, which follows from the contact
---@field to string the recipient, as the payload has it
---@field is_bulk boolean? it lets the other messages pass
---@field due number? not sent before, in seconds since 1970
---@field expires number? not sent from then on
---@field hours cunnekt.send_hours? when it may be sent
---@field state string? of a row that the store returned
---@field is_light boolean? its content is only in the store
---@field is_marked boolean? the store has it as being sent
---@field is_parked boolean? for the store it is in no memory
---@field has_permit boolean? of the rate limits
---@field has_waited boolean? the previous message was delivered, or waited for long enough
---@field is_written boolean? it was given to the client, which has not answered
---@field is_given_up boolean? its outcome was settled without the answer
---@field is_dropped boolean? by an operator
---@field task cunnekt.task? that waits until it can be sent
---@field request table? under way
---@field done fun(pause?: number)? of its lane, once it was tried
---@field lost_at number? when it was sent by an earlier process, which ended before the response

-- Bulk messages have lanes of their own, so that a reply to the same contact passes them.
local function bulk_lane(contact)
  return backlog.bulk_prefix .. contact
end

local function itself(contact)
  return contact
end

-- Forgets the content of a row, which the store has.
local function make_light(row)
  if not row.is_light then
    row.payload, row.text, row.fallback, row.handle = { mobile = row.to }, nil, nil, nil
    row.is_light = true
  end
end

-- A row of a lane, of one of the store.
local function prepare(stored)
  local row = core.row(stored)
  row.is_parked = true
  make_light(row)
  return row
end

---@class cunnekt.outbox
---@field lanes cunnekt.lanes for who counts what is in them, as is `replies`
---@field replies cunnekt.backlog.class
---@param options table `store`; `client`; `handles`: bot/sent.lua, which creates and advances handles; `concurrency`: maximum of running sends; `unknown`: the default policy; `has_unknown`: whether the store has messages whose delivery is uncertain; `counts`: is incremented
---@return cunnekt.outbox
function outbox.new(options)
  local self = setmetatable({
    _store = options.store,
    _client = options.client,
    _handles = options.handles,
    _has_unknown = options.has_unknown or false,
    _counts = options.counts,
    _log_pace = log_pace.new(),
    _is_stopped = false,
  }, outbox_mt)
  self._lanes = core.lanes(options.concurrency)
  self._backlog = backlog.new {
    store = options.store,
    lanes = self._lanes,
    prepare = prepare,
  }
  self._known = handles.new {
    store = options.store,
    maker = options.handles,
    is_sending = function()
      return self._lanes:active() > 0
    end,
  }
  self:_connect_core(options)
  self.lanes, self.replies = self._lanes, self._backlog.replies
  return self
end

-- What each message needs is done in C, see src/bind/engine/outbox.h; these are what it asks, in rare cases.
function outbox_methods:_connect_core(options)
  local client, store, its_backlog = self._client, self._store, self._backlog
  local parts = {
    lanes = self._lanes,
    store = store:face(),
    client = client,
    limiter = client.limiter and client:limiter() or nil,
    counts = self._counts,
    unknown = options.unknown,
    log = log,
    persons = store.persons,
    replies = its_backlog.replies.waiting,
    bulk = its_backlog.bulk.waiting,
    handles = self._known,
    accepted_id = core.accepted_id,
    advance = self._handles.advance,
    make_light = make_light,
    of_contact = backlog.of_contact,
  }
  function parts.permit(row)
    return client:take_permit(row.payload)
  end
  function parts.is_elsewhere(row)
    return select(3, delivery.ids_of(row)) ~= nil
  end
  function parts.must_park(row, ahead, beside)
    return its_backlog:must_park(row, ahead, beside)
  end
  function parts.add_parked(row)
    its_backlog:add(row)
  end
  function parts.put_back(row)
    delivery.put_back(self, row, function()
      self._lanes:release(row.lane)
    end)
  end
  delivery.connect(self, parts)
  self._core, self._known.by_id, self._known.by_message_id = core.outbox(parts)
end

---Sets the hooks, and the inbox for events that report an outcome.
---@param hooks cunnekt.engine.hooks
---@param inbox cunnekt.inbox
function outbox_methods:connect(hooks, inbox)
  self._hooks, self._inbox = hooks, inbox
end

---The number of messages that wait or are being sent, without those that wait for a time.
---@return integer
function outbox_methods:count()
  return self._lanes:count() + self._backlog:count()
end

---The number of messages that are being sent.
---@return integer
function outbox_methods:active()
  return self._lanes:active()
end

---The number of waiting messages that hold back new events: all but bulk messages.
---@return integer
function outbox_methods:burden()
  return self._lanes:count() - self._lanes:background_count() + self._backlog.replies.stored
end

---Starts no more sends; running ones may finish.
function outbox_methods:stop()
  self._is_stopped = true
  self._core:stop()
  self._lanes:stop()
  self._backlog:stop()
end

---At the end of a stop: nobody will hear the answers that are missing, so each message is settled by its policy, and what
---waits for them ends.
function outbox_methods:settle_unanswered()
  for _, row in ipairs(self._lanes:running()) do
    if row.is_written then
      delivery.give_up_unanswered(self, row)
    end
    delivery.cancel(self, row)
  end
end

---Calls `fn` whenever the last message is gone, and now if there is none.
---@param fn fun()
function outbox_methods:when_empty(fn)
  self._lanes:when_empty(function()
    if self:count() == 0 then
      fn()
    end
  end)
end

---Calls `fn` whenever the last running send ends, and now if none is running.
---@param fn fun()
function outbox_methods:when_quiet(fn)
  self._lanes:when_quiet(fn)
end

---A row and a handle for a message that a turn buffers.
---@param contact string
---@param payload table
---@param opts table? unknown, track, after, priority
---@param times table? due, expires, hours; see send_times.read
---@return cunnekt.outbox.row
function outbox_methods:new_row(contact, payload, opts, times)
  local row = self._core:new_row(contact, self._store:next_id(), payload)
  row.is_plain = not opts and not times
  if opts then
    row.track, row.after, row.unknown, row.is_bulk = opts.track, opts.after, opts.unknown or row.unknown, opts.priority == "bulk"
    row.handle.track = opts.track
  end
  if times then
    row.due, row.expires, row.hours = times.due, times.expires, times.hours
  end
  return row
end

---The same for the usual message: a text without options.
---@param contact string
---@param id integer of the store
---@param to string
---@param text string the payload as JSON
---@param event integer? whose turn sends it
---@return cunnekt.outbox.row
---@return cunnekt.sent handle
function outbox_methods:new_text(contact, id, to, text, event)
  return self._core:new_text(contact, id, to, text, event)
end

---Notes that a row is only in the store now, and waits for a time.
---@param at number seconds since 1970
function outbox_methods:wait_until(at)
  self._backlog:note_due(at)
end

local function note_replies(rows)
  for _, row in ipairs(rows) do
    local payload = row.payload or {}
    log.debug("reply", "message", row.id, "event", row.event, "type", payload.type or "template", "contact", personal.contact(row.contact))
  end
end

---Queues stored rows.
---@param rows cunnekt.outbox.row[] in the order of the script's calls
function outbox_methods:enqueue(rows)
  if log.is_debug then
    note_replies(rows)
  end
  self._core:enqueue(rows)
end

---Decides about the rows of a turn, before its commit stores them. Those that will be written as soon as it is committed take their
---permit, reserve their lane, are marked, and stored as being sent, which saves another commit; those for which memory has no room
---are parked. `enqueue` or `unmark` must follow.
---@param rows cunnekt.outbox.row[]
function outbox_methods:mark(rows)
  self._core:mark(rows)
end

---Takes back the marks of a turn whose commit failed, if there are any.
---@param rows cunnekt.outbox.row[]
function outbox_methods:unmark(rows)
  for _, row in ipairs(rows) do
    if row.is_marked then
      row.is_marked = false
      delivery.return_permit(self, row)
      self._lanes:release(row.lane)
    end
  end
end

-- What was stored later comes later; ids do not order, but those of one process grow.
local function comes_before(a, b)
  return a.id < b.id
end

---Two conversations have turned out to be one person's: the messages that wait for one are the other's.
---@param from string
---@param to string
function outbox_methods:join_contacts(from, to)
  for _, lane_of in ipairs { itself, bulk_lane } do
    local is_bulk = lane_of == bulk_lane
    self._backlog:join(lane_of(from), lane_of(to), is_bulk, comes_before, function(row)
      row.contact = to
    end)
  end
  self._core:join_recent(from, to)
end

---Drops a row whose turn failed before its commit.
---@param row cunnekt.outbox.row
function outbox_methods:discard(row)
  local why = errors.new("cancelled", "the handler failed before its turn was committed")
  self._handles.advance(row.handle, "dropped", why)
end

-- Adds what a row from the store lacks, and puts it into memory.
local function push_from_store(self, stored, method)
  local row = core.row(stored)
  self._known:attach(row)
  self._backlog:push_with(row, function()
    self._lanes[method](self._lanes, row.lane, row, row.is_bulk)
  end)
end

---Recovers the messages of an earlier process: queued ones are sent; the delivery of those that were being sent is uncertain.
---@param rows cunnekt.outbox.row[] that were being sent; in order, see store/recovery.lua
---@param parked {replies: integer, bulk: integer, timed: integer} numbers of the others
function outbox_methods:recover(rows, parked)
  self._backlog:begin(parked)
  for _, stored in ipairs(rows) do
    if stored.unknown ~= "resend" then
      local row = core.row(stored)
      self._known:attach(row)
      delivery.give_up_lost(self, row)
    else
      push_from_store(self, stored, "push")
    end
  end
end

---Sends a failed message again, ahead of all others to its contact.
---@param row table as the store returns it; queued
function outbox_methods:retry_first(row)
  self._known:begin_anew(row.id, row.payload)
  push_from_store(self, row, "push_front")
end

---Sends the fallback of a message that the provider had accepted, and now reports as failed because the window is closed. Waits; raises
---when the store cannot be asked.
---@param status table an event of kind "status"
---@return boolean is_sent whether there was one
function outbox_methods:send_fallback(status)
  local _, code = status_names.reason(status)
  if status.status ~= "failed" or not status.id or answer.kind_of_failure(code) ~= "window_closed" then
    return false
  end
  local id = messages.queue_fallback(self._store, status.id, clock.now())
  local row = id and lists.queued_message(self._store, id)
  if not row then
    return false
  end
  log.info("the service window is closed for %s, so the fallback of message %d is sent", personal.contact(row.contact), id)
  self:retry_first(row)
  return true
end

---Drops a waiting message.
---@param id integer
---@param contact string
---@return boolean is_dropped false when it is being sent
function outbox_methods:drop(id, contact)
  for _, lane in ipairs { contact, bulk_lane(contact) } do
    local row = self._lanes:find(lane, function(one)
      return one.id == id
    end)
    if row and (row.is_marked or row.is_written or (row.handle and core.sent_now(row.handle, "state") == "sending")) then
      return false
    elseif row then
      row.is_dropped = true
      self._lanes:retry_now(lane)
    end
  end
  return true
end

---The outbox id of an accepted message. May wait.
---@param message_id string the provider's
---@return integer? id nil when it is unknown
function outbox_methods:id_of(message_id)
  return self._known:id_of(message_id)
end

---The handle of an earlier message, of this process or an earlier one. May wait.
---@param id integer
---@param payload table
---@return cunnekt.sent
function outbox_methods:handle_of(id, payload)
  return self._known:of(id, payload)
end

-- ---- uncertain deliveries that a status settles ----------------------------------------------------------------------

-- Seconds by which the provider's clock and ours may differ, and for which a status may settle a lost response.
local clock_slack, max_uncertain = 60, 3600

---Whether messages may be held because their delivery is uncertain.
---@return boolean
function outbox_methods:has_unknown()
  return self._has_unknown
end

-- The handle of a lane's message, if that is being sent. One that only waits has not been given to the provider, or certainly
-- was not accepted: no status can be about it.
local function being_sent(self, lane)
  local row = self._lanes:head(lane)
  local handle = row and row.handle
  return handle and core.sent_now(handle, "state") == "sending" and handle or nil
end

---Whether a message is being sent to this contact, whose response is missing.
---@param contact string
---@return boolean
function outbox_methods:is_sending_to(contact)
  return being_sent(self, contact) ~= nil or being_sent(self, bulk_lane(contact)) ~= nil
end

---Waits for the responses to the messages that are being sent to this contact, if any.
---@param contact string
function outbox_methods:wait_for_answer(contact)
  for _, lane_of in ipairs { itself, bulk_lane } do
    local handle = being_sent(self, lane_of(contact))
    if handle then
      self._handles.wait_until(handle, "accepted", outbox.longest_wait)
    end
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
  local track, id = messages.settle_unknown(self._store, contact, status, at + clock_slack, at - max_uncertain)
  if id then
    self._known:on_found(id, status)
  end
  return track
end

---Applies a status that the store had before it knew the message by this id.
---@param status table
---@param rank integer how far its message is by now
function outbox_methods:apply_late(status, rank)
  self._known:apply_late(status, rank)
end

---Advances the handle of the message that a status is about.
---@param status table an event of kind "status"
---@param record? cunnekt.inbox.record of the event, if it was just stored
function outbox_methods:on_status(status, record)
  self._known:on_status(status, record)
end

return outbox
