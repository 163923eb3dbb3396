-- SPDX-License-Identifier: MIT
-- chat:back, each time with a bot that is killed in between. Other ways to go on in the middle of a turn: inputs_spec.lua.

local talk = require "spec.support.rigs.talk"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored

describe("dialogs", function()
  after_each(talk.finish)

  local function three_questions(its_bot)
    its_bot:dialog("it", function(chat)
      local answers = {}
      for i, question in ipairs { "one?", "two?", "three?" } do
        answers[i] = chat:ask(question).text
        if answers[i] == "back" then
          chat:back()
        end
      end
      chat:reply_text(table.concat(answers, " "))
    end)
    its_bot:global("zurück", function(msg)
      msg:reply_text(tostring(msg.chat:back()))
    end)
  end

  it("go back to the question before, across restarts", function()
    begin(three_questions)
    say "go"
    say "1"
    say "2"
    say "back"
    talk.all:kill()
    say "zwei"
    say "back"
    talk.all:kill()
    say "ii"
    talk.all:kill()
    say "iii"
    assert.are.same({ "one?", "two?", "three?", "two?", "three?", "two?", "three?", "1 ii iii" }, said())
    assert.are.same({}, stored())
  end)

  it("ask the first question again when there is none before it", function()
    begin(three_questions)
    say "go"
    say "back"
    say "1"
    assert.are.same({ "one?", "one?", "two?" }, said())
  end)

  it("go back to the question before one that nobody has answered", function()
    local function define(its_bot)
      its_bot:dialog("it", function(chat)
        local one = chat:ask("one?", { timeout = 600 })
        local two = one and chat:ask "two?"
        local three = two and chat:ask("three?", { timeout = 60 })
        if not three then
          chat:back()
        end
        chat:reply_text(one.text .. two.text .. three.text)
      end)
    end
    assert.are.same({ "one?", "one?", "two?", "three?", "two?", "three?", "acd" }, talk.play(define, { "go", 600, "a", "b", 60, "c", "d" }))
  end)

  it("give a question that they go back to its whole time, and say the same time at each replay", function()
    local function define(its_bot)
      its_bot:dialog("it", function(chat)
        local one, err = chat:ask("one? " .. os.time(), { timeout = 60 })
        if not one then
          return chat:reply_text("one " .. err.kind)
        end
        chat:reply_text("at " .. os.time())
        local two = chat:ask("two?", { timeout = 3600 })
        if two.text == "back" then
          chat:back()
        end
        chat:reply_text(("%s %s %d"):format(one.text, two.text, os.time()))
      end)
      its_bot:global("zurück", function(msg)
        msg.chat:back()
      end)
    end
    local now = 1700000000
    assert.are.same({
      "one? " .. now, "at " .. now + 10, "two?", "one? " .. now + 110, "at " .. now + 169, "two?", "one? " .. now + 569,
      "at " .. now + 628, "two?", "b 2 " .. now + 628,
    }, talk.play(define, { "go", 10, "1", 100, "back", 59, "a", 400, "zurück", 59, "b", "2" }))
    assert.equal("one timeout", talk.play(define, { "go", 10, "1", 100, "back", 61 })[5])
  end)

  it("go back when somebody else says so", function()
    begin(three_questions)
    say "go"
    say "1"
    say "zurück"
    talk.all:kill()
    say "eins"
    say "2"
    say "3"
    assert.are.same({ "one?", "two?", "true", "one?", "two?", "three?", "eins 2 3" }, said())
    say "zurück"
    assert.equal("false", said()[8])
  end)

  it("cannot be kept from going back by pcall", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:ask "one?"
        local answer = chat:ask("two?").text
        pcall(function()
          if answer == "back" then
            chat:back()
          end
        end)
        chat:reply_text("end " .. answer)
      end)
    end)
    say "go"
    say "1"
    say "back"
    say "1"
    say "2"
    assert.are.same({ "one?", "two?", "one?", "two?", "end 2" }, said())
  end)
end)
