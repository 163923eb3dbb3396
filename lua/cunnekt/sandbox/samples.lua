-- SPDX-License-Identifier: MIT
-- Sample webhooks in the provider's own form, one for every type of message and every status: Meta's `value` object,
-- flattened, with ids and timestamps as strings. It only builds tables; the sandbox and `cunnekt trigger` post them. Other events
-- are in sample_events.lua.
local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local ids = require "cunnekt.sandbox.ids"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local media = require "cunnekt.sandbox.media"
local options = require "cunnekt.base.options"
local paths = require "cunnekt.sandbox.paths"
local sample_events = require "cunnekt.sandbox.sample_events"
local status_names = require "cunnekt.provider.status"
local units = require "cunnekt.time.units"

local samples = {}

---@class cunnekt.sample_options
---@field from string|nil the customer's number (919999999999)
---@field name string|nil the customer's profile name (Asha)
---@field text string|nil what the customer wrote; a file's caption; a reply's title; a form's answers as JSON
---@field id string|nil for button, list and quick_reply the id that was chosen; for reactions, edits, deletions and statuses the message; else the message's own id
---@field message_id string|nil the message's own id (a new one)
---@field title string|nil a reply's title
---@field description string|nil a list row's description
---@field context string|nil id of the message that is answered; none is made up, since it would be a tap on another message
---@field data string|nil a file's bytes
---@field filename string|nil
---@field mime_type string|nil
---@field form table|nil a form's answers
---@field code integer|nil the code of a failure (131026)
---@field conversation string|nil id of the conversation that a status belongs to
---@field category string|nil billing category of a status (utility)
---@field timestamp number|nil Unix seconds (now)
---@field set table<string, any>|nil fields to change, by path; json.null removes one
---@field envelope boolean|nil Meta's envelope instead of the flattened form

samples.NUMBER = "919999999999"
samples.BUSINESS = "919873617805"
samples.PHONE_NUMBER_ID = identity.sample_phone_number_id

---@type string[]
samples.types = {
  "text", "button", "list", "quick_reply", "form", "image", "video", "audio", "document", "sticker", "location",
  "contacts", "reaction", "order", "system", "edit", "revoke", "request_welcome", "call_permission_reply", "unsupported", "unknown",
}

---@type string[]
samples.statuses = status_names.reported

---@type string[] kinds of what is neither
samples.events = sample_events.kinds

local OPTIONS = {
  from = "string", name = "string", text = "string", id = "string", message_id = "string", title = "string",
  description = "string", context = "string", data = "string", filename = "string", mime_type = "string",
  form = "table", code = "integer", category = "string", conversation = "string", timestamp = "number", set = "table", envelope = "boolean",
}

local function seconds_after(o, more)
  return ("%d"):format((o.timestamp or clock.now()) // 1 + more)
end

local function seconds(o)
  return seconds_after(o, 0)
end

-- Each returns the type in the webhook and its content. `file` is given for types with one.
local CONTENT = {}

function CONTENT.text(o)
  return "text", { body = o.text or "hello" }
end

function CONTENT.button(o)
  local id = o.id or "1"
  return "interactive", { type = "button_reply", button_reply = { id = id, title = o.title or o.text or id } }
end

function CONTENT.list(o)
  local id = o.id or "1"
  local reply = { id = id, title = o.title or o.text or id, description = o.description }
  return "interactive", { type = "list_reply", list_reply = reply }
end

function CONTENT.form(o)
  local answers = o.form and json.encode(o.form) or o.text or '{"rating":"5","flow_token":"unused"}'
  return "interactive", { type = "nfm_reply", nfm_reply = { name = "flow", body = "Sent", response_json = answers } }
end

function CONTENT.quick_reply(o)
  local payload = o.id or "yes"
  return "button", { payload = payload, text = o.title or o.text or payload }
end

local function file_content(kind)
  return function(o, file)
    local content = { mime_type = file.mime_type, sha256 = file.sha256, id = "1288177442071795", caption = o.text }
    if kind == "document" then
      content.filename = file.filename
    elseif kind == "audio" then
      content.voice, content.caption = true, nil
    elseif kind == "sticker" then
      content.animated, content.caption = false, nil
    end
    return kind, content
  end
end

for _, kind in ipairs { "image", "video", "audio", "document", "sticker" } do
  CONTENT[kind] = file_content(kind)
end

function CONTENT.location(o)
  return "location", { latitude = 28.6139, longitude = 77.209, name = o.text or "Connaught Place", address = "New Delhi" }
end

function CONTENT.contacts(o)
  local name = o.text or "Ravi Shah"
  local person = {
    name = { formatted_name = name, first_name = name },
    phones = { { phone = "+919888888888", wa_id = "919888888888", type = "CELL" } },
  }
  return "contacts", { person }
end

function CONTENT.reaction(o)
  local emoji = o.text or "\u{1F44D}"
  -- A removed reaction has no emoji.
  return "reaction", { message_id = o.id or ids.outbound(o.from), emoji = emoji ~= "" and emoji or nil }
end

function CONTENT.order(o)
  local product = { product_retailer_id = "tea-250", quantity = 2, item_price = 120, currency = "INR" }
  return "order", { catalog_id = "194836987003835", text = o.text, product_items = { product } }
end

function CONTENT.system(o)
  local body = o.text or "User A changed from 919999999999 to 918888888888"
  return "system", { body = body, wa_id = "918888888888", type = "user_changed_number" }
end

function CONTENT.edit(o)
  local message = { type = "text", text = { body = o.text or "hello, with better words" } }
  return "edit", { original_message_id = o.id or ids.inbound(o.from), message = message }
end

function CONTENT.revoke(o)
  return "revoke", { original_message_id = o.id or ids.inbound(o.from) }
end

function CONTENT.request_welcome()
  return "request_welcome", nil
end

function CONTENT.call_permission_reply(o)
  local reply = { response = o.text or "accept", expiration_timestamp = seconds_after(o, units.day), response_source = "user_action" }
  return "interactive", { type = "call_permission_reply", call_permission_reply = reply }
end

function CONTENT.unsupported()
  return "unsupported", nil
end

-- A type of the future, which receivers must survive.
function CONTENT.unknown(o)
  return "hologram", { note = o.text or "a message type of the future" }
end

-- Types whose `id` is not the message's own.
local OWN_ID = { button = false, list = false, quick_reply = false, reaction = false, edit = false, revoke = false }


local function metadata()
  return { display_phone_number = samples.BUSINESS, phone_number_id = samples.PHONE_NUMBER_ID }
end

local function message_of(kind, o, file)
  local from = o.from
  local wire_type, content = CONTENT[kind](o, file)
  local message = {
    from = from,
    id = o.message_id or (OWN_ID[kind] == nil and o.id) or ids.inbound(from),
    timestamp = seconds(o),
    type = wire_type,
    [wire_type] = content,
  }
  if o.context then
    message.context = { from = message.from, id = o.context }
  end
  return message
end

local function message_body(kind, o)
  local from = o.from
  local file = media.is_media(kind) and media.file(kind, o) or nil
  local message = message_of(kind, o, file)
  local body = { messaging_product = "whatsapp", metadata = metadata(), messages = { message } }
  if kind == "unsupported" then
    local details = { details = "Message type is currently not supported." }
    message.errors = { { code = 131051, title = "Message type unknown", message = "Message type unknown", error_data = details } }
  end
  if kind ~= "system" then -- which has no contacts at Meta
    body.contacts = { { profile = { name = o.name or "Asha" }, wa_id = from } }
  end
  return body, { id = message.id, from = from, file = file }
end

local FAILURES = {
  [131026] = "Message undeliverable",
  [131047] = "Re-engagement message",
  [131049] = "Message not delivered to maintain healthy ecosystem engagement",
  [131053] = "Media upload error",
}

local function add_price(status, o)
  local category = o.category or "utility"
  status.conversation = { id = o.conversation or ids.conversation(), origin = { type = category } }
  status.pricing = { billable = true, pricing_model = "CBP", category = category }
end

local function status_body(kind, o)
  local recipient = o.from
  local status = {
    id = o.id or o.message_id or ids.outbound(recipient),
    status = kind,
    timestamp = seconds(o),
    recipient_id = recipient,
  }
  if kind == "sent" then
    add_price(status, o)
    status.conversation.expiration_timestamp = seconds_after(o, limits.service_window)
  elseif kind == "delivered" then
    add_price(status, o)
  elseif kind == "failed" then
    local code = o.code or 131026
    local title = o.title or FAILURES[code] or "Something went wrong"
    status.errors = { { code = code, title = title, message = title, error_data = { details = o.text or title } } }
  end
  return { messaging_product = "whatsapp", metadata = metadata(), statuses = { status } }, { id = status.id, from = recipient }
end

local STATUSES = status_names.set(samples.statuses)

---@param kind string
---@return boolean
function samples.is_message(kind)
  return CONTENT[kind] ~= nil
end

---@param kind string
---@return boolean
function samples.is_status(kind)
  return STATUSES[kind] == true
end

---Whether it is a kind of other events: a call, a change of the account, …
---@param kind string
---@return boolean
function samples.is_event(kind)
  return sample_events.is_kind(kind)
end

---Puts a flattened body into Meta's envelope.
---@param value table
---@param field string|nil Meta's name of the change ("messages")
---@return table
function samples.envelope(value, field)
  local change = { field = field or "messages", value = value }
  return { object = "whatsapp_business_account", entry = { { id = "102290129340398", changes = { change } } } }
end

---The webhook body of one message, status or other event.
---@param kind string one of samples.types, samples.statuses or samples.events
---@param opts cunnekt.sample_options|nil
---@return table|nil body
---@return table about `{id, from, file = {data, mime_type, filename, sha256}|nil}`; the error when there is no such type
function samples.build(kind, opts)
  local o = options.check("samples.build", opts, OPTIONS, 3)
  o.from = o.from or samples.NUMBER
  local body, about
  if CONTENT[kind] then
    body, about = message_body(kind, o)
  elseif STATUSES[kind] then
    body, about = status_body(kind, o)
  elseif sample_events.is_kind(kind) then
    o.time, o.business = seconds(o), samples.BUSINESS
    body, about = sample_events.build(kind, o, message_of, metadata())
  else
    return nil, errors.new("invalid", ("there is no type '%s' of event"):format(kind), { field = "type" })
  end
  if o.set then
    paths.set_all(body, o.set)
  end
  return o.envelope and not body.entry and samples.envelope(body, about.field) or body, about
end

---The body of a status without checks, since the sandbox makes three for every message.
---@param kind string one of samples.statuses
---@param o cunnekt.sample_options not checked; `from` is needed
---@return table body
function samples.status(kind, o)
  return (status_body(kind, o))
end

return samples
