-- SPDX-License-Identifier: MIT
-- The types that the manual documents for the fields of events, for specs: written down again, not read from the code.

local event_types = {}

local function optional(kind)
  return function(value)
    return value == nil or type(value) == kind
  end
end

local text, number, flag, object = optional "string", optional "number", optional "boolean", optional "table"

local function whole(value)
  return value == nil or math.type(value) == "integer"
end

-- A table with these fields; others may be there, of any type.
local function record(fields)
  return function(value)
    if value == nil then
      return true
    elseif type(value) ~= "table" then
      return false
    end
    for name, is_fine in pairs(fields) do
      if not is_fine(value[name]) then
        return false, name
      end
    end
    return true
  end
end

local function list_of(fields)
  local is_item = record(fields)
  return function(value)
    for _, item in ipairs(type(value) == "table" and value or {}) do
      if not is_item(item) then
        return false
      end
    end
    return value == nil or type(value) == "table"
  end
end

local errors = list_of { code = number, title = text, message = text, error_data = record { details = text } }

local fields = {
  id = text, from = text, user_id = text, parent_user_id = text, group_id = text, previous_user_id = text, previous_parent_user_id = text,
  recipient = text, recipient_user_id = text, name = text, username = text, timestamp = whole, phone_number_id = text,
  display_phone_number = text, text = text, payload = text, form = object, form_error = text, status = text, event = text,
  direction = text, category = text, value = function(value) return value == nil or type(value) == "string" or type(value) == "table" end,
  detail = text, type = text, request_id = text, subject = text, event_name = text, ctwa_clid = text, custom_data = object,
  phase = number, chunk_order = number, progress = number, threads = list_of {}, message = object, action = text, account_id = text,
  duration = number, start_time = number, end_time = number, biz_opaque_callback_data = text, errors = errors,
  session = record { sdp_type = text, sdp = text },
  payment = record {
    reference_id = text, currency = text, amount = record { value = number, offset = number },
    transaction = record { id = text, type = text, status = text },
  },
  contact = record {
    wa_id = text, user_id = text, parent_user_id = text, name = text, username = text,
    profile = record { name = text, username = text },
  },
  reply = record { id = text, title = text, description = text },
  media = record {
    id = text, mime_type = text, sha256 = text, filename = text, safe_filename = text, caption = text, voice = flag, animated = flag,
    link = text, url = text,
  },
  location = record { latitude = number, longitude = number, name = text, address = text, url = text },
  contacts = list_of { name = record { formatted_name = text }, phones = list_of { phone = text, wa_id = text } },
  reaction = record { message_id = text, emoji = text },
  order = record {
    catalog_id = text, text = text,
    product_items = list_of { product_retailer_id = text, quantity = number, item_price = number, currency = text },
  },
  system = record { body = text, type = text, wa_id = text, new_wa_id = text, user_id = text, previous_user_id = text },
  edit = record { original_message_id = text, message = object },
  revoke = record { original_message_id = text },
  call_permission_reply = record { response = text, expiration_timestamp = number, is_permanent = flag },
  context = record { from = text, id = text, forwarded = flag },
  referral = record { source_url = text, source_id = text, source_type = text, headline = text, body = text, ctwa_clid = text },
  conversation = record { id = text, origin = record { type = text } },
  pricing = record { billable = flag, pricing_model = text, category = text },
}

local synced_contact = record { full_name = text, first_name = text, phone_number = text }

---The first field of an event that has not its documented type, or that is not documented.
---@param event table
---@return string? name
function event_types.wrong_field(event)
  for name, value in pairs(event) do
    local is_fine = event.kind == "state_sync" and name == "contact" and synced_contact or fields[name]
    if name ~= "raw" and name ~= "kind" and not (is_fine and is_fine(value)) then
      return name
    end
  end
  if event.status == "failed" and event.kind == "status" and type(event.errors[1]) ~= "table" then
    return "errors"
  elseif (event.type == "button" or event.type == "list") and type(event.reply.id) ~= "string" then
    return "reply"
  end
  return nil
end

return event_types
