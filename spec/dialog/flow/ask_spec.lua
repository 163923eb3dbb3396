-- SPDX-License-Identifier: MIT
-- The options of questions: which messages answer, and what the customer gets while there is no answer. The waiting itself
-- is in spec/dialog/dialog_spec.lua.

local inside = require("cunnekt.service").of
local talk = require "spec.support.rigs.talk"

local function define(fn)
  return function(bot)
    bot:dialog("it", fn)
  end
end

-- Shows what a question returned.
local function show(chat, answer, err)
  chat:reply_text(answer and ("got %s %s"):format(answer.type, answer.reply and answer.reply.id or answer.text or "-") or err.kind)
end

-- What calls raise in a dialog, each of which must match a pattern: a list of { method, what it gets, pattern }.
local function assert_problems(calls)
  local problems = {}
  talk.begin(define(function(chat)
    for i, call in ipairs(calls) do
      local _, problem = pcall(function()
        if call[1] == "ask" then
          chat:ask("x", call[2])
        else
          chat[call[1]](chat, call[2])
        end
      end)
      problems[i] = tostring(problem)
    end
  end))
  talk.say "go"
  assert.equal(#calls, #problems)
  for i, call in ipairs(calls) do
    assert.matches(("^spec/dialog/flow/ask_spec.lua:%%d+: chat:%s: %s"):format(call[1], call[3]), problems[i])
  end
end

describe("accept", function()
  after_each(talk.finish)

  it("lets messages of other types answer, instead of a text", function()
    local said = talk.play(define(function(chat)
      show(chat, chat:ask("A photo?", { accept = { "image", "document" } }))
      show(chat, chat:ask("Words or a voice note?", { accept = { "text", "audio" } }))
      show(chat, chat:ask("Words or a voice note?", { accept = { "text", "audio" } }))
    end), { "go", "no", { type = "image" }, { type = "image" }, { type = "audio" }, "words" })
    assert.are.same({
      "A photo?", "handler: no", "got image -", "Words or a voice note?", "handler: image", "got audio -", "Words or a voice note?",
      "got text words",
    }, said)
  end)

  it("adds types to those of buttons, lists and forms", function()
    local buttons, rows = { { id = "a", title = "Yes" } }, { { id = "b", title = "One" } }
    local function ask_all(chat)
      show(chat, chat:ask_buttons { body = "Buttons", buttons = buttons, accept = { "audio" } })
      show(chat, chat:ask_list { body = "List", list_title = "Pick", list = rows, accept = { "location" } })
      show(chat, chat:ask_form { body = "Form", form_cta = "Open", form_id = "1", accept = { "text" } })
    end
    local said = talk.play(define(function(chat)
      ask_all(chat)
      ask_all(chat)
    end), {
      "go", { type = "audio" }, { type = "location" }, "no form",
      "yes", { type = "list", id = "b", title = "One" }, { type = "form", form = { name = "Asha" } },
    })
    assert.are.same({
      "Buttons [a]", "got audio -", "List [b]", "got location -", "Form", "got text no form",
      "Buttons [a]", "got text a", "List [b]", "got list b", "Form", "got form -",
    }, said)
  end)

  it("lets any text answer buttons, and a typed title still choose", function()
    local buttons = { { id = "a", title = "Yes" } }
    local said = talk.play(define(function(chat)
      show(chat, chat:ask_buttons { body = "One", buttons = buttons, accept = { "text" } })
      show(chat, chat:ask_buttons { body = "Two", buttons = buttons, accept = { "text" } })
    end), { "go", "YES", "maybe" })
    assert.are.same({ "One [a]", "got text a", "Two [a]", "got text maybe" }, said)
  end)

  it("goes with check, otherwise and tries", function()
    local said = talk.play(define(function(chat)
      show(chat, chat:ask("Photo?", {
        accept = { "image" },
        tries = 3,
        otherwise = "A photo, please.",
        check = function(msg)
          return msg.text == "face", "Your face."
        end,
      }))
    end), { "go", "no", { type = "image" }, { type = "image", text = "face" } })
    assert.are.same({ "Photo?", "A photo, please.", "A photo, please.", "got image face" }, said)
  end)

  it("names what can answer, and what was meant, at the script's line", function()
    local calls = {}
    for _, method in ipairs { "ask", "ask_buttons", "ask_list", "ask_form" } do
      table.insert(calls, { method, { accept = { "text", "imgae" } }, "a message of type 'imgae' cannot answer %(did you mean 'image'%?%)$" })
      table.insert(calls, { method, { accept = {} }, "option 'accept' must be a list of message types" })
      for _, name in ipairs { "reaction", "edit", "revoke", "system", "delivered" } do
        table.insert(calls, { method, { accept = { name } }, ("a message of type '%s' cannot answer %%(one of: text, button"):format(name) })
      end
    end
    assert_problems(calls)
  end)
end)

describe("remind", function()
  after_each(talk.finish)

  local function shop(opts)
    return define(function(chat)
      show(chat, chat:ask("Your name?", opts))
    end)
  end

  it("sends a text once while there is no answer, and the question waits on", function()
    local said = talk.play(shop { remind = { after = 60, text = "Still there?" }, timeout = 600 }, { "go", 59, 1, 500, "Asha" })
    assert.are.same({ "Your name?", "Still there?", "got text Asha" }, said)
  end)

  it("is not sent after an answer", function()
    local said = talk.play(shop { remind = { after = 60, text = "Still there?" }, timeout = 600 }, { "go", 59, "Asha", 600 })
    assert.are.same({ "Your name?", "got text Asha" }, said)
  end)

  it("may be several, in any order, and the timeout follows", function()
    local opts = { remind = { { after = 120, text = "Hello?" }, { after = 60, text = "Still there?" } }, timeout = 180 }
    local said = talk.play(shop(opts), { "go", 60, 60, 59, 1, "late" })
    assert.are.same({ "Your name?", "Still there?", "Hello?", "timeout", "handler: late" }, said)
  end)

  it("needs no timeout", function()
    local said = talk.play(shop { remind = { after = 60, text = "Still there?" } }, { "go", 60, 86400 * 3, "Asha" })
    assert.are.same({ "Your name?", "Still there?", "got text Asha" }, said)
  end)

  it("is no try, and counts from the question", function()
    local opts = { remind = { after = 60, text = "Still there?" }, tries = 2, otherwise = "A number.", check = function(msg)
      return tonumber(msg.text) ~= nil
    end }
    local said = talk.play(shop(opts), { "go", 30, "x", 30, "7" })
    assert.are.same({ "Your name?", "A number.", "Still there?", "got text 7" }, said)
  end)

  -- Stops the bot, lets time pass, and starts it again.
  local function be_down(seconds)
    talk.all:finish(function()
      talk.all.bot:stop(0)
    end)
    talk.all.clock:advance(seconds)
    talk.all:start()
    talk.all:settle()
  end

  it("sends only the last of those that were due while the program was down", function()
    talk.begin(shop { remind = { { after = 60, text = "one" }, { after = 120, text = "two" }, { after = 300, text = "three" } }, timeout = 600 })
    talk.say "go"
    be_down(200)
    assert.are.same({ "Your name?", "two" }, talk.said())
    talk.all:pass(100)
    assert.are.same({ "Your name?", "two", "three" }, talk.said())
  end)

  it("sends none when the question has timed out meanwhile", function()
    talk.begin(shop { remind = { after = 60, text = "Still there?" }, timeout = 600 })
    talk.say "go"
    be_down(700)
    assert.are.same({ "Your name?", "timeout" }, talk.said())
  end)

  it("goes as its template when the window is closed", function()
    local said = talk.play(shop { remind = { after = 90000, text = "Still there?", fallback = { template_id = "55" } } }, { "go", 90000 })
    assert.are.same({ "Your name?", "55" }, said)
  end)

  it("is checked, at the script's line", function()
    local shape = "option 'remind' must be { after = seconds, text = … }"
    assert_problems {
      { "ask", { remind = { after = 1, texd = "x" } }, "remind: unknown option 'texd' %(did you mean 'text'%?%)" },
      { "ask", { remind = { text = "x" } }, shape },
      { "ask", { remind = { { after = 0, text = "x" } } }, shape },
      { "ask", { remind = { 60, "x" } }, "remind: options must be a table, got number" },
      { "ask_form", { remind = { after = 60, text = "x" }, timeout = 60 }, "the reminder after 60 seconds cannot be sent: the timeout is 60" },
    }
  end)
end)

describe("the delivery options of a question", function()
  after_each(talk.finish)

  it("are those of its message, and of the question asked again", function()
    local rows
    talk.begin(define(function(chat)
      local function check(msg)
        return msg.text == "yes"
      end
      chat:ask("Text?", { track = { n = 1 }, unknown = "fail", check = check })
      chat:ask_buttons { body = "Buttons?", buttons = { { id = "a", title = "Yes" } }, track = { n = 2 }, unknown = "resend", check = check }
    end))
    local sent = {}
    inside(talk.bot).outbox.new_row = (function(new_row)
      return function(self, ...)
        rows = new_row(self, ...)
        sent[#sent + 1] = ("%s %s %s"):format(rows.payload.text or rows.payload.body, rows.track.n, rows.unknown)
        return rows
      end
    end)(inside(talk.bot).outbox.new_row)
    talk.say "go"
    talk.say "what?"
    talk.say "yes"
    assert.are.same({ "Text? 1 fail", "Text? 1 fail", "Buttons? 2 resend" }, sent)
  end)

  it("send the template when the window is closed", function()
    local said = talk.play(define(function(chat)
      chat:sleep(90000)
      show(chat, chat:ask("Back again?", { fallback = { template_id = "55" } }))
    end), { "go", 90000, "yes" })
    assert.are.same({ "55", "got text yes" }, said)
  end)

  it("are checked", function()
    assert_problems {
      { "ask", { trak = {} }, "unknown option 'trak' %(did you mean 'track'%?%)" },
      { "ask", { unknown = "never" }, "option 'unknown' must be one of" },
      { "ask_form", { tries = "x" }, "option 'tries' must be an integer" },
    }
  end)
end)
