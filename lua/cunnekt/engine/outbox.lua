-- SPDX-License-Identifier: MIT
-- The queue of messages between their turn's commit and the provider: in order for each contact. It owns permits, waits and
-- retries; the client only writes. A message is marked as being sent only with a permit of the rate limits in hand, right
-- before it is written: what only waits was not sent, and is sent after a crash. Only what was certainly not accepted is
-- retried; a message whose delivery is uncertain is settled by its policy or by a later status. Statuses advance the handles
-- that scripts hold.

local clock = require "cunnekt.time.clock"
local delivery = require "cunnekt.engine.delivery"
local errors = require "cunnekt.base.errors"
local handles = require "cunnekt.engine.handles"
local heap = require "cunnekt.base.heap"
local lanes = require "cunnekt.engine.lanes"
local messages = require "cunnekt.store.messages"
local task = require "cunnekt.base.task"

local outbox = {}

-- Seconds for which a status waits for the response to a message that is being sent.
local max_wait = 60
-- Of waiting messages beyond this number memory holds no content, only where to find it.
local max_in_memory = 2000

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
---@field lane string key of its lane
---@field is_bulk boolean? it lets the other messages pass
---@field due number? not sent before, in seconds since 1970
---@field expires number? not sent from then on
---@field hours cunnekt.send_hours? when it may be sent
---@field state string? of a row that the store returned
---@field is_light boolean? its content is only in the store
---@field is_marked boolean? the store has it as being sent
---@field has_permit boolean? of the rate limits
---@field has_waited boolean? the previous message was delivered, or waited for long enough
---@field is_written boolean? it was given to the client, which has not answered
---@field is_given_up boolean? its outcome was settled without the answer
---@field is_dropped boolean? by an operator
---@field task thread? that sends it
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
    _warned = {},
    _is_stopped = false,
    _later = heap.new(), -- rows that are not due yet
  }, outbox_mt)
  self._lanes = lanes.new(options.concurrency, nil, function(row)
    return self:_pass(row)
  end)
  self._known = handles.new {
    store = options.store,
    maker = options.handles,
    is_sending = function()
      return self._lanes:active() > 0
    end,
  }
  return self
end

-- Bulk messages have lanes of their own, so that a reply to the same contact passes them.
local function bulk_lane(contact)
  return "bulk " .. contact
end

---Sets the hooks, and the inbox for events that report an outcome.
---@param hooks cunnekt.engine.hooks
---@param inbox cunnekt.inbox
function outbox_methods:connect(hooks, inbox)
  self._hooks, self._inbox = hooks, inbox
  self._lanes:connect(function(row, done)
    task.spawn(delivery.run, self, row, done)
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

---The number of waiting messages that hold back new events: all but bulk messages.
---@return integer
function outbox_methods:burden()
  return self._lanes.items - self._lanes.background_items
end

---Starts no more sends; running ones may finish.
function outbox_methods:stop()
  self._is_stopped = true
  self._lanes:stop()
  if self._timer then
    self._timer:close()
  end
end

---At the end of a stop: nobody will hear the answers that are missing, so each message is settled by its policy, and what
---waits for them ends.
function outbox_methods:settle_unanswered()
  for _, row in ipairs(self._lanes:running()) do
    if row.is_written then
      delivery.give_up_unanswered(self, row)
    end
    if row.task then
      task.cancel(row.task)
    end
  end
end

---Calls `fn` whenever the last message is gone, and now if there is none.
---@param fn fun()
function outbox_methods:when_empty(fn)
  self._lanes:when_empty(fn)
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
  local id, handle = self._store:next_id(), self._handles.new(payload)
  handle.id, handle.track = id, opts and opts.track
  self._known.by_id[id] = handle
  local row = {
    id = id,
    contact = contact,
    lane = contact,
    payload = payload,
    unknown = opts and opts.unknown or self._unknown,
    track = handle.track,
    after = opts and opts.after,
    handle = handle,
    attempts = 0,
  }
  if opts and opts.priority == "bulk" then
    row.is_bulk, row.lane = true, bulk_lane(contact)
  end
  if times then
    row.due, row.expires, row.hours = times.due, times.expires, times.hours
  end
  return row
end

-- Forgets the content of a row, which the store has.
local function make_light(row)
  if row.is_light then
    return
  end
  row.payload, row.text, row.fallback, row.handle = { mobile = row.payload.mobile }, nil, nil, nil
  row.is_light = true
end

-- Queues a stored row behind the others of its contact, when it is due.
local function queue(self, row)
  if row.due and row.due > clock.now() then
    return self:wait_until_due(row)
  elseif self._lanes.items >= max_in_memory and row.state ~= "sending" then -- of an earlier process; there are few
    make_light(row)
  end
  self._lanes:push(row.lane, row, row.is_bulk)
end

-- Starts a row that was marked with its turn's commit, in the lane that is reserved for it.
local function start_marked(self, row)
  if not self._is_stopped then
    return self._lanes:start_reserved(row.lane, row)
  end
  delivery.put_back(self, row, function()
    self._lanes:release(row.lane)
  end)
end

-- Seconds for which a timer waits at most, because the wall clock may be set meanwhile.
local max_sleep = 60

local function arm(self)
  local first = self._later:first()
  if not first or self._is_stopped or (self._timer and self._timer_at <= first.at) then
    return
  elseif self._timer then
    self._timer:close()
  end
  self._timer_at = first.at
  self._timer = clock.after(math.max(0, math.min(max_sleep, first.at - clock.now())), function()
    self._timer = nil
    local now = clock.now()
    while self._later:first() and self._later:first().at <= now do
      local row = self._later:pop().row
      row.due = nil
      queue(self, row)
    end
    arm(self)
  end)
end

---Lets a row wait for its time; it is in no lane, and keeps no event out.
---@param row cunnekt.outbox.row
function outbox_methods:wait_until_due(row)
  make_light(row)
  self._later:push { at = row.due, row = row }
  arm(self)
end

---Queues stored rows.
---@param rows cunnekt.outbox.row[] in the order of the script's calls
function outbox_methods:enqueue(rows)
  self._counts.messages_queued = self._counts.messages_queued + #rows
  for i = 1, #rows do
    local row = rows[i]
    if row.is_marked then
      start_marked(self, row)
    else
      queue(self, row)
    end
  end
end

-- Whether a row of a turn can be written as soon as the turn is committed; takes its permit and reserves its lane.
local function take_slot(self, row)
  if row.after == "delivered" or row.due or row.hours or not self._lanes:reserve(row.lane, row.is_bulk) then
    return false
  elseif self._client:take_permit(row.payload) > 0 then
    self._lanes:release(row.lane)
    return false
  end
  row.has_permit = true
  return true
end

---Marks the rows of a turn that will be written as soon as it is committed: the turn's commit stores them as being sent,
---which saves another commit. `enqueue` or `unmark` must follow.
---@param rows cunnekt.outbox.row[]
function outbox_methods:mark(rows)
  local is_behind = nil -- lanes of rows that were not marked: what follows in them waits, too
  for i = 1, #rows do
    local row = rows[i]
    -- It is marked already when the script has caught what an earlier commit of the turn raised.
    row.is_marked = row.is_marked or (not (is_behind and is_behind[row.lane]) and take_slot(self, row))
    if not row.is_marked then
      is_behind = is_behind or {}
      is_behind[row.lane] = true
    end
  end
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

-- The lanes' gate: a message passes with a permit.
function outbox_methods:_pass(row)
  if row.has_permit or row.is_dropped or (row.after == "delivered" and not row.has_waited) then
    return nil
  end
  local pause, is_for_all = self._client:take_permit(row.payload)
  if pause > 0 then
    return pause, is_for_all
  end
  row.has_permit = true
  return nil
end

---Drops a row whose turn failed before its commit.
---@param row cunnekt.outbox.row
function outbox_methods:discard(row)
  local why = errors.new("cancelled", "the handler failed before its turn was committed")
  self._handles.advance(row.handle, "dropped", why)
end

-- Adds what a row from the store lacks.
local function attach_handle(self, row)
  row.lane = row.is_bulk and bulk_lane(row.contact) or row.contact
  self._known:attach(row)
end

---Recovers the messages of an earlier process: queued ones are sent; the delivery of those that were being sent is uncertain.
---@param rows cunnekt.outbox.row[] in order, see store/recovery.lua
function outbox_methods:recover(rows)
  for _, row in ipairs(rows) do
    attach_handle(self, row)
    local is_lost = row.state == "sending" and row.unknown ~= "resend"
    if is_lost then
      delivery.give_up_lost(self, row)
    else
      queue(self, row)
    end
  end
end

---Sends a failed message again, ahead of all others to its contact.
---@param row table as the store returns it; queued
function outbox_methods:retry_first(row)
  attach_handle(self, row)
  self._lanes:push_front(row.lane, row)
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
    if row and (row.is_marked or row.is_written or (row.handle and row.handle.state == "sending")) then
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

---Waits for the response to the message that is being sent to this contact, if any.
---@param contact string
function outbox_methods:wait_for_answer(contact)
  local row = self._lanes:head(contact)
  if row and row.handle then
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

---Advances the handle of the message that a status is about.
---@param status table an event of kind "status"
---@param record? cunnekt.inbox.record of the event, if it was just stored
function outbox_methods:on_status(status, record)
  self._known:on_status(status, record)
end

return outbox
