-- SPDX-License-Identifier: MIT
-- The sandbox as a client, a bot and a test see it: over real sockets.

local bot_double = require "spec.support.rigs.bot_double"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local sandbox = require "cunnekt.sandbox"

local box, bot

local function open(opts)
  opts = opts or {}
  opts.retry = opts.retry or 0.001
  box = assert(sandbox.new(opts))
  return box
end

local function with_bot(opts, answer)
  bot = bot_double.new(answer)
  opts = opts or {}
  opts.webhook = bot.url
  return open(opts)
end

after_each(function()
  if box then
    box:close()
  end
  if bot then
    bot.close()
  end
  box, bot = nil, nil
end)

local function call(method, path, value, key)
  local answer = assert(http.request {
    method = method, url = box.url .. path, json = value, headers = { ["API-KEY"] = key ~= false and (key or "any") or nil },
  })
  return answer.status, json.decode(answer.body), answer
end

local function control(method, name, value)
  local status, body = call(method, "/control/" .. name, value)
  assert.equal(200, status, body and body.error and body.error.message)
  return body
end

local function send_text(to, key)
  return call("POST", "/v1/sendreplymessage", { mobile = to, type = "text", text = "x" }, key)
end

local KNOWN = "919999999999"
local STRANGER = "918888888888"

describe("the sandbox's API", function()
  it("answers a message as the provider does", function()
    open()
    local status, body = send_text(KNOWN)
    assert.equal(200, status)
    assert.equal("whatsapp", body.messaging_product)
    assert.same({ { input = KNOWN, wa_id = KNOWN } }, body.contacts)
    assert.matches("^wamid%.[%w+/]+=*$", body.messages[1].id)
    local _, second = send_text(KNOWN)
    assert.are_not.equal(body.messages[1].id, second.messages[1].id)
  end)

  it("refuses a call without a key, and takes any", function()
    open()
    for _, path in ipairs { "/v1/sendreplymessage", "/v1/sendnotification", "/v1/getmediafile?messageId=x" } do
      local status, body = call(path:find "media" and "GET" or "POST", path, nil, false)
      assert.equal(401, status)
      assert.equal("string", type(body.error.message))
    end
    assert.equal(200, (send_text(KNOWN, "whatever")))
  end)

  it("takes only its own key when it has one", function()
    open { api_key = "right" }
    assert.equal(401, (send_text(KNOWN, "wrong")))
    assert.equal(401, (send_text(KNOWN, "right ")))
    assert.equal(200, (send_text(KNOWN, "right")))
  end)

  it("refuses what the client refuses, in Meta's form", function()
    open()
    local bad = {
      { "sendreplymessage", { mobile = KNOWN, type = "text" } },
      { "sendreplymessage", { mobile = KNOWN, type = "text", text = ("x"):rep(5000) } },
      { "sendreplymessage", { mobile = KNOWN, type = "carrier pigeon" } },
      { "sendreplymessage", { type = "text", text = "x" } },
      { "sendreplymessage", { mobile = KNOWN, templateid = "x" } },
      { "sendnotification", { mobile = KNOWN, type = "text", text = "x" } },
      { "sendnotification", { mobile = KNOWN } },
      { "sendnotification", {} },
    }
    for i, case in ipairs(bad) do
      local status, body = call("POST", "/v1/" .. case[1], case[2])
      assert.equal(400, status, "case " .. i)
      assert.equal("integer", math.type(body.error.code))
      assert.equal("string", type(body.error.message))
    end
    assert.equal(0, box.state.last)
  end)

  it("answers nonsense with an error, and goes on", function()
    open()
    for _, body in ipairs { "", "{", "[]", "1", "null", "\xff\xfe" } do
      local answer = assert(http.post(box.url .. "/v1/sendreplymessage", body, { headers = { ["API-KEY"] = "x" } }))
      assert.equal(400, answer.status)
      answer = assert(http.post(box.url .. "/control/messages", body, { headers = { ["Content-Type"] = "application/json" } }))
      assert.equal(body == "[]" and 200 or 400, answer.status, body)
    end
    assert.equal(404, (call("POST", "/v1/messages", {})))
    assert.equal(405, (call("GET", "/v1/sendreplymessage")))
    assert.equal(404, (call("GET", "/elsewhere")))
    assert.equal(200, (send_text(KNOWN)))
  end)
end)

describe("the sandbox's 24-hour window", function()
  it("is closed for who never wrote, but not to templates", function()
    open()
    local status, body = send_text(STRANGER)
    assert.equal(400, status)
    assert.equal(131047, body.error.code)
    assert.equal(200, (call("POST", "/v1/sendnotification", { mobile = STRANGER, templateid = "hello" })))
    assert.equal(400, (send_text(STRANGER)))
  end)

  it("opens when the customer writes, and closes a day later", function()
    open()
    control("POST", "messages", { from = STRANGER })
    assert.equal(200, (send_text("+" .. STRANGER)))
    control("POST", "clock", { advance = 24 * 3600 - 60 })
    assert.equal(200, (send_text(STRANGER)))
    assert.near(60, control("GET", "state?contact=" .. STRANGER).window, 5)
    control("POST", "clock", { advance = 61 })
    assert.equal(400, (send_text(STRANGER)))
    assert.equal(0, control("GET", "state?contact=" .. STRANGER).window)
    control("POST", "messages", { from = STRANGER })
    assert.equal(200, (send_text(STRANGER)))
  end)

  it("opens when the customer calls", function()
    open()
    control("POST", "events", { type = "payment", from = STRANGER })
    assert.equal(400, (send_text(STRANGER)))
    control("POST", "events", { type = "call", from = STRANGER })
    assert.equal(200, (send_text(STRANGER)))
  end)

  it("is one for all forms of a number, which go out as they were given", function()
    open()
    control("POST", "messages", { from = "553187654321" })
    assert.equal(200, (send_text "5531987654321"))
    assert.near(24 * 3600, control("GET", "state?contact=5531987654321").window, 5)
    local messages = control("GET", "messages?direction=out&contact=553187654321").messages
    assert.same({ 1, "5531987654321" }, { #messages, messages[1].payload.mobile })
    control("POST", "faults", { kind = "status", status = 503, to = "+55 31 8765-4321" })
    assert.equal(503, (send_text "5531987654321"))
  end)

  it("is nobody's whose number is not certain", function()
    open()
    local refused = {
      { "POST", "/control/messages", { from = "9876543210" } }, { "POST", "/control/statuses", { id = "x", status = "read", from = "9876543210" } },
      { "POST", "/control/faults", { kind = "reset", to = "9876543210" } }, { "GET", "/control/messages?to=9876543210" },
      { "GET", "/control/state?contact=9876543210" }, { "POST", "/v1/sendnotification", { mobile = "9876543210", templateid = "x" } },
    }
    for _, one in ipairs(refused) do
      local status, body = call(table.unpack(one))
      assert.same({ one[2], 400 }, { one[2], status })
      assert.matches("lacks its country code", body.error.message)
      assert.not_matches("98765", body.error.message)
    end
    assert.equal(200, (call("GET", "/control/messages?to=%2B91%2098765-43210")))
  end)

  it("stays shut after days of silence", function()
    open()
    control("POST", "messages", { from = STRANGER })
    for _ = 1, 4 do
      control("POST", "clock", { advance = 20 * 3600 })
      control("POST", "messages", { from = KNOWN })
    end
    assert.equal(400, (send_text(STRANGER)))
    assert.equal(200, (send_text(KNOWN)))
  end)

  it("can be open for all", function()
    open { open = true }
    assert.equal(200, (send_text(STRANGER)))
  end)
end)

describe("the sandbox's webhooks", function()
  it("tell what became of a message, in order", function()
    with_bot()
    local _, body = send_text(KNOWN)
    local events = bot.wait_for(3)
    for i, status in ipairs { "sent", "delivered", "read" } do
      assert.equal(status, events[i].status)
      assert.equal(body.messages[1].id, events[i].id)
      assert.equal(KNOWN, events[i].recipient)
    end
    assert.equal(events[1].conversation.id, events[2].conversation.id)
  end)

  it("leave out what was switched off", function()
    with_bot { read = false }
    send_text(KNOWN)
    control("POST", "settings", { statuses = false })
    send_text(KNOWN)
    control("POST", "messages", { text = "end" })
    local kinds = {}
    for i, event in ipairs(bot.wait_for(3)) do
      kinds[i] = event.status or event.text
    end
    assert.same({ "sent", "delivered", "end" }, kinds)
  end)

  it("come again until the bot takes them, in order for a contact", function()
    local refused = 0
    with_bot(nil, function(event)
      if event.status == "sent" and refused < 3 then
        refused = refused + 1
        return 503
      end
    end)
    send_text(KNOWN)
    local seen = {}
    for i, event in ipairs(bot.wait_for(6)) do
      seen[i] = event.status
    end
    assert.same({ "sent", "sent", "sent", "sent", "delivered", "read" }, seen)
    assert.equal(3, control("GET", "state").webhooks.counts.refused)
  end)

  it("of other contacts do not wait for one that is refused", function()
    local is_open = false
    with_bot(nil, function(event)
      return event.from == STRANGER and not is_open and 500 or 200
    end)
    control("POST", "messages", { from = STRANGER, text = "held" })
    control("POST", "messages", { from = KNOWN, text = "passes" })
    while not (bot.events[#bot.events] and bot.events[#bot.events].text == "passes") do
      bot.wait_for(#bot.events + 1)
    end
    is_open = true
    bot.wait_for(#bot.events + 1)
    assert.equal("held", bot.events[#bot.events].text)
  end)

  it("are signed when there is a secret", function()
    local signature
    with_bot({ app_secret = "s3cret" }, function(_, request)
      signature = request.exchange:header "X-Hub-Signature-256"
      assert.equal("sha256=" .. core.hex(core.hmac_sha256("s3cret", request.body)), signature)
    end)
    control("POST", "messages", { wait = true })
    assert.is_truthy(signature)
  end)

  it("say how the bot answered, for who waits", function()
    with_bot(nil, function(event)
      return event.text == "bad" and 418 or 200
    end)
    assert.equal(200, control("POST", "messages", { text = "good", wait = true }).webhook.status)
    assert.equal(418, control("POST", "messages", { text = "bad", wait = true }).webhook.status)
  end)

  it("go nowhere without a URL, and that counts as taken", function()
    open()
    local _, body = send_text(KNOWN)
    local id = http.url_encode(body.messages[1].id)
    local message = control("GET", "messages?wait=5&status=read&id=" .. id).messages[1]
    assert.equal("read", message.statuses[3].status)
  end)
end)

describe("the sandbox's customer", function()
  it("clicks what was sent last, with its title", function()
    with_bot { statuses = false }
    local buttons = {
      { type = "reply", reply = { id = "a", title = "Good" } }, { type = "reply", reply = { id = "b", title = "Bad" } },
    }
    local _, body = call("POST", "/v1/sendreplymessage", { mobile = KNOWN, type = "button", body = "How?", buttons = buttons })
    control("POST", "messages", { type = "button", id = "b" })
    control("POST", "messages", { type = "button" })
    local events = bot.wait_for(2)
    assert.same({ id = "b", title = "Bad" }, events[1].reply)
    assert.same({ id = "a", title = "Good" }, events[2].reply)
    assert.equal(body.messages[1].id, events[1].context.id)
  end)

  it("sends a file that the message's id fetches", function()
    with_bot()
    local data = ("\0\1\2bytes\xff"):rep(1000)
    control("POST", "messages", { type = "image", data = core.base64_encode(data), mime_type = "image/jpeg" })
    local event = bot.wait_for(1)[1]
    local status, _, answer = call("GET", "/v1/getmediafile?messageId=" .. http.url_encode(event.id))
    assert.equal(200, status)
    assert.equal("image/jpeg", answer.headers["content-type"])
    assert.equal(data, answer.body)
    assert.equal(event.media.sha256, core.base64_encode(core.sha256():update(answer.body):digest()))
  end)

  it("has no file for other messages", function()
    open()
    local id = control("POST", "messages", {}).id
    for _, wanted in ipairs { id, "wamid.unknown", "" } do
      local status, body = call("GET", "/v1/getmediafile?messageId=" .. http.url_encode(wanted))
      assert.equal(404, status)
      assert.equal("string", type(body.error.message))
    end
  end)

  it("can say the same twice, and be unlike the form", function()
    with_bot()
    for _ = 1, 2 do
      control("POST", "messages", { message_id = "wamid.same", set = { ["from"] = json.null } })
    end
    local events = bot.wait_for(2)
    assert.equal("wamid.same", events[1].id)
    assert.equal("wamid.same", events[2].id)
    assert.is_nil(events[1].from)
  end)

  it("is told what it did wrong", function()
    open()
    for _, case in ipairs {
      { "messages", { txt = "x" }, "did you mean 'text'" }, { "messages", { type = "pigeon" }, "no message type 'pigeon'" },
      { "messages", { type = "image", data = "?" }, "base64" }, { "statuses", { id = "x" }, "'status'" },
      { "faults", { kind = "dealy" }, "one of: " }, { "faults", { kind = "status", status = 99 }, "200 to 599" },
      { "settings", { webhook = "nowhere" }, "http://" },
      { "clock", { advance = "a day" }, "must be a number" },
    } do
      local status, body = call("POST", "/control/" .. case[1], case[2])
      assert.equal(400, status)
      assert.matches(case[3], body.error.message)
    end
  end)
end)

describe("the sandbox's transcript", function()
  it("has both sides, and answers a waiting reader at once", function()
    open()
    local first = control("POST", "messages", { text = "hi" }).id
    local seen = control("GET", "messages?after=0&wait=10")
    assert.equal(first, seen.messages[1].id)
    assert.equal("in", seen.messages[1].direction)
    assert.equal("hi", seen.messages[1].message.text.body)
    local asked = core.monotonic()
    core.timer(0.02, function()
      http.request { method = "POST", url = box.url .. "/v1/sendreplymessage", headers = { ["API-KEY"] = "k" },
        json = { mobile = KNOWN, type = "text", text = "there" } }
    end)
    seen = control("GET", ("messages?after=%d&to=%s&wait=30"):format(seen.last, KNOWN))
    assert.equal("out", seen.messages[1].direction)
    assert.equal("there", seen.messages[1].payload.text)
    assert.is_true(core.monotonic() - asked < 10)
  end)

  it("filters, pages and forgets", function()
    open { open = true }
    for i = 1, 5 do
      send_text(i % 2 == 0 and KNOWN or STRANGER)
    end
    assert.equal(2, #control("GET", "messages?to=" .. KNOWN).messages)
    local page = control("GET", "messages?limit=2")
    assert.equal(2, page.last)
    assert.equal(3, control("GET", "messages?limit=2&after=" .. page.last).messages[1].n)
    assert.equal(0, #control("GET", "messages?from=" .. KNOWN).messages)
    control("DELETE", "messages")
    assert.same({}, control("GET", "messages").messages)
    assert.equal(5, control("GET", "messages").last)
  end)

  it("remembers only so many messages", function()
    open { history = 3 }
    local ids = {}
    for i = 1, 5 do
      ids[i] = control("POST", "messages", { type = "image" }).id
    end
    local seen = control("GET", "messages").messages
    assert.equal(3, #seen)
    assert.equal(3, seen[1].n)
    assert.equal(404, (call("GET", "/v1/getmediafile?messageId=" .. http.url_encode(ids[1]))))
    assert.equal(200, (call("GET", "/v1/getmediafile?messageId=" .. http.url_encode(ids[5]))))
  end)

  it("says when its address is taken", function()
    open()
    local second, err = sandbox.new { port = box.port }
    assert.is_nil(second)
    assert.equal("network", err.kind)
    assert.matches("cannot listen on 127%.0%.0%.1:" .. box.port, err.message)
  end)
end)
