-- SPDX-License-Identifier: MIT
-- Events between the webhook's answer and their turns: stored first, then handled in order for each contact.

local lanes = require "cunnekt.lanes"
local webhook = require "cunnekt.webhook"

local inbox = {}

local inbox_methods = {}
local inbox_mt = { __index = inbox_methods, __name = "cunnekt.inbox" }

---@class cunnekt.inbox.record
---@field seq integer the event's place in the order of acceptance; the store gives it
---@field contact string
---@field dedupe_key string? events with the same one are handled once
---@field body string a webhook body that holds this event alone, so that reading it back is parsing it again
---@field event table the parsed event
---@field inbound_at number? when the customer wrote, for the service window
---@field attempts integer turns that failed so far

---@param options table `store`; `concurrency` turns at once; `capacity` events waiting; `run(record, done)` runs a turn, see lanes.new
function inbox.new(options)
  return setmetatable({
    lanes = lanes.new(options.concurrency, options.run),
    _store = options.store,
    _capacity = options.capacity,
    _accepting = 0,
  }, inbox_mt)
end

---Whether so many more events may be accepted.
---@param count integer
function inbox_methods:has_room(count)
  return self.lanes:count() + self._accepting + count <= self._capacity
end

local function record_of(event, body)
  return {
    contact = webhook.key(event),
    dedupe_key = webhook.dedupe_key(event),
    body = body,
    event = event,
    inbound_at = event.kind == "message" and event.timestamp or nil,
    attempts = 0,
  }
end

---Queues records that are stored already.
---@param records cunnekt.inbox.record[] in the order of acceptance
function inbox_methods:enqueue(records)
  for _, record in ipairs(records) do
    self.lanes:push(record.contact, record)
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
    done(err)
    if fresh then
      self:enqueue(fresh)
    end
  end)
end

return inbox
