-- SPDX-License-Identifier: MIT
-- Webhooks: each sample and each inbound type gives its event, nothing is dropped, and nothing makes the parser fail.

local json = require "cunnekt.base.json"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

local function parse(body)
  local events, err = webhook.parse(type(body) == "table" and json.encode(body) or body)
  assert.is_nil(err)
  return events
end

local function parse_one(body)
  local events = parse(body)
  assert.equal(1, #events)
  return events[1]
end

-- The event of one message, without what all of them have.
local function of_message(message)
  local event = parse_one(webhooks.body(message))
  assert.equal("message", event.kind)
  assert.are.same(json.decode(json.encode(message)), event.raw)
  for _, name in ipairs { "kind", "id", "from", "name", "contact", "timestamp", "phone_number_id", "display_phone_number", "raw" } do
    event[name] = nil
  end
  return event
end

local function of(kind, field, more)
  return of_message(webhooks.message(kind, field, more))
end

local common = {
  kind = "message", from = "919999999999", name = "Vivek Kumar", phone_number_id = "123456789", display_phone_number = "919873617805",
}

local function expect(fields)
  for name, value in pairs(common) do
    if fields[name] == nil then
      fields[name] = value
    end
  end
  fields.contact = { wa_id = "919999999999", name = fields.name, profile = { name = fields.name } }
  return fields
end

describe("webhook.parse: the provider's samples", function()
  local function sample(name)
    local event = parse_one(webhooks.sample(name))
    assert.is_table(event.raw)
    event.raw = nil
    return event
  end

  it("text", function()
    assert.are.same(expect {
      id = "wamid.HBgMOTE3ODM4MjYyMjgxFQIAEhgWM0VCMEQyRTI1RUMxQzJEN0Y0RTY0MwA=", name = "VIVEK KUMAR", timestamp = 1691583948,
      type = "text", text = "hello",
    }, sample "text")
  end)

  it("button reply", function()
    assert.are.same(expect {
      id = "wamid.HBgMOTE3MDQyNzE0MzI2FQIAEhggOTg5NzEyNTdCNDM0MThGQzgzNkYzMDA5NDY4MUFBQ0YA", timestamp = 1704803711,
      type = "button", text = "WhatsApp Onboarding", reply = { id = "1", title = "WhatsApp Onboarding" },
      context = { from = "919999999999", id = "wamid.HBgMOTE3MDQyNzE0MzI2FQIAERgSQkRBNUE0QUYyNzE1NDVENzRBAA==" },
    }, sample "button")
  end)

  it("list reply, as it should be and with the link that got into its id", function()
    local event = sample "list"
    assert.are.same(expect {
      id = "wamid.HBgMOTE3MDQyNzE0MzI2FQIAEhggMUZGRTU2QzY4MzE2RTQ1M0M4OTA3MjAyNzA5Q0FFN0MA", timestamp = 1704803717,
      type = "list", text = "button2", reply = { id = "button2_4", title = "button2" },
      context = { from = "919999999999", id = "wamid.HBgMOTE3MDQyNzE0MzI2FQIAERgSOTlFQTQ2REJCNDc4QTVERTM5AA==" },
    }, event)
    local published = sample "list_as_published"
    assert.equal("wahttps://www.cunnekt.commid.", published.id:sub(1, 29))
    published.id, event.id = nil, nil
    assert.are.same(event, published)
  end)

  it("document", function()
    assert.are.same(expect {
      id = "wamid.HBgMOTE3ODM4MjYyMjgxFQIAEhgWM0VCMEIxNkNBMUM4NTk2QzJBMjk0MgA=", name = "VIVEK KUMAR", timestamp = 1691583944,
      type = "document",
      media = {
        id = "1288177442071795", mime_type = "application/pdf", sha256 = "a8BfUjKncpRaN1ETZ7qYMWq+vfjL5UXsKJ7M4JS1Y5g=",
        filename = "Cunnekt - Product Pitch (3) (1).pdf", safe_filename = "Cunnekt - Product Pitch (3) (1).pdf",
      },
    }, sample "document")
  end)

  it("image, which the page on media repeats", function()
    local event = sample "image"
    assert.are.same(expect {
      id = "wamid.HBgMOTE3ODM4MjYyMjgxFQIAEhgWM0VCMEJCMDUxOTQ2N0RGMTkwQ0M2RgA=", name = "VIVEK KUMAR", timestamp = 1691583851,
      type = "image",
      media = {
        id = "6458224610913792", mime_type = "image/jpeg", sha256 = "M/Hwg7p2OkyasSJJKZDX3i3cLAV1aeD4D5PbvyfBbhc=",
        safe_filename = "6458224610913792.jpg",
      },
    }, event)
    assert.are.same(event, sample "media")
  end)

  it("sent, delivered, read", function()
    local function status(fields)
      fields.kind, fields.recipient = "status", "919999999999"
      fields.phone_number_id, fields.display_phone_number = "123456789", "919873617805"
      return fields
    end
    local pricing = { billable = true, pricing_model = "CBP", category = "utility" }
    assert.are.same(status {
      id = "wamid.HBgMSDOTE3MDQyNzE0MzI2FQIAERgSRjRDQkM1NDU3QzI2QTRFQkZFAA==", status = "sent", timestamp = 1710392516, pricing = pricing,
      conversation = { id = "7a553a2122248af1a88c9fdbeceeb17c", expiration_timestamp = "1710478920", origin = { type = "utility" } },
    }, sample "sent")
    assert.are.same(status {
      id = "wamid.HBgMOTE3MDQyNzE0MzI2FQsdQkM1NDU3QzI2QTRFQkZFAA==", status = "delivered", timestamp = 1710392519, pricing = pricing,
      conversation = { id = "7a553a2122248af1a88c9fdbeceeb17c", origin = { type = "utility" } },
    }, sample "delivered")
    assert.are.same(status {
      id = "wamid.HBgMOTE3sdMDQyNzE0MzI2FQIAERgSRjRDQkM1NDU3QzI2QTRFQkZFAA==", status = "read", timestamp = 1710392808,
    }, sample "read")
  end)

  it("give the same events in Meta's envelope", function()
    for _, name in ipairs(webhooks.sample_names) do
      local value = json.decode(webhooks.sample(name))
      assert.are.same(parse(value), parse(webhooks.envelope(value)))
    end
  end)
end)

describe("webhook.parse: every inbound type", function()
  it("text", function()
    assert.are.same({ type = "text", text = "नमस्ते 👋" }, of("text", { body = "नमस्ते 👋" }))
    assert.are.same({ type = "text", text = "" }, of("text", { body = "" }))
  end)

  it("button, list and form, which are interactive", function()
    assert.are.same(
      { type = "button", text = "Good", reply = { id = "good", title = "Good" } },
      of("interactive", { type = "button_reply", button_reply = { id = "good", title = "Good" } })
    )
    assert.are.same(
      { type = "list", text = "Delhi", reply = { id = "7", title = "Delhi", description = "North" } },
      of("interactive", { type = "list_reply", list_reply = { id = 7, title = "Delhi", description = "North" } })
    )
    assert.are.same(
      { type = "form", form = { name = "Asha", age = 31, tags = {} } },
      of("interactive", {
        type = "nfm_reply",
        nfm_reply = { name = "flow", body = "Sent", response_json = '{"name":"Asha","age":31,"note":null,"tags":[]}' },
      })
    )
  end)

  it("a form that does not decode stays in raw, and says why", function()
    for _, answer in ipairs { "{", "", "3", '"x"', "null", "[]", "[1]", 7, json.null, true, json.array {} } do
      local message = webhooks.message("interactive", { type = "nfm_reply", nfm_reply = { response_json = answer } })
      local problem = answer == json.null and "response_json is missing" or "response_json is not a JSON object"
      assert.are.same({ type = "form", form_error = problem }, of_message(message))
    end
    local event = of("interactive", { type = "nfm_reply", nfm_reply = { response_json = { a = 1 } } })
    assert.are.same({ type = "form", form = { a = 1 } }, event)
  end)

  it("a template's quick reply, whose payload is its text when it has none", function()
    assert.are.same({ type = "quick_reply", payload = "YES", text = "Yes" }, of("button", { payload = "YES", text = "Yes" }))
    for _, payload in ipairs { json.null, "", {}, true } do
      assert.are.same({ type = "quick_reply", payload = "Yes", text = "Yes" }, of("button", { payload = payload, text = "Yes" }))
    end
    assert.are.same({ type = "unknown" }, of("button", { title = "Yes" }))
    assert.are.same({ type = "quick_reply", payload = "12" }, of("button", { payload = 12 }))
  end)

  it("media", function()
    local cases = {
      image = { id = "1", mime_type = "image/jpeg", sha256 = "x", caption = "me", safe_filename = "1.jpg" },
      video = { id = "2", mime_type = "video/mp4", sha256 = "x", caption = "me", link = "https://a.example/v", safe_filename = "2.mp4" },
      audio = { id = "3", mime_type = "audio/ogg; codecs=opus", voice = true, safe_filename = "3.ogg" },
      document = { id = "4", mime_type = "application/pdf", filename = "../a/b.pdf", safe_filename = "b.pdf", url = "https://a.example/d" },
      sticker = { id = "5", mime_type = "image/webp", animated = false, safe_filename = "5.webp" },
    }
    for kind, media in pairs(cases) do
      local field = {}
      for name, value in pairs(media) do
        field[name] = value
      end
      field.safe_filename = "/etc/passwd"
      assert.are.same({ type = kind, media = media, text = media.caption }, of(kind, field))
    end
  end)

  it("voice, which is audio under an older name", function()
    assert.are.same({ type = "audio", media = { id = "3", voice = true, safe_filename = "3.bin" } }, of("voice", { id = "3" }))
  end)

  it("location, contacts, reaction, order, system, unsupported", function()
    local location = { latitude = 28.6139, longitude = 77.209, name = "Delhi" }
    assert.are.same({ type = "location", location = location }, of("location", location))
    local cards = { { name = { formatted_name = "Ravi" }, phones = { { phone = "+91 98" } } } }
    assert.are.same({ type = "contacts", contacts = cards }, of("contacts", cards))
    assert.are.same({ type = "reaction", reaction = { message_id = "w", emoji = "👍" } }, of("reaction", { message_id = "w", emoji = "👍" }))
    assert.are.same({ type = "reaction", reaction = { message_id = "w" } }, of("reaction", { message_id = "w", emoji = json.null }))
    local order = { catalog_id = "c", text = "please", product_items = { { product_retailer_id = "p", quantity = 2, item_price = 9.5 } } }
    assert.are.same({ type = "order", order = order }, of("order", order))
    assert.equal("integer", math.type(of("order", order).order.product_items[1].quantity))
    local system = { body = "changed", wa_id = "918888888888", type = "user_changed_number" }
    assert.are.same({ type = "system", system = system }, of("system", system))
    local errors = { { code = 131051, title = "Unsupported message type" } }
    assert.are.same({ type = "unsupported", errors = errors }, of("unsupported", nil, { errors = errors }))
  end)

  it("unknown ones, kept raw", function()
    for _, kind in ipairs { "something_new", "unknown", "", "button_reply", "ephemeral" } do
      assert.are.same({ type = "unknown" }, of(kind ~= "" and kind or "x", { a = 1 }))
    end
    assert.are.same({ type = "unknown" }, of("interactive", { type = "poll_reply", poll_reply = {} }))
    assert.are.same({ type = "unknown" }, of_message { id = "wamid.1", from = "9199" })
  end)

  it("context and referral", function()
    assert.are.same({ type = "text", text = "x", context = { forwarded = true } }, of("text", { body = "x" }, { context = { forwarded = true, id = json.null } }))
    local referral = { source_url = "https://fb.me/1", source_id = "1", source_type = "ad", headline = "h", body = "b", ctwa_clid = "c" }
    assert.are.same({ type = "text", text = "x", referral = referral }, of("text", { body = "x" }, { referral = referral }))
  end)
end)

describe("webhook.parse: senders", function()
  local function senders(fields)
    local found = {}
    for i, event in ipairs(parse(webhooks.value(fields))) do
      found[i] = { event.from, event.user_id, event.name }
      found[i] = ("%s %s %s"):format(event.from, event.user_id, event.name)
    end
    return found
  end

  it("are named by the contact with their number or user id", function()
    local messages = { { from = "1", id = "a" }, { from = 2, id = "b" }, { from_user_id = "IN.3", id = "c" }, { from = "4", id = "d" } }
    local contacts = {
      { wa_id = "2", profile = { name = "Two" } }, { wa_id = 1, user_id = "IN.1", profile = { name = "One" } },
      { user_id = "IN.3", profile = { name = "Three", username = "three" } }, 5, { wa_id = "1", profile = { name = "No" } }, {},
    }
    assert.are.same({ "1 IN.1 One", "2 nil Two", "nil IN.3 Three", "4 nil nil" }, senders { messages = messages, contacts = contacts })
  end)

  it("are named by a single contact, whatever its number", function()
    assert.are.same({ "1 nil X" }, senders { messages = { { from = "1" } }, contacts = { { wa_id = "2", user_id = "IN.2", profile = { name = "X" } } } })
    assert.are.same({ "nil IN.2 X" }, senders { messages = { {} }, contacts = { { user_id = "IN.2", profile = { name = "X" } } } })
    assert.are.same({ "1 IN.9 nil" }, senders { messages = { { from = "1", user_id = "IN.9" } }, contacts = { { user_id = "IN.2", profile = "X" } } })
  end)

  it("need no contact, no number and no metadata", function()
    for _, contacts in ipairs { json.null, json.array {}, {}, "x", { 1 }, { json.null, json.null } } do
      assert.are.same({ "1 nil nil" }, senders { messages = { { from = "1" } }, contacts = contacts })
    end
    local event = parse_one '{"messages":[{"type":"text","text":{"body":"hi"}}]}'
    assert.are.same({ kind = "message", type = "text", text = "hi", raw = event.raw }, event)
  end)

  it("may have ids and times written as numbers, and times that are none", function()
    local event = parse_one '{"metadata":{"phone_number_id":9007199254740993},"messages":[{"from":919999999999,"id":7,"timestamp":1704803711}]}'
    assert.are.same({ "919999999999", "7", 1704803711, "9007199254740993" }, { event.from, event.id, event.timestamp, event.phone_number_id })
    for _, time in ipairs { "", "x", "-5", " 5", "1.5", "0x10", "1e5", ("9"):rep(30), "5 ", 1.5, true, {}, json.null } do
      assert.is_nil(parse_one(webhooks.value { messages = { { timestamp = time } } }).timestamp)
    end
    assert.equal(math.type(parse_one(webhooks.value { messages = { { timestamp = "0017" } } }).timestamp), "integer")
  end)
end)

describe("webhook.parse: statuses and errors", function()
  it("failed, with its errors and what was sent along", function()
    local errors = { { code = 131047, title = "Re-engagement message", error_data = { details = "More than 24 hours" } } }
    local item = {
      id = "wamid.1", status = "failed", timestamp = 1710392516, recipient_user_id = "IN.5", errors = errors, biz_opaque_callback_data = "t1",
      conversation = json.null, pricing = "none",
    }
    local event = parse_one(webhooks.value { statuses = { item } })
    assert.are.same({
      kind = "status", id = "wamid.1", status = "failed", timestamp = 1710392516, recipient = "IN.5", recipient_user_id = "IN.5", errors = errors, raw = event.raw,
      biz_opaque_callback_data = "t1", phone_number_id = "123456789", display_phone_number = "919873617805",
    }, event)
    assert.equal(json.null, event.raw.conversation)
  end)

  it("one of no known state, or of none at all", function()
    assert.equal("warmed", parse_one(webhooks.value { statuses = { { id = "1", status = "warmed" } } }).status)
    for _, status in ipairs { json.null, 5, {}, true } do
      assert.equal("unknown", parse_one(webhooks.value { statuses = { { id = "1", status = status } } }).status)
    end
  end)

  it("has no errors when the list is empty", function()
    for _, errors in ipairs { json.array {}, { json.null }, {}, "x", 5 } do
      assert.is_nil(parse_one(webhooks.value { statuses = { { id = "1", errors = errors } } }).errors)
    end
  end)

  it("errors alone: one event each", function()
    local events = parse(webhooks.value { errors = { { code = 1, title = "a" }, { code = 2, title = json.null } } })
    assert.equal(2, #events)
    assert.are.same({ kind = "error", errors = { { code = 1, title = "a" } }, raw = events[1].raw, phone_number_id = "123456789", display_phone_number = "919873617805" }, events[1])
    assert.are.same({ { code = 2 } }, events[2].errors)
  end)
end)

describe("webhook.parse: bodies", function()
  local function summary(body)
    local words = {}
    for i, event in ipairs(parse(body)) do
      words[i] = event.kind == "unknown" and "?" .. json.encode(event.raw) or event.kind .. ":" .. tostring(event.id)
    end
    return table.concat(words, " ")
  end

  it("give every item in order: entries, changes, messages, statuses, errors", function()
    local function both(a)
      return webhooks.value { messages = { { id = a .. 1 }, { id = a .. 2 } }, statuses = { { id = a .. 3 } }, errors = { { code = 1 } } }
    end
    local body = webhooks.envelope(both "a", both "b")
    table.insert(body.entry[1].changes, { field = "messages", value = both "c" })
    assert.equal(
      "message:a1 message:a2 status:a3 error:nil message:c1 message:c2 status:c3 error:nil message:b1 message:b2 status:b3 error:nil",
      summary(body)
    )
  end)

  it("that are not understood are one unknown event with the whole body", function()
    local bodies = {
      "1", "-1.5", "true", "null", '"text"', "[]", "[1,2]", "{}", '[{"messages":[]}]', '{"messages":[]}', '{"entry":[]}', '{"entry":5}', '{"messages":null}',
      '{"type":"message.received"}', '{"metadata":{"phone_number_id":"1"}}', '{"value":{}}', '{"changes":{}}', '{"statuses":[]}', '{"value":5}',
    }
    for _, body in ipairs(bodies) do
      local event = parse_one(body)
      assert.equal("unknown", event.kind)
      assert.are.same(json.decode(body), event.raw)
    end
    assert.equal("1", parse_one('{"metadata":{"phone_number_id":"1"}}').phone_number_id)
  end)

  it("may hold a change of a field that nobody documents, which is kept raw", function()
    local change = { field = "moon_phase_update", value = { event = "FULL", id = 594425479261596 } }
    local event = parse_one { object = "whatsapp_business_account", entry = { { id = "1", time = 1, changes = { change } } } }
    assert.are.same({ kind = "unknown", raw = change }, event)
    assert.equal("integer", math.type(event.raw.value.id))
  end)

  it("keep items of the wrong shape, and the good ones beside them", function()
    assert.equal('?5 message:a ?"x" ?null ?[] ?[1] message:nil', summary '{"messages":[5,{"id":"a"},"x",null,[],[1],{}]}')
    assert.equal('?{"messages":5} status:b', summary '{"messages":5,"statuses":[{"id":"b"}]}')
    assert.equal('?{"statuses":{"id":"b"}}', summary '{"statuses":{"id":"b"}}')
    assert.equal("?1 ?{} message:a ?{\"changes\":[]} ?null", summary '{"entry":[1,{},{"changes":[{"value":{"messages":[{"id":"a"}]}}]},{"changes":[]},null]}')
    assert.equal("?7 message:a", summary '{"entry":[{"changes":[7,{"value":{"messages":[{"id":"a"}]}}]}]}')
    for _, text in ipairs { '"x"', "5", "[]", "{}", '{"body":5}', '{"body":null}', "null" } do
      assert.equal("unknown", parse_one('{"messages":[{"type":"text","text":' .. text .. "}]}").type)
    end
    for _, kind in ipairs { "image", "interactive", "button", "location", "contacts", "reaction", "order", "system" } do
      for _, field in ipairs { "null", "5", '"x"', kind == "contacts" and "{}" or "[]", "true" } do
        local event = parse_one(('{"messages":[{"id":"a","type":"%s","%s":%s}]}'):format(kind, kind, field))
        assert.are.same({ kind = "message", id = "a", type = "unknown", raw = event.raw }, event)
      end
    end
  end)

  it("that are no JSON are refused", function()
    for _, body in ipairs { "", "{", "hello", "a=b&c=d", "<xml/>", '{"messages":[', "\0", ("["):rep(200000) } do
      local events, err = webhook.parse(body)
      assert.is_nil(events)
      assert.equal("invalid", err.kind)
    end
  end)

  it("must be strings, and whoever calls is told", function()
    assert.has_error(function()
      webhook.parse(nil)
    end, "webhook.parse: expected the body, a string, got nil")
  end)

  it("hold a thousand messages of a thousand senders", function()
    local messages, contacts = {}, {}
    for i = 1, 1000 do
      messages[i] = { from = tostring(i), id = "m" .. i, timestamp = tostring(i), type = "text", text = { body = "t" .. i } }
      contacts[1001 - i] = { wa_id = tostring(i), profile = { name = "n" .. i } }
    end
    local events = parse(webhooks.envelope(webhooks.value { messages = messages, contacts = contacts }))
    assert.equal(1000, #events)
    for i, event in ipairs(events) do
      assert.are.same({ "m" .. i, "n" .. i, "t" .. i, i }, { event.id, event.name, event.text, event.timestamp })
    end
  end)
end)
