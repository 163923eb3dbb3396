local clock = require "cunnekt.clock"
local cunnekt = require "cunnekt"
local log = require "cunnekt.log"
local samples = require "cunnekt.sandbox.samples"
local sandbox = require "cunnekt.sandbox"
local task = require "cunnekt.task"

local customer = "919999999999"

-- A webhook body of one message.
local function body_of(fields)
  local kind = fields.type
  fields.type = nil
  return cunnekt.json.encode((assert(samples.build(kind, fields))))
end

describe("bot", function()
  local bot, fake, lines, write

  before_each(function()
    lines, write = {}, log.write
    log.write = function(line)
      lines[#lines + 1] = line
    end
    fake = assert(sandbox.new())
  end)

  after_each(function()
    if bot then
      bot:stop(1)
    end
    fake:close()
    log.write = write
    bot = nil
  end)

  local function new_bot(opts)
    local all = { api_key = "key", base_url = fake.url .. "/v1", listen = "127.0.0.1:0", store = "memory:" }
    for name, value in pairs(opts or {}) do
      all[name] = value
    end
    bot = cunnekt.bot(all)
    return bot
  end

  local function start()
    assert(bot:listen())
    fake:aim("http://" .. bot:address() .. "/webhook")
  end

  -- Steps the loop until `fn` gives something, at most some seconds.
  local function wait_for(fn, what)
    local deadline = clock.monotonic() + 10
    while true do
      local value = fn()
      if value then
        return value
      elseif clock.monotonic() > deadline then
        error("waited in vain for " .. what, 2)
      end
      task.sleep(0.002)
    end
  end

  local function outgoing()
    local list = {}
    for _, entry in ipairs(fake.state:since(0, nil, 10000)) do
      if entry.direction == "out" then
        list[#list + 1] = entry
      end
    end
    return list
  end

  local function wait_for_messages(count)
    return wait_for(function()
      local list = outgoing()
      return #list >= count and list
    end, count .. " messages")
  end

  local function say(text, from)
    return assert(fake:say { type = "text", text = text, from = from })
  end

  it("answers a message", function()
    new_bot():on("text", "^[Hh]i", function(msg)
      assert.equal(customer, msg.from)
      assert(msg:reply_text("Hello " .. msg.name))
    end)
    start()
    say "hi there"
    local list = wait_for_messages(1)
    assert.equal("Hello Asha", list[1].payload.text)
    assert.equal(customer, list[1].payload.mobile)
  end)

  it("handles the events of one contact in order, and contacts side by side", function()
    local order, release = {}, nil
    new_bot():on("text", function(msg)
      if msg.text == "slow" then
        task.await(function(done)
          release = done
        end)
      end
      order[#order + 1] = msg.from .. msg.text
    end)
    start()
    say("slow", "919000000001")
    say("second", "919000000001")
    say("other", "919000000002")
    wait_for(function()
      return order[1] and release
    end, "the other contact")
    assert.are.same({ "919000000002other" }, order)
    release()
    wait_for(function()
      return order[3]
    end, "the first contact")
    assert.are.same({ "919000000002other", "919000000001slow", "919000000001second" }, order)
  end)

  it("sends the replies to one contact in the order in which they were said", function()
    new_bot():on("text", function(msg)
      for i = 1, 10 do
        msg:reply_text("number " .. i)
      end
    end)
    start()
    say "go"
    for i, entry in ipairs(wait_for_messages(10)) do
      assert.equal("number " .. i, entry.payload.text)
    end
  end)

  it("handles a message that comes twice once", function()
    local count = 0
    new_bot():on("message", function()
      count = count + 1
    end)
    start()
    local body = body_of { type = "text", text = "x", id = "wamid.same" }
    local url = "http://" .. bot:address() .. "/webhook"
    for _ = 1, 3 do
      assert.equal(200, assert(cunnekt.http.post(url, body)).status)
    end
    say "last"
    wait_for(function()
      return count >= 2
    end, "the last message")
    assert.equal(2, count)
  end)

  it("lets a handler wait until its message has arrived, and goes on afterwards", function()
    local reached = {}
    new_bot():on("text", function(msg)
      local sent = assert(msg:reply_text "first")
      assert.equal("queued", sent.state)
      assert(sent:wait("delivered", 5))
      reached[#reached + 1] = sent.state
      assert.is_string(sent.message_id)
      msg:reply_text "second"
    end)
    start()
    say "go"
    local list = wait_for_messages(2)
    assert.equal("second", list[2].payload.text)
    assert.matches("delivered", reached[1] .. "delivered")
  end)

  it("does not wait longer than it was told", function()
    fake:close()
    fake = assert(sandbox.new { statuses = false })
    local result
    new_bot():on("text", function(msg)
      local _, err = msg:reply_text("x"):wait("delivered", 0.02)
      result = err
    end)
    start()
    say "go"
    wait_for(function()
      return result
    end, "the timeout")
    assert.equal("timeout", result.kind)
  end)

  it("keeps the state of a conversation, and of no other", function()
    new_bot():on("text", function(msg)
      local state = msg.chat.state
      state.count = (state.count or 0) + 1
      msg:reply_text(tostring(state.count))
    end)
    start()
    say("a", "919000000001")
    say("b", "919000000001")
    say("c", "919000000002")
    wait_for_messages(3)
    local said = {}
    for _, entry in ipairs(outgoing()) do
      said[entry.contact] = (said[entry.contact] or "") .. entry.payload.text
    end
    assert.are.same({ ["919000000001"] = "12", ["919000000002"] = "1" }, said)
  end)

  it("drops everything that a failing handler did, tries it again, and goes on", function()
    local tries, heard = 0, {}
    new_bot { attempts = 2 }
    bot:on_error(function(err, about)
      heard[#heard + 1] = { err = err, about = about }
    end)
    bot:on("text", "boom", function(msg)
      tries = tries + 1
      msg.chat.state.broken = true
      msg:reply_text "never"
      error "boom here"
    end)
    bot:on("text", function(msg)
      msg:reply_text(tostring(msg.chat.state.broken))
    end)
    start()
    say "boom"
    say "after"
    local list = wait_for_messages(1)
    assert.equal("nil", list[1].payload.text)
    assert.equal(2, tries)
    assert.equal(2, #heard)
    assert.equal("handler", heard[1].err.kind)
    assert.matches("boom here", heard[1].err.traceback)
    assert.matches("traceback", heard[1].err.traceback)
    assert.is_false(heard[1].err.is_final)
    assert.is_true(heard[2].err.is_final)
    assert.equal("boom", heard[2].about.text)
  end)

  it("logs a failure with its traceback where nobody hears it", function()
    new_bot { attempts = 1 }
    bot:on("text", function()
      error "unheard"
    end)
    start()
    say "x"
    wait_for(function()
      return table.concat(lines, "\n"):find "unheard"
    end, "the log")
    assert.matches("stack traceback", table.concat(lines, "\n"))
  end)

  it("gives what was tracked with a send back with its statuses", function()
    local tracked
    new_bot():on("text", function(msg)
      msg:reply_text("x", { track = { order = 7 } })
    end)
    bot:on("delivered", function(status)
      tracked = status.track
    end)
    start()
    say "go"
    wait_for(function()
      return tracked
    end, "the status")
    assert.are.same({ order = 7 }, tracked)
  end)

  it("lets before_send change, replace and drop messages, and checks the result", function()
    new_bot():before_send(function(payload)
      if payload.text == "drop" then
        return false
      elseif payload.text == "long" then
        payload.text = ("x"):rep(5000)
      else
        payload.text = payload.text .. "!"
      end
    end)
    local errs = {}
    bot:on("text", function(msg)
      for _, text in ipairs { "drop", "long", "hello" } do
        local _, err = msg:reply_text(text)
        errs[#errs + 1] = err and err.kind or "ok"
      end
    end)
    start()
    say "go"
    assert.equal("hello!", wait_for_messages(1)[1].payload.text)
    assert.are.same({ "cancelled", "invalid", "ok" }, errs)
  end)

  it("shares values between conversations, and gives a slot to one of two that want it at once", function()
    new_bot():on("text", function(msg)
      if bot.store:add("slot", msg.from) then
        msg:reply_text "yours"
      else
        msg:reply_text "taken"
      end
    end)
    start()
    for i = 1, 20 do
      say("want", ("9190000000%02d"):format(i))
    end
    local texts, winner = { yours = 0, taken = 0 }, nil
    for _, entry in ipairs(wait_for_messages(20)) do
      texts[entry.payload.text] = texts[entry.payload.text] + 1
      winner = entry.payload.text == "yours" and entry.contact or winner
    end
    assert.are.same({ yours = 1, taken = 19 }, texts)
    assert.equal(winner, bot.store:get "slot")
  end)

  it("counts without losing one, whatever runs side by side", function()
    new_bot():on("text", function(msg)
      msg:reply_text(tostring(bot.store:increment "orders"))
    end)
    start()
    for i = 1, 30 do
      say("x", ("9190000000%02d"):format(i))
    end
    local seen = {}
    for _, entry in ipairs(wait_for_messages(30)) do
      seen[tonumber(entry.payload.text)] = true
    end
    for i = 1, 30 do
      assert.is_true(seen[i])
    end
    bot.store:delete "orders"
    assert.is_nil(bot.store:get "orders")
    assert.equal("none", bot.store:get("orders", "none"))
  end)

  it("runs named jobs once and again, and replaces one of the same name", function()
    local ran = {}
    new_bot()
    bot:after(0.001, "hello", function()
      ran[#ran + 1] = "replaced"
    end)
    bot:after(0.001, "hello", function()
      ran[#ran + 1] = "once"
      bot:chat(customer):reply_text "from a job"
    end)
    bot:every(0.001, "tick", function()
      ran.ticks = (ran.ticks or 0) + 1
    end)
    start()
    wait_for_messages(1)
    wait_for(function()
      return (ran.ticks or 0) >= 3
    end, "ticks")
    assert.are.same({ "once" }, { table.unpack(ran) })
  end)

  it("tells the service window, and refuses a free-form reply outside it before the network", function()
    local windows, errs = {}, {}
    new_bot():on("text", function(msg)
      windows[#windows + 1] = msg.chat:window()
      local _, err = msg:reply_text "late"
      errs[#errs + 1] = err and err.kind or "ok"
    end)
    start()
    local url = "http://" .. bot:address() .. "/webhook"
    local old = math.floor(clock.now()) - 25 * 3600
    assert(cunnekt.http.post(url, body_of { type = "text", text = "old", set = {
      ["messages.0.timestamp"] = tostring(old),
    } }))
    wait_for(function()
      return errs[1]
    end, "the old message")
    say "new"
    wait_for_messages(1)
    assert.are.same({ "window_closed", "ok" }, errs)
    assert.equal(0, windows[1])
    assert.is_true(windows[2] > 86000 and windows[2] <= 86400)
  end)

  it("joins quick texts of one contact into one turn", function()
    local heard = {}
    new_bot():on("text", function(msg)
      heard[#heard + 1] = msg.text
      msg:reply_text(tostring(#msg.joined))
    end, { debounce = 0.1 })
    start()
    for _, text in ipairs { "I", "would like", "tea" } do
      say(text)
    end
    say("other", "919000000001")
    local list = wait_for_messages(2)
    table.sort(heard)
    assert.are.same({ "I\nwould like\ntea", "other" }, heard)
    local counts = { list[1].payload.text, list[2].payload.text }
    table.sort(counts)
    assert.are.same({ "1", "3" }, counts)
    wait_for(function()
      return bot._inbox.lanes:count() == 0
    end, "the statuses")
  end)

  it("holds a message until the one before it has arrived", function()
    fake:close()
    fake = assert(sandbox.new { delay = 0.05 })
    new_bot():on("text", function(msg)
      msg:reply_image("https://example.com/a.jpg", "picture")
      msg:reply_text("caption", { after = "delivered" })
    end)
    start()
    say "go"
    local list = wait_for_messages(2)
    local delivered
    for _, status in ipairs(list[1].statuses) do
      delivered = status.status == "delivered" and status.time or delivered
    end
    assert.is_true(delivered <= list[2].time)
  end)

  it("sends the fallback template when the window is closed", function()
    new_bot():on("text", function(msg)
      msg:reply_text("free", { fallback = { template_id = "tpl", body = { "a" } } })
    end)
    start()
    local old = tostring(math.floor(clock.now()) - 25 * 3600)
    assert(cunnekt.http.post(
      "http://" .. bot:address() .. "/webhook",
      body_of { type = "text", text = "old", set = { ["messages.0.timestamp"] = old } }
    ))
    assert.equal("tpl", wait_for_messages(1)[1].payload.templateid)
  end)

  it("tells of accepted and of rejected messages, with what was tracked", function()
    local told = {}
    new_bot():on("accepted", function(outcome)
      told[#told + 1] = outcome
    end)
    bot:on("rejected", function(outcome)
      told[#told + 1] = outcome
    end)
    bot:on_error(function() end)
    bot:on("text", function(msg)
      msg:reply_text("good", { track = { n = 1 } })
      bot:chat("919000000099"):reply_text("nobody wrote from there", { track = { n = 2 } })
    end)
    start()
    say "go"
    wait_for(function()
      return #told == 2
    end, "both outcomes")
    table.sort(told, function(a, b)
      return a.track.n < b.track.n
    end)
    assert.equal("accepted", told[1].status)
    assert.is_string(told[1].id)
    assert.equal("rejected", told[2].status)
    assert.equal("window_closed", told[2].err.kind)
  end)

  it("answers a wrong request with what is wrong", function()
    new_bot { verify_token = "token" }
    start()
    local base = "http://" .. bot:address()
    local function status(method, path, body)
      return assert(cunnekt.http.request { method = method, url = base .. path, body = body }).status
    end
    assert.equal(400, status("POST", "/webhook", "{"))
    assert.equal(404, status("POST", "/other", "{}"))
    assert.equal(405, status("PUT", "/webhook", "{}"))
    assert.equal(413, status("POST", "/webhook", ("x"):rep(3 * 1024 * 1024 + 1)))
    assert.equal(200, status("POST", "/webhook", '{"some":"thing"}'))
    assert.equal(403, status("GET", "/webhook?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1"))
    local ok = assert(cunnekt.http.get(base .. "/webhook?hub.mode=subscribe&hub.verify_token=token&hub.challenge=abc"))
    assert.equal("abc", ok.body)
  end)

  it("checks signatures, and is found at its secret path only", function()
    new_bot { app_secret = "app", webhook_secret = "s3cret" }
    start()
    local core = require "cunnekt.core"
    local base = "http://" .. bot:address()
    local function post(path, signature)
      local headers = { ["X-Hub-Signature-256"] = signature }
      return assert(cunnekt.http.request { method = "POST", url = base .. path, body = "{}", headers = headers }).status
    end
    local good = "sha256=" .. core.hex(core.hmac_sha256("app", "{}"))
    assert.equal(404, post("/webhook", good))
    assert.equal(404, post("/webhook/s3cre", good))
    assert.equal(401, post("/webhook/s3cret", nil))
    assert.equal(401, post("/webhook/s3cret", "sha256=" .. ("0"):rep(64)))
    assert.equal(200, post("/webhook/s3cret", good))
  end)

  it("refuses with 503 and Retry-After when too much is waiting, and recovers", function()
    local release
    new_bot { queue = 1, concurrency = 1 }
    bot:on("text", function()
      task.await(function(done)
        release = done
      end)
    end)
    start()
    local url = "http://" .. bot:address() .. "/webhook"
    local function post()
      return assert(cunnekt.http.post(url, body_of { type = "text", text = "x" }))
    end
    assert.equal(200, post().status)
    wait_for(function()
      return release
    end, "the handler")
    local refused = post()
    assert.equal(503, refused.status)
    assert.is_number(tonumber(refused.headers["retry-after"]))
    release()
    release = nil
    wait_for(function()
      return post().status == 200
    end, "room")
    wait_for(function()
      return release
    end, "the handler")
    release()
  end)

  it("hands 1,000 events of one body to their handlers, in order", function()
    local seen, contacts = 0, {}
    new_bot():on("text", function(msg)
      seen = seen + 1
      local before = contacts[msg.from] or 0
      local number = tonumber(msg.text)
      assert(number > before)
      contacts[msg.from] = number
    end)
    start()
    local messages = {}
    for i = 1, 1000 do
      messages[i] = {
        from = ("91%d"):format(i % 37), id = "wamid." .. i, timestamp = "1700000000", type = "text",
        text = { body = tostring(i) },
      }
    end
    local body = cunnekt.json.encode {
      messaging_product = "whatsapp",
      metadata = { display_phone_number = "91", phone_number_id = "1" },
      messages = messages,
    }
    assert.equal(200, assert(cunnekt.http.post("http://" .. bot:address() .. "/webhook", body)).status)
    wait_for(function()
      return seen == 1000
    end, "1,000 events")
    assert.are.same({}, lines)
  end)

  it("finishes what is under way when it is stopped", function()
    new_bot():on("text", function(msg)
      task.sleep(0.02)
      msg:reply_text "done"
    end)
    start()
    say "x"
    wait_for(function()
      return bot._inbox.lanes:active() > 0
    end, "the handler")
    assert.is_true(bot:stop(5))
    assert.equal(1, #outgoing())
  end)

  it("says what is wrong with a registration, at the script's line", function()
    new_bot()
    for _, wrong in ipairs {
      { "on", "txt", print },
      { "on", "text", 7, print },
      { "use", 1 },
      { "before_send", nil },
      { "on_error", {} },
      { "after", "1", "n", print },
      { "after", 1, print },
      { "every", 0, "n", print },
    } do
      local ok, message = pcall(function()
        bot[wrong[1]](bot, table.unpack(wrong, 2))
      end)
      assert.is_false(ok)
      assert.matches("bot_spec.lua:%d+: bot:" .. wrong[1], message)
    end
    assert.error_matches(function()
      cunnekt.bot { api_key = "k", concurency = 5 }
    end, "did you mean 'concurrency'")
  end)
end)
