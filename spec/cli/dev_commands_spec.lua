-- SPDX-License-Identifier: MIT
-- What can be typed at `cunnekt dev` beside messages: choices by number, other customers, time, and why.

local process = require "spec.support.process"

local script = [[
local bot = require("cunnekt").bot()
bot:use(function(msg, next) if msg.text ~= "spam" then return next() end end)
bot:on("text", "^menu", function(msg)
  msg:reply_buttons{ body = "How was it?", buttons = { {id="good", title="Good"}, {id="bad", title="Bad"} } }
end)
bot:on("text", "^list", function(msg)
  msg:reply_list{ body = "Which?", list_title = "Drinks", list = { {id="tea", title="Tea", description="hot"}, {id="milk", title="Milk"} } }
end)
bot:on("text", "^both", function(msg)
  msg:reply_buttons{ body = "First", buttons = { {id="a", title="A"}, {id="b", title="B"} } }
  msg:reply_buttons{ body = "Second", buttons = { {id="c", title="C"} } }
end)
bot:on("text", "%d", function(msg) msg:reply_text("number " .. msg.text) end)
bot:on("text", "^who", function(msg)
  msg.chat.state.count = (msg.chat.state.count or 0) + 1
  bot.store:set("seen " .. msg.from, { at = "noon" })
  bot.store:set("other", 1)
  msg:reply_text(("%s %s %d"):format(msg.name, msg.from, msg.chat.state.count))
end)
bot:on("text", "^next", function(msg) return "next" end)
bot:on("text", "^time", function(msg) msg:reply_text(os.date("%d", os.time())) end)
bot:on("text", "^fail", function(msg) msg:reply_text "" end)
bot:on("text", "^wait", function(msg) msg:start "order" end)
bot:on("button", function(msg) msg:reply_text("tapped " .. msg.reply.id .. (msg.stale and " late" or "")) end)
bot:on("text", "^pause", function(msg) msg.chat:pause() end)
bot:on("text", "^deaf", function(msg) msg:start "deaf" end)
bot:dialog("deaf", function(chat) chat:reply_text("heard " .. chat:ask("Only texts").text) end, { unexpected = "ignore" })
bot:on("list", function(msg) msg:reply_text("chose " .. msg.reply.id) end)
bot:dialog("order", function(chat)
  local answer = chat:ask("Which drink?", { timeout = 7200, remind = { after = 3600, text = "Still there?" } })
  chat:reply_text(answer and "ordered " .. answer.text or "gave up")
end)
bot:on("text", "^price", function(msg) error("no " .. msg.text .. " for '" .. msg.name .. "', order 12345678") end)
]]

-- The lines of the bot and the program, without the layout.
local function play_script(text_of_script, ...)
  local folder = process.folder()
  process.write(folder.path .. "/bot.lua", text_of_script)
  local result = process.cunnekt({ "dev", "--sandbox", "127.0.0.1:0", "bot.lua" }, {
    cwd = folder.path, env = { CUNNEKT_LISTEN = "127.0.0.1:0" }, stdin = table.concat({ ... }, "\n") .. "\n",
  })
  assert.equal(0, result.code, result.err)
  local text = result.out:gsub("^.-/quit%.\n", ""):gsub("\n%s+┃ ", "\n"):gsub("\n%s+│ ", "\n> "):gsub("\n%s+bot\n", "\n")
  return text, result
end

local function play(...)
  return play_script(script, ...)
end

local function assert_has(text, ...)
  local at = 1
  for _, words in ipairs { ... } do
    local _, last = text:find(words, at, true)
    assert(last, ("'%s' is missing, or too early, in:\n%s"):format(words, text))
    at = last + 1
  end
end

describe("choices in cunnekt dev", function()
  it("are tapped by their number: buttons", function()
    assert_has(play("menu", "2"), "[1 Good] [2 Bad]", "> (Bad)", "tapped bad")
  end)

  it("are tapped by their number: rows", function()
    assert_has(play("list", "1"), "  1 Tea: hot\n", "  2 Milk\n", "> (Tea)", "chose tea")
  end)

  it("of several messages are numbered on", function()
    assert_has(play("both", "3"), "[1 A] [2 B]", "[3 C]", "tapped c")
  end)

  it("are open until the customer writes: then a number is a text", function()
    assert_has(play("2"), "> 2", "number 2")
    assert_has(play("menu", "hello", "2"), "> hello", "> 2", "number 2")
    assert_has(play("menu", "1", "2"), "tapped good", "> 2", "number 2")
  end)

  it("are those of the customer who is typed for", function()
    assert_has(play("menu", "/from 919888888888", "1", "/from 919999999999", "1"), "number 1", "tapped good")
  end)

  it("refuse a number that is none of them, and /text says it all the same", function()
    assert_has(play("menu", "3", "/text 3"), "-- there is no choice 3, only 1 to 2; to say the number itself: /text 3", "> 3", "number 3")
    assert_has(play("menu", "/text /button good"), "> /button good")
    assert_has(play("/text"), "-- say what the text is: /text TEXT")
    assert_has(play("menu", "0"), "there is no choice 0")
  end)

  it("are tapped by their id, also later", function()
    assert_has(play("menu", "hello", "/button bad"), "tapped bad")
    assert_has(play("list", "/list milk"), "chose milk")
    assert_has(play("menu", "/button"), "tapped good")
  end)

  it("refuse an id that was not offered, and name those that were", function()
    local text = play("/button good", "menu", "/button great", "/list tea")
    assert_has(text, "-- the bot has offered no buttons", "-- no button has the id 'great'; possible: good and bad", "-- the bot has offered no rows")
    assert.not_matches("tapped", text)
  end)

  it("refuse a quick reply that no template has, and say of one that it must be another program's", function()
    local text = play_script([[
local bot = require("cunnekt").bot()
bot:on("text", function(msg)
  msg:reply_template("55", { buttons = { { index = 0, type = "quick_reply", payload = "yes" } } })
end)
bot:on("quick_reply", function(msg) msg:reply_text("tapped " .. msg.payload) end)
]], "/reply", "/reply no", "hi", "/reply no", "/reply")
    assert_has(text, "-- the bot has offered no quick replies\n", "no quick replies; this is one of a template that somebody else has sent",
      "tapped no", "> hi", "-- no quick reply has the id 'no'; possible: yes", "tapped yes")
  end)

  -- It was a quick reply of a template that nobody had sent.
  it("say how an id is tapped that is of another kind", function()
    assert_has(play("menu", "/reply good", "/list good"), "-- no quick reply has the id 'good'; it is a button: /button good\n",
      "-- no row has the id 'good'; it is a button: /button good\n")
    assert_has(play("list", "/reply tea", "/button tea", "/button Tea"), "-- no quick reply has the id 'tea'; it is a row: /list tea\n",
      "-- no button has the id 'tea'; it is a row: /list tea\n", "-- no button has the id 'Tea'; it is a row: /list tea\n")
    assert_has(play("menu", "/reply Good"), "-- it is taken as a quick reply of a template; there is also a button: /button good\n", "> (Good)")
    local text = play_script([[
local bot = require("cunnekt").bot()
bot:on("text", function(msg)
  msg:reply_template("55", msg.text == "named" and { buttons = { { index = 0, type = "quick_reply", payload = "yes" } } } or {})
  msg:reply_buttons { body = "Or", buttons = { { id = "no", title = "No" } } }
end)
bot:on("message", function(msg) msg:reply_text("tapped " .. tostring(msg.payload)) end)
]], "named", "/button yes", "/reply no", "unnamed", "/reply no")
    assert_has(text, "-- no button has the id 'yes'; it is a quick reply: /reply yes\n", "-- no quick reply has the id 'no'; it is a button: /button no\n",
      "> unnamed", "-- it is taken as a quick reply of a template; there is also a button: /button no\n", "tapped no")
  end)

  it("need the text of a quick reply of which the bot's template says nothing", function()
    local text = play_script([[
local bot = require("cunnekt").bot()
bot:on("text", function(msg) msg:reply_template "55" end)
bot:on("quick_reply", function(msg) msg:reply_text("tapped " .. msg.payload) end)
]], "hi", "/reply", "/reply Stop")
    assert_has(text, "-- the template names no quick reply; write the text of one: /reply TEXT\n", "tapped Stop")
  end)
end)

describe("what happens to a message, in cunnekt dev,", function()
  it("is said where no handler matched", function()
    assert_has(play("xyz", "who"), "> xyz", "-- no handler matched; /why says more", "> who", "Asha")
    assert.not_matches("no handler", play("who", "menu"))
  end)

  it("is said where a reply was refused", function()
    local _, result = play "fail"
    assert.matches("bot.lua:22: reply_text: text is empty", result.err)
  end)

  it("is said where a handler has failed: all of its error, whatever the customer has written", function()
    local _, result = play "price of tea"
    assert_has(result.err, "no price of tea for 'Asha', order 12345678")
  end)

  it("is said once, and again when it is given up, also where the error has another text or address each time", function()
    for _, raised in ipairs { "{ code = 5, text = msg.text }", "'no ' .. msg.text .. os.clock()", "{ n = os.clock() }", "nil" } do
      local text, result = play_script(('local bot = require("cunnekt").bot()\nbot:on("text", function(msg) error(%s) end)'):format(raised),
        "tea", "/clock +60s", "/clock +600s")
      assert_has(result.err, "attempt 1 of 5", "attempt 5 of 5", "dead letter")
      assert.equal(2, select(2, result.err:gsub("attempt %d of 5", "")), result.err)
      assert.not_matches("0x", text .. result.err)
      if raised:find "code" then
        assert_has(result.err, '{ code = 5, text = "tea" } (event ')
      elseif raised == "nil" then
        assert_has(result.err, "an error without a value (event ")
      end
    end
  end)

  it("that waits for its next try is not waited for at the end, nor what waits behind it; that is said", function()
    for _, last in ipairs { "/quit", "hello" } do
      local text = play_script([[
local bot = require("cunnekt").bot()
bot:on("text", "^tea", function() print "tried" error "no price" end)
bot:on("text", function(msg) msg:reply_text "hello" end)
]], "tea", "hello", last)
      assert_has(text, "-- the session ends before the next try of 'tea', which failed (bot.lua:2: no price); ")
      assert_has(text, last == "/quit" and "1 other event waits too" or "2 other events wait too")
      local _, tries = text:gsub("\ntried\n", "")
      assert.is_true(tries <= 2, text)
    end
  end)

  it("is explained by /why: matchers, and what was not reached", function()
    assert_has(play("/why", "menu", "/why"),
      "-- nothing was written yet",
      "-- the last message: text 'menu'",
      "bot:use, bot.lua:2: called next()",
      "bot:on 'text', bot.lua:3: was called\n",
      "bot:on 'text', bot.lua:6: was not reached",
      "bot:on 'button', bot.lua:24: is for other events",
      "it went to: the handler at bot.lua:3\n")
  end)

  it('is explained by /why: a handler that returned "next", and none after it', function()
    assert_has(play("next one", "/why"), "bot.lua:3: its matcher said no", 'was called, and returned "next"', "it went to: no other handler, after \"next\"")
  end)

  it("is explained by /why: middleware that ended it", function()
    assert_has(play("spam", "/why"), "-- nobody; the function of bot:use at bot.lua:2 did not call next(); /why says more",
      "bot:use, bot.lua:2: did not call next(): the message ended here", "it went to: nobody; the function of bot:use at bot.lua:2")
  end)

  it("is said where a person has the conversation, and where a dialog ignores it", function()
    assert_has(play("pause", "menu", "/why"),
      "> menu", "-- nobody; it is kept, since a person has the conversation; /why says more", "it went to: nobody; it is kept")
    assert_has(play("deaf", "/image", "tea"),
      "image <image/png", "-- nobody; the dialog that waits ignores what does not answer it; /why says more", "heard tea")
  end)

  it("is explained by /why: a dialog that got it", function()
    assert_has(play("wait", "tea", "/why"), "ordered tea", "bot:use, bot.lua:2: called next()", "it went to: the dialog that waits")
  end)

  it("is explained by /why: a question that refused it", function()
    local asking = [[
local bot = require("cunnekt").bot()
bot:on("text", "^go", function(msg) msg:start "size" end)
bot:dialog("size", function(chat)
  chat:reply_text("size " .. chat:ask("Which?", { check = function(it) return it.text == "7", "A number" end }).text)
  chat:ask_buttons { body = "Sure?", buttons = { { id = "y", title = "Yes" } }, otherwise = "Tap one" }
end)
]]
    assert_has(play_script(asking, "go", "blue", "/why", "7", "/why", "what?", "/why"),
      "A number", "it went to: the dialog that waits, where the question's check refused it", "size 7",
      "it went to: the dialog that waits\n", "Tap one", "it went to: the dialog that waits, where the question refused it")
  end)
end)

describe("the commands of cunnekt dev", function()
  it("write as somebody else", function()
    assert_has(play("who", "/from +91 98888-88888 Ravi", "who", "/from", "/from 919999999999", "who"),
      "Asha 919999999999 1", "-- you are Ravi, 919888888888", "Ravi 919888888888 1", "-- you are Ravi, 919888888888",
      "-- you are Asha, 919999999999", "Asha 919999999999 2")
  end)

  it("refuse a number that may be anybody's", function()
    assert_has(play("/from 98888", "/from Ravi", "who"), "-- /from", "-- /from", "Asha 919999999999 1")
  end)

  it("let time pass: reminders and deadlines come, each at its time", function()
    assert_has(play("wait", "/clock +50m", "/clock +20m", "/clock +1h"),
      "Which drink?", "it is", "Still there?", "it is", "gave up", "it is")
    assert_has(play("wait", "/clock +1d"), "Still there?", "gave up")
  end)

  it("move the time that the script sees", function()
    local text = play("time", "/clock +1d", "time")
    local first, second = text:match "> time\n(%d+)\n.*> time\n(%d+)"
    assert.equal(tonumber(os.date("%d", os.time() + 86400)), tonumber(second))
    assert.not_equal(first, second)
  end)

  it("say what a time is", function()
    assert_has(play("/clock tomorrow", "/clock -1h", "/clock"),
      "-- 'tomorrow' is no time that can pass; write +90s, +30m, +2h or +1d", "-- '-1h' is no time", "-- it is 20")
  end)

  it("show what is kept of the customer", function()
    assert_has(play("/state", "who", "wait", "/state"),
      "-- Asha, 919999999999\n--   the bot does not know you yet",
      "--   chat.state: count = 1\n", "'order': waiting for text", "--   bot.store 'seen 919999999999' = {\"at\":\"noon\"}",
      "--   bot.store has 1 other key without your number")
  end)

  it("end open dialogs", function()
    assert_has(play("wait", "/end", "tea", "/end", "/end x"),
      "-- ended: ", "> tea", "no handler matched", "-- there is no such dialog", "-- /end takes the number of a dialog")
  end)

  it("name the one that was meant", function()
    assert_has(play("/clok +2h", "/stat", "/buton good"),
      "there is no /clok; /help lists what there is (did you mean 'clock'?)", "(did you mean 'state'?)", "(did you mean 'button'?)")
  end)

  it("are listed by /help", function()
    local text = play "/help"
    for _, name in ipairs { "/button ID", "/from", "/clock", "/state", "/why", "/end", "/text", "/quit" } do
      assert.is_truthy(text:find(name, 1, true), name)
    end
  end)
end)

describe("two bots of one script, in cunnekt dev,", function()
  local two = [[
local cunnekt = require "cunnekt"
local one, other = cunnekt.bot(), cunnekt.bot { webhook_path = "/other" }
one:on("text", function(msg) msg:reply_text("first: " .. msg.text) end)
one:on("button", function(msg) msg:reply_text("first tapped") end)
other:on("text", function(msg) msg:reply_buttons { body = "second: " .. msg.text, buttons = { { id = "x", title = "X" } } } end)
other:on("button", function(msg) msg:reply_text("second tapped " .. msg.reply.id) end)
other:on("read", function(status) print("second read") end)
]]

  it("have an address each, are written to by number, and are told apart", function()
    local text, result = play_script(two, "hi", "/bot 2", "hello", "/bot", "/bot 1", "1", "again", "/bot 3", "/bot x")
    local ports = {}
    for port in result.err:gmatch "listening on 127%.0%.0%.1:(%d+)" do
      ports[#ports + 1] = port
    end
    assert.equal(2, #ports)
    assert.are_not.equal(ports[1], ports[2])
    text = text:gsub("\n%s+(bot %d)\n", "\n%1: ")
    assert_has(text, "> hi\nbot 1: first: hi", "-- you write to bot 2 of 2", "> hello\nbot 2: second: hello", "second read", "-- you write to bot 2 of 2",
      "-- you write to bot 1 of 2", "bot 2: second tapped x", "> again\nbot 1: first: again", "-- the script has the bots 1 to 2",
      "-- the script has the bots 1 to 2")
  end)

  it("are not spoken of where there is one", function()
    assert_has(play("/bot 2", "/bot"), "-- the script has one bot", "-- you write to bot 1 of 1")
  end)
end)
