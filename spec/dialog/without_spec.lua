-- SPDX-License-Identifier: MIT
-- A bot with dialogs asks the store once whether a conversation has one, and not again until it may have begun one. A customer
-- notices nothing of that: what answers a dialog reaches it, however and whenever it was begun.

local bot_rig = require "spec.support.rigs.bot_rig"
local talk = require "spec.support.rigs.talk"

describe("a conversation without a dialog", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  local function define(more)
    local bot = rig:new_bot()
    bot:dialog("order", function(chat)
      chat:reply_text("thank you for " .. chat:ask("what?").text)
    end)
    more(bot)
    rig:start()
  end

  local function echo(msg)
    msg:reply_text("heard " .. msg.text)
  end

  it("may get one by a command, and be without one again", function()
    define(function(bot)
      bot:on("text", "order", function(msg)
        msg:start "order"
      end)
      bot:on("text", echo)
    end)
    local expected = {}
    local function say(text, answer)
      rig:say(text)
      expected[#expected + 1] = answer
      assert.are.same(expected, rig:texts(#expected))
    end
    for _ = 1, 2 do
      say("a", "heard a")
      say("b", "heard b")
      say("order", "what?")
      say("c", "thank you for c")
      say("d", "heard d")
      say("e", "heard e")
    end
  end)

  it("may get one from elsewhere", function()
    local begin
    define(function(bot)
      bot:on("text", function(msg)
        function begin()
          return bot:start(msg.from, "order")
        end
        echo(msg)
      end)
    end)
    rig:say "a"
    rig:texts(1)
    rig:say "b"
    rig:texts(2)
    assert(begin())
    rig:texts(3)
    rig:say "c"
    assert.are.same({ "heard a", "heard b", "what?", "thank you for c" }, rig:texts(4))
  end)

  it("may get one by a handler that waits", function()
    define(function(bot)
      bot:on("text", function(msg)
        if msg.text == "ask" then
          return msg:reply_text("you said " .. msg.chat:ask("what?").text)
        end
        echo(msg)
      end)
    end)
    for i, text in ipairs { "a", "b", "ask", "c", "d" } do
      rig:say(text)
      rig:texts(i)
    end
    assert.are.same({ "heard a", "heard b", "what?", "you said c", "heard d" }, rig:texts(5))
  end)

  local user_id = "IN.1349120865530274"

  -- One conversation has no dialog, the other one has; then a message says that they are one person's.
  local function test_join(one, other)
    local posted, replies = 0, {}
    local function post(text, from, its_user_id)
      posted = posted + 1
      talk.all:post {
        metadata = { phone_number_id = talk.contact:match "^[^:]+", display_phone_number = "15550000000" },
        messages = { {
          from = from, from_user_id = its_user_id, id = "wamid.without" .. posted, timestamp = "1700000000", type = "text", text = { body = text },
        } },
      }
      talk.all:settle()
    end
    finally(talk.finish)
    talk.begin(function(bot)
      bot:before_send(function(message)
        replies[#replies + 1] = message.text
      end)
      bot:dialog("order", function(chat)
        chat:reply_text("thank you for " .. chat:ask("what?").text)
      end)
      bot:on("text", "^order$", function(msg)
        msg:start "order"
      end)
    end)
    post("a", one.from, one.user_id)
    post("b", one.from, one.user_id)
    post("order", other.from, other.user_id)
    post("c", talk.customer, user_id)
    post("d", talk.customer, user_id)
    assert.are.same({ "handler: a", "handler: b", "what?", "thank you for c", "handler: d" }, replies)
  end

  it("has the one of the conversation that is joined with it", function()
    test_join({ from = talk.customer }, { user_id = user_id })
  end)

  it("has the one of the conversation with which it is joined", function()
    test_join({ user_id = user_id }, { from = talk.customer })
  end)

  it("is one of many, of which only some are remembered", function()
    local resident = require "cunnekt.dialog.engine.resident"
    local runs = resident.new(10, 3600)
    for i = 1, 20000 do
      runs:note_without("1:" .. i)
      runs:note_without("1:" .. i)
    end
    local count = 0
    for _ in pairs(runs.without) do
      count = count + 1
    end
    assert.is_true(count > 0 and count <= 8192)
    assert.is_true(runs.without["1:20000"])
    runs:forget_without "1:20000"
    runs:forget_without "1:20000"
    assert.is_nil(runs.without["1:20000"])
  end)
end)
