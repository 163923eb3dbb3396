-- SPDX-License-Identifier: MIT
-- Sample webhooks of what is neither a message nor a status, in WhatsApp's own form: echoes, calls, preferences, changes of the
-- account and the like. samples.lua offers them; it adds metadata and contacts, and applies changes.
local ids = require "cunnekt.sandbox.ids"
local webhook = require "cunnekt.provider.webhook"

local sample_events = {}

local PRODUCT = "whatsapp"

-- Each returns the name of the list in the webhook, its item, and whether the webhook names the contact. `o` are the options of
-- samples.build with `from` and `time`, the latter as digits; `message` makes a message of a kind.
local ITEMS = {}

function ITEMS.echo(o, message)
  local item = message("text", o)
  item.to, item.from = o.from, o.business
  return "message_echoes", item
end

function ITEMS.call(o)
  local item = {
    id = o.id or "wacid." .. ids.conversation(), from = o.from, to = o.business, event = "connect", timestamp = o.time,
    direction = "USER_INITIATED", session = { sdp_type = "offer", sdp = "v=0" },
  }
  return "calls", item, true
end

function ITEMS.payment(o)
  local item = {
    id = o.id or ids.outbound(o.from), type = "payment", status = "captured", timestamp = o.time, recipient_id = o.from,
    payment = {
      reference_id = "order-1", amount = { value = 24000, offset = 100 }, currency = "INR",
      transaction = { id = "T1", type = "upi", status = "success" },
    },
  }
  return "statuses", item, true
end

function ITEMS.user_preferences(o)
  local value = o.text or "stop"
  local item = {
    wa_id = o.from, category = "marketing_messages", value = value, timestamp = o.time,
    detail = ("User requested to %s marketing messages"):format(value),
  }
  return "user_preferences", item, true
end

function ITEMS.user_id_update(o)
  local item = { wa_id = o.from, user_id = { previous = "IN.1001", current = o.id or "IN.1002" }, timestamp = o.time }
  return "user_id_update", item, true
end

function ITEMS.group(o)
  return "groups", { group_id = o.id or "G1", type = "group_create", request_id = "R1", subject = o.text or "Tea", timestamp = o.time }
end

function ITEMS.automatic_event(o)
  local item = { id = o.id or ids.inbound(o.from), event_name = "LeadSubmitted", ctwa_clid = "clid-1", timestamp = o.time }
  return "automatic_events", item
end

function ITEMS.history(o, message)
  local thread = { id = o.from, messages = { message("text", o) } }
  return "history", { metadata = { phase = 0, chunk_order = 1, progress = 55 }, threads = { thread } }
end

function ITEMS.state_sync(o)
  local contact = { full_name = o.name or "Asha", first_name = o.name or "Asha", phone_number = o.from }
  return "state_sync", { type = "contact", action = "add", contact = contact, metadata = { timestamp = o.time } }
end

function ITEMS.error(o)
  local title = o.title or "Something went wrong"
  return "errors", { code = o.code or 131000, title = title, message = title, error_data = { details = o.text or title } }
end

-- Meta's name of the change that such an item comes in, where it is not "messages".
local FIELDS = {
  echo = "smb_message_echoes", call = "calls", user_preferences = "user_preferences", user_id_update = "user_id_update",
  group = "group_lifecycle_update", automatic_event = "automatic_events", history = "history", state_sync = "smb_app_state_sync",
}

-- The values of changes of the account, where WhatsApp's form is more than an event's name.
local VALUES = {
  message_template_status_update = {
    event = "APPROVED", message_template_id = 1689556908129832, message_template_name = "order_confirmation",
    message_template_language = "en", reason = "NONE",
  },
  message_template_quality_update = {
    previous_quality_score = "GREEN", new_quality_score = "YELLOW", message_template_id = 1689556908129832,
    message_template_name = "order_confirmation", message_template_language = "en",
  },
  template_category_update = {
    message_template_id = 1689556908129832, message_template_name = "order_confirmation", message_template_language = "en",
    previous_category = "MARKETING", new_category = "UTILITY",
  },
  phone_number_quality_update = { display_phone_number = "919873617805", event = "UPGRADE", current_limit = "TIER_10K" },
  phone_number_name_update = {
    display_phone_number = "919873617805", decision = "APPROVED", requested_verified_name = "Tea House", rejection_reason = "NONE",
  },
  account_update = { event = "VERIFIED_ACCOUNT", phone_number = "919873617805" },
  account_review_update = { decision = "APPROVED" },
}

---@type string[] the kinds of events, and the types of events of kind "account"
sample_events.kinds = {
  "echo", "call", "payment", "user_preferences", "user_id_update", "group", "automatic_event", "history", "state_sync", "error",
  table.unpack(webhook.account_types),
}

local IS_KIND = {}
for _, kind in ipairs(sample_events.kinds) do
  IS_KIND[kind] = true
end

---@param kind string
---@return boolean
function sample_events.is_kind(kind)
  return IS_KIND[kind] == true
end

local function copied(value)
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = item
  end
  return copy
end

---The webhook body of one event, of a kind that there is; of the account always in Meta's envelope, since Cunnekt documents no
---form of its own.
---@param kind string
---@param o table the options of samples.build, with `from`, `time` and `business`
---@param message fun(kind: string, o: table): table makes a message
---@param metadata table
---@return table body
---@return table about {id, from, field}: Meta's name of the change that it comes in
function sample_events.build(kind, o, message, metadata)
  if not ITEMS[kind] then
    local value = copied(VALUES[kind] or { event = o.text or "UPDATED" })
    local entry = { id = "102290129340398", time = tonumber(o.time), changes = { { field = kind, value = value } } }
    return { object = "whatsapp_business_account", entry = { entry } }, { id = kind, from = o.from }
  end
  local list, item, has_contact = ITEMS[kind](o, message)
  local body = { messaging_product = PRODUCT, metadata = metadata, [list] = { item } }
  if has_contact then
    body.contacts = { { profile = { name = o.name or "Asha" }, wa_id = o.from } }
  end
  return body, { id = item.id or kind, from = o.from, field = FIELDS[kind] }
end

return sample_events
