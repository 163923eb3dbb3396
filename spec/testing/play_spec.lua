-- SPDX-License-Identifier: MIT
-- What transcripts can say, and how they fail. Each is played in this process.

local clock = require "cunnekt.time.clock"
local log = require "cunnekt.base.log"
local parse = require "cunnekt.testing.parse"
local play = require "cunnekt.testing.play"
local process = require "spec.support.process"
local testing = require "cunnekt.testing"

local head = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

describe("another Lua", function()
  it("is refused with a sentence", function()
    local chunk = assert(loadfile("lua/cunnekt/init.lua", "t", { _VERSION = "Lua 5.1", error = error }))
    assert.has_error(chunk, "cunnekt needs Lua 5.4, and this is Lua 5.1; for busted: busted --lua=/usr/bin/lua5.4")
  end)
end)

describe("a transcript", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  -- The problems as "line: message", with what was expected and what came.
  local function problems(code, text)
    local path = folder.path .. "/bot.lua"
    process.write(path, code)
    local list = parse.text(text, { path = "bot.chat", script = path, is_chat = true })
    assert(#list > 0)
    local found = {}
    for _, transcript in ipairs(list) do
      for _, problem in ipairs(play.run(transcript).problems) do
        local text_of = ("%d: %s"):format(problem.line, problem.message:match "^[^\n]*")
        found[#found + 1] = text_of .. (problem.expected and " - " .. problem.expected or "") .. (problem.got and " + " .. problem.got or "")
      end
    end
    return found
  end

  local function passes(code, text)
    assert.are.same({}, problems(head .. code, text))
  end

  it("begins with an empty store, whatever the one before has stored", function()
    passes([[
      bot:dialog("d", function(chat) chat:ask "Yes?" end)
      bot:on("text", "fill", function(msg)
        bot.store:set("n", 1)
        msg.chat.state.n = 1
        bot:after(3600, "later", function() end)
        msg:start "d"
      end)
      bot:on("text", function(msg)
        msg:reply_text(("%s %s %s"):format(bot.store:get "n", msg.chat.state.n, bot:cancel_job "later"))
      end)
    ]], ("transcript: fills it\ncustomer: fill\nbot: Yes?\ntranscript: finds nothing\ncustomer: look\nbot: nil nil false\n"):rep(3))
  end)

  -- The timers that a conversation of one line and a day starts.
  local function timers_of_a_day(code)
    local after, count = clock.after, 0
    clock.after = function(...)
      count = count + 1
      return after(...)
    end
    finally(function()
      clock.after = after
    end)
    passes(code, "customer: hi\nbot: Hello\n1 day later\n")
    return count
  end

  it("lets a day pass with a few timers an hour", function()
    assert.is_true(timers_of_a_day 'bot:on("text", function(msg) msg:reply_text "Hello" end)' < 24 * 5)
  end)

  it("lets a day pass as fast while a dialog and a job wait", function()
    assert.is_true(timers_of_a_day [[
      bot:dialog("d", function(chat) chat:ask("Hello", { timeout = 30 * 86400 }) end)
      bot:daily("09:00", "morning", function() end)
      bot:on("text", function(msg) msg:start "d" end)
    ]] < 24 * 5)
  end)

  it("checks windows often where one is watched", function()
    assert.is_true(timers_of_a_day 'bot:on("text", function(msg) msg.chat:watch_window() msg:reply_text "Hello" end)' > 24 * 60)
  end)

  it("runs what is due at the very end of a time before the next line", function()
    passes([[
      local runs = 0
      bot:every(7200, "count", function() runs = runs + 1 end)
      bot:on("text", "when", function(msg)
        bot:after(1800, { args = msg.from }, "call " .. msg.from, "call")
      end)
      bot:job("call", function(job) bot:chat(job.args):reply_text "Called" end)
      bot:on("text", function(msg) msg:reply_text(tostring(runs)) end)
    ]], [[
customer: a
bot: 0
2 hours later
customer: a
bot: 1
4 hours later
customer: a
bot: 3
customer: when
30 minutes later
bot: Called
7 days later
customer: a
bot: 87
]])
    -- Not before.
    passes([[
      local runs = 0
      bot:every(7200, "count", function() runs = runs + 1 end)
      bot:on("text", function(msg) msg:reply_text(tostring(runs)) end)
    ]], "119 minutes later\n59 seconds later\ncustomer: a\nbot: 0\n1 second later\ncustomer: a\nbot: 1\n")
  end)

  -- What followed from a timer began with the next step of the time, seconds late where hours passed.
  it("begins what follows from a timer at the timer's own time", function()
    passes([[
      bot:on("text", "nap", function(msg)
        for i = 1, 4 do
          msg.chat:sleep(1800)
          bot.store:set("n", i)
        end
      end)
      bot:on("text", function(msg) msg:reply_text(tostring(bot.store:get "n")) end)
    ]], "customer: nap\n2 hours later\ncustomer: count\nbot: 4\n")
    passes([[
      local runs = 0
      local function count(job)
        runs = runs + 1
        bot:after(3600, "count", count)
      end
      bot:on("text", "begin", function() bot:after(3600, "count", count) end)
      bot:on("text", function(msg) msg:reply_text(tostring(runs)) end)
    ]], "customer: begin\n2 hours later\ncustomer: count\nbot: 2\n7 days later\ncustomer: count\nbot: 170\n")
  end)

  it("ends, however close together timers lie", function()
    passes([[
      local runs = 0
      bot:every(1, "tick", function() runs = runs + 1 end)
      bot:on("text", function(msg) msg:reply_text(tostring(runs)) end)
    ]], "customer: a\nbot: 0\n10 minutes later\ncustomer: a\nbot: 600\n1 day later\ncustomer: a\nbot: …\n")
  end)

  it("shows a failing handler once, with the number of its attempts", function()
    local found = problems(head .. [[bot:on("text", function(msg) error("no " .. msg.text) end)]], "customer: a\n1 hour later\ncustomer: b\n")
    assert.equal(2, #found, table.concat(found, "\n"))
    assert.matches("^1: error: .*bot.lua:1: no a %(event 1, text%) %(5 attempts%)$", found[1])
    assert.matches("^3: error: .*bot.lua:1: no b %(event 2, text, attempt 1 of 5; next try in [%d.]+ s%)$", found[2])
  end)

  it("lists the attempts of a failing handler in their order, where each fails in another way", function()
    local found = problems(head .. [[local n = 0 bot:on("text", function() n = n + 1 error("no " .. n) end)]], "customer: a\n1 hour later\n")
    for i, problem in ipairs(found) do
      assert.truthy(problem:find("attempt " .. i .. " of", 1, true), table.concat(found, "\n"))
    end
    assert.equal(5, #found)
  end)

  it("shows the failure of a handler that bot:on_error hears of", function()
    local code = head .. 'bot:on_error(function() print "heard" end)\nbot:on("text", function() error "no luck" end)'
    local found = problems(code, "customer: a\n")
    assert.matches("^1: error: .*bot.lua:2: no luck", found[1])
    assert.are.same({}, problems(code, "customer: a\nlog: no luck\n"))
    assert.is_false(log.shows_heard_failures)
  end)

  it("shows a script's own error whole, also the words that the customer has used", function()
    local found = problems(head .. [[bot:on("text", function(msg) error("no price for '" .. msg.text .. "', order 12345678") end)]], "customer: tea\n")
    assert.matches("no price for 'tea', order 12345678 ", found[1], 1, true)
  end)

  it("has texts, buttons, lists, forms and files", function()
    passes([[
      bot:on("text", function(msg)
        msg:reply_buttons { body = "Which?", buttons = { { id = "a", title = "One" }, { id = "b", title = "Two" } } }
        msg:reply_list { body = "Or", list_title = "All", list = { { id = "x", title = "Ex" } } }
        msg:reply_form { body = "Form", form_cta = "Go", form_id = "1" }
      end)
      for _, kind in ipairs { "button", "list" } do
        bot:on(kind, function(msg) msg:reply_text(msg.reply.id .. " " .. msg.reply.title) end)
      end
      bot:on("form", function(msg) msg:reply_text(msg.form.size) end)
      bot:on("document", function(msg) msg:reply_text(#assert(msg:download()).body .. " bytes") end)
    ]], [[
customer: hi
bot: Which? [One] [Two]
bot: Or [All] - Ex
bot: Form [Go] form 1
customer: /button b
bot: b Two
customer: /list
bot: x Ex
customer: /form {"size":"big"}
bot: big
customer: /document
bot: … bytes
]])
  end)

  it("refuses a tap that nobody could make, in the words of cunnekt dev", function()
    local code = head .. [[
      bot:on("text", "menu", function(msg)
        msg:reply_buttons { body = "Which?", buttons = { { id = "a", title = "One" }, { id = "b", title = "Two" } } }
      end)
      bot:on("text", "offer", function(msg)
        msg:reply_template("55", { buttons = { { index = 0, type = "quick_reply", payload = "yes" } } })
      end)
      bot:on("message", function(msg) msg:reply_text(msg.type) end)
    ]]
    local menu, offer = "customer: menu\nbot: Which? [One] [Two]\n", "customer: offer\nbot: template 55…\n"
    assert.are.same({ "3: no button has the id 'bb'; possible: a and b" }, problems(code, menu .. "customer: /button bb\nbot: anything\n"))
    assert.are.same({ "3: the bot has offered no buttons" }, problems(code, menu .. "customer Ravi: /button b\n"))
    assert.are.same({ "1: the bot has offered no rows" }, problems(code, "customer: /list b\n"))
    assert.are.same({ "3: no quick reply has the id 'zz'; possible: yes" }, problems(code, offer .. "customer: /reply zz\n"))
    assert.are.same({ "1: the bot has offered no quick replies" }, problems(code, "customer: /reply\n"))
    passes(code:sub(#head + 1), menu .. offer .. "customer: /reply\nbot: quick_reply\ncustomer: /button b\nbot: button\n")
  end)

  it("takes a quick reply of a template that says nothing of it, or was sent by somebody else", function()
    passes([[
      bot:on("text", function(msg) msg:reply_template "55" end)
      bot:on("quick_reply", function(msg) msg:reply_text("tapped " .. msg.payload) end)
    ]], "customer: /reply a\nbot: tapped a\ncustomer: hi\nbot: template 55\ncustomer: /reply Stop\nbot: tapped Stop\n")
  end)

  it("has any text behind /text, and says what to write for a command that is none of a customer's", function()
    local code = head .. [[bot:on("text", function(msg) msg:reply_text("Text: " .. msg.text) end)]]
    assert.are.same({}, problems(code, "customer: /text /start\nbot: Text: /start\ncustomer: /text 2\nbot: Text: 2\n"))
    for line, problem in pairs {
      ["/text"] = "say what the text is: /text TEXT",
      ["/Text 2"] = "/Text is nothing that a customer can send; did you mean '/text'?",
      ["/clock +2h"] = "time passes in a line of its own, as in: 2 hours later",
      ["/start"] = "/start is nothing that a customer can send; as a text it is '/text /start'",
      ["/help"] = "/help is nothing that a customer can send; as a text it is '/text /help'",
    } do
      assert.are.same({ "1: " .. problem }, problems(code, "customer: " .. line .. "\n"))
    end
  end)

  it("has statuses, time, the log and staff", function()
    passes([[
      bot:on("text", function(msg)
        msg:reply_text "hello"
        msg.chat:sleep(2 * 3600)
        msg:reply_text "still there?"
      end)
      bot:on("failed", function() bot:after(30, "sorry", function() bot:chat("919999999999"):reply_text "sorry" end) end)
      bot:on("echo", function(event) event.chat:reply_text("staff said " .. event.text) end)
    ]], [[
customer: hi
bot: hello
119 minutes later
2 hours later
bot: still there?
status: failed
bot: sorry
staff: I am here
bot: staff said I am here
]])
  end)

  it("waits a minute for an answer, and no longer", function()
    local code = head .. [[bot:on("text", function(msg) msg.chat:sleep(tonumber(msg.text)) msg:reply_text "now" end)]]
    assert.are.same({}, problems(code, "customer: 50\nbot: now\n"))
    assert.are.same({ "2: the bot did not say this - now" }, problems(code, "customer: 70\nbot: now\n"))
    assert.are.same({}, problems(code, "customer: 3600\n1 hour later\nbot: now\n"))
    assert.are.same({}, problems(code, "customer: 50\n")) -- no time passes where nothing is waited for
  end)

  it("has several customers, each with a name and a state", function()
    local code = head .. [[
      bot:on("text", function(msg)
        msg.chat.state.n = (msg.chat.state.n or 0) + 1
        msg:reply_text(("%s %d"):format(msg.name, msg.chat.state.n))
        if msg.text == "tell" then bot:chat("919999999999"):reply_text "told" end
      end)
      bot:on("echo", function(event) event.chat:reply_text("staff said " .. event.text) end)]]
    assert.are.same({}, problems(code, [[
customer: hi
bot: Asha 1
customer Ravi: hi
bot: Ravi 1
customer: hi
bot: Asha 2
customer Ravi: tell
bot: Ravi 2
bot to Asha: told
customer 4915112345678: hi
bot to 4915112345678: Asha 1
customer +49 151 1234-5678: ho
bot: Asha 2
customer Ravi: hi
bot: Ravi 3
staff to +49 (151) 12345678: hello
bot to +49 151 1234-5678: staff said hello
]]))
    -- A message to another customer is no message to this one.
    local found = problems(code, "customer: hi\nbot: …\ncustomer Ravi: tell\nbot: Ravi 1\nbot: told\n")
    assert.are.same({ "5: the bot said something else - told + (to Asha) told" }, found)
  end)

  it("begins with an empty store, and with a script that was just loaded", function()
    local code = head .. [[
      local loaded = require "other"
      loaded.n = loaded.n + 1
      count = (count or 0) + 1
      bot:on("text", function(msg)
        assert(bot.store:set("n", (bot.store:get "n" or 0) + 1))
        msg:reply_text(("%d %d %d"):format(bot.store:get "n", loaded.n, count))
      end)]]
    process.write(folder.path .. "/other.lua", "return { n = 0 }")
    assert.are.same({}, problems(code, "transcript: a\ncustomer: hi\nbot: 1 1 1\ntranscript: b\ncustomer: hi\nbot: 1 1 1\n"))
    assert.is_nil(rawget(_G, "count"))
    assert.is_nil(package.loaded.other)
  end)

  local asks = head .. [[
    bot:on("text", function(msg)
      local answer, err = cunnekt.http.post("https://crm.example/orders?x=1", nil, { json = { text = msg.text } })
      msg:reply_text(answer and answer.status .. " " .. answer.body or err.kind)
    end)]]

  it("answers HTTP requests, in order, by a pattern, or with a failure", function()
    assert.are.same({}, problems(asks, [[
customer: a
http POST https://crm.example/orders?x=1 -> 200 {"id":1}
bot: 200 {"id":1}
http POST https://crm.example/… -> 500
customer: b
bot: 500
customer: c
http POST https://crm.example/… -> timeout
bot: timeout
]]))
  end)

  it("says which line a request needs, and which answer nobody asked for", function()
    local found = problems(asks, "customer: a\nbot: network\n")
    assert.are.equal(1, #found)
    assert.truthy(found[1]:find("^1: the script asked POST https://crm%.example/orders%?x=1"))
    assert.truthy(found[1]:find("-- http POST https://crm.example/orders?x=1 -> 200 {}", 1, true))
    assert.are.same({ "1: the script did not ask for this: GET http://a/" },
      problems(head .. [[bot:on("text", function() end)]], "http GET http://a/ -> 200 {}\ncustomer: a\n"))
    assert.truthy(problems(asks, "http GET http://a/ -> fine\ncustomer: a\n")[1]:find "^1: write a status")
  end)

  it("shows a handler that raises, a warning, and a refused send; a line can expect them", function()
    local code = head .. [[bot:on("text", function(msg) if msg.text == "bad" then msg.nothing.at_all() end msg:reply_text "ok" end)]]
    local found = problems(code, "customer: bad\n")
    assert.truthy(found[1]:find "bot.lua:1: attempt to index a nil value", found[1])
    assert.are.same({}, problems(code, "customer: bad\nlog: attempt to index a nil value\n"))
    assert.are.same({ "2: the log does not say this - something" }, problems(code, "customer: hi\nlog: something\nbot: ok\n"))
  end)

  it("ends when the bot does not", function()
    local unlimited = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot { rate = 0, pair_rate = 0 } '
    local talks = unlimited .. [[bot:on("text", function(msg) msg:reply_text "x" end) bot:on("delivered", function(s) s.chat:reply_text "again" end)]]
    local found = problems(talks, "customer: hi\nbot: x\n")
    assert.truthy(found[1]:find("more than 1000 messages", 1, true), found[1])
  end)

  it("goes to one of two bots, and so do the statuses", function()
    local code = [[
      local cunnekt = require "cunnekt"
      for i = 1, 2 do
        local bot = cunnekt.bot()
        bot:on("text", function(msg) msg:reply_text("bot " .. i) end)
        bot:on("failed", function(status) status.chat:reply_text("failed " .. i) end)
      end]]
    assert.are.same({}, problems(code, [[
customer: hi
bot: bot 1
customer to bot 2: hi
bot: bot 2
status: failed
bot: failed 2
customer Ravi to bot 1: hi
bot: bot 1
status: failed
bot: failed 1
]]))
    assert.are.same({ "1: there is no bot 3: the script makes 2" }, problems(code, "customer to bot 3: hi\n"))
  end)

  it("is read with CRLF, a byte order mark, any script and no last line end", function()
    passes([[bot:on("text", function(msg) msg:reply_text("«" .. msg.text .. "»") end)]],
      "\xef\xbb\xbfcustomer: नमस्ते\r\nbot: «नमस्ते»\r\n\r\n# comment\r\ncustomer Ümit: çay 🍵\r\nbot: «çay 🍵»")
  end)
end)

describe("cunnekt.testing", function()
  it("checks a text, and raises what differs", function()
    local folder = process.folder()
    local path = folder.path .. "/bot.lua"
    process.write(path, head .. [[bot:on("text", function(msg) msg:reply_text(os.getenv "SHOP" or "none") end)]])
    testing.check(path, "customer: hi\nbot: none")
    testing.check(path, "customer: hi\nbot: Tea", { environment = { SHOP = "Tea" } })
    assert.has_error(function()
      testing.check(path, "customer: hi\nbot: Coffee")
    end, "\ntranscript:2: the bot said something else\n  - Coffee\n  + none\n")
    assert.has_error(function()
      testing.check(path, "customer: hi", { environmnt = {} })
    end, "testing.check: unknown option 'environmnt' (did you mean 'environment'?)")
  end)

  testing.describe "examples/echo.lua"
end)
