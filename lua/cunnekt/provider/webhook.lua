-- SPDX-License-Identifier: MIT
-- Webhooks: a POST's body to events, and an event back to a body; the keys that order and deduplicate events; and the two
-- checks of Meta's own webhooks. Pure functions: nothing is stored or sent here. The parser is src/bind/webhook/parse.c.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"

local parse_webhook, decode, of_event = core.parse_webhook, json.decode, identity.of_event
local decode_bounded = json.decode_bounded

-- What a body from outside may hold, several times what the provider sends: 1,000 events of some 25 values each. 3 MB can
-- hold 1.4 million values or a million events, which took half a gigabyte and two seconds.
local most_values = 100000
local most_events = 5000

---@class cunnekt.webhook
local webhook = {}

---An event of a webhook: one table per message, status or error in it. Fields that are missing, null or of a wrong shape
---in the webhook are absent. `raw` is the original item, with `json.null` for null.
---@alias cunnekt.webhook.event cunnekt.webhook.message|cunnekt.webhook.status|cunnekt.webhook.error|cunnekt.webhook.unknown

---@class cunnekt.webhook.message
---@field kind "message"
---@field id? string the message's id (a wamid)
---@field from? string the sender's number, digits only; absent for senders who show only a user name
---@field user_id? string the sender's id within the business, for such senders
---@field name? string the sender's own name for themselves
---@field timestamp? integer Unix seconds
---@field phone_number_id? string id of the business number that was written to
---@field display_phone_number? string that number
---@field type "text"|"button"|"list"|"quick_reply"|"form"|"image"|"video"|"audio"|"document"|"sticker"|"location"|"contacts"|"reaction"|"order"|"system"|"unsupported"|"unknown"
---@field text? string text: what was written; button and list: the title chosen; quick_reply: the button's text. A caption is in `media`
---@field reply? cunnekt.webhook.reply button, list: what was chosen
---@field payload? string quick_reply: the payload of the template's button
---@field form? table form: the answers by field name; absent when they could not be decoded (then see raw)
---@field media? cunnekt.webhook.media image, video, audio, document, sticker
---@field location? table {latitude, longitude, name?, address?, url?}
---@field contacts? table[] contact cards: {name, phones, …}
---@field reaction? table {message_id, emoji?}; without emoji it was removed
---@field order? table {catalog_id, text?, product_items}
---@field system? table {body, wa_id?, type}: the user changed their number, for one
---@field errors? table[] {code, title, message?, error_data?}; with "unsupported" mostly
---@field context? table {from?, id?} of the message that this answers, or {forwarded = true}
---@field referral? table the advert that the chat began from
---@field raw table

---@class cunnekt.webhook.reply
---@field id? string as the business gave it
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

---@class cunnekt.webhook.status
---@field kind "status"
---@field id? string the id that the message got when it was sent
---@field status string sent, delivered, read, played, failed, or one that came later; "unknown" when it is missing
---@field timestamp? integer Unix seconds
---@field recipient? string the receiver's number, or their user id
---@field conversation? table
---@field pricing? table
---@field errors? table[] failed: {code, title, message?, error_data?}; never an empty list
---@field biz_opaque_callback_data? string
---@field phone_number_id? string
---@field display_phone_number? string
---@field raw table

---@class cunnekt.webhook.error
---@field kind "error"
---@field errors table[] one error: {code, title, message?, error_data?}
---@field phone_number_id? string
---@field display_phone_number? string
---@field raw table

---@class cunnekt.webhook.unknown anything else, such as the approval of a template
---@field kind "unknown"
---@field phone_number_id? string
---@field display_phone_number? string
---@field raw any the whole body, or the part that this version does not recognise

---Parses the body of a webhook: Cunnekt's flattened form, or Meta's envelope around it. A body of any other form is one
---event of kind "unknown", and so is each item of a wrong shape: nothing is dropped.
---@param body string of one's own: a body of any size is parsed
---@return cunnekt.webhook.event[]? events in the order of the body, at least one
---@return cunnekt.error? err kind "invalid": the body is not JSON
function webhook.parse(body)
  if type(body) ~= "string" then
    error("webhook.parse: expected the body, a string, got " .. type(body), 2)
  end
  local value, err = decode(body)
  if err then return nil, err end
  return parse_webhook(value, decode)
end

local function wrap_contact(event)
  if not (event.name or event.user_id) then return nil end
  return { { profile = event.name and { name = event.name } or nil, wa_id = event.from, user_id = event.user_id } }
end

local part_of = { message = "messages", status = "statuses", error = "errors" }

---As webhook.parse, for a body from outside.
---@param body string
---@return cunnekt.webhook.event[]? events
---@return cunnekt.error? err kind "invalid": the body is not JSON; "too_large": it holds more than any body of the provider
function webhook.parse_bounded(body)
  local value, err = decode_bounded(body, most_values)
  if err then return nil, err end
  local events = parse_webhook(value, decode, most_events, most_values)
  if not events then
    return nil, errors.new("too_large", ("more than %d events, or %d values in forms"):format(most_events, most_values))
  end
  return events
end

---Makes a webhook body with this one event, which `parse` turns into an equal event. It is made of `raw` and the fields
---around it, so changes to other fields of the event have no effect.
---@param event cunnekt.webhook.event from `parse`
---@return string body
function webhook.wrap(event)
  local part = part_of[event.kind]
  if not part then return json.encode(event.raw) end
  return json.encode {
    messaging_product = "whatsapp",
    metadata = { display_phone_number = event.display_phone_number, phone_number_id = event.phone_number_id },
    contacts = event.kind == "message" and wrap_contact(event) or nil,
    [part] = { event.raw },
  }
end

---The conversation that an event belongs to: events of one key are handled in order.
---@param event cunnekt.webhook.event
---@return string key "<phone_number_id>:<from, user_id or recipient>"; what is not known is empty
function webhook.key(event)
  return of_event(event)
end

---The key of deduplication: equal for an event and its repetition.
---@param event cunnekt.webhook.event
---@return string? key nil when the event has no id, or is no message or status
function webhook.dedupe_key(event)
  local id = event.id
  if not id then return nil end
  if event.kind == "message" then return "m:" .. (event.phone_number_id or "") .. ":" .. id end
  if event.kind == "status" then return "s:" .. id .. ":" .. event.status .. ":" .. (event.recipient or "") end
  return nil
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
