-- SPDX-License-Identifier: MIT
-- What staff write in WhatsApp's own app, remarks on messages (reactions, edits, deletions), calls and statuses, in a bot: which handlers
-- run, in whose conversation, and that only a call opens the service window.

local fake_client = require "spec.support.fake_client"
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"
local webhooks = require "spec.support.webhooks"

local begin, said, say = talk.begin, talk.said, talk.say
local customer = talk.customer

local remarks = { "reaction", "edit", "revoke", "system" }

describe("an echo", function()
  after_each(talk.finish)

  local heard

  local function begin_noting(more)
    heard = {}
    begin(function(bot)
      local function note(name)
        return function(event)
          table.insert(heard, name .. ": " .. tostring(event.text))
          return "next"
        end
      end
      for _, what in ipairs { "text", "image", "echo", "message", "status" } do
        bot:on(what, note(what))
      end
      bot:on("any", require("cunnekt").filter.text "stop", note "filter")
      bot:global("stop", note "global")
      if more then
        more(bot)
      end
    end)
  end

  local function act(kind, fields)
    fields = fields or {}
    fields.type = kind
    talk.all:act(customer, fields)
    talk.all:settle()
  end

  -- A changed number would be another customer's words from then on.
  local function remark(kind)
    act(kind, kind == "system" and { set = { ["messages.0.system.type"] = "customer_identity_changed" } } or nil)
  end

  it("runs its own handlers only, no text's and no command", function()
    begin_noting()
    act("echo", { text = "stop" })
    assert.are.same({ "echo: stop" }, heard)
    assert.are.same({}, said())
    say "stop"
    assert.are.same({ "echo: stop", "global: stop" }, heard)
  end)

  -- The documented handover paused the bot after its first answer.
  it("of the bot's own message runs nothing, also where it overtakes the response", function()
    local function echo(id, text)
      talk.all:post(webhooks.value { message_echoes = { { to = customer, id = id, type = "text", text = { body = text } } } })
    end
    local release
    begin_noting(function(bot)
      fake_client.wrap(bot.client, function(transmit)
        local result = transmit()
        if not release then
          echo(result.message_id, "early")
          task.await(function(done) release = done end)
        end
        return result
      end)
    end)
    talk.all:act(customer, { type = "text", text = "hello" })
    talk.all:go_round(100)
    release()
    talk.all:settle()
    say "again"
    echo(talk.all:id_of(customer, "handler: again"), "late")
    talk.all:settle()
    act("echo", { text = "theirs" })
    assert.are.same({ "text: hello", "message: hello", "text: again", "message: again", "echo: theirs" }, heard)
  end)

  it("answers no question", function()
    begin_noting(function(bot)
      bot:dialog("it", function(chat)
        local answer = chat:ask("Name?", { timeout = 100 })
        chat:reply_text("Hello " .. (answer and answer.text or "nobody"))
      end)
      bot:dialog("any", function(chat)
        chat:reply_text "Anything?"
        chat:reply_text("That was " .. chat:wait({ any = true }).type)
      end)
      bot:on("text", "^any$", function(msg) msg:start "any" end)
    end)
    say "go"
    act("echo", { text = "Asha" })
    assert.equal("Name?", said()[#said()])
    for _, kind in ipairs(remarks) do
      remark(kind)
      assert.matches("^handler: ", said()[#said()])
    end
    say "Ravi"
    assert.equal("Hello Ravi", said()[#said()])
    say "any"
    for _, kind in ipairs(remarks) do
      remark(kind)
      assert.matches("^handler: ", said()[#said()])
    end
    act "image"
    assert.equal("That was image", said()[#said()])
  end)

  it("opens and extends no window, and neither does a remark", function()
    local windows = {}
    begin_noting(function(bot)
      bot:on("any", function(event)
        windows[event.type or event.kind] = event.chat:window()
      end)
    end)
    act "echo"
    for _, kind in ipairs(remarks) do
      remark(kind)
      assert.equal(0, windows[kind])
    end
    assert.equal(0, windows.text)
    act "image"
    assert.is_true(windows.image > 86000)
    talk.all:pass(3600)
    act "echo"
    act "edit"
    assert.is_true(windows.text < 83000 and windows.edit < 83000)
  end)
end)

-- It was nobody's, and its state was that of all such messages.
describe("a message without any id of its sender", function()
  after_each(talk.finish)

  it("is of its only contact", function()
    begin(function(bot)
      bot:on("text", "^who", function(msg)
        msg:reply_text(("%s %s %s"):format(msg.from, msg.chat.to, msg.chat.name))
      end)
    end)
    local message = { id = "wamid.q", type = "text", timestamp = "1704803711", text = { body = "who am I" } }
    talk.all:post(webhooks.value { messages = { message }, contacts = { { wa_id = customer, profile = { name = "Six" } } } })
    talk.all:settle()
    assert.are.same({ ("nil %s Six"):format(customer) }, said())
  end)
end)

-- It was put into a conversation of nobody, or into a new one of the user id.
describe("a status without the number", function()
  after_each(talk.finish)

  for name, more in pairs { ["with a user id"] = { recipient_user_id = "IN.77" }, ["without any id"] = {} } do
    it(name .. " is of its message's conversation", function()
      local seen = {}
      begin(function(bot)
        bot:on("text", "^order$", function(msg)
          msg.chat.state.n = 7
          msg:reply_text("It is packed", { track = { order = 4711 } })
        end)
        bot:on("read", function(status)
          seen[#seen + 1] = { status.track.order, status.chat.to, status.chat.state.n }
          status.chat:reply_text "You have seen it."
        end)
      end)
      say "order"
      local status = { id = talk.all:id_of(customer, "It is packed"), status = "read", timestamp = "1704803711" }
      for key, value in pairs(more) do
        status[key] = value
      end
      talk.all:post(webhooks.value { statuses = { status }, contacts = more.recipient_user_id and { { user_id = "IN.77" } } })
      talk.all:settle()
      assert.are.same({ { 4711, customer, 7 } }, seen)
      assert.are.same({ "It is packed", "You have seen it." }, said())
    end)
  end
end)

-- WhatsApp opens the window for calls as well: the answer to a missed one was refused.
describe("a customer's call", function()
  after_each(talk.finish)

  it("opens the window again, and can be answered", function()
    begin(function(bot)
      bot:on("call", function(call)
        assert(call.chat:reply_text(("Sorry, %s. %d s"):format(call.chat.name, call.chat:window())))
      end)
    end)
    say "hello"
    talk.all:pass(3 * 86400)
    talk.all:act(customer, { type = "call", name = "Asha" })
    talk.all:settle()
    assert.are.same({ "handler: hello", "Sorry, Asha. 86400 s" }, said())
  end)
end)
