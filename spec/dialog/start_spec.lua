-- SPDX-License-Identifier: MIT
-- Starting a dialog where one of its name waits: it goes on and asks again, or is replaced.

local samples = require "cunnekt.sandbox.samples"
local talk = require "spec.support.rigs.talk"

local begin, said, say, act = talk.begin, talk.said, talk.say, talk.act

-- Starts "order" with every message that no dialog takes.
local function begin_order(fn, opts, more)
  begin(function(bot)
    bot:dialog("order", fn)
    bot:on("text", "^anew", function(msg)
      msg:start("order", { n = msg.text }, { replace = true })
    end)
    bot:global("again", function(msg)
      msg:start("order", { n = "again" })
    end)
    if more then
      more(bot)
    end
    bot:on("message", function(msg)
      msg:start("order", { n = msg.text or msg.type })
    end)
  end, opts)
end

local function order(chat, args)
  local what = chat:ask(args.n .. ": what?")
  local answer, err = chat:ask_buttons {
    body = "How many?", buttons = { { id = "1", title = "One" }, { id = "2", title = "Two" } }, tries = 2, timeout = 100,
    otherwise = "One or two?",
  }
  chat:reply_text(("%s: %s %s"):format(args.n, what.text, answer and answer.reply.id or err.kind))
end

local question = "How many? [1] [2]"

for fate, befall in pairs(talk.fates) do
  describe("the start of a dialog that waits, " .. fate .. ",", function()
    after_each(talk.finish)

    it("asks its question again, and is no try", function()
      begin_order(order)
      say "hi"
      befall()
      act "image"
      befall()
      act "sticker"
      say "tea"
      befall()
      for _ = 1, 3 do
        say "again"
        befall()
      end
      say "x"
      befall()
      act("button", { id = "2", on = question })
      assert.are.same({
        "hi: what?", "hi: what?", "hi: what?", question, question, question, question, "One or two?", "hi: tea 2",
      }, said())
      assert.are.same({}, talk.stored())
    end)

    it("begins anew where that is asked for", function()
      begin_order(function(chat, args)
        local sent = chat:wait { media = true }
        chat:reply_text(args.n .. ": " .. sent.type)
      end)
      say "hi"
      befall()
      say "anew 2"
      befall()
      act "image"
      assert.are.same({ "anew 2: image" }, said())
      assert.are.same({}, talk.stored())
    end)

    it("changes nothing where it has not asked", function()
      begin_order(function(chat, args)
        chat:reply_text "A photo, please."
        local sent = chat:wait { media = true }
        chat:sleep(100)
        chat:reply_text(args.n .. ": " .. sent.type)
      end)
      say "hi"
      befall()
      say "hello?"
      act "image"
      befall()
      say "hello?"
      talk.all:pass(101)
      assert.are.same({ "A photo, please.", "hi: image" }, said())
    end)

    it("asks nothing again for what says nothing new", function()
      begin_order(order)
      say "hi"
      befall()
      act "reaction"
      act "edit"
      act("text", { text = "hello all", set = { ["messages.0.group_id"] = "G" } })
      say "tea"
      assert.are.same({ "hi: what?", question }, said())
    end)

    it("keeps its timeout", function()
      begin_order(order)
      say "hi"
      say "tea"
      talk.all:pass(60)
      befall()
      say "again"
      talk.all:pass(60)
      assert.are.same({ "hi: what?", question, question, "hi: tea timeout" }, said())
    end)

    it("is answered on the repeated question", function()
      begin_order(order)
      say "hi"
      say "tea"
      local first = talk.all:id_of(talk.customer, question)
      say "again"
      befall()
      act("button", { id = "1", context = first })
      assert.equal("hi: tea 1", said()[4])
    end)

    it("by bot:start does the same", function()
      begin_order(order)
      local function start(opts)
        talk.all:finish(function()
          opts.phone_number_id = samples.PHONE_NUMBER_ID
          assert(talk.bot:start(talk.customer, "order", { n = "bot" }, opts))
        end)
        talk.all:settle()
      end
      start {}
      befall()
      start {}
      befall()
      start { replace = false }
      assert.are.same({ "bot: what?", "bot: what?", "bot: what?" }, said())
      say "tea"
      befall()
      start { replace = true }
      assert.equal("bot: what?", said()[5])
      assert.equal(1, #talk.stored())
    end)

    it("after its cancellation in the same turn begins anew", function()
      begin_order(order, nil, function(bot)
        bot:global("again", function(msg)
          msg.chat:cancel()
          msg:start("order", { n = "again" })
        end)
      end)
      say "hi"
      befall()
      say "again"
      assert.are.same({ "hi: what?", "again: what?" }, said())
      assert.equal(1, #talk.stored())
    end)
  end)
end

describe("the start of a dialog", function()
  after_each(talk.finish)

  it("by itself begins anew", function()
    begin_order(function(chat, args)
      local answer = chat:ask(args.n .. "?").text
      if answer ~= "enough" then
        chat:start("order", { n = answer })
      end
    end)
    say "hi"
    say "a"
    say "b"
    say "enough"
    assert.are.same({ "hi?", "a?", "b?" }, said())
    assert.are.same({}, talk.stored())
  end)

  it("asks nothing again that was answered in the meantime", function()
    begin_order(order)
    say "hi"
    talk.all:act(talk.customer, { type = "image" })
    talk.all:act(talk.customer, { type = "text", text = "tea" })
    talk.all:settle()
    assert.are.same({ "hi: what?", question }, said())
  end)

  it("asks nothing while a person has the conversation", function()
    begin_order(order, nil, function(bot)
      bot:global("staff", function(msg)
        msg:start("order", {})
        msg.chat:pause()
      end)
    end)
    say "hi"
    say "staff"
    assert.are.same({ "hi: what?" }, said())
  end)

  it("refuses options that there are not, and blames the script", function()
    local failures = {}
    begin_order(order, nil, function(bot)
      bot:global("wrong", function(msg)
        for _, opts in ipairs { { replce = true }, { replace = 1 } } do
          failures[#failures + 1] = select(2, pcall(msg.start, msg, "order", {}, opts))
          failures[#failures + 1] = select(2, pcall(bot.start, bot, msg.from, "order", {}, opts))
        end
      end)
    end)
    say "wrong"
    assert.matches("msg:start: unknown option 'replce' %(did you mean 'replace'%?%)", failures[1])
    assert.matches("bot:start: unknown option 'replce'", failures[2])
    assert.matches("msg:start: option 'replace' must be true or false", failures[3])
    assert.matches("bot:start: option 'replace' must be true or false", failures[4])
  end)

  it("refuses a dialog that there is not, and blames the script", function()
    local failures = {}
    begin_order(order, nil, function(bot)
      bot:global("wrong", function(msg)
        failures[1] = select(2, pcall(msg.start, msg, "ordr"))
        failures[2] = select(2, pcall(bot.start, bot, msg.from, "ordr"))
      end)
    end)
    say "wrong"
    say "hi" -- which waits behind nothing
    assert.are.same({ "msg:start: there is no dialog 'ordr' (did you mean 'order'?)", "bot:start: there is no dialog 'ordr' (did you mean 'order'?)" },
      { failures[1]:match "%a+:start: .*$", failures[2]:match "%a+:start: .*$" })
    assert.are.same({ "hi: what?" }, said())
  end)

  it("refuses it again at a replay, in a dialog that has caught the error", function()
    begin(function(bot)
      bot:dialog("first", function(chat)
        local ok, why = pcall(bot.start, bot, chat.number, "othr")
        chat:reply_text(("%s: %s"):format(ok, why:match "bot:start: .*$"))
        chat:reply_text("You said " .. chat:ask("What?").text)
      end)
      bot:dialog("other", function() end)
      bot:on("text", "^go$", function(msg)
        msg:start "first"
      end)
    end)
    say "go"
    talk.all:kill()
    say "tea"
    assert.are.same({ "false: bot:start: there is no dialog 'othr' (did you mean 'other'?)", "What?", "You said tea" }, said())
  end)

  it("does not break a dialog that has started one which the script has lost since", function()
    local knows_other = true
    begin(function(bot)
      bot:dialog("first", function(chat)
        bot:start(chat.number, knows_other and "other" or "oth" .. "er")
        chat:reply_text("You said " .. chat:ask("What?").text)
      end)
      if knows_other then
        bot:dialog("other", function() end)
      end
      bot:on("text", "^go$", function(msg)
        msg:start "first"
      end)
    end)
    say "go"
    knows_other = false
    talk.all:kill()
    say "tea"
    assert.are.same({ "What?", "You said tea" }, said())
  end)
end)
