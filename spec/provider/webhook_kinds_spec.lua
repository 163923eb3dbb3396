-- SPDX-License-Identifier: MIT
-- What is in a webhook beside the seed's messages and statuses, in WhatsApp's own forms: which event it becomes, and with which
-- fields. Whose contact an event has.

local json = require "cunnekt.base.json"
local samples = require "cunnekt.sandbox.samples"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

local function parse_one(body)
  local events = assert(webhook.parse(type(body) == "table" and json.encode(body) or body))
  assert.equal(1, #events)
  return events[1]
end

-- The only event of a list with this item, without the business number.
local function of_item(list, item, contacts)
  local event = parse_one(webhooks.value { [list] = { item }, contacts = contacts })
  assert.are.same(json.decode(json.encode(item)), event.raw)
  assert.are.same({ "123456789", "919873617805" }, { event.phone_number_id, event.display_phone_number })
  event.raw, event.phone_number_id, event.display_phone_number = nil, nil, nil
  return event
end

local function of_message(kind, field, more)
  local event = of_item("messages", webhooks.message(kind, field, more))
  event.kind, event.id, event.from, event.timestamp = nil, nil, nil, nil
  return event
end

describe("messages of later types:", function()
  it("edits have the new words as their text", function()
    local text = { original_message_id = "wamid.1", message = { type = "text", text = { body = "tea, please" } } }
    assert.are.same({ type = "edit", text = "tea, please", edit = text }, of_message("edit", text))
    local image = { original_message_id = "wamid.1", message = { type = "image", image = { id = "1", caption = "my roof" } } }
    assert.are.same({ type = "edit", text = "my roof", edit = image }, of_message("edit", image))
    for _, message in ipairs { json.null, "x", { type = "text" }, { type = "text", text = { body = 5 } }, { type = 5 }, { text = { body = "x" } } } do
      local event = of_message("edit", { original_message_id = "wamid.1", message = message })
      assert.are.same({ "edit", nil, "wamid.1" }, { event.type, event.text, event.edit.original_message_id })
    end
  end)

  it("deletions, greetings and call permissions", function()
    assert.are.same({ type = "revoke", revoke = { original_message_id = "wamid.1" } }, of_message("revoke", { original_message_id = "wamid.1" }))
    assert.are.same({ type = "request_welcome" }, of_message("request_welcome"))
    local reply = { response = "accept", expiration_timestamp = "1704803711", is_permanent = false, response_source = "user_action" }
    local event = of_message("interactive", { type = "call_permission_reply", call_permission_reply = reply })
    assert.equal("call_permission_reply", event.type)
    assert.are.same({ "accept", 1704803711, false }, { event.call_permission_reply.response, event.call_permission_reply.expiration_timestamp, event.call_permission_reply.is_permanent })
  end)

  it("a reaction is taken back without an emoji, or with an empty one", function()
    for _, emoji in ipairs { json.null, "", 5, {} } do
      assert.are.same({ type = "reaction", reaction = { message_id = "w" } }, of_message("reaction", { message_id = "w", emoji = emoji }))
    end
  end)

  it("content that WhatsApp could not deliver is unsupported, of whatever type", function()
    local errors = { { code = 131051, title = "Message type unknown" } }
    for _, kind in ipairs { "interactive", "image", "text", "edit", "contacts", "hologram" } do
      assert.are.same({ type = "unsupported", errors = errors }, of_message(kind, nil, { errors = errors }))
      assert.are.same({ type = "unknown" }, of_message(kind, nil))
    end
    local reply = { type = "list_reply", list_reply = { id = "7", title = "Delhi" } }
    local event = of_message("interactive", reply, { errors = errors })
    assert.are.same({ type = "list", text = "Delhi", reply = reply.list_reply, errors = errors }, event)
  end)

  it("a choice without an id is none", function()
    for _, id in ipairs { json.null, "", {}, true } do
      assert.are.same({ type = "unknown" }, of_message("interactive", { type = "button_reply", button_reply = { id = id, title = "Yes" } }))
    end
  end)
end)

describe("fields of another type than the documented:", function()
  it("coordinates that are texts are numbers, others are absent", function()
    local cases = {
      { "28.6139", 28.6139 }, { "-77", -77 }, { 28, 28 }, { "+1e1", 10.0 }, { "28,6139" }, { "" }, { "x" }, { "0x10" }, { " 5" }, { "nan" },
      { "1e999" }, { "inf" }, { true }, { {} }, { json.null }, { "5 " }, { ("1"):rep(50) },
    }
    for _, case in ipairs(cases) do
      local event = of_message("location", { latitude = case[1], longitude = "77.209", name = 5, address = "Delhi" })
      assert.are.same({ type = "location", location = { latitude = case[2], longitude = 77.209, address = "Delhi" } }, event)
    end
  end)

  it("codes and amounts as well, at any depth; what holds them is kept", function()
    local errors = { { code = "131026", title = 5, error_data = { details = {}, more = 1 } }, "x", 5, { title = "b" } }
    local event = of_item("statuses", { id = "1", status = "failed", errors = errors })
    assert.are.same({ { code = 131026, error_data = { more = 1 } }, { title = "b" } }, event.errors)
    local order = { catalog_id = 7, text = {}, product_items = { { quantity = "2", item_price = "9.5", currency = 1 }, 5 }, more = "kept" }
    local expected = { catalog_id = "7", product_items = { { quantity = 2, item_price = 9.5 } }, more = "kept" }
    assert.are.same({ type = "order", order = expected }, of_message("order", order))
    assert.are.same({ type = "contacts", contacts = { { phones = {} } } }, of_message("contacts", { 5, { name = "x", phones = { "y" } } }))
  end)

  it("a failed status has a reason to look at, even without one", function()
    for _, errors in ipairs { json.null, json.array {}, "x", { 5 }, {} } do
      assert.are.same({ {} }, of_item("statuses", { id = "1", status = "failed", errors = errors }).errors)
    end
  end)

  it("times of any unit are seconds", function()
    for _, time in ipairs { 1704803711, "1704803711", 1704803711123, "1704803711123", 1704803711123456, "1704803711123456", "1704803711123456789" } do
      local expected = #tostring(time) < 19 and 1704803711 or nil
      for _, list in ipairs { "messages", "statuses", "calls", "user_preferences", "message_echoes" } do
        assert.equal(expected, of_item(list, { id = "1", timestamp = time }).timestamp)
      end
    end
    assert.equal(99999999999, of_item("messages", { timestamp = 99999999999 }).timestamp)
  end)
end)

describe("an echo of what staff wrote", function()
  it("has a message's fields, and its customer as the recipient", function()
    local item = { from = "919873617805", to = "919999999999", id = "wamid.1", timestamp = "1704803711", type = "text", text = { body = "stop" } }
    local event = of_item("message_echoes", item)
    assert.are.same({ kind = "echo", type = "text", text = "stop", recipient = "919999999999", id = "wamid.1", timestamp = 1704803711 }, event)
    event = of_item("message_echoes", { to_user_id = "IN.5", type = "revoke", revoke = { original_message_id = "w" } })
    assert.are.same({ "revoke", "IN.5", "IN.5" }, { event.type, event.recipient, event.recipient_user_id })
    assert.equal("1:919999999999", webhook.key { kind = "echo", phone_number_id = "1", recipient = "919999999999" })
    local full = parse_one(samples.envelope(webhooks.value { message_echoes = { item } }, "smb_message_echoes"))
    assert.equal("e:123456789:wamid.1", webhook.dedupe_key(full))
  end)
end)

describe("calls", function()
  local contacts = { { wa_id = "919999999999", user_id = "IN.5", profile = { name = "Asha", username = "asha_r" } } }

  it("are of the customer, who called or was called", function()
    local item = {
      id = "wacid.1", from = "919999999999", to = "919873617805", event = "connect", timestamp = "1704803711", direction = "USER_INITIATED",
      session = { sdp_type = "offer", sdp = "v=0" },
    }
    local event = of_item("calls", item, contacts)
    assert.are.same({ "call", "connect", "919999999999", nil, "IN.5", "Asha", "asha_r" }, {
      event.kind, event.event, event.from, event.recipient, event.user_id, event.name, event.username,
    })
    assert.equal("offer", event.session.sdp_type)
    local ours = { id = "wacid.1", from = "919873617805", to = "919999999999", event = "terminate", direction = "BUSINESS_INITIATED", status = "COMPLETED", duration = "33" }
    for _, direction in ipairs { "BUSINESS_INITIATED", json.null } do
      ours.direction = direction
      event = of_item("calls", ours, contacts)
      assert.are.same({ nil, "919999999999", nil, "COMPLETED", 33 }, { event.from, event.recipient, event.user_id, event.status, event.duration })
    end
  end)

  it("open the service window where the customer called", function()
    local item = { id = "wacid.1", from_user_id = "IN.5", event = "connect", timestamp = "1704803711", direction = "USER_INITIATED" }
    assert.equal(1704803711, webhook.inbound_at(of_item("calls", item)))
    item.direction, item.from_user_id, item.to_user_id = "BUSINESS_INITIATED", nil, "IN.5"
    assert.is_nil(webhook.inbound_at(of_item("calls", item)))
    item = { id = "wacid.1", type = "call", status = "RINGING", recipient_id = "919999999999", timestamp = "1704803711" }
    assert.is_nil(webhook.inbound_at(of_item("statuses", item)))
  end)

  it("and their statuses have a kind of their own, among the statuses", function()
    local event = of_item("statuses", { id = "wacid.1", type = "call", status = "RINGING", recipient_id = "919999999999", timestamp = "1704803711" })
    assert.are.same({ kind = "call", id = "wacid.1", status = "RINGING", recipient = "919999999999", timestamp = 1704803711 }, event)
  end)
end)

describe("payments, preferences and ids", function()
  it("a payment that failed is no message that failed", function()
    local item = {
      id = "wamid.1", type = "payment", status = "failed", recipient_id = "919999999999",
      payment = { reference_id = "r1", amount = { value = "24000", offset = 100 }, currency = "INR", transaction = { id = 5, status = "failed" } },
    }
    local event = of_item("statuses", item)
    assert.are.same({ "payment", "failed", "919999999999" }, { event.kind, event.status, event.recipient })
    assert.are.same({ reference_id = "r1", amount = { value = 24000, offset = 100 }, currency = "INR", transaction = { id = "5", status = "failed" } }, event.payment)
  end)

  it("a customer stops and resumes marketing", function()
    local item = { wa_id = "919999999999", category = "marketing_messages", value = "stop", detail = "User requested to stop", timestamp = 1704803711 }
    local event = of_item("user_preferences", item, { { profile = { name = "Asha" }, wa_id = "919999999999", user_id = "IN.5" } })
    assert.are.same({ "user_preferences", "919999999999", "stop", "marketing_messages", "Asha", "IN.5", 1704803711 }, {
      event.kind, event.from, event.value, event.category, event.name, event.user_id, event.timestamp,
    })
    local full = parse_one(webhooks.value { user_preferences = { item } })
    local again = parse_one(webhooks.value { user_preferences = { item } })
    assert.equal(webhook.dedupe_key(full), webhook.dedupe_key(again))
    item.value = "resume"
    assert.is_false(webhook.dedupe_key(full) == webhook.dedupe_key(parse_one(webhooks.value { user_preferences = { item } })))
  end)

  it("a user id changes", function()
    local item = { wa_id = "919999999999", user_id = { previous = "IN.1", current = "IN.2" }, parent_user_id = "IN.ENT.3", timestamp = "1704803711" }
    assert.are.same({
      kind = "user_id_update", from = "919999999999", user_id = "IN.2", previous_user_id = "IN.1", parent_user_id = "IN.ENT.3", timestamp = 1704803711,
    }, of_item("user_id_update", item))
  end)
end)

describe("a message", function()
  it("that was written in a group tells which one", function()
    local item = { from = "919999999999", id = "wamid.1", group_id = "G1", type = "text", text = { body = "hi" } }
    assert.equal("G1", of_item("messages", item).group_id)
    assert.is_false(webhook.is_addressed(of_item("messages", item)))
    item.group_id = nil
    assert.is_true(webhook.is_addressed(of_item("messages", item)))
  end)
end)

-- Their `recipient_id` is the group for all: one participant's status was taken for another's repetition, and had no name.
describe("the statuses of a message to a group", function()
  it("are each participant's", function()
    local contacts = { { wa_id = "919111111111", profile = { name = "A" } }, { user_id = "IN.2", profile = { name = "B" } } }
    local function status(of)
      of.id, of.status, of.recipient_id, of.recipient_type = "wamid.G", "delivered", "Y2Fw", "group"
      return of
    end
    local first = status { recipient_participant_id = "919111111111" }
    local second = status { recipient_participant_user_id = "IN.2" }
    local events = webhook.parse(json.encode(webhooks.value { contacts = contacts, statuses = { first, second, status {} } }))
    for i, expected in ipairs { { "919111111111", nil, "A" }, { "IN.2", "IN.2", "B" }, {} } do
      local event = events[i]
      assert.are.same(expected, { event.recipient, event.recipient_user_id, event.name })
      assert.equal("Y2Fw", event.group_id)
      assert.equal("s:wamid.G:delivered:" .. (expected[1] or ""), webhook.dedupe_key(event))
      assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
    end
  end)
end)

describe("the account", function()
  it("has changes by WhatsApp's names, with the account's id and the time", function()
    for _, name in ipairs(webhook.account_types) do
      local value = { event = "FLAGGED", errors = { { error_type = "x" } }, message_template_id = 594425479261596, reason = json.null }
      local change = { field = name, value = value }
      local event = parse_one { object = "whatsapp_business_account", entry = { { id = "102", time = 1704803711123, changes = { change } } } }
      assert.are.same({
        kind = "account", type = name, event = "FLAGGED", account_id = "102", timestamp = 1704803711, raw = change,
        value = { event = "FLAGGED", errors = value.errors, message_template_id = 594425479261596 },
      }, event)
      assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
      local alone = parse_one(change)
      assert.are.same({ "account", name, nil }, { alone.kind, alone.type, alone.account_id })
    end
  end)
end)

describe("a change of one of the account's numbers", function()
  it("says which one it is, and when, where its value does", function()
    for _, name in ipairs { "display_phone_number", "phone_number" } do
      local change = { field = "phone_number_quality_update", value = { [name] = "919873617805", event = "FLAGGED", timestamp = "1704803711" } }
      local event = parse_one { entry = { { id = "7", changes = { change } } } }
      assert.are.same({ "919873617805", 1704803711, "7" }, { event.display_phone_number, event.timestamp, event.account_id })
      assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
      assert.equal(1704803712, parse_one({ entry = { { id = "7", time = 1704803712, changes = { change } } } }).timestamp)
    end
  end)
end)

describe("what the app on the phone knew", function()
  it("is history and no new message", function()
    local item = { metadata = { phase = 0, chunk_order = "1", progress = 55 }, threads = { { id = "9199", messages = { { id = "wamid.1" } } } } }
    assert.are.same({ kind = "history", phase = 0, chunk_order = 1, progress = 55, threads = item.threads }, of_item("history", item))
    local errors = { { code = 2593109, title = "off" } }
    assert.are.same({ kind = "history", errors = errors }, of_item("history", { errors = errors }))
    local message = webhooks.message("image", { id = "1" })
    local event = parse_one(samples.envelope(webhooks.value { messages = { message } }, "history"))
    assert.are.same({ "history", message, nil }, { event.kind, event.message, event.type })
    assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
  end)

  -- A file that staff had sent came as a new echo: the documented handover paused the bot for that customer.
  it("is history also where staff wrote it", function()
    local echo = webhooks.message("image", { id = "1", caption = "our old photo" }, { to = "919999999999", id = "wamid.E" })
    local event = parse_one(samples.envelope(webhooks.value { message_echoes = { echo } }, "history"))
    assert.are.same({ "history", echo, "wamid.E", nil }, { event.kind, event.message, event.id, event.recipient })
    assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
  end)

  it("and its address book", function()
    local item = { type = "contact", action = "add", contact = { full_name = "Asha Rao", phone_number = 919999999999 }, metadata = { timestamp = "1704803711" } }
    assert.are.same({
      kind = "state_sync", type = "contact", action = "add", timestamp = 1704803711, contact = { full_name = "Asha Rao", phone_number = "919999999999" },
    }, of_item("state_sync", item))
  end)
end)

describe("an error beside the messages", function()
  it("has the time of its envelope, which it keeps when it is stored", function()
    local value = webhooks.value { errors = { { code = 1 } } }
    local event = parse_one { entry = { { id = "7", time = 1704803711, changes = { { field = "messages", value = value } } } } }
    assert.equal(1704803711, event.timestamp)
    assert.are.same(event, parse_one(webhook.wrap(event)))
    assert.is_nil(parse_one(value).timestamp)
  end)
end)

describe("an event's contact", function()
  local asha = { wa_id = "919999999999", user_id = "IN.1", parent_user_id = "IN.ENT.1", profile = { name = "Asha", username = "asha_r" }, identity_key_hash = "h" }
  local ravi = { user_id = "IN.2", profile = { name = "Ravi", username = "ravi" } }

  local function expected(contact)
    local full = { name = contact.profile.name, username = contact.profile.username }
    for key, value in pairs(contact) do
      full[key] = value
    end
    return full
  end

  local items = {
    messages = { { from = "919999999999" }, { from_user_id = "IN.2" } },
    message_echoes = { { to = "919999999999" }, { to_user_id = "IN.2" } },
    statuses = { { recipient_id = "919999999999", status = "read" }, { recipient_user_id = "IN.2", status = "read" } },
    calls = { { from = "919999999999" }, { from_user_id = "IN.2" } },
    user_preferences = { { wa_id = "919999999999" }, { user_id = "IN.2" } },
  }

  it("is the one with its number or user id, in full", function()
    for list, pair in pairs(items) do
      for i, contact in ipairs { asha, ravi } do
        local event = of_item(list, pair[i], { ravi, 5, asha, {} })
        assert.are.same(expected(contact), event.contact, list)
        assert.are.same({ contact.profile.name, contact.profile.username }, { event.name, event.username })
      end
      assert.is_nil(of_item(list, { from = "1" }, { ravi, asha }).contact)
    end
  end)

  it("is the only one, whatever its ids, which then stay its own", function()
    for list in pairs(items) do
      local event = of_item(list, { from = "1", to = "1", recipient_id = "1", wa_id = "1" }, { asha })
      assert.are.same({ expected(asha), nil, "Asha" }, { event.contact, event.user_id, event.name })
    end
  end)

  -- The one who wrote beside them was named Asha, from then on.
  it("is not the only one where several items are, and an id contradicts", function()
    local function names(contact, lists)
      lists.contacts = { contact }
      local found = {}
      for i, event in ipairs(webhook.parse(json.encode(webhooks.value(lists)))) do
        found[i] = event.name or "-"
        assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
      end
      return table.concat(found, " ")
    end
    local number = asha.wa_id
    assert.equal("Asha -", names(asha, { messages = { { from = number, id = "1" }, { from = "917777777777", id = "2" } } }))
    assert.equal("Asha -", names(asha, { messages = { { from = number } }, statuses = { { recipient_id = "918888888888", status = "failed" } } }))
    assert.equal("- Ravi", names(ravi, { messages = { { from_user_id = "IN.6" }, { from_user_id = "IN.2" } } }))
    assert.equal("- Ravi", names(ravi, { statuses = { { recipient_user_id = "IN.6", status = "read" }, { recipient_id = "1", status = "read" } } }))
    local brazil = { wa_id = "553187654321", profile = { name = "Ana" } }
    assert.equal("Ana Ana", names(brazil, { messages = { { from = "5531987654321" }, { from = "553187654321" } } }))
  end)

  it("has the documented types, and no null", function()
    local bad = { wa_id = 919999999999, user_id = {}, name = "not here", profile = { name = 5, username = json.null }, note = json.null }
    local event = of_item("messages", { from = "919999999999" }, { bad })
    assert.are.same({ wa_id = "919999999999", profile = {} }, event.contact)
    assert.is_nil(event.name)
    for _, contact in ipairs { { profile = "x", wa_id = "" }, { profile = json.null }, {} } do
      assert.are.same({}, of_item("messages", {}, { contact, contact }).contact or {})
      assert.are.same({}, of_item("messages", {}, { contact }).contact)
    end
  end)
end)
