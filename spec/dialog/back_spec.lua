-- SPDX-License-Identifier: MIT
-- chat:back, each time with a bot that is killed in between; and what goes on in the middle of a turn, as it does.

local cunnekt = require "cunnekt"
local server = require "spec.support.server"
local talk = require "spec.support.rigs.talk"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored
local customer = talk.customer

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

  it("give a question that follows a crash its whole time", function()
    local its_server = server.new(function()
      return 200, "ok"
    end)
    local function define(its_bot)
      its_bot:dialog("it", function(chat)
        local before = os.time()
        cunnekt.http.get(its_server.url)
        local answer, err = chat:ask(("after %d?"):format(os.time() - before), { timeout = 60 })
        chat:reply_text(answer and answer.text or err.kind)
      end)
    end
    local crashes, turns = 0, 0
    while crashes < 2 and turns < 1000 do -- how far a turn of the wheel goes depends on the machine
      turns = turns + 1 + turns // 10
      begin(define)
      talk.all:act(customer, { type = "text", text = "go" })
      for _ = 1, turns do
        talk.all:turn_wheel()
      end
      talk.all:kill()
      local dialog = stored()[1]
      if dialog and not dialog.waiting then
        crashes = crashes + 1
        talk.all:pass(600)
        talk.all:pass(59)
        say "42"
        assert.are.same({ "after 600?", "42" }, said(), turns)
      end
      talk.finish()
    end
    its_server.close()
    assert.equal(2, crashes)
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
