-- SPDX-License-Identifier: MIT
-- A bot against a sandbox, both in the process of the spec: what a script can do with it, end to end.

local inside = require("cunnekt.service").of
local bot_rig = require "spec.support.rigs.bot_rig"
local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local sandbox = require "cunnekt.sandbox"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"

local customer = "919999999999"
local body_of = bot_rig.body_of
local wait_for = bot_rig.wait_for

describe("bot", function()
  local rig, bot, fake, lines

  before_each(function()
    rig = bot_rig.new()
    fake, lines = rig.fake, rig.lines
  end)

  after_each(function()
    rig:close()
    bot = nil
  end)

  local function new_bot(opts)
    bot = rig:new_bot(opts)
    return bot
  end

  local function start()
    rig:start()
  end

  local function outgoing()
    return rig:outgoing()
  end

  local function wait_for_messages(count)
    return rig:wait_for_messages(count)
  end

  local function say(text, from)
    return rig:say(text, from)
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
    assert.is_true(status_names.has_reached(reached[1], "delivered"), reached[1])
  end)

  it("does not wait longer than it was told", function()
    fake:close()
    rig.fake = assert(sandbox.new { statuses = false })
    fake = rig.fake
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
      return inside(bot).inbox:count() == 0
    end, "the statuses")
  end)

  it("holds a message until the one before it has arrived", function()
    fake:close()
    rig.fake = assert(sandbox.new { delay = 0.05 })
    fake = rig.fake
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
    assert.matches("^window_closed: .*customer last wrote", tostring(told[2].err))
    -- And as it is after a restart, read from the store.
    local record = require "cunnekt.engine.record"
    local kept = record.read_body(record.own("", { status = "rejected", err = told[2].err }).body)
    assert.equal(tostring(told[2].err), tostring(kept.err))
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
