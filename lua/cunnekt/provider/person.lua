-- SPDX-License-Identifier: MIT
-- Who the person of a webhook's event is: all ids that it tells of them. The store makes one conversation of them.

local identity = require "cunnekt.provider.identity"

local person = {}

-- Types of a `system` message by which a person gets another number or user id.
local changes = {
  user_changed_number = true, customer_changed_number = true, user_changed_user_id = true, user_id_update = true,
}

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

-- What a `system` message says of a change of ids; nil when it does not.
local function change_of(event)
  local system = event.type == "system" and event.system
  return type(system) == "table" and changes[system.type] and system or nil
end

-- Whether one of the contacts of a webhook is surely the person of an event: they have an id in common, or their numbers are two forms
-- of one. A wrong guess would show a customer what is somebody else's.
local function is_theirs(contact, event, raw)
  local user_id = event.user_id or raw.recipient_user_id
  if contact.user_id and user_id then
    return contact.user_id == user_id
  end
  local number, wa_id = event.from or event.recipient, contact.wa_id
  return number ~= nil and wa_id ~= nil and identity.same(number, wa_id)
end

-- The ids in an event: the new ones of a change first, then the number, then the others.
local function gather(event)
  local ids, seen, left = {}, {}, {}
  local function add(id, has_left)
    id = text_of(id)
    if id and not seen[id] then
      seen[id], ids[#ids + 1], left[id] = true, id, has_left
    end
  end
  local change, raw, contact = change_of(event), type(event.raw) == "table" and event.raw or {}, event.contact or {}
  if not is_theirs(contact, event, raw) then
    contact = {}
  end
  if change then
    local new = text_of(change.wa_id) or text_of(change.new_wa_id)
    add(new)
    add(change.user_id)
    add(event.from, new ~= nil and new ~= event.from)
    add(change.customer, new ~= nil)
    add(change.previous_user_id)
  end
  add(event.from)
  add(contact.wa_id)
  add(event.recipient)
  add(event.user_id)
  add(contact.user_id)
  add(raw.recipient_user_id)
  for _, one in ipairs { change or raw, contact } do
    add(one.from_parent_user_id)
    add(one.parent_user_id)
    add(one.previous_parent_user_id)
  end
  return ids, left
end

-- Whether an event tells of one id only, as most do.
local function is_plain(event)
  local contact = event.contact
  return not event.user_id and event.type ~= "system" and not (event.raw and event.raw.recipient_user_id)
    and not (contact and (contact.user_id or contact.parent_user_id or (contact.wa_id and contact.wa_id ~= event.from)))
end

-- The same number in another form is theirs as well.
local function add_form(event, record)
  local number = event.from or event.recipient
  local common = number and identity.canonical(number)
  if common and common ~= number then
    record.others = record.others or {}
    table.insert(record.others, { key = identity.key(event.phone_number_id, common) })
  end
end

---Whether a message may tell of more than one id of its person; most do not.
---@param event cunnekt.webhook.event
---@return boolean
function person.may_say_more(event)
  local number = event.from
  return event.user_id ~= nil or event.contact ~= nil or event.type == "system"
    or (number ~= nil and identity.canonical(number) ~= number)
end

---Says in a record for the store who the person of its event is: `contact`, `others`, `user_id` and `username`, as in struct
---cnk_event.
---@param event cunnekt.webhook.event
---@param record cunnekt.inbox.record
function person.describe(event, record)
  local contact = event.contact or {}
  if event.kind == "message" then
    record.user_id = event.user_id
    record.username = text_of(event.username) or text_of(type(contact.profile) == "table" and contact.profile.username)
  end
  if is_plain(event) then
    return add_form(event, record)
  elseif change_of(event) then
    record.is_from_contact = false -- the provider says so, not they
  end
  local ids, left = gather(event)
  record.contact = identity.key(event.phone_number_id, ids[1])
  for i = 2, #ids do
    record.others = record.others or {}
    record.others[i - 1] = { key = identity.key(event.phone_number_id, ids[i]), is_left = left[ids[i]] }
  end
  add_form(event, record)
end

return person
