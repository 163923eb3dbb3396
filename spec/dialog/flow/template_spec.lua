-- SPDX-License-Identifier: MIT
-- chat:ask_template: a question to a customer who has not written for a while, or never. And one question to several customers.

local samples = require "cunnekt.sandbox.samples"
local talk = require "spec.support.rigs.talk"

local line = { phone_number_id = samples.PHONE_NUMBER_ID }

-- Shows what a question returned.
local function show(chat, answer, err)
  chat:reply_text(answer and ("%s %s %s"):format(answer.type, answer.payload, answer.text) or err.kind)
end

-- A bot that writes first, after 10 seconds, to some customers.
local function define(customers, ask)
  return function(bot)
    bot:dialog("it", function(chat)
      ask(chat, bot)
    end)
    bot:after(10, "begin", function()
      for _, customer in ipairs(bot.store:add("begun", true) and customers or {}) do -- a start plans the job again
        bot:start(customer, "it", nil, line)
      end
    end)
  end
end

describe("chat:ask_template", function()
  after_each(talk.finish)

  local yes = { type = "quick_reply", id = "yes", title = "Yes, please" }

  it("asks a customer who never wrote, and is answered by a tap or a text", function()
    local function ask(chat)
      show(chat, chat:ask_template("55", { body = { "Asha" }, buttons = { { index = 0, type = "quick_reply", payload = "yes" } } }))
    end
    assert.are.same({ "55", "quick_reply yes Yes, please" }, talk.play(define({ talk.customer }, ask), { 10, yes }))
    assert.are.same({ "55", "text nil of course" }, talk.play(define({ talk.customer }, ask), { 10, "of course" }))
  end)

  it("is sent where the window is closed, and a text is not", function()
    local said = talk.play(function(bot)
      bot:dialog("it", function(chat)
        chat:sleep(90000)
        show(chat, chat:ask "Still there?")
        show(chat, chat:ask_template "55")
      end)
    end, { "go", 90000, yes })
    assert.are.same({ "55", "quick_reply yes Yes, please" }, said)
  end)

  -- The template stood for the question, and nobody heard the tap on it.
  it("stands for a question of buttons or of a list as its fallback, and a tap on it is the choice", function()
    local choices = { { id = "yes", title = "Yes" }, { id = "no", title = "No" } }
    local said = talk.play(function(bot)
      bot:dialog("it", function(chat)
        local fallback = { template_id = "55", buttons = { { index = 0, type = "quick_reply", payload = "yes" } } }
        chat:sleep(90000)
        local a = chat:ask_buttons { body = "Did it come?", buttons = choices, fallback = fallback }
        chat:sleep(90000)
        local b = chat:ask_list { body = "Again?", list_title = "All", list = choices, fallback = fallback }
        chat:reply_text(("%s %s"):format(a.reply.id, b.reply.id))
      end)
    end, { "go", 90000, yes, 90000, { type = "quick_reply", id = "x", title = "NO" } })
    assert.are.same({ "55", "55", "yes no" }, said)
  end)

  it("takes the options of a question and of a template", function()
    local said = talk.play(define({ talk.customer }, function(chat)
      show(chat, chat:ask_template("55", { accept = { "image" }, timeout = 100, remind = { after = 50, text = "Hello?", fallback = { template_id = "56" } } }))
      show(chat, chat:ask_template("57", { tries = 2, otherwise = "Yes or no?", check = function(msg)
        return msg.payload == "yes"
      end }))
      show(chat, chat:ask_template("58", { accept = { "image" } }))
    end), { 10, 50, 50, "what?", yes, { type = "image" } })
    -- A customer who is not in this store may have an open window, so the reminder is tried as a text.
    assert.are.same({ "55", "Hello?", "timeout", "57", "Yes or no?", "quick_reply yes Yes, please", "58", "image nil nil" }, said)
  end)

  it("says why it cannot be sent", function()
    local said = talk.play(define({ talk.customer }, function(chat)
      show(chat, chat:ask_template("55", { body = { "two\nlines" } }))
    end), { 10 })
    assert.are.same({ "invalid" }, said)
  end)

  it("is checked, at the script's line", function()
    local problems = {}
    talk.begin(function(bot)
      bot:dialog("it", function(chat)
        for i, given in ipairs { { accept = { "reaction" } }, 7, { tries = "x" } } do
          problems[i] = select(2, pcall(function()
            chat:ask_template("55", given)
          end))
        end
      end)
    end)
    talk.say "go"
    for i, pattern in ipairs { "'reaction' cannot answer", "expected a table, got number", "option 'tries' must be an integer" } do
      assert.matches("^spec/dialog/flow/template_spec.lua:%d+: chat:ask_template: .*" .. pattern, problems[i])
    end
  end)
end)

describe("two customers who are asked the same", function()
  after_each(talk.finish)

  it("answer each in a conversation of their own", function()
    local ravi = "919999999998"
    talk.begin(define({ talk.customer, ravi }, function(chat, bot)
      local answer = chat:ask_template "55"
      local is_first = bot.store:add("first", chat.to)
      local name = chat:ask(is_first and "You are the first. Your name?" or "Your name?")
      chat:reply_text(("%s, %s"):format(name.text, answer.payload))
    end))
    local function say(from, what)
      talk.all:act(from, type(what) == "table" and what or { type = "text", text = what })
      talk.all:settle()
      talk.all:kill()
      talk.all:settle()
    end
    talk.all:pass(10)
    say(ravi, { type = "quick_reply", id = "yes", title = "Yes" })
    say(talk.customer, { type = "quick_reply", id = "no", title = "No" })
    say(talk.customer, "Asha")
    say(ravi, "Ravi")
    say(talk.customer, "more")
    assert.are.same({ "55", "You are the first. Your name?", "Ravi, yes" }, talk.all.seen[ravi])
    assert.are.same({ "55", "Your name?", "Asha, no", "handler: more" }, talk.all.seen[talk.customer])
  end)
end)
