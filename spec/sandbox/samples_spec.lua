-- SPDX-License-Identifier: MIT
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local samples = require "cunnekt.sandbox.samples"
local webhook = require "cunnekt.provider.webhook"

local function parse(kind, opts)
  local body, about = samples.build(kind, opts)
  local events = assert(webhook.parse(json.encode(body)))
  assert.equal(1, #events)
  return events[1], about
end

-- Every number in a webhook is in these fields; ids and times are strings.
local function check_strings(value, path)
  for name, item in pairs(value) do
    if type(item) == "table" then
      check_strings(item, path .. "." .. tostring(name))
    elseif type(name) == "string" and (name:find "id$" or name:find "timestamp") then
      assert.equal("string", type(item), path .. "." .. name)
    end
  end
end

describe("a sample webhook", function()
  for _, kind in ipairs(samples.types) do
    it("of a message of type " .. kind .. " is read as one", function()
      local event, about = parse(kind)
      assert.equal("message", event.kind)
      assert.equal(kind, event.type)
      assert.equal(samples.NUMBER, event.from)
      assert.equal(about.id, event.id)
      assert.matches("^wamid%.[%w+/]+=*$", event.id)
      assert.is_true(event.timestamp > 1600000000)
      check_strings((samples.build(kind)), kind)
    end)

    it("of type " .. kind .. " reads the same in Meta's envelope", function()
      local event = parse(kind, { message_id = "wamid.A", timestamp = 1700000000, context = "wamid.B", id = "x" })
      local wrapped =
        parse(kind, { message_id = "wamid.A", timestamp = 1700000000, context = "wamid.B", id = "x", envelope = true })
      assert.same(event, wrapped)
    end)
  end

  for _, status in ipairs(samples.statuses) do
    it("of status " .. status .. " is read as one", function()
      local event = parse(status, { id = "wamid.A", from = "4915112345678" })
      assert.equal("status", event.kind)
      assert.equal(status, event.status)
      assert.equal("wamid.A", event.id)
      assert.equal("4915112345678", event.recipient)
      check_strings((samples.build(status)), status)
    end)
  end

  for _, kind in ipairs(samples.events) do
    it("of the event " .. kind .. " is read as one, in Meta's envelope too", function()
      local event = parse(kind, { timestamp = 1700000000, id = "x" })
      assert.equal(kind, event.kind == "account" and event.type or event.kind)
      assert.same(event, parse(kind, { timestamp = 1700000000, id = "x", envelope = true }))
      if event.kind ~= "account" then
        check_strings((samples.build(kind)), kind)
      end
    end)
  end

  it("of an event carries what it is about", function()
    assert.equal("resume", parse("user_preferences", { text = "resume" }).value)
    assert.equal("see you", parse("echo", { text = "see you", from = "4915112345678" }).text)
    assert.equal("4915112345678", parse("echo", { from = "4915112345678" }).recipient)
    assert.equal("wamid.A", parse("edit", { id = "wamid.A", text = "better" }).edit.original_message_id)
    assert.equal("REJECTED", parse("message_template_status_update", { set = { event = "REJECTED" } }).event)
    assert.equal("terminate", parse("call", { set = { event = "terminate" } }).event)
  end)

  it("has the provider's fields in its statuses", function()
    local sent = samples.build("sent").statuses[1]
    assert.equal("string", type(sent.conversation.expiration_timestamp))
    assert.equal("CBP", sent.pricing.pricing_model)
    assert.is_nil(samples.build("delivered").statuses[1].conversation.expiration_timestamp)
    assert.is_nil(samples.build("read").statuses[1].conversation)
  end)

  it("carries what the customer chose", function()
    assert.same({ id = "bad", title = "Not good" }, parse("button", { id = "bad", title = "Not good" }).reply)
    local row = parse("list", { id = "2", title = "Second", description = "The one after" }).reply
    assert.same({ id = "2", title = "Second", description = "The one after" }, row)
    assert.equal("yes", parse("quick_reply", { id = "yes" }).payload)
    assert.equal("4", parse("form", { form = { rating = "4" } }).form.rating)
    assert.equal("hi there", parse("text", { text = "hi there" }).text)
  end)

  it("carries a file's true SHA-256", function()
    local event, about = parse("document", { data = "hello", filename = "note.txt", text = "see this" })
    assert.equal("hello", about.file.data)
    assert.equal(core.base64_encode(core.sha256():update("hello"):digest()), event.media.sha256)
    assert.equal("text/plain", event.media.mime_type)
    assert.equal("note.txt", event.media.filename)
    assert.equal("see this", event.media.caption)
  end)

  it("takes a reaction back without an emoji", function()
    assert.same({ message_id = "wamid.A" }, parse("reaction", { id = "wamid.A", text = "" }).reaction)
  end)

  it("has ids that a URL cannot carry bare", function()
    local has_plus, has_slash
    for _ = 1, 200 do
      local _, about = samples.build "text"
      has_plus = has_plus or about.id:find("+", 1, true)
      has_slash = has_slash or about.id:find("/", 1, true)
    end
    assert.is_truthy(has_plus and has_slash)
  end)
end)

describe("changing a field of a sample", function()
  local function changed(path, value)
    return samples.build("text", { set = { [path] = value } })
  end

  it("takes a path from the top, or from within the message", function()
    assert.equal("x", changed("messages.0.text.body", "x").messages[1].text.body)
    assert.equal("x", changed("messages[0].text.body", "x").messages[1].text.body)
    assert.equal("x", changed("text.body", "x").messages[1].text.body)
    assert.equal("Ravi", changed("contacts.0.profile.name", "Ravi").contacts[1].profile.name)
  end)

  it("makes what is missing on the way", function()
    assert.equal("ad", changed("referral.source_type", "ad").messages[1].referral.source_type)
    assert.equal("b", changed("messages.1.from", "b").messages[2].from)
  end)

  it("takes a field away for null", function()
    assert.is_nil(changed("from", json.null).messages[1].from)
    assert.is_nil(changed("contacts", json.null).contacts)
  end)

  it("keeps numbers and booleans what they are", function()
    local body = samples.build("location", { set = { ["location.latitude"] = "1.5" } })
    assert.equal(1.5, body.messages[1].location.latitude)
    body = samples.build("audio", { set = { ["audio.voice"] = "false" } })
    assert.is_false(body.messages[1].audio.voice)
  end)
end)

describe("asking for a sample", function()
  it("of a type that does not exist fails", function()
    local body, err = samples.build "txt"
    assert.is_nil(body)
    assert.equal("invalid", err.kind)
    assert.matches("no type 'txt'", err.message)
  end)

  it("with an unknown option raises", function()
    assert.error_matches(function()
      samples.build("text", { txt = "x" })
    end, "unknown option 'txt' %(did you mean 'text'%?%)")
  end)
end)
