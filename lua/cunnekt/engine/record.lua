-- SPDX-License-Identifier: MIT
-- The stored form of an event until its turn is committed: a record with a body. The body of a webhook's event is a webhook
-- with this event alone, so it is parsed again when it is read; an own event (a timer that fired, the outcome of a message)
-- is JSON after a marker byte. Journals hold the same bodies.

local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"
local webhook = require "cunnekt.provider.webhook"

local record = {}

---@class cunnekt.inbox.record
---@field id integer names it; set by the store
---@field seq integer? its place among the events of its conversation; set by the store
---@field contact string
---@field key string? events with the same key are handled once
---@field body string? nil while only the store has it
---@field event table? the parsed event; nil when it must be parsed again
---@field inbound_at number? when the customer wrote, for the service window
---@field status_of string? a status: the id of its message, with the `rank` that it has now and the reason `error`
---@field is_applied boolean? a status: its message was found and raised; set by the store
---@field attempts integer failed turns
---@field may_be_overtaken boolean? while it is retried; set when its turn begins
---@field is_apart boolean? it is retried in a lane of its own
---@field is_tapped boolean? functions of bot:tap have seen its event
---@field queued_at number on the monotonic clock
---@field answers cunnekt.engine.answers? of a turn that conflicted, for the next one
---@field joined cunnekt.inbox.record[]? texts that are handled in the same turn

local own_mark, own_kind = formats.own_mark, formats.own_kind

---The event in a record's body. Raises the kind "corrupt".
---@param body string
---@return table
function record.read_body(body)
  local is_own = body:sub(1, 1) == own_mark
  local event = is_own and json.decode(body:sub(2)) or not is_own and webhook.parse_stored(body)
  if type(event) ~= "table" then
    error(errors.new("corrupt", "an event in the store cannot be read"), 0)
  end
  if is_own and type(event.err) == "table" then
    event.err = errors.new(event.err.kind, event.err.message, event.err)
  end
  return event
end

---Joins the texts of some events in the first one.
---@param events table[]
---@return table event the first; `joined` lists all
function record.join_texts(events)
  local texts = {}
  for i, event in ipairs(events) do
    texts[i] = event.text
    if i > 1 then
      webhook.raw(event) -- it does not become a handler's event, which makes its own
    end
  end
  events[1].text, events[1].joined = table.concat(texts, "\n"), events
  return events[1]
end

---The event of a turn, from its bodies.
---@param bodies string[]
---@return table
function record.read_bodies(bodies)
  local events = {}
  for i, body in ipairs(bodies) do
    events[i] = record.read_body(body)
  end
  return events[2] and record.join_texts(events) or events[1]
end

---The bodies of a record's event and of the texts joined to it.
---@param of cunnekt.inbox.record
---@return string[]
function record.bodies_of(of)
  local bodies = { of.body }
  if of.joined then
    for i, other in ipairs(of.joined) do
      bodies[i + 1] = other.body
    end
  end
  return bodies
end

---A record for an own event.
---@param contact string
---@param event table `status` and its fields, as JSON can represent them; `kind` is set
---@return cunnekt.inbox.record
function record.own(contact, event)
  event.kind = own_kind
  return { contact = contact, body = own_mark .. json.encode(event), event = event, attempts = 0 }
end

---The event that continues a run that waits for nothing, after a crash or chat:back.
---@param contact string
---@param id integer
---@param seed string
---@return cunnekt.inbox.record
function record.resume(contact, id, seed)
  return record.own(contact, { status = "dialog_resume", run = id, seed = seed })
end

return record
