-- SPDX-License-Identifier: MIT
-- The operations on persons: list and show them, export all that is stored of one, forget one. A person is found by any of
-- their ids, in each of the business's numbers that they wrote to.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local kept = require "cunnekt.operate.kept"
local lists = require "cunnekt.store.lists"
local personal = require "cunnekt.provider.personal"
local record = require "cunnekt.engine.record"
local redact = require "cunnekt.base.redact"
local status = require "cunnekt.provider.status"
local webhook = require "cunnekt.provider.webhook"

local contacts = {}

-- ---- list, show ------------------------------------------------------------------------------------------------------

local function id_of(id, has_to_reveal)
  return id and (has_to_reveal and id or redact.number(id))
end

-- What is known of a person, from the row of a conversation.
local function shown(row, has_to_reveal)
  local phone_number_id, customer = identity.parts(row.contact)
  local number, last = identity.number(row.contact), row.last_inbound
  return {
    contact = personal.contact(row.contact, has_to_reveal),
    phone_number_id = phone_number_id,
    number = id_of(row.number or number, has_to_reveal),
    user_id = id_of(row.user_id or not number and customer ~= "" and customer or nil, has_to_reveal),
    name = has_to_reveal and row.name or nil,
    username = has_to_reveal and row.username or nil,
    last_inbound = last,
    window = last and math.max(0, last + limits.service_window - clock.now()) or 0,
    is_paused = row.paused == 1,
  }
end

local function list(target, args)
  local rows, err = lists.contacts(target.store, filters.of(args))
  if not rows then
    return nil, err
  end
  local views, has_more = filters.page(rows, args, shown)
  return { contacts = views, has_more = has_more }
end

-- The keys of a person's conversations. They may never have written, or be forgotten but for a message that was being sent.
local function find(target, args)
  local keys, err = lists.contacts_of(target.store, filters.of(args).contact, true)
  if not keys then
    return nil, err
  elseif #keys == 0 then
    return nil, errors.new("not_found", "nobody with that number or user id is in this store")
  end
  return keys
end

-- What is stored of one conversation.
local function describe(target, key, has_to_reveal)
  local store = target.store
  local row = store:read("conversation", { contact = key })[1] or {}
  row.contact = key
  local view = shown(row, has_to_reveal)
  local aliases = store:read("aliases_of", { contact = key })
  view.other_ids = json.array {}
  for i, alias in ipairs(aliases) do
    local _, customer = identity.parts(alias.id)
    view.other_ids[i] = id_of(customer, has_to_reveal) .. (alias.is_left == 1 and " (left)" or "")
  end
  view.counts = store:read("count_of_contact", { contact = key })[1]
  return view, row
end

-- Calls `fn` with each of a person's conversations; a list of the results.
local function each(target, args, fn)
  local keys, err = find(target, args)
  if not keys then
    return nil, err
  end
  local results = json.array {}
  for i, key in ipairs(keys) do
    results[i] = fn(key)
  end
  return results
end

local function show(target, args)
  local views, err = each(target, args, function(key)
    local view = describe(target, key, args.reveal)
    view.pause = kept.pause_of(target.store, key, args.reveal)
    view.messages, view.signals = kept.of(target.store, key, args.reveal)
    return view
  end)
  return views and { contacts = views } or nil, err
end

-- ---- export, forget ----------------------------------------------------------------------------------------------------

-- What a list of the store gives; raises when it cannot be read.
local function must(rows, err)
  return rows or error(err, 0)
end

local function events_of(store, key)
  local found = json.array {}
  for _, state in ipairs { "pending", "dead" } do
    for _, row in ipairs(must(lists.events(store, state, { contact = key }, true))) do
      local ok, event = pcall(record.read_body, row.body or "")
      local shown_event = ok and (webhook.raw(event) or event) or nil
      found[#found + 1] = { state = state, accepted_at = row.accepted_at, event = shown_event, error = row.error }
    end
  end
  return found
end

local function messages_of(store, key)
  local found = json.array {}
  for _, row in ipairs(must(lists.messages(store, status.shown, { contact = key }))) do
    found[#found + 1] = {
      id = row.id, state = row.state, changed_at = row.changed_at, payload = row.payload, track = row.track,
      message_id = row.message_id, error = row.error,
    }
  end
  return found
end

local function dialogs_of(store, key)
  local found = json.array {}
  for _, row in ipairs(must(lists.dialogs(store, "all", { contact = key }))) do
    local whole = lists.dialog(store, row.id)
    found[#found + 1] = whole and {
      id = whole.id, name = whole.name, started_at = whole.started_at, args = whole.args, journal = json.array(whole.journal),
    }
  end
  return found
end

local function export(target, args)
  local store = target.store
  local views, err = each(target, args, function(key)
    local view, row = describe(target, key, true)
    view.state = row.state and json.decode(row.state) or nil
    view.events, view.messages, view.dialogs = events_of(store, key), messages_of(store, key), dialogs_of(store, key)
    view.kept = kept.export(store, key)
    return view
  end)
  return views and { contacts = views } or nil, err
end

local function forget(target, args)
  local views, err = each(target, args, function(key)
    local view = describe(target, key, args.reveal)
    must(target.store:repair("forget_contact", { ids = { 0 }, contact = key }))
    target.store.persons:forget(key)
    if target.service then
      target.service.dialogs:evict_of(key)
    end
    return view
  end)
  return views and { contacts = views } or nil, err
end

local customer_types = { contact = "string", reveal = "boolean" }

---@type table<string, cunnekt.operate.operation>
contacts.operations = {
  ["contacts.list"] = { types = filters.types_with {}, run = list },
  ["contacts.show"] = { types = customer_types, run = show },
  ["contacts.export"] = { types = customer_types, run = export },
  ["contacts.forget"] = { types = customer_types, run = forget },
}

return contacts
