-- SPDX-License-Identifier: MIT
local bot_double = require "spec.support.rigs.bot_double"
local core = require "cunnekt.core"
local process = require "spec.support.process"
local samples = require "cunnekt.sandbox.samples"
local sandbox = require "cunnekt.sandbox"
local server = require "spec.support.server"

describe("cunnekt trigger", function()
  local bot, status, signature

  before_each(function()
    status, signature = 200, nil
    bot = bot_double.new(function(_, request)
      signature = request.exchange:header "X-Hub-Signature-256"
      return status
    end)
  end)

  after_each(function()
    bot.close()
  end)

  local function trigger(...)
    return process.cunnekt { "trigger", ... }
  end

  local function trigger_bot(...)
    local words = table.pack(...)
    words[#words + 1], words[#words + 2] = "--webhook", bot.url
    return trigger(table.unpack(words))
  end

  it("posts every type of message and every status to a webhook", function()
    for _, kind in ipairs(samples.types) do
      assert.equal(0, trigger_bot(kind).code, kind)
      assert.equal(kind, bot.events[#bot.events].type)
    end
    for _, kind in ipairs(samples.statuses) do
      assert.equal(0, trigger_bot(kind, "--id", "wamid.X").code, kind)
      assert.equal(kind, bot.events[#bot.events].status)
      assert.equal("wamid.X", bot.events[#bot.events].id)
    end
    assert.equal(#samples.types + #samples.statuses, #bot.events)
  end)

  it("posts other events, to a webhook and by way of a sandbox", function()
    local box = assert(sandbox.new { webhook = bot.url })
    for _, kind in ipairs { "echo", "call", "payment", "user_preferences", "history", "phone_number_quality_update" } do
      for _, to in ipairs { { "--webhook", bot.url }, { "--sandbox", box.url } } do
        local result = trigger(kind, "--from", "4915112345678", "--set", "note=x", to[1], to[2])
        assert.equal(0, result.code, result.err)
        local event = bot.events[#bot.events]
        assert.equal(kind, event.kind == "account" and event.type or event.kind)
        assert.equal("x", event.value and type(event.value) == "table" and event.value.note or event.raw.note)
      end
    end
    assert.matches("did you mean 'user_preferences'", trigger("user_preference", "--webhook", bot.url).err)
    box:close()
  end)

  it("says what was asked for", function()
    trigger_bot("text", "--from", "+49 151 12345678", "--name", "Jörg", "--text", "Grüße 👋")
    local event = bot.events[1]
    assert.equal("4915112345678", event.from)
    assert.equal("Jörg", event.name)
    assert.equal("Grüße 👋", event.text)
    trigger_bot("button", "--id", "bad", "--text", "Not good")
    assert.same({ id = "bad", title = "Not good" }, bot.events[2].reply)
  end)

  it("takes a number as people write it, and refuses what is not certain without repeating it", function()
    assert.equal(0, trigger_bot("text", "--from", "https://wa.me/4915112345678").code)
    assert.equal("4915112345678", bot.events[1].from)
    local result = trigger_bot("text", "--from", "9876543210")
    assert.equal(2, result.code)
    assert.matches("%-%-from lacks its country code", result.err)
    assert.not_matches("98765", result.err)
  end)

  it("changes fields", function()
    trigger_bot("text", "--set", "text.body=a=b", "--set", "messages.0.timestamp=17", "--set", "contacts:=null")
    assert.equal("a=b", bot.events[1].text)
    assert.equal(17, bot.events[1].timestamp)
    assert.is_nil(bot.events[1].name)
    trigger_bot("failed", "--set", "errors.0.code:=131047")
    assert.equal(131047, bot.events[2].errors[1].code)
  end)

  it("sends a file's name and digest", function()
    local folder = process.folder()
    process.write(folder.path .. "/bill.pdf", "%PDF-1.4 bill")
    trigger_bot("document", "--file", folder.path .. "/bill.pdf")
    local file = bot.events[1].media
    assert.equal("bill.pdf", file.filename)
    assert.equal("application/pdf", file.mime_type)
    assert.equal(core.base64_encode(core.sha256():update("%PDF-1.4 bill"):digest()), file.sha256)
  end)

  it("signs with the app secret of the environment", function()
    process.cunnekt({ "trigger", "text", "--webhook", bot.url }, { env = { CUNNEKT_APP_SECRET = "s3cret" } })
    local body = bot.requests[1].body
    assert.equal("sha256=" .. core.hex(core.hmac_sha256("s3cret", body)), signature)
  end)

  it("prints what it posted", function()
    local result = trigger_bot("text", "--json", "--envelope")
    assert.equal(bot.requests[1].body .. "\n", result.out)
    assert.matches('"object":"whatsapp_business_account"', result.out)
  end)

  it("fails when the bot does not take it", function()
    status = 503
    local result = trigger_bot "text"
    assert.equal(1, result.code)
    assert.matches("the bot answered 503", result.err)
    result = trigger("text", "--webhook", server.nobody())
    assert.equal(1, result.code)
    assert.matches("^cunnekt trigger: network: ", result.err)
  end)

  it("acts as a customer of a sandbox", function()
    local box = assert(sandbox.new { webhook = bot.url, retry = 0.01 })
    finally(function()
      box:close()
    end)
    local result = trigger("text", "--text", "hi", "--from", "918888888888", "--sandbox", box.url)
    assert.equal(0, result.code, result.err)
    assert.equal("hi", bot.events[1].text)
    assert.is_true(box.state:window "918888888888" > 0)
    assert.equal(0, trigger("read", "--id", "wamid.Y", "--sandbox", box.url .. "/v1").code)
    assert.equal("wamid.Y", bot.events[2].id)
    status = 500
    assert.equal(1, trigger("image", "--sandbox", box.url).code)
    status = 200
  end)

  it("says what a sandbox lacks", function()
    local box = assert(sandbox.new())
    finally(function()
      box:close()
    end)
    local result = trigger("text", "--sandbox", box.url)
    assert.equal(0, result.code)
    assert.matches("no webhook URL", result.err)
    assert.equal(1, trigger("text", "--sandbox", server.nobody()).code)
  end)

  it("exits with 2 for a mistake on the command line", function()
    local mistakes = {
      { { "text" }, "%-%-sandbox URL or %-%-webhook URL is missing" },
      { { "txet", "--webhook", bot.url }, "did you mean 'text'%?" },
      { { "text", "--webhook", bot.url, "--sandbox", bot.url }, "can not be used together" },
      { { "text", "--webhook", "here" }, "must begin with http" },
      { { "text", "--webhook", bot.url, "--set", "x" }, "FIELD=VALUE" },
      { { "text", "--webhook", bot.url, "--set", "x:={" }, "%-%-set x" },
      { { "image", "--webhook", bot.url, "--file", "/no/such" }, "/no/such" },
      { { "text", "--webhok", bot.url }, "unknown option" },
    }
    for _, case in ipairs(mistakes) do
      local result = trigger(table.unpack(case[1]))
      assert.equal(2, result.code, table.concat(case[1], " "))
      assert.equal("", result.out)
      assert.matches(case[2], result.err)
    end
    assert.equal(0, #bot.events)
  end)
end)
