-- SPDX-License-Identifier: MIT
-- Events between the webhook's answer and their turns: stored first, then handled in order for each contact.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local lanes = require "cunnekt.engine.lanes"
local webhook = require "cunnekt.provider.webhook"

local inbox = {}

-- So many waiting events are kept in memory whole; of those beyond only the place in the store is.
local most_in_memory = 2000

local inbox_methods = {}
local inbox_mt = { __index = inbox_methods, __name = "cunnekt.inbox" }

---@class cunnekt.inbox.record
---@field seq integer the event's place in the order of acceptance; the store gives it
---@field contact string
---@field dedupe_key string? events with the same one are handled once
---@field body string? a webhook body that holds this event alone, so that reading it back is parsing it again
---@field event table? the parsed event; nil when it must be read again
---@field inbound_at number? when the customer wrote, for the service window
---@field attempts integer turns that failed so far
---@field queued_at number on the steady clock
---@field joined cunnekt.inbox.record[]? texts that are handled in the same turn

---@param options table `store`; `concurrency` turns at once; `capacity` events waiting; `has_to_wait` for an event that is tried again; `on_accepted(event, seq)` hears each new event at once; `counts` is added to; `run(record, done)` runs a turn, see lanes.new
function inbox.new(options)
  return setmetatable({
    lanes = lanes.new(options.concurrency, options.run),
    _store = options.store,
    _capacity = options.capacity,
    _has_to_wait = options.has_to_wait,
    _on_accepted = options.on_accepted,
    _counts = options.counts,
    _accepting = 0,
  }, inbox_mt)
end

---Whether so many more events may be accepted.
---@param count integer
function inbox_methods:has_room(count)
  return self.lanes:count() + self._accepting + count <= self._capacity
end

-- Events of our own are kept as JSON behind a byte that no webhook begins with.
local own_mark = "\1"

---The event in a record's body.
---@param body string
---@return table
function inbox.read_body(body)
  if body:sub(1, 1) == own_mark then
    local event = json.decode(body:sub(2))
    event.err = event.err and errors.new(event.err.kind, event.err.message, event.err)
    return event
  end
  return webhook.parse(body)[1]
end

-- Puts the texts of some events into the first.
local function join_texts(events)
  local texts = {}
  for i, event in ipairs(events) do
    texts[i] = event.text
  end
  events[1].text, events[1].joined = table.concat(texts, "\n"), events
  return events[1]
end

---The event that a turn handled, from the bodies that it was made of.
---@param bodies string[]
---@return table
function inbox.read_bodies(bodies)
  local events = {}
  for i, body in ipairs(bodies) do
    events[i] = inbox.read_body(body)
  end
  return events[2] and join_texts(events) or events[1]
end

---The bodies that the event of a record is made of.
---@param record cunnekt.inbox.record
---@return string[]
function inbox.bodies_of(record)
  local bodies = { record.body }
  for i, other in ipairs(record.joined or {}) do
    bodies[i + 1] = other.body
  end
  return bodies
end

---A record for an event of our own: what became of a message, or a window that closes.
---@param contact string
---@param event table kind "own", status, and what goes with it; must be fit for JSON
---@return cunnekt.inbox.record
function inbox.own_record(contact, event)
  event.kind = "own"
  return { contact = contact, body = own_mark .. json.encode(event), event = event, attempts = 0 }
end

local function inbound_at(event)
  return event.kind == "message" and event.timestamp or nil
end

local function record_of(event, body)
  return {
    contact = webhook.key(event),
    dedupe_key = webhook.dedupe_key(event),
    body = body,
    event = event,
    inbound_at = inbound_at(event),
    attempts = 0,
  }
end

---Queues records that are stored already.
---@param records cunnekt.inbox.record[] in the order of acceptance
function inbox_methods:enqueue(records)
  for _, record in ipairs(records) do
    if self.lanes:count() >= most_in_memory then
      record.event, record.body = nil, nil
    end
    record.queued_at = clock.monotonic()
    self.lanes:push(record.contact, record)
  end
end

---The event of a record, for one turn: a handler may change it, so the next turn reads it anew. May wait.
---@param record cunnekt.inbox.record
---@return table? event nil when it is gone
---@return cunnekt.error? err kind store
function inbox_methods:take(record)
  local event = record.event
  record.event = nil
  if event then
    return event, nil
  end
  local body, err = record.body, nil
  if not body then
    body, err = self._store:event_body(record.seq)
  end
  if not body then
    return nil, err
  end
  record.body = body
  event = inbox.read_body(body)
  record.inbound_at = inbound_at(event)
  return event
end

---Seconds until the contact of this record has been quiet for so long; 0 when it has.
---@param record cunnekt.inbox.record
---@param seconds number
---@return number
function inbox_methods:seconds_until_quiet(record, seconds)
  local last = self.lanes:last(record.contact) or record
  return math.max(0, (last.queued_at or 0) + seconds - clock.monotonic())
end

---Takes the texts that wait behind a text into its record, so that one turn handles and finishes them all. May wait.
---@param record cunnekt.inbox.record
---@param event table the record's event; its text grows, and `joined` lists the events in it
---@param fits fun(event: table): boolean
function inbox_methods:join(record, event, fits)
  record.joined = record.joined or {}
  local function is_like(other)
    local parsed = self:take(other)
    other.event = parsed
    return parsed ~= nil and parsed.type == "text" and fits(parsed)
  end
  repeat
    local other = self.lanes:take_second(record.contact, is_like)
    record.joined[#record.joined + 1] = other
  until not other
  local events = { event }
  for _, other in ipairs(record.joined) do
    local parsed = self:take(other)
    if parsed then
      events[#events + 1] = parsed
      record.inbound_at = math.max(record.inbound_at or 0, other.inbound_at or 0)
    end
  end
  join_texts(events)
end

---Plans another turn of an event: the contact's other events wait for it, or pass it by.
---@param record cunnekt.inbox.record
---@param pause number seconds
---@param done fun(pause?: number) of its turn
function inbox_methods:try_later(record, pause, done)
  if self._has_to_wait then
    return done(pause)
  end
  -- A lane of its own, so that the next turn counts as waiting work like any other.
  self.lanes:push_later(("retry %d"):format(record.seq), record, pause)
  done()
end

-- ---- for the command line ------------------------------------------------------------------------------------------

---Takes an event up that was set aside and waits again, before all others of its contact.
---@param seq integer
---@param contact string
function inbox_methods:take_up(seq, contact)
  local record = { seq = seq, contact = contact, attempts = 0, queued_at = clock.monotonic() }
  self.lanes:push_front(contact, record)
end

---Forgets what is in memory of a waiting event, so that its turn looks into the store, and finds nothing when it was
---dropped there.
---@param seq integer
---@param contact string
---@return boolean is_forgotten false when it is being handled
function inbox_methods:forget(seq, contact)
  for _, key in ipairs { contact, ("retry %d"):format(seq) } do
    local record, is_under_way = self.lanes:find(key, function(one)
      return one.seq == seq
    end)
    if is_under_way then
      return false
    elseif record then
      record.event, record.body = nil, nil
    end
  end
  return true
end

---Takes a waiting event's turn now, if it waits for another try.
---@param seq integer
---@param contact string
function inbox_methods:hurry(seq, contact)
  self.lanes:hurry(("retry %d"):format(seq))
  local head = self.lanes:head(contact)
  if head and head.seq == seq then
    self.lanes:hurry(contact)
  end
end

---Stores the events of one body, then queues those that are new.
---@param events table[] as webhook.parse gives them
---@param body string what they were parsed from
---@param done fun(err: cunnekt.error?) nothing of it is stored when there is an error
function inbox_methods:accept(events, body, done)
  local records = {}
  for i, event in ipairs(events) do
    records[i] = record_of(event, #events == 1 and body or webhook.wrap(event))
  end
  self._accepting = self._accepting + #records
  self._store:accept(records, function(fresh, err)
    self._accepting = self._accepting - #records
    local counts, new = self._counts, fresh and #fresh or 0
    counts.events_accepted = counts.events_accepted + new
    counts.events_deduplicated = counts.events_deduplicated + (err and 0 or #records - new)
    done(err)
    for _, record in ipairs(fresh or {}) do
      self._on_accepted(record.event, record.seq)
    end
    self:enqueue(fresh or {})
  end)
end

return inbox
