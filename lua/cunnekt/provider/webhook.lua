-- SPDX-License-Identifier: MIT
-- Webhooks: a POST's body to events, and an event back to a body; the keys that order and deduplicate events; and the two
-- checks of Meta's own webhooks. Pure functions: nothing is stored or sent here. The parser is src/webhook, with src/bind/webhook.

local canonical = require "cunnekt.base.canonical"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"

local parse_webhook, of_event = core.parse_webhook, identity.of_event

---@class cunnekt.webhook
local webhook = {}

---An event of a webhook: one table per item in it. Fields that are missing, null or of a wrong shape in the webhook are
---absent. `raw` is the original item, with `json.null` for null; it shares no table with the other fields.
---@alias cunnekt.webhook.event cunnekt.webhook.message|cunnekt.webhook.echo|cunnekt.webhook.status|cunnekt.webhook.payment|cunnekt.webhook.call|cunnekt.webhook.user_preferences|cunnekt.webhook.user_id_update|cunnekt.webhook.group|cunnekt.webhook.automatic_event|cunnekt.webhook.history|cunnekt.webhook.state_sync|cunnekt.webhook.account|cunnekt.webhook.error|cunnekt.webhook.unknown

---What all events of a person have.
---@class cunnekt.webhook.about
---@field contact? cunnekt.webhook.contact the webhook's contact with the ids of this event, or its only contact, where in a value with several items no id contradicts
---@field name? string that contact's own name for themselves
---@field username? string that contact's
---@field phone_number_id? string id of the business number
---@field display_phone_number? string that number
---@field timestamp? integer Unix seconds, whatever unit the webhook has
---@field raw table

---@class cunnekt.webhook.contact as in the webhook, with the names of `profile` beside the ids
---@field wa_id? string a number, which may differ from `from`
---@field user_id? string
---@field parent_user_id? string
---@field name? string
---@field username? string
---@field profile? table {name?, username?}

---What is in a message.
---@class cunnekt.webhook.content: cunnekt.webhook.about
---@field id? string the message's id (a wamid)
---@field type "text"|"button"|"list"|"quick_reply"|"form"|"image"|"video"|"audio"|"document"|"sticker"|"location"|"contacts"|"reaction"|"order"|"system"|"edit"|"revoke"|"request_welcome"|"call_permission_reply"|"unsupported"|"unknown"
---@field text? string what was written: a text's body, a file's caption, the title of the choice that was tapped, an edit's new words
---@field reply? cunnekt.webhook.reply button, list: what was chosen
---@field payload? string quick_reply: the payload of the template's button; its text when it has none
---@field form? table form: the answers by field name; absent when they could not be decoded (then see form_error and raw)
---@field form_error? string form: why it has no answers
---@field media? cunnekt.webhook.media image, video, audio, document, sticker
---@field location? table {latitude?, longitude?, name?, address?, url?}; the first two are numbers
---@field contacts? table[] contact cards: {name, phones, …}
---@field reaction? table {message_id, emoji?}; without emoji it was taken back
---@field order? table {catalog_id, text?, product_items}
---@field system? table {body, type, wa_id?, user_id?, …}: the user changed their number, for one
---@field edit? table {original_message_id, message}: the message as it is now
---@field revoke? table {original_message_id}: the message that was deleted
---@field call_permission_reply? table {response, expiration_timestamp?, is_permanent?, response_source?}
---@field errors? table[] {code?, title?, message?, error_data?}; with "unsupported" mostly
---@field context? table {from?, id?} of the message that this answers, or {forwarded = true}
---@field referral? table the advert that the chat began from

---@class cunnekt.webhook.message: cunnekt.webhook.content
---@field kind "message"
---@field from? string the sender's number, digits only; absent for senders who show only a user name
---@field user_id? string the sender's id within the business, for such senders
---@field parent_user_id? string the sender's id across linked businesses
---@field group_id? string the group in which it was written; absent in the sender's own conversation

---What staff wrote in WhatsApp's own app, beside this program.
---@class cunnekt.webhook.echo: cunnekt.webhook.content
---@field kind "echo"
---@field recipient? string the customer's number, or their user id
---@field recipient_user_id? string

---@class cunnekt.webhook.reply
---@field id string as the business gave it
---@field title? string
---@field description? string list only

---@class cunnekt.webhook.media
---@field id? string Meta's id of the file; `download` takes the message's id, not this one
---@field mime_type? string
---@field sha256? string base64 of the file's SHA-256
---@field filename? string as the sender named it: any text; to store the file use safe_filename
---@field safe_filename string a name that stays in its folder; see webhook.safe_filename
---@field caption? string
---@field voice? boolean audio: recorded in the chat
---@field animated? boolean sticker
---@field link? string
---@field url? string

---@class cunnekt.webhook.status: cunnekt.webhook.about
---@field kind "status"
---@field id? string the id that the message got when it was sent
---@field status "sent"|"delivered"|"read"|"played"|"failed"|"unknown"|string one may come later; "unknown" when it is missing
---@field recipient? string the receiver's number, or their user id
---@field recipient_user_id? string
---@field group_id? string the group that got the message; `recipient` is one of its participants then
---@field conversation? table
---@field pricing? table
---@field errors? table[] {code?, title?, message?, error_data?}; never an empty list, and always there in "failed"
---@field biz_opaque_callback_data? string

---@class cunnekt.webhook.payment: cunnekt.webhook.about the status of a payment
---@field kind "payment"
---@field id? string of the message that asked for it
---@field status? "pending"|"captured"|"failed"|string
---@field recipient? string who pays
---@field recipient_user_id? string
---@field group_id? string the group of that message
---@field payment? table {reference_id, amount = {value, offset}, currency, transaction}
---@field errors? table[]

---@class cunnekt.webhook.call: cunnekt.webhook.about
---@field kind "call"
---@field id? string
---@field event? string connect, terminate; absent in the status of a call
---@field status? "RINGING"|"ACCEPTED"|"REJECTED"|"COMPLETED"|"FAILED"|string the last two at its end
---@field direction? string USER_INITIATED, BUSINESS_INITIATED
---@field from? string the customer, who called
---@field user_id? string of that customer
---@field parent_user_id? string
---@field recipient? string the customer, whom the business called
---@field recipient_user_id? string
---@field duration? number seconds
---@field start_time? number
---@field end_time? number
---@field session? table {sdp_type, sdp}
---@field biz_opaque_callback_data? string
---@field errors? table[]

---@class cunnekt.webhook.user_preferences: cunnekt.webhook.about what a customer wants to get
---@field kind "user_preferences"
---@field from? string the customer's number
---@field user_id? string
---@field parent_user_id? string
---@field category? string marketing_messages
---@field value? string stop, resume
---@field detail? string

---@class cunnekt.webhook.user_id_update: cunnekt.webhook.about a customer has a new user id
---@field kind "user_id_update"
---@field from? string the customer's number
---@field user_id? string the new one
---@field previous_user_id? string
---@field parent_user_id? string
---@field previous_parent_user_id? string
---@field detail? string

---@class cunnekt.webhook.group: cunnekt.webhook.about
---@field kind "group"
---@field id? string of the group
---@field type? string group_create, group_participants_add, …
---@field request_id? string
---@field subject? string
---@field errors? table[]

---@class cunnekt.webhook.automatic_event: cunnekt.webhook.about a lead or a purchase that WhatsApp found in a chat
---@field kind "automatic_event"
---@field id? string
---@field event_name? string LeadSubmitted, Purchase
---@field ctwa_clid? string of the advert
---@field custom_data? table

---@class cunnekt.webhook.history: cunnekt.webhook.about earlier messages of a number that was in WhatsApp's own app before
---@field kind "history"
---@field phase? number
---@field chunk_order? number
---@field progress? number percent
---@field threads? table[] {id, messages}
---@field message? table instead of threads: an earlier message with its file
---@field id? string of that message
---@field errors? table[] when it is not shared

---@class cunnekt.webhook.state_sync: cunnekt.webhook.about a contact in the address book of WhatsApp's own app
---@field kind "state_sync"
---@field type? string contact
---@field action? string add, remove
---@field contact? table {full_name?, first_name?, phone_number}

---A change of the account, its numbers, templates or forms.
---@class cunnekt.webhook.account
---@field kind "account"
---@field type string WhatsApp's name of it; one of webhook.account_types
---@field value table what has changed, as WhatsApp has it
---@field event? string the value's own: APPROVED, FLAGGED, …
---@field account_id? string id of the business account
---@field timestamp? integer Unix seconds
---@field phone_number_id? string
---@field display_phone_number? string
---@field raw table {field, value}

---@class cunnekt.webhook.error: cunnekt.webhook.about its `timestamp` is that of Meta's envelope
---@field kind "error"
---@field errors table[] one error: {code?, title?, message?, error_data?}

---@class cunnekt.webhook.unknown what WhatsApp does not document
---@field kind "unknown"
---@field phone_number_id? string
---@field display_phone_number? string
---@field raw any the whole body, or the part that this version does not recognise

---The fields of WhatsApp's webhooks that are about the account: types of events of kind "account".
webhook.account_types = core.account_types()

-- The events of a body, or why it has none.
local function parse(body, ...)
  local events, kind, message = parse_webhook(body, ...)
  if not events then
    return nil, errors.new(kind, message)
  end
  return events
end

---Parses the body of a webhook: Cunnekt's flattened form, or Meta's envelope around it. A body of any other form is one
---event of kind "unknown", and so is each item of a wrong shape: nothing is dropped.
---@param body string of one's own: a body of any size is parsed
---@return cunnekt.webhook.event[]? events at least one: entries and changes in the order of the body; in each its messages, echoes, statuses, calls, preferences, updates of user ids, groups, automatic events, history, address book, errors, and then what this version does not know
---@return cunnekt.error? err kind "invalid": the body is not JSON
function webhook.parse(body)
  if type(body) ~= "string" then
    error("webhook.parse: expected the body, a string, got " .. type(body), 2)
  end
  return parse(body)
end

-- The list that an event's item was in. Other kinds are made of a change, or of the raw part alone.
local part_of = {
  message = "messages", echo = "message_echoes", status = "statuses", payment = "statuses", call = "calls",
  user_preferences = "user_preferences", user_id_update = "user_id_update", group = "groups", automatic_event = "automatic_events",
  history = "history", state_sync = "state_sync", error = "errors",
}

-- As it was in the webhook: its names are in its profile.
local function wrap_contact(event)
  local contact = webhook.late(event, "contact")
  if not contact or event.kind == "state_sync" then return nil end
  local item = {}
  for key, value in pairs(contact) do
    if key ~= "name" and key ~= "username" then item[key] = value end
  end
  return { item }
end

-- A change with the account and the time of its envelope, where they are known.
local function wrap_change(event, change)
  if not (event.account_id or event.timestamp) then return change end
  return { id = event.account_id, time = event.timestamp, changes = { change } }
end

---As webhook.parse, for a body from outside: what the inbox makes of it. An event that is alone in its body has no `raw` and `contact`
---yet: see webhook.late.
---@param body string
---@return cunnekt.webhook.event[]? events
---@return cunnekt.error? err kind "invalid": the body is not JSON; "too_large": it holds more than any body of the provider
function webhook.parse_bounded(body)
  return parse(body, true, true)
end

---The event in a body that was stored for it. It has no `raw` and `contact` yet: see webhook.late.
---@param body string
---@return cunnekt.webhook.event? event nil: the body is not JSON
function webhook.parse_stored(body)
  local events = parse_webhook(body, true)
  return events and events[1]
end

-- The fields that some events get when somebody asks for one of them: most never are.
local late = { raw = true, contact = true }

---@type table<string, true>
webhook.late_fields = late

---A field that an event may not have yet: `raw` or `contact`.
---@param event cunnekt.webhook.event
---@param name any nil for others
---@return any value
function webhook.late(event, name)
  local body = late[name] and rawget(event, "_body")
  if body then
    local whole = webhook.parse(body)[1]
    event.raw, event.contact, event._body = whole.raw, whole.contact, nil
  end
  return late[name] and rawget(event, name)
end

---The `raw` of an event.
---@param event cunnekt.webhook.event
---@return any raw
function webhook.raw(event)
  return webhook.late(event, "raw")
end

local with_raw_mt = { __index = webhook.late }

---Lets a script that looks at `event.raw` or `event.contact` find it, before the event is a handler's.
---@param event cunnekt.webhook.event
function webhook.show_raw(event)
  if not getmetatable(event) then
    setmetatable(event, with_raw_mt)
  end
end

---Makes a webhook body with this one event, which `parse` turns into an equal event. It is made of `raw` and the fields
---around it, so changes to other fields of the event have no effect.
---@param event cunnekt.webhook.event from `parse`
---@return string body
function webhook.wrap(event)
  local part, raw = part_of[event.kind], webhook.raw(event)
  if not part then return json.encode(event.kind == "account" and wrap_change(event, raw) or raw) end
  local is_old = event.kind == "history" and event.message
  if is_old then
    part = "messages"
  elseif event.kind == "call" and raw.type == "call" then
    part = "statuses"
  end
  local value = {
    messaging_product = "whatsapp",
    metadata = { display_phone_number = event.display_phone_number, phone_number_id = event.phone_number_id },
    contacts = wrap_contact(event),
    [part] = { raw },
  }
  if is_old then
    value = { field = "history", value = value }
  elseif event.kind == "error" and event.timestamp then
    value = wrap_change(event, { field = "messages", value = value })
  end
  return json.encode(value)
end

---The conversation that an event belongs to: events of one key are handled in order.
---@param event cunnekt.webhook.event
---@return string key "<phone_number_id>:<from, user_id or recipient>"; what is not known is empty
function webhook.key(event)
  return of_event(event)
end

-- Chunks of a history may have megabytes: their place among the others, and which messages they begin and end with.
local function outline_of(history)
  local outline = { history.phase or "", history.chunk_order or "", history.progress or "", canonical.text(history.errors or {}) }
  for _, thread in ipairs(history.threads or {}) do
    local messages = type(thread.messages) == "table" and thread.messages or {}
    local first, last = messages[1], messages[#messages]
    local ids = { thread.id, #messages, type(first) == "table" and first.id or "", type(last) == "table" and last.id or "" }
    outline[#outline + 1] = canonical.text(ids)
  end
  return table.concat(outline, " ")
end

-- Of events that mostly have no id of their own. What is in them, with the time, tells a repetition from another event.
local function key_by_content(event)
  local content
  if event.kind == "history" then
    content = event.id or outline_of(event)
  else
    content = canonical.text(webhook.raw(event))
  end
  local parts = { event.kind, event.phone_number_id or "", event.account_id or "", event.timestamp or "", content }
  return table.concat(parts, ":")
end

---Kinds of events that are recognised by their content, because most of them have no id, or not one of their own.
---@type table<string, true>
webhook.known_by_content = {
  account = true, automatic_event = true, error = true, group = true, history = true, state_sync = true, user_id_update = true,
}

---The key of deduplication: equal for an event and its repetition. That of an event without id and time is equal for each that
---says the same, however much later.
---@param event cunnekt.webhook.event
---@return string? key nil when the event is of a kind that has an id, and has none
function webhook.dedupe_key(event)
  if webhook.known_by_content[event.kind] then
    return key_by_content(event)
  end
  return core.webhook_key(event)
end

---Types of messages with which a customer says nothing new.
---@type table<string, true>
webhook.remark_types = {}
for _, name in ipairs(core.remark_types()) do
  webhook.remark_types[name] = true
end

local is_remark = webhook.remark_types

---Whether a customer says something new to the business alone. Only that answers questions, and only that and a call open the
---service window: not a remark on another message, and nothing that is written in a group.
---@param event cunnekt.webhook.event
---@return boolean
function webhook.is_addressed(event)
  return event.kind == "message" and not is_remark[event.type] and not event.group_id
end

---When a customer wrote to the business alone, or called it.
---@param event cunnekt.webhook.event
---@return integer? timestamp nil for events that do not open the service window
function webhook.inbound_at(event)
  return core.webhook_is_inbound(event) and event.timestamp or nil
end

---A safe file name for a customer's file: the last part of `name` when there is one, else `id` with an extension for
---`mime_type`. It has no separators, control or invisible characters, does not begin with a dot, dash or space, is no
---device name of Windows, and is 1 to 120 bytes of UTF-8. Two files can get the same name.
---@param name? string
---@param mime_type? string
---@param id? string
---@return string
function webhook.safe_filename(name, mime_type, id)
  return core.safe_filename(name, mime_type, id)
end

---Answers Meta's GET that verifies a webhook address.
---@param query table<string, string> decoded parameters: hub.mode, hub.verify_token, hub.challenge
---@param verify_token? string the token that was configured at Meta; without one every request is refused
---@return string? challenge the body of the answer; nil to refuse
function webhook.verify(query, verify_token)
  local token, challenge = query["hub.verify_token"], query["hub.challenge"]
  if not verify_token or verify_token == "" then return nil end
  if query["hub.mode"] ~= "subscribe" or type(token) ~= "string" or type(challenge) ~= "string" then return nil end
  return core.equal(token, verify_token) and challenge or nil
end

---Checks X-Hub-Signature-256, in constant time.
---@param header? string "sha256=" and 64 hexadecimal digits
---@param body string as it came, byte for byte
---@param app_secret string must not be empty
---@return boolean is_genuine
function webhook.check_signature(header, body, app_secret)
  if type(app_secret) ~= "string" or app_secret == "" then
    error("webhook.check_signature: the app secret must be a string that is not empty", 2)
  end
  local digits = type(header) == "string" and header:lower():match "^%s*sha256=(%x+)%s*$"
  if not digits or #digits ~= 64 then return false end
  return core.equal(digits, core.hex(core.hmac_sha256(app_secret, body)))
end

return webhook
