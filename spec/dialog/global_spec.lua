-- SPDX-License-Identifier: MIT
-- Commands that work everywhere: before the first message, inside a question, evicted, and while a person has taken over.

local stored_dialogs = require "cunnekt.store.dialogs"
local talk = require "spec.support.rigs.talk"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored

describe("bot:global", function()
  after_each(talk.finish)

  local function asks(its_bot)
    its_bot:dialog("it", function(chat)
      chat:reply_text("got " .. chat:ask("?").text)
    end)
    its_bot:global({ "stop", "ΣΤΟΠ", "арена" }, function(msg)
      msg:reply_text("ended: " .. msg.chat:cancel())
    end)
    its_bot:global({ "human", "person" }, function(msg)
      msg.chat:pause()
      msg:reply_text "Wait, please"
    end)
    its_bot:global({ "robot", "back" }, function(msg)
      msg.chat:resume()
      msg:reply_text "Here again"
    end, { even_paused = true })
    its_bot:global({ "who", "wer" }, function(msg)
      msg:reply_text("you are " .. msg.chat:ask("Who?").text)
    end)
  end

  it("takes each of its words, before the first message and inside a question", function()
    begin(asks)
    say "στοπ"
    say "go"
    say " Арена "
    say "go"
    say "stop it"
    assert.are.same({ "ended: 0", "?", "ended: 1", "?", "got stop it" }, said())
  end)

  -- "stop" among friends ended the question that the bot had asked in private.
  it("does not hear what is said in a group", function()
    begin(asks)
    say "go"
    talk.all:act(talk.customer, { type = "text", text = "stop", set = { ["messages.0.group_id"] = "G" } })
    talk.all:settle()
    say "tea"
    assert.are.same({ "?", "handler: stop", "got tea" }, said())
  end)

  it("works for a dialog that is only in the store, too", function()
    begin(asks)
    say "go"
    talk.all:kill()
    say "stop"
    assert.are.same({ "?", "ended: 1" }, said())
    assert.are.same({}, stored())
  end)

  it("runs while a person has taken over only where it asked for that", function()
    begin(asks)
    say "go"
    say "human"
    say "stop"
    say "hello"
    assert.are.same({ "?", "Wait, please" }, said())
    say "Back"
    say "tea"
    assert.are.same({ "?", "Wait, please", "Here again", "got tea" }, said())
  end)

  it("does so after a restart", function()
    begin(asks)
    say "human"
    talk.all:kill()
    say "stop"
    say "robot"
    assert.are.same({ "Wait, please", "Here again" }, said())
  end)

  it("may ask, and is stored by its first word whichever was typed", function()
    begin(asks)
    say "WER"
    assert.equal("global:who", stored_dialogs.of(require("cunnekt.service").of(talk.bot).store, talk.contact)[1].name)
    talk.all:kill()
    say "Asha"
    assert.are.same({ "Who?", "you are Asha" }, said())
  end)

  it("is never joined to the texts around it", function()
    begin(function(its_bot)
      asks(its_bot)
      its_bot:on("text", function(msg)
        msg:reply_text(("%d: %s"):format(#msg.joined, msg.text))
      end, { debounce = 5 })
    end)
    talk.all:act(talk.customer, { type = "text", text = "stop" })
    talk.all:act(talk.customer, { type = "text", text = "that" })
    talk.all:settle()
    assert.are.same({ "ended: 0" }, said())
    talk.all:pass(6)
    assert.are.same({ "ended: 0", "1: that" }, said())
  end)

  it("refuses what are no words, and options that there are not", function()
    local function message_of(...)
      local _, message = pcall(talk.bot.global, talk.bot, ...)
      return message
    end
    begin(function() end)
    local expected = "bot:global: expected a word or a list of words, got "
    for message, given in pairs { number = 7, ["an empty one"] = " \u{200b}", ["an empty list"] = {} } do
      assert.equal(expected .. message, message_of(given, print))
    end
    assert.equal(expected .. "an empty one", message_of({ "a", "" }, print))
    assert.equal(expected .. "nil", message_of(nil, print))
    assert.equal(expected .. "nil", message_of({ "a", nil, "b" }, print))
    assert.matches("did you mean 'even_paused'", message_of("a", print, { even_pausd = true }))
    assert.matches("expected a function", message_of("a", "print"))
    local _, message = pcall(function()
      talk.bot:global({ "a", 7 }, print)
    end)
    assert.matches("^spec/dialog/global_spec.lua:%d+: bot:global: expected a word or a list of words, got number", message)
  end)
end)
