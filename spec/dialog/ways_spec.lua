-- SPDX-License-Identifier: MIT
-- The rarer paths through dialogs, each with a bot that is killed in between.

local inside = require("cunnekt.service").of
local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local samples = require "cunnekt.sandbox.samples"
local server = require "spec.support.server"
local sql = require "spec.support.sql"
local store_rig = require "spec.support.rigs.store_rig"
local talk = require "spec.support.rigs.talk"

local begin, say, said = talk.begin, talk.say, talk.said
local customer = talk.customer

describe("dialogs", function()
  after_each(talk.finish)

  -- ---- messages that nobody waits for ------------------------------------------------------------------------------

  local function queueing(its_bot)
    its_bot:dialog("it", function(chat)
      chat:reply_text "wait for the click"
      chat:wait { click = true }
      chat:reply_text(chat:ask("first?").text .. chat:ask("second?").text)
      chat:wait { click = true }
    end, { unexpected = "queue" })
  end

  it("keep messages for their later waits, in order", function()
    begin(queueing)
    say "go"
    say "a"
    talk.all:kill()
    say "b"
    talk.all:act(customer, { type = "button", id = "x", title = "X" })
    talk.all:settle()
    assert.are.same({ "wait for the click", "first?", "second?", "ab" }, said())
  end)

  it("leave what they kept and never took to the handlers", function()
    begin(queueing)
    say "go"
    for _, text in ipairs { "a", "b", "c", "d" } do
      say(text)
    end
    talk.all:kill()
    for _ = 1, 2 do
      talk.all:act(customer, { type = "button", id = "x", title = "X" })
      talk.all:settle()
    end
    assert.are.same({ "wait for the click", "first?", "second?", "ab", "handler: c", "handler: d" }, said())
    assert.equal(0, store_rig.counts(inside(talk.bot).store).kept)
  end)

  -- ---- what is done once -------------------------------------------------------------------------------------------

  -- ---- state -------------------------------------------------------------------------------------------------------

  -- A handler forgot the customer's language and began the dialog that asks for it; the dialog found it as it was before,
  -- and the commit kept it so.
  it("find the state as the handler left it that began them, across restarts", function()
    begin(function(its_bot)
      its_bot:dialog("count", function(chat)
        chat:reply_text(("begins with %s"):format(chat.state.n))
        chat.state.n = chat.state.n + 10
        chat:ask "more?"
        chat:reply_text(("ends with %s"):format(chat.state.n))
      end)
      its_bot:on("text", "^count$", function(msg)
        msg.chat.state.n = (msg.chat.state.n or 0) + 1
        msg:start "count"
      end)
      its_bot:on("text", "^%?$", function(msg)
        msg:reply_text(("is %s"):format(msg.chat.state.n))
      end)
    end)
    say "count"
    talk.all:kill()
    say "yes"
    say "?"
    say "count"
    say "yes"
    talk.all:kill()
    say "?"
    assert.are.same({
      "begins with 1", "more?", "ends with 11", "is 11", "begins with 12", "more?", "ends with 22", "is 22",
    }, said())
  end)

  it("ask a server once, whatever becomes of the bot", function()
    local count = 0
    local crm = server.new(function(request)
      count = count + 1
      return 200, ("\xff%d %s"):format(count, request.body)
    end)
    finally(crm.close)
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local answer = cunnekt.http.post(crm.url, nil, { json = { b = 1, a = { 2 }, c = "x" } })
        local again = cunnekt.http.get(crm.url .. "/again")
        answer.status = answer.status + 1
        chat:ask "?"
        chat:reply_text(("%d %s %d"):format(#answer.body, answer.body:sub(2, 2), again.status + answer.status))
      end)
    end)
    talk.all:act(customer, { type = "text", text = "go" })
    talk.all:settle()
    talk.all:kill()
    say "x"
    assert.are.same({ "?", "26 1 401" }, said())
    assert.equal(2, count)
  end)

  it("keep what a failed call gave", function()
    local nobody = server.nobody()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _, err = cunnekt.http.get(nobody)
        chat:ask "?"
        chat:reply_text(("%s %s"):format(err.kind, tostring(err):match "^network: GET"))
      end)
    end)
    say "go"
    talk.all:kill()
    say "x"
    assert.are.same({ "?", "network network: GET" }, said())
  end)

  it("wait for what becomes of a message, across restarts", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local sent = chat:reply_text "picture"
        local it = chat:wait { sent = sent, reaches = "read", timeout = 1000 }
        chat:reply_text(it.status .. " " .. tostring(it.sent == sent) .. " " .. sent.state)
      end)
      its_bot:on("read", function(status)
        status.chat:reply_text "handlers hear of it as well"
      end)
    end)
    say "go"
    talk.all:kill()
    talk.all:post(samples.status("delivered", { from = customer, id = "wamid.out1" }))
    talk.all:settle()
    talk.all:kill()
    talk.all:post(samples.status("read", { from = customer, id = "wamid.out1" }))
    talk.all:settle()
    assert.are.same({ "picture", "handlers hear of it as well", "read true read" }, said())
  end)

  it("wait for a message that comes to no good end", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local it = chat:wait { sent = chat:reply_text "picture", timeout = 1000 }
        chat:reply_text(it.status)
      end)
    end)
    say "go"
    talk.all:kill()
    talk.all:post(samples.status("failed", { from = customer, id = "wamid.out1" }))
    talk.all:settle()
    assert.are.same({ "picture", "failed" }, said())
  end)

  it("begin others and send signals once", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        its_bot:start("918888888888", "other", { n = 1 })
        its_bot:signal("917777777777", "knock", 5)
        chat:ask "?"
        chat:reply_text "end"
      end)
      its_bot:dialog("other", function(chat, args)
        chat:reply_text("begun " .. args.n)
        chat:ask "other?"
      end)
      its_bot:dialog("knocked", function(chat)
        chat:reply_text("knock " .. chat:wait({ signal = "knock" }).value)
        chat:reply_text("knock " .. chat:wait({ signal = "knock" }).value)
      end)
      its_bot:on("text", "^listen", function(msg)
        msg:start "knocked"
      end)
    end)
    talk.all:act("917777777777", { type = "text", text = "listen" })
    talk.all:settle()
    say "go"
    talk.all:kill()
    say "x"
    assert.are.same({ "?", "end" }, said())
    assert.are.same({ "begun 1", "other?" }, talk.all.seen["918888888888"])
    assert.are.same({ "knock 5" }, talk.all.seen["917777777777"])
  end)

  it("hear signals before anybody has written since the start", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:reply_text("paid " .. chat:wait({ signal = "paid" }).value.amount)
      end)
    end)
    say "go"
    talk.all:kill()
    assert(talk.bot:signal(customer, "paid", { amount = 5 }))
    talk.all:settle()
    assert.are.same({ "paid 5" }, said())
  end)

  -- ---- time --------------------------------------------------------------------------------------------------------

  it("count a question's time from when it was asked, wrong answers and restarts included", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _, err = chat:ask("number?", { timeout = 100, otherwise = "no", check = function(msg)
          return tonumber(msg.text) ~= nil
        end })
        chat:reply_text(err.kind .. " " .. os.time() - 1700000000)
      end)
    end)
    say "go"
    talk.all:pass(60)
    talk.all:kill()
    say "x"
    talk.all:pass(39)
    talk.all:kill()
    assert.are.same({ "number?", "no" }, said())
    talk.all:pass(1)
    assert.are.same({ "number?", "no", "timeout 100" }, said())
  end)

  it("time out once when the clock is put forward or back", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:sleep(3600)
        chat:reply_template "woken"
        chat:sleep(3600)
        chat:reply_template "woken again"
      end)
    end)
    say "go"
    talk.all.clock:set_wall(clock.now() + 10 * 365 * 86400)
    talk.all:pass(60)
    assert.are.same({ "woken" }, said())
    talk.all.clock:set_wall(clock.now() - 3000)
    talk.all:pass(3600)
    talk.all:kill()
    talk.all:pass(2940)
    assert.are.same({ "woken" }, said())
    talk.all:pass(120)
    talk.all:pass(10000)
    assert.are.same({ "woken", "woken again" }, said())
  end)

  it("stand still while a person has taken over, and are due afterwards", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _, err = chat:ask("there?", { timeout = 60 })
        chat:reply_text(err.kind)
      end)
    end)
    say "go"
    talk.bot:chat(customer):pause()
    talk.all:settle()
    talk.all:pass(300)
    say "hello, person"
    talk.all:kill()
    talk.all:pass(300)
    assert.are.same({ "there?" }, said())
    talk.bot:chat(customer):resume()
    talk.all:settle()
    assert.are.same({ "there?", "timeout" }, said())
  end)

  -- An encoder that orders keys otherwise than the one before makes a state look changed that is not.
  it("keep what was saved since the question that they go back to, however the state was written", function()
    begin(function(its_bot)
      its_bot:global("one more", function(msg)
        msg.chat.state.n = (msg.chat.state.n or 0) + 1
        msg:reply_text(tostring(msg.chat.state.n))
      end)
      its_bot:dialog("it", function(chat)
        chat:reply_text("began with " .. chat.state.n)
        chat:ask "first?"
        if chat:ask("second?").text == "back" then
          chat:back()
        end
      end)
    end)
    say "one more"
    sql.run(talk.all.folder.path .. "/dialogs.db", [[UPDATE conversation SET state = CAST('{ "n" : 1 }' AS BLOB)]])
    talk.all:kill()
    say "go"
    say "a"
    say "one more"
    say "back"
    say "one more"
    assert.are.same({ "1", "began with 1", "first?", "second?", "2", "first?", "3" }, said())
  end)

  it("keep it also when they are cut off while they go back", function()
    for turns = 0, 12 do
      begin(function(its_bot)
        its_bot:dialog("it", function(chat)
          local state = chat.state
          local function count()
            state.n = (state.n or 0) + 1
            chat:reply_text(tostring(state.n))
          end
          count()
          chat:ask "first?"
          count()
          if chat:ask("second?").text == "back" then
            chat:back()
          end
        end)
      end)
      say "go"
      say "a"
      talk.all:act(customer, { type = "text", text = "back" })
      for _ = 1, turns do
        talk.all:turn_wheel()
      end
      talk.all:kill()
      talk.all:settle()
      say "a"
      assert.are.same({ "1", "first?", "2", "second?", "first?", "3", "second?" }, said(), turns)
      talk.finish()
    end
  end)

  it("do not pause again when they are rebuilt", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:reply_text "a person will come"
        chat:pause()
        chat:wait { signal = "done" }
        chat:resume()
        chat:reply_text(chat:ask("all well?").text)
      end)
    end)
    say "go"
    say "to the person"
    talk.all:kill()
    talk.bot:signal(customer, "done")
    talk.all:settle()
    talk.all:kill()
    say "yes"
    assert.are.same({ "a person will come", "all well?", "yes" }, said())
    say "again"
    assert.equal("handler: again", said()[4])
  end)
end)
