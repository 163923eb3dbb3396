-- SPDX-License-Identifier: MIT
-- Who the person of a webhook's event is: all ids that it tells of them. The store makes one conversation of them.

local identity = require "cunnekt.provider.identity"

local person = {}

-- Types of a `system` message by which a person gets another number or user id.
local changes = {
  user_changed_number = true, customer_changed_number = true, user_changed_user_id = true, user_id_update = true,
}

-- What an event says of a change of ids; nil when it does not.
local function change_of(event)
  local system = event.type == "system" and event.system or nil
  return event.kind == "user_id_update" and event or system and changes[system.type] and system or nil
end

-- How many messages of a webhook have each contact.
local function count_senders(events)
  local counts = {}
  for _, event in ipairs(events) do
    if event.kind == "message" and event.contact then
      counts[event.contact] = (counts[event.contact] or 0) + 1
    end
  end
  return counts
end

-- Whether the contact of a message is its only one, and the only one with it: then it is its sender, however it is written.
local function is_pair(event, batch)
  if event.kind ~= "message" then
    return false
  elseif not batch then
    return true
  end
  batch.senders = batch.senders or count_senders(batch.events)
  return batch.senders[event.contact] == 1
end

local function contradict(a, b)
  return a ~= nil and b ~= nil and a ~= b
end

-- The webhook's contact, where that is surely the person of the event: they have an id in common, their numbers are two forms of
-- one, or nobody else can be meant. A wrong guess would show a customer what is somebody else's.
local function contact_of(event, batch)
  local contact, user_id = event.contact or {}, event.user_id or event.recipient_user_id
  if contact.user_id and user_id then
    return contact.user_id == user_id and contact or {}
  elseif contradict(contact.parent_user_id, event.parent_user_id) then
    return {}
  end
  local number, wa_id = event.from or event.recipient, contact.wa_id
  return number and wa_id and (identity.same(number, wa_id) or is_pair(event, batch)) and contact or {}
end

-- The ids in an event: the new ones of a change first, then the number, then the others.
local function gather(event, contact)
  local ids, seen, left = {}, {}, {}
  local function add(id, has_left)
    if type(id) == "string" and id ~= "" and not seen[id] then
      seen[id], ids[#ids + 1], left[id] = true, id, has_left
    end
  end
  local change = change_of(event) or {}
  local new = change.wa_id or change.new_wa_id
  add(new)
  add(event.from, new ~= nil)
  add(change.customer, new ~= nil)
  add(contact.wa_id)
  add(event.recipient)
  for _, one in ipairs { change, event, contact } do
    add(one.user_id)
    add(one.recipient_user_id)
    add(one.previous_user_id, one == change)
  end
  for _, one in ipairs { change, event, contact } do
    add(one.parent_user_id)
    add(one.previous_parent_user_id, one == change)
  end
  return ids, left
end

---Whether an event may tell of more than one id of its person; messages most often do not.
---@param event cunnekt.webhook.event
---@return boolean
function person.may_say_more(event)
  local number, contact = event.from, event.contact
  if event.kind ~= "message" or event.type == "system" or event.user_id or event.parent_user_id then
    return true
  end
  return number ~= nil and (identity.canonical(number) ~= number or (contact ~= nil and contact.wa_id ~= number))
end

-- The form in which numbers are compared is an id as well.
local function add_form(event, record)
  local _, customer = identity.parts(record.contact)
  local common = identity.canonical(customer)
  if common ~= customer then
    table.insert(record.others, { key = identity.key(event.phone_number_id, common) })
  end
end

---Says in a record for the store who the person of its event is: `contact`, `others` and `is_from_contact`, as in struct
---cnk_event.
---@param event cunnekt.webhook.event
---@param record cunnekt.inbox.record
---@param batch? {events: cunnekt.webhook.event[], senders: table?} the webhook's events, where there are several
function person.describe(event, record, batch)
  local contact = contact_of(event, batch)
  local ids, left = gather(event, contact)
  if not ids[1] then
    return -- of the account, for example
  elseif change_of(event) then
    record.is_from_contact = false -- the provider says so, not they
  end
  record.user_id = record.user_id or contact.user_id
  record.contact, record.others = identity.key(event.phone_number_id, ids[1]), {}
  for i = 2, #ids do
    record.others[i - 1] = { key = identity.key(event.phone_number_id, ids[i]), is_left = left[ids[i]] }
  end
  add_form(event, record)
end

return person
