-- SPDX-License-Identifier: MIT
-- What a dialog does with messages that it does not wait for, by a function of its own; and how it ends when nobody answers.

local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local lives = require "spec.support.dialogs.lives"
local process = require "spec.support.process"
local talk = require "spec.support.rigs.talk"

local begin, said, say, act = talk.begin, talk.said, talk.say, talk.act

local function begin_dialog(fn, opts, more, bot_opts)
  begin(function(bot)
    bot:dialog("it", fn, opts)
    if more then
      more(bot)
    end
  end, bot_opts)
end

local function ask_twice(chat)
  local a = chat:ask "First?"
  local b = chat:ask "Second?"
  chat:reply_text(("got %s %s"):format(a.text, b.text))
end

for fate, befall in pairs(talk.fates) do
  describe("a message that a dialog does not expect, with the dialog " .. fate .. ",", function()
    after_each(talk.finish)

    it("is its function's, while it goes on to wait", function()
      begin_dialog(ask_twice, {
        unexpected = function(msg)
          msg.chat.state.count = (msg.chat.state.count or 0) + 1
          msg:reply_text(("no %s (%d)"):format(msg.type, msg.chat.state.count))
        end,
      })
      say "go"
      befall()
      act "image"
      befall()
      say "a"
      act "sticker"
      befall()
      say "b"
      act "image"
      assert.are.same({ "First?", "no image (1)", "Second?", "no sticker (2)", "got a b", "handler: image" }, said())
    end)

    it("is its function's while it sleeps, too", function()
      begin_dialog(function(chat)
        chat:sleep(100)
        chat:reply_text "awake"
      end, { unexpected = function(msg) msg:reply_text "not now" end })
      say "go"
      befall()
      say "hello?"
      befall()
      talk.all:pass(101)
      assert.are.same({ "not now", "awake" }, said())
    end)

    it("goes on to the handlers, which may wait, where the function says so", function()
      begin_dialog(ask_twice, { unexpected = function() return "next" end }, function(bot)
        bot:on("image", function(msg)
          msg:reply_text("so it is " .. msg.chat:ask("What is it?").text)
        end)
      end)
      say "go"
      befall()
      act "image"
      befall()
      say "a cat"
      say "a"
      say "b"
      assert.are.same({ "First?", "What is it?", "so it is a cat", "Second?", "got a b" }, said())
    end)

    it("lets the function ask the question again", function()
      begin_dialog(ask_twice, {
        unexpected = function(msg)
          msg:reply_text "Words, please."
          msg:start "it"
        end,
      })
      say "go"
      befall()
      act "image"
      befall()
      say "a"
      assert.are.same({ "First?", "Words, please.", "First?", "Second?" }, said())
    end)
  end)

  describe("a dialog that expires, " .. fate .. ",", function()
    after_each(talk.finish)

    local function count_log(words)
      return select(2, talk.logged():gsub(words, ""))
    end

    it("ends by itself when nobody answers, runs none of its code, and leaves later messages to the handlers", function()
      local failures, ran = 0, 0
      begin_dialog(function(chat)
        local answer, err = chat:ask "First?"
        ran = ran + 1
        chat:reply_text(answer and answer.text or err.kind)
      end, { expires = 100 }, function(bot)
        bot:on_error(function() failures = failures + 1 end)
      end)
      say "go"
      talk.all:pass(60)
      befall()
      act "image"
      talk.all:pass(60)
      say "late"
      assert.are.same({ "First?", "handler: image", "handler: late" }, said())
      assert.are.same({ 0, 0, 1 }, { failures, ran, count_log "dialog %d+, 'it', has ended: no answer came before it expired" })
      assert.are.same({}, talk.stored())
    end)

    it("counts from the last answer, valid or not, and not while it sleeps", function()
      begin_dialog(function(chat)
        chat:sleep(1000)
        chat:ask("First?", { otherwise = "wrong", check = function(msg) return msg.text ~= "x" end })
        chat:reply_text("got " .. chat:ask("Second?").text)
      end, { expires = 100 })
      say "go"
      talk.all:pass(1001)
      for _, text in ipairs { "x", "x", "a", "b" } do
        talk.all:pass(90)
        befall()
        say(text)
      end
      assert.are.same({ "First?", "wrong", "wrong", "Second?", "got b" }, said())
    end)

    it("counts anew when it asks again", function()
      begin_dialog(ask_twice, { expires = 100 }, function(bot)
        bot:global("again", function(msg)
          msg:start "it"
        end)
      end)
      say "go"
      talk.all:pass(90)
      befall()
      say "again"
      talk.all:pass(90)
      befall()
      say "a"
      assert.are.same({ "First?", "First?", "Second?" }, said())
    end)

    it("is asked before by a shorter timeout", function()
      begin_dialog(function(chat)
        local _, err = chat:ask("First?", { timeout = 50 })
        chat:reply_text(err.kind)
        chat:ask("Second?", { timeout = 500 })
        chat:reply_text "never"
      end, { expires = 100 })
      say "go"
      befall()
      talk.all:pass(51)
      befall()
      talk.all:pass(101)
      talk.all:pass(500)
      assert.are.same({ "First?", "timeout", "Second?" }, said())
      assert.are.same({}, talk.stored())
    end)

    it("gives what it kept to the handlers", function()
      begin_dialog(ask_twice, { expires = 100, unexpected = "queue" })
      say "go"
      act "image"
      befall()
      talk.all:pass(101)
      assert.are.same({ "First?", "handler: image" }, said())
      assert.are.same({}, talk.stored())
    end)

    it("counts on while it reminds", function()
      begin_dialog(function(chat)
        chat:ask("First?", { remind = { { after = 60, text = "Hello?" }, { after = 120, text = "Still there?" } } })
      end, { expires = 100 })
      say "go"
      talk.all:pass(60)
      befall()
      talk.all:pass(39)
      assert.equal(1, #talk.stored())
      talk.all:pass(2)
      assert.are.same({}, talk.stored())
      talk.all:pass(100)
      assert.are.same({ "First?", "Hello?" }, said())
    end)
  end)

  -- Whatever ends it, what it kept is the handlers'.
  describe("a message that a dialog has kept, with the dialog " .. fate .. ",", function()
    after_each(talk.finish)

    local function image_to_handlers(bot)
      bot:on("image", function(msg)
        msg:reply_text "handler: image"
      end)
      bot:global("stop", function(msg)
        msg.chat:cancel()
      end)
      bot:global("twice", function(msg)
        msg.chat:cancel()
        msg.chat:cancel()
      end)
      bot:global("anew", function(msg)
        msg:start("it", nil, { replace = true })
      end)
      bot:dialog("next", function(chat)
        chat:ask "Town?"
      end)
    end

    local function chain(chat)
      chat:ask "First?"
      chat:start "next"
    end

    local function begin_keeping(fn)
      begin_dialog(fn, { unexpected = "queue" }, image_to_handlers)
      say "go"
      act "image"
      befall()
    end

    it("goes to the handlers when it starts another one at its end", function()
      begin_keeping(chain)
      say "a"
      assert.are.same({ "First?", "Town?", "handler: image" }, said())
    end)

    it("goes to them once, however often it is ended", function()
      begin_keeping(ask_twice)
      say "twice"
      assert.are.same({ "First?", "handler: image" }, said())
    end)

    it("goes to them when it is cancelled outside of handlers", function()
      begin_keeping(ask_twice)
      talk.bot:chat(talk.customer):cancel()
      talk.all:settle()
      assert.are.same({ "First?", "handler: image" }, said())
    end)

    it("goes to them when it is cancelled", function()
      begin_keeping(ask_twice)
      say "stop"
      assert.are.same({ "First?", "handler: image" }, said())
      assert.are.same({}, talk.stored())
    end)

    it("is kept for the one that begins in its place, and goes to them after that", function()
      begin_keeping(ask_twice)
      say "anew"
      say "a"
      say "b"
      assert.are.same({ "First?", "First?", "Second?", "got a b", "handler: image" }, said())
    end)
  end)
end

it("goes on to a handler that asks, with a function of bot:use that looks at the state", function()
  begin_dialog(ask_twice, { unexpected = function() return "next" end, }, function(bot)
    bot:use(function(it, next)
      return not it.chat.state.is_out and next()
    end)
    bot:on("image", function(msg)
      msg:reply_text("about " .. msg.chat:ask("What of?").text)
    end)
  end)
  say "go"
  act "image"
  talk.all:kill()
  say "tea"
  say "a"
  say "b"
  assert.are.same({ "First?", "What of?", "about tea", "Second?", "got a b" }, said())
  talk.finish()
end)

describe("a signal", function()
  after_each(talk.finish)

  local function wait_for_payment(chat)
    local paid, err = chat:wait { signal = "paid", timeout = 60 }
    chat:reply_text(paid and "paid " .. paid.value or err.kind)
  end

  it("is no message that a dialog keeps for its later questions: another one may wait for it, or it itself later", function()
    begin_dialog(function(chat)
      chat:reply_text("Thanks, " .. chat:ask("How was it?").text)
      wait_for_payment(chat)
    end, { unexpected = "queue" }, function(bot)
      bot:dialog("pay", wait_for_payment)
      bot:on("text", "^order", function(msg)
        msg:start "pay"
      end)
    end)
    say "order"
    say "go"
    talk.bot:signal(talk.customer, "paid", 5, { keep = 600 })
    talk.all:settle()
    talk.bot:signal(talk.customer, "paid", 6, { keep = 600 })
    talk.all:settle()
    talk.all:kill()
    say "fine"
    assert.are.same({ "How was it?", "paid 5", "Thanks, fine", "paid 6" }, said())
  end)
end)

describe("a message that a dialog has kept", function()
  after_each(talk.finish)

  it("is no answer to a dialog that begins as the one ends that kept it: it came before that asked", function()
    begin_dialog(function(chat)
      chat:ask("Photo?", { accept = { "image" } })
      chat:start "rate"
    end, { unexpected = "queue" }, function(bot)
      bot:dialog("rate", function(chat)
        chat:reply_text("rated " .. chat:ask("Rate us?").text)
      end)
      bot:global("new", function(msg)
        msg.chat:cancel()
        msg:start "rate"
      end)
    end)
    say "go"
    say "one moment"
    act "image"
    say "5"
    assert.are.same({ "Photo?", "Rate us?", "handler: one moment", "rated 5" }, said())
    say "go"
    say "another moment"
    say "new"
    talk.all:kill()
    say "4"
    assert.are.same({ "Photo?", "Rate us?", "handler: another moment", "rated 4" }, { table.unpack(said(), 5) })
  end)

  it("goes to the handlers where the script has lost the option meanwhile", function()
    local opts = { unexpected = "queue" }
    begin(function(bot)
      bot:dialog("it", ask_twice, opts)
      bot:on("image", function(msg)
        msg:reply_text "handler: image"
      end)
    end)
    say "go"
    act "image"
    opts = nil
    talk.all:restart()
    say "a"
    say "b"
    assert.are.same({ "First?", "Second?", "got a b", "handler: image" }, said())
  end)

  it("goes to them where the dialog begins anew with a changed script", function()
    local folder = process.folder()
    local path, text = folder.path .. "/bot.lua", [[
      local bot = require("cunnekt").bot()
      bot:dialog("it", function(chat)
        chat:ask "%s"
        chat:reply_text "done"
      end, { unexpected = "queue", on_change = "restart" })
      bot:on("text", function(msg) msg:start "it" end)
      bot:on("image", function(msg) msg:reply_text "handler: image" end)
    ]]
    process.write(path, text:format "First?")
    local all = lives.new(lives.script(path))
    all:start()
    for _, action in ipairs { { type = "text", text = "go" }, { type = "image" } } do
      all:act(talk.customer, action)
      all:settle()
    end
    process.write(path, text:format "Changed?")
    all:restart()
    for _ = 1, 2 do
      all:act(talk.customer, { type = "text", text = "a" })
      all:settle()
    end
    all:close()
    assert.are.same({ "First?", "Changed?", "done", "handler: image" }, all.seen[talk.customer])
  end)
end)

describe("a dialog that is ended while it waits for a message", function()
  after_each(talk.finish)

  it("leaves no note of the wait when the message has gone further", function()
    local sent
    begin(function(bot)
      bot:dialog("it", function(chat)
        sent = chat:reply_text "one"
        chat:wait { sent = sent, reaches = "read" }
      end)
      bot:global("stop", function(msg)
        msg.chat:cancel()
      end)
    end)
    for _ = 1, 3 do
      say "go"
      say "stop"
      act("read", { id = sent.message_id })
    end
    assert.are.same({}, talk.stored())
    assert.is_nil((next(inside(talk.bot).dialogs.sent_waits)))
  end)
end)

describe("the function of the option unexpected", function()
  after_each(talk.finish)

  for what, wait in pairs {
    ["chat:ask"] = function(msg) msg.chat:ask "Really?" end,
    ["sent:wait"] = function(msg) msg:reply_text("?"):wait "accepted" end,
  } do
    it("cannot wait by " .. what, function()
      begin_dialog(ask_twice, { unexpected = wait }, nil, { attempts = 1 })
      say "go"
      act "image"
      assert.matches("'unexpected' cannot wait; msg:start starts a dialog", talk.logged())
      say "a"
      assert.are.same({ "First?", "Second?" }, said())
    end)
  end

  it("is tried again after a failure, as a handler is", function()
    local is_broken = true
    begin_dialog(ask_twice, {
      unexpected = function(msg)
        msg:reply_text "no words"
        assert(not is_broken, "no luck")
      end,
    })
    say "go"
    act "image"
    assert.are.same({ "First?" }, said())
    is_broken = false
    talk.all:pass(60)
    assert.are.same({ "First?", "no words" }, said())
  end)

  it("and the option expires are checked", function()
    local bot = cunnekt.bot { store = "memory:", api_key = "key" }
    for problem, opts in pairs {
      ["option 'unexpected' must be one of: interrupt, ignore, queue; got maybe"] = { unexpected = "maybe" },
      ["option 'unexpected' must be a string or a function, got number"] = { unexpected = 1 },
      ["option 'expires' must be more than 0 seconds"] = { expires = 0 },
      ["option 'expires' must be a number, got string"] = { expires = "1d" },
    } do
      local ok, failure = pcall(bot.dialog, bot, "it", ask_twice, opts)
      assert.is_false(ok)
      assert.matches(problem, failure, 1, true)
    end
    bot:stop(0)
    begin(function() end) -- for after_each
  end)
end)
