-- SPDX-License-Identifier: MIT
-- The queue of events between the webhook's answer and their turns: stored first, then handled in order, one lane per
-- contact. It does not decide what handles an event: the hook `on_turn` does.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local formats = require "cunnekt.store.formats"
local identity = require "cunnekt.provider.identity"
local incoming = require "cunnekt.store.incoming"
local mail = require "cunnekt.engine.mail"
local record_of = require "cunnekt.engine.record"
local recovery = require "cunnekt.store.recovery"
local status_names = require "cunnekt.provider.status"
local units = require "cunnekt.time.units"
local webhook = require "cunnekt.provider.webhook"

local inbox = {}

local inbox_methods = {}
local inbox_mt = { __index = inbox_methods, __name = "cunnekt.inbox" }

---@class cunnekt.inbox
---@param options table `store`; `concurrency`: maximum of running turns; `capacity`: maximum of waiting events; `has_to_wait`: whether a contact's later events wait for one that is retried; `outbox`: gets statuses on acceptance; `wall_clock`: gets timestamps; `counts`: is incremented
---@return cunnekt.inbox
function inbox.new(options)
  local self = setmetatable({
    _lanes = core.lanes(options.concurrency),
    _store = options.store,
    _has_to_wait = options.has_to_wait,
    _outbox = options.outbox,
    _wall_clock = options.wall_clock,
    _counts = options.counts,
  }, inbox_mt)
  self._core = core.inbox(self:_parts(options.capacity))
  self.mail = mail.new {
    store = options.store,
    accept = function(body, done, letter)
      return self:_give(body, done, nil, letter)
    end,
  }
  return self
end

---Sets what runs a turn.
---@param on_turn fun(record: cunnekt.inbox.record, done: fun(pause?: number)) see cunnekt.engine.hooks
---@param on_join fun(from: string, to: string, was_used: boolean) called when the events of one conversation have become those of another
---@param is_heard? fun(status: string): boolean see cunnekt.engine.hooks
function inbox_methods:connect(on_turn, on_join, is_heard)
  self._lanes:connect(on_turn)
  self._is_heard = is_heard
  self._on_turn, self._on_join = on_turn, on_join
end

---The number of events that wait or are being handled.
---@return integer
function inbox_methods:count()
  return self._lanes:count()
end

---The number of events that are being handled.
---@return integer
function inbox_methods:active()
  return self._lanes:active()
end

---Starts no more turns; running ones may finish.
function inbox_methods:stop()
  self._lanes:stop()
end

---Calls `fn` whenever the last running turn ends, and now if none is running.
---@param fn fun()
function inbox_methods:when_quiet(fn)
  self._lanes:when_quiet(fn)
end

---Whether `count` more events may be accepted.
---@param count integer
function inbox_methods:has_room(count)
  return count <= self._core:room()
end

local inbound_at = webhook.inbound_at

local is_report = status_names.set(status_names.own_events)

-- Notes that the contact's later events may overtake this one while it is retried: it is no message, and nothing that a dialog
-- waits for.
local function note_order(record, event)
  record.may_be_overtaken = event.kind ~= formats.own_kind or is_report[event.status] == true
end

---Queues stored records.
---@param records cunnekt.inbox.record[] in order of acceptance
function inbox_methods:enqueue(records)
  self._core:enqueue(records)
end

---Two conversations have turned out to be one person's: the events of one are the other's.
---@param from string
---@param to string
function inbox_methods:join_contacts(from, to)
  self._lanes:join(from, to, recovery.comes_before, function(record)
    record.contact = to
  end)
end

---Takes the event of a record for one turn: a handler may change it, so the next turn parses it again. May wait.
---@param record cunnekt.inbox.record
---@return table? event nil when it was dropped from the store
---@return cunnekt.error? err kind store
function inbox_methods:take(record)
  local event = record.event
  record.event = nil
  if event then
    if event.kind ~= "message" then
      note_order(record, event)
    end
    return event, nil
  end
  local body, err = record.body, nil
  if not body then
    body, err = self._store:event_body(record.id)
  end
  if not body then
    return nil, err
  end
  record.body = body
  event = record_of.read_body(body)
  record.inbound_at = inbound_at(event)
  if event.kind ~= "message" then
    note_order(record, event)
  end
  return event
end

---Seconds until the record's contact has been quiet for `seconds`; 0 when it has.
---@param record cunnekt.inbox.record
---@param seconds number
---@return number
function inbox_methods:seconds_until_quiet(record, seconds)
  local last = self._lanes:last(record.contact) or record
  return math.max(0, (last.queued_at or 0) + seconds - clock.monotonic())
end

---Joins the texts that wait behind a text to its record, so that one turn handles and finishes them all. May wait.
---@param record cunnekt.inbox.record
---@param event table the record's event; its text grows, and `joined` lists the events in it
---@param fits fun(event: table): boolean
function inbox_methods:join(record, event, fits)
  record.joined = record.joined or {}
  local function is_like(other)
    local parsed = self:take(other)
    other.event = parsed
    return parsed ~= nil and parsed.type == "text" and parsed.group_id == event.group_id and fits(parsed)
  end
  local second = self._lanes:second(record.contact)
  while second and is_like(second) and self._lanes:take_second(record.contact, second) do
    record.joined[#record.joined + 1] = second
    second = self._lanes:second(record.contact)
  end
  local events, joined = { event }, {}
  for _, other in ipairs(record.joined) do
    local parsed, err = self:take(other)
    if err then
      error(err, 0)
    elseif parsed then
      events[#events + 1], joined[#joined + 1] = parsed, other
      record.inbound_at = math.max(record.inbound_at or 0, other.inbound_at or 0)
    end
  end
  record.joined = joined -- without those that an operator has dropped
  record_of.join_texts(events)
end

---Reads a record's body anew, and those of the texts joined to it, after a turn that had a conflict: an operator may have
---dropped the event. Texts that were joined to one that is gone wait again. Waits.
---@param record cunnekt.inbox.record
---@return boolean is_there
---@return cunnekt.error? err kind store
function inbox_methods:reload(record)
  local body, err = self._store:event_body(record.id)
  if err then
    return false, err
  end
  for _, other in ipairs(record.joined or {}) do
    other.event, other.body = nil, nil
  end
  record.event, record.body = nil, body
  if not body then
    for i = #(record.joined or {}), 1, -1 do
      self._lanes:push_front(record.contact, record.joined[i])
    end
    record.joined = nil
  end
  return body ~= nil
end

-- Lanes of events that are apart from their contact's.
local function retry_lane(id)
  return ("retry %d"):format(id)
end

local function apart_lane(contact)
  return "apart " .. contact
end

---Schedules a retry of an event. The contact's later events wait for a message, unless `has_to_wait` is false, and overtake
---anything else: the customer's next message has nothing to do with a status that a handler failed at.
---@param record cunnekt.inbox.record
---@param pause number seconds
---@param done fun(pause?: number) of its turn
function inbox_methods:try_later(record, pause, done)
  local has_to_wait = self._has_to_wait and not record.may_be_overtaken
  if has_to_wait or record.is_apart then
    return done(pause)
  end
  -- A lane of its own, so that the retry counts as a waiting event.
  record.is_apart = true
  self._lanes:push_later(retry_lane(record.id), record, pause)
  done()
end

---Lets an event wait beside its contact's later ones, in one lane with those of the contact that do so as well.
---@param record cunnekt.inbox.record
---@param pause number seconds
---@param done fun(pause?: number) of its turn
function inbox_methods:wait_apart(record, pause, done)
  if record.is_apart then
    return done(pause)
  end
  record.is_apart = true
  self._lanes:push_later(apart_lane(record.contact), record, pause)
  done()
end

-- ---- for the command line ------------------------------------------------------------------------------------------

---Queues a former dead letter ahead of all other events of its contact.
---@param id integer
---@param contact string
---@param seq? integer its place among the events of its conversation
function inbox_methods:retry_first(id, contact, seq)
  local record = { id = id, seq = seq, contact = contact, attempts = 0, queued_at = clock.monotonic() }
  self._lanes:push_front(contact, record)
end

---Drops the cached body of a waiting event, so that its turn reads the store, and finds nothing if it was dropped there.
---@param id integer
---@param contact string
---@return boolean is_forgotten false when the event is being handled
function inbox_methods:forget(id, contact)
  for _, key in ipairs { contact, retry_lane(id), apart_lane(contact) } do
    local record, is_under_way = self._lanes:find(key, function(one)
      return one.id == id
    end)
    if is_under_way then
      return false
    elseif record then
      record.event, record.body = nil, nil
    end
  end
  return true
end

---Ends the delay before an event's retry, if it waits for one.
---@param id integer
---@param contact string
function inbox_methods:retry_now(id, contact)
  self._lanes:retry_now(retry_lane(id))
  local head = self._lanes:head(contact)
  if head and head.id == id then
    self._lanes:retry_now(contact)
  end
end

-- ---- what the store has accepted -----------------------------------------------------------------------------------

-- Joins in memory what the store has joined for these events. Some of them may have been of the conversation that is gone.
local function join_all(self, records)
  for _, record in ipairs(records) do
    for _, other in ipairs(record.others or {}) do
      if other.joined then
        self._on_join(other.joined, record.contact, other.was_used)
        for _, one in ipairs(records) do
          one.contact = one.contact == other.joined and record.contact or one.contact
        end
      end
    end
  end
end

-- What a new event causes before its turn.
local function on_accepted(self, record)
  if record.timestamp then
    self._wall_clock:witness(record.timestamp)
  end
  if record.is_status then
    self._outbox:on_status(record.event or record_of.read_body(record.body), record)
  end
end

-- All calls for a webhook are answered. Stored events are handled even if others failed: the sender repeats the webhook, and they
-- are duplicates then.
local function end_webhook(self, webhook_of, fresh, problem)
  self._core:ended(webhook_of.count)
  local counts, new = self._counts, #fresh
  counts.events_accepted = counts.events_accepted + new
  counts.events_deduplicated = counts.events_deduplicated + (problem and 0 or webhook_of.count - new)
  webhook_of.done(problem, webhook_of.subject)
  if self._store.persons.has_aliases and not problem then
    join_all(self, fresh)
  end
  for i = 1, new do
    on_accepted(self, fresh[i])
  end
  self:enqueue(fresh)
end

-- The store has answered to a call for a webhook, not as usual: it has failed, or is one of several; or an event may be another
-- conversation's than it says. `parts`: of a webhook with several calls; `message` where some of these were not taken.
local function on_answer(self, fresh, joins, webhook_of, parts)
  local failure = not fresh and joins or nil -- an error
  if fresh then
    incoming.note(self._store, fresh, joins)
  end
  if not parts then
    return end_webhook(self, webhook_of, fresh or {}, failure)
  end
  parts.failure = failure or parts.failure or parts.message and incoming.error_of(parts.message, parts.code)
  parts.all = parts.all and table.move(fresh or {}, 1, #(fresh or {}), #parts.all + 1, parts.all) or fresh
  parts.missing = parts.missing - 1
  if parts.missing == 0 then
    end_webhook(self, webhook_of, parts.all or {}, parts.failure)
  end
end

-- An event without an id is known by its content. One webhook may say the same twice, and means two events then; without a time
-- what says the same on another day is not a repetition.
local function key_by_content(event, batch)
  local key = webhook.dedupe_key(event)
  if not event.timestamp then
    key = ("%s:%d"):format(key, clock.now() // units.day)
  end
  if batch then
    local count = (batch[key] or 0) + 1
    batch[key] = count
    key = count > 1 and ("%s:%d"):format(key, count) or key
  end
  return key
end

-- What C does not know of an event: the key of one that is known by its content, the body of one of several, and why a message
-- failed. `batch`: what the events of a body must know of each other, where there are several.
local function describe(event, batch)
  local key = webhook.known_by_content[event.kind] and key_by_content(event, batch) or nil
  local body = batch and webhook.wrap(event) or nil
  return key, body, event.kind == "status" and select(2, status_names.rank_of(event)) or nil
end

-- What the core needs, and asks in rare cases; see src/bind/engine/inbox.c.
function inbox_methods:_parts(capacity)
  local store, its_outbox = self._store, self._outbox
  local parts = {
    lanes = self._lanes, capacity = capacity, sends = its_outbox.lanes, replies = its_outbox.replies, store = store:face(),
    store_face = store, persons = store.persons, conversations = store.conversations.cache, counts = self._counts,
    wall_clock = self._wall_clock, accept = core.accept_webhook, describe = describe, is_same = identity.same,
    minds_mail = store.is_shared,
  }
  function parts.note_inbound(fresh)
    store.conversations:note_inbound(fresh)
  end
  function parts.general(fresh, joins, count, done, subject, several)
    on_answer(self, fresh, joins, { count = count, done = done, subject = subject }, several)
  end
  function parts.is_heard(status)
    return not self._is_heard or self._is_heard(status)
  end
  function parts.on_status(record)
    its_outbox:on_status(record.event or record_of.read_body(record.body), record)
  end
  return parts
end

-- `letter`: the id of mail, or false, as of core_inbox.accept.
function inbox_methods:_give(body, done, subject, letter)
  local is_taken, more, code = self._core:accept(body, done, subject, letter)
  if not is_taken then
    return nil, incoming.refusal(more, code)
  end
  return true, more
end

-- Other hosts may take webhooks: this one goes behind those that wait. Nothing is held that there is no room for.
function inbox_methods:_accept_behind(body, done, subject)
  if not self:has_room(1) then
    return nil, incoming.refusal("too many events are waiting", "no_room")
  end
  return self.mail:accept(body, done, subject)
end

---Stores the events of a webhook, then queues the new ones. Where webhooks that other hosts have taken wait, it goes behind them.
---@param body string
---@param done fun(err: cunnekt.error?, subject: any) after an error the sender must repeat the webhook; what was stored is found as a duplicate then. With other hosts also an error of those below
---@param subject any
---@return boolean? is_taken nil: nothing is stored, and `done` is not called
---@return cunnekt.error? err kind invalid, too_large, store, or busy: there is no room
function inbox_methods:accept(body, done, subject)
  if self._store.is_shared then
    return self:_accept_behind(body, done, subject)
  end
  -- As _give does, without a call more on the usual way.
  local is_taken, message, code = self._core:accept(body, done, subject)
  if not is_taken then
    return nil, incoming.refusal(message, code)
  end
  return true
end

return inbox
