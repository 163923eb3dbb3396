-- SPDX-License-Identifier: MIT
-- How an event is stored until its turn is committed: a record with the event's body. A webhook's event keeps a body that
-- holds this event alone, so reading it back is parsing it again; an event of our own (a timer that fired, the outcome of
-- a message) is JSON behind a mark. Journals keep the same bodies.

local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"
local webhook = require "cunnekt.provider.webhook"

local record = {}

---@class cunnekt.inbox.record
---@field seq integer the event's place in the order of acceptance; the store gives it
---@field contact string
---@field dedupe_key string? events with the same one are handled once
---@field body string? nil while the event is in the store only
---@field event table? the parsed event; nil when it must be read again
---@field inbound_at number? when the customer wrote, for the service window
---@field attempts integer turns that failed so far
---@field queued_at number on the steady clock
---@field joined cunnekt.inbox.record[]? texts that are handled in the same turn

local own_mark, own_kind = formats.own_mark, formats.own_kind

---The event in a record's body.
---@param body string
---@return table
function record.read_body(body)
  if body:sub(1, 1) == own_mark then
    local event = json.decode(body:sub(2))
    event.err = event.err and errors.new(event.err.kind, event.err.message, event.err)
    return event
  end
  return webhook.parse(body)[1]
end

---Puts the texts of some events into the first.
---@param events table[]
---@return table event the first; `joined` lists them all
function record.join_texts(events)
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
function record.read_bodies(bodies)
  local events = {}
  for i, body in ipairs(bodies) do
    events[i] = record.read_body(body)
  end
  return events[2] and record.join_texts(events) or events[1]
end

---The bodies that the event of a record is made of.
---@param of cunnekt.inbox.record
---@return string[]
function record.bodies_of(of)
  local bodies = { of.body }
  for i, other in ipairs(of.joined or {}) do
    bodies[i + 1] = other.body
  end
  return bodies
end

---A record for an event of our own.
---@param contact string
---@param event table `status`, and what goes with it; must be fit for JSON
---@return cunnekt.inbox.record
function record.own(contact, event)
  event.kind = own_kind
  return { contact = contact, body = own_mark .. json.encode(event), event = event, attempts = 0 }
end

return record
