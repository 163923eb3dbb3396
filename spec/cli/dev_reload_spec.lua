-- SPDX-License-Identifier: MIT
-- `cunnekt dev` while its script is edited: real files, and a person on a terminal.

local process = require "spec.support.process"
local screen = require "spec.support.screen"

local env = { CUNNEKT_LISTEN = "127.0.0.1:0" }

local header = 'local cunnekt = require "cunnekt"\nlocal bot = cunnekt.bot()\n'

local echo = header .. [[
bot:on("text", function(msg) msg:reply_text("one: " .. msg.text) end)
bot:run()
]]

describe("cunnekt dev, while the script changes,", function()
  local folder, path, it_runs

  local function write(text, name)
    process.write(folder.path .. "/" .. (name or "bot.lua"), text)
  end

  local function start(text)
    write(text)
    it_runs = screen.cunnekt({ "dev", "--sandbox", "127.0.0.1:0", "bot.lua" }, { cwd = folder.path, env = env })
    it_runs:expect "Asha>"
    it_runs:expect "listening on"
  end

  local function say(text, answer)
    it_runs:type(text .. "\r")
    it_runs:expect(answer)
  end

  local function change(from, to)
    local text = process.read(path)
    local first, last = text:find(from, 1, true)
    assert(first, "the script has no " .. from)
    write(text:sub(1, first - 1) .. to .. text:sub(last + 1))
  end

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/bot.lua"
  end)

  after_each(function()
    it_runs:close()
  end)

  it("answers with the new code", function()
    start(echo)
    say("tea", "one: tea")
    change("one", "two")
    it_runs:expect "bot.lua reloaded: 1 handler, 0 dialogs"
    say("cake", "two: cake")
    assert.not_matches("one: cake", it_runs:text())
  end)

  it("sees a file that is written beside it and renamed, as editors do", function()
    start(echo)
    write((echo:gsub("one", "two")), "bot.lua.new")
    os.rename(folder.path .. "/bot.lua.new", path)
    it_runs:expect "bot.lua reloaded"
    say("cake", "two: cake")
  end)

  it("loads its own modules anew, also those that lie deeper", function()
    write('return { word = require("parts.deep").word }', "words.lua")
    os.execute("mkdir " .. process.quote(folder.path .. "/parts"))
    write('return { word = "one" }', "parts/deep.lua")
    start(header .. 'local words = require "words"\nbot:on("text", function(msg) msg:reply_text(words.word .. "!") end)')
    say("tea", "one!")
    write('return { word = "two" }', "parts/deep.lua")
    it_runs:expect "bot.lua reloaded"
    say("cake", "two!")
  end)

  it("keeps its globals apart from those of the new code, and its modules too", function()
    write("count = (count or 0) + 1\nreturn { count = count }", "counter.lua")
    start(header .. [[
count = 10
local counter = require "counter"
bot:on("text", function(msg) msg:reply_text(("%d %d %s"):format(counter.count, _G.count, tostring(rawget(_G, "old")))) end)
old = true]])
    say("tea", "11 11 true")
    change("old = true", "-- without it")
    it_runs:expect "bot.lua reloaded"
    say("cake", "11 11 nil")
  end)

  local broken = {
    { "a syntax error", "local x = = 1", "bot.lua:5: " },
    { "half of a file", 'bot:on("text", function(msg)', "bot.lua:5: .*'end' expected" },
    { "an error as it is loaded", "error 'out of tea'", "bot.lua:5: out of tea" },
    { "a module that is not there", 'require "nosuch"', "module 'nosuch' not found" },
    { "a wrong option", "cunnekt.bot{ attemps = 1 }", "bot.lua:5: .*the running script has made 1 bot" },
    { "a misuse", 'bot:on("te" .. "kst", print)', "bot.lua:5: bot:on: unknown event 'tekst' %(did you mean 'text'%?%)" },
  }
  for _, case in ipairs(broken) do
    it("refuses " .. case[1] .. ", and the code from before goes on", function()
      start((echo:gsub("bot:run%(%)\n", "\n")))
      write((echo:gsub("one", "two"):gsub("bot:run%(%)\n", "\n") .. case[2] .. "\n"))
      it_runs:expect "bot.lua is not reloaded; what runs goes on"
      assert.matches(case[3], (it_runs:text():gsub("\n%-%- ", " "):gsub("\n   ", " ")))
      say("tea", "one: tea")
      write((echo:gsub("one", "three")))
      it_runs:expect "bot.lua reloaded"
      say("cake", "three: cake")
    end)
  end

  for _, case in ipairs {
    { "that never ends", "while true do end" },
    { "that never ends and catches everything", "repeat until pcall(function() while true do end end) and false" },
    { "with a task that never ends", "cunnekt.spawn(function() while true do end end)" },
  } do
    it("stops a script " .. case[1] .. ", and the code from before goes on", function()
      start((echo:gsub("bot%(%)", "bot{ budget = { seconds = 0.3 } }")))
      change("bot:on", case[2] .. "\nbot:on")
      it_runs:expect "bot.lua:3: the script has used 0.3 seconds of CPU time%s+while%s+it%s+was%s+loaded"
      it_runs:expect "bot.lua is not reloaded"
      say("tea", "one: tea")
      write((echo:gsub("one", "two")))
      it_runs:expect "bot.lua reloaded"
      say("milk", "two: milk")
    end)
  end

  it("does not charge a task for longer than the script is loaded", function()
    start((echo:gsub("bot%(%)", "bot{ budget = { seconds = 0.3 } }")))
    write((echo:gsub("bot%(%)", "bot{ budget = { seconds = 0.3 } }"):gsub("bot:run", [[
cunnekt.spawn(function()
  local before = os.clock()
  for i = 1, 12 do
    local clock = os.clock()
    while os.clock() - clock < 0.05 do end
    cunnekt.sleep(0.01)
  end
  print(("worked for %%s"):format(os.clock() - before > 0.5 and "long" or "nothing"))
end)
bot:run]])))
    it_runs:expect "bot.lua reloaded"
    it_runs:expect "worked for long"
  end)

  it("goes on when the file is deleted, until there is one again", function()
    start(echo)
    os.remove(path)
    it_runs:expect "bot.lua is not there any more; what runs goes on"
    say("tea", "one: tea")
    write((echo:gsub("one", "two")))
    it_runs:expect "bot.lua reloaded"
    say("cake", "two: cake")
  end)

  it("refuses a broken module, and takes the mended one", function()
    write('return "one"', "word.lua")
    start(header .. 'local word = require "word"\nbot:on("text", function(msg) msg:reply_text(word .. "!") end)')
    write("return =", "word.lua")
    it_runs:expect "word.lua:1: unexpected symbol"
    say("tea", "one!")
    write('return "two"', "word.lua")
    it_runs:expect "bot.lua reloaded"
    say("cake", "two!")
  end)

  it("takes a module that was missing, once it is there", function()
    start(echo)
    write((echo:gsub('"one: "', 'require "word"')))
    it_runs:expect "bot.lua reloaded"
    it_runs:type "tea\r"
    it_runs:expect "module 'word' not found"
    write('return "word: "', "word.lua")
    it_runs:expect "word: tea"
  end)

  it("says what cunnekt check finds, before it loads", function()
    start(echo)
    change('msg:reply_text("one: " .. msg.text)', 'msg:replytext("two: " .. msg.text)')
    it_runs:expect "bot.lua reloaded"
    assert.matches("bot.lua:3: .*replytext.*reply_text", (it_runs:text():gsub("\n   ", " ")))
  end)

  it("says a failing handler once, and tries its event again as soon as the script changes", function()
    start((echo:gsub('"one: "', "nothing")))
    it_runs:type "tea\r"
    it_runs:expect "attempt 1 of 5"
    change("nothing", '"two: "')
    it_runs:expect "two: tea"
    local _, count = it_runs:text():gsub("attempt %d of", "")
    assert.equal(1, count)
  end)

  it("says of what cunnekt check finds only what is new, and how much is old", function()
    start((echo:gsub("bot:run", "if false then prnt(1) pritn(2) end\nbot:run")))
    it_runs:expect "global 'pritn'"
    change('"one: "', '"two: "')
    it_runs:expect "%-%- 2 warnings from before remain: cunnekt check bot.lua\n%-%- bot.lua reloaded"
    change("bot:on", "\nif false then prnt(1) end\nbot:on")
    it_runs:expect "%-%- bot.lua:4: undefined global 'prnt'.-2 warnings from before remain.-reloaded"
    change("if false then prnt(1) pritn(2) end", "")
    it_runs:expect "1 warning from before remains"
    local _, count = it_runs:text():gsub("undefined global", "")
    assert.equal(3, count)
  end)

  it("says at once behind what a text waits, and how to go on; /why speaks of it", function()
    start(header .. [[
bot:on("text", "tea", function() error "no price" end)
bot:on("text", function(msg) msg:reply_text("one: " .. msg.text) end)
]])
    say("hi", "one: hi")
    say("tea", "attempt 1 of 5; next try")
    say("hello", "%-%- it waits behind 'tea', which failed %(bot.lua:3: no price%)")
    it_runs:expect "when%s+you%s+save%s+the%s+script"
    it_runs:type "/why\r"
    it_runs:expect "%-%- the last message: text 'hello'"
    it_runs:expect "it waits behind 'tea'"
    it_runs:expect "the one that the script got last: text 'tea'"
    it_runs:expect "bot.lua:3: was called, and failed"
    it_runs:expect "it went to: the handler at bot.lua:3, which failed"
    change('error "no price"', "")
    it_runs:expect "one: hello"
    say("more", "one: more")
    local _, count = it_runs:text():gsub("it waits behind", "")
    assert.equal(2, count)
    assert.not_matches("cunnekt events", it_runs:text())
  end)

  it("tries an event again after each change, until it is handled", function()
    start((echo:gsub('"one: "', "nothing")))
    it_runs:type "tea\r"
    it_runs:expect "attempt 1 of 5"
    change("nothing", "nobody")
    it_runs:expect "'nobody'.*attempt 2 of 5"
    change("nobody", '"two: "')
    it_runs:expect "two: tea"
  end)

  it("tries an event again that has become a dead letter", function()
    start((echo:gsub('"one: "', "nothing"):gsub("bot%(%)", "bot{ attempts = 1 }")))
    it_runs:type "tea\r"
    it_runs:expect "dead letter; a changed script%s+gets it again"
    change("nothing", '"two: "')
    it_runs:expect "two: tea"
  end)

  it("swaps between two turns: a handler that is running ends with the code that it began with", function()
    start(header .. [[
local started
bot:on("text", "^slow", function(msg)
  started = true
  cunnekt.sleep(1.5)
  msg:reply_text "one, slowly"
end)
bot:on("text", function(msg) msg:reply_text "one" end)]])
    it_runs:type "slow\r"
    it_runs:expect "Asha> slow"
    write((process.read(path):gsub("one", "two")))
    it_runs:expect "bot.lua reloaded"
    local text = it_runs:text()
    assert.is_true(text:find("one, slowly", 1, true) < text:find("reloaded", 1, true), text)
    say("x", "two")
  end)

  it("replaces everything that is registered: middleware, commands, hooks, taps", function()
    local all = header .. [[
bot:use(function(msg, next) msg.text = msg.text and msg.text .. " one" return next() end)
bot:tap(function(what) print("tap one " .. what.kind) end)
bot:before_send(function(payload) payload.text = payload.text .. " sent one" return payload end)
bot:on_error(function(err) print "error one" end)
bot:global("stop", function(msg) msg:reply_text "stopped one" end)
bot:on("text", "fail", function() error "out of tea" end)
bot:on("text", function(msg) msg:reply_text(msg.text) end)]]
    start(all)
    say("tea", "tea one sent one")
    write((all:gsub("one", "two")))
    it_runs:expect "bot.lua reloaded: 2 handlers"
    say("cake", "cake two sent two")
    say("stop", "stopped two sent two")
    say("fail", "error two")
    local after = it_runs:text():match "reloaded.*"
    assert.matches("tap two message.*tap two outgoing", after)
    assert.not_matches("one", after)
  end)

  it("moves its jobs to the new code, at the time that they had", function()
    start(header .. [[
bot:on("text", function(msg) bot.store:set("to", msg.from) end)
bot:every(3600, "tick", function() bot:chat(bot.store:get "to"):reply_text "one tick" end)
bot:every(7200, "old", function() bot:chat(bot.store:get "to"):reply_text "old tick" end)]])
    it_runs:type "hi\r"
    it_runs:type "/clock +50m\r"
    it_runs:expect "it is .* now"
    write((process.read(path):gsub("one tick", "two tick"):gsub('bot:every%(7200, "old"[^\n]*', "")))
    it_runs:expect "bot.lua reloaded"
    it_runs:type "/clock +15m\r"
    it_runs:expect "two tick"
    it_runs:type "/clock +3h\r"
    it_runs:expect "two tick.*two tick.*two tick.*two tick"
    assert.not_matches("old tick", it_runs:text())
    assert.not_matches("one tick", it_runs:text())
  end)

  it("ends the tasks of the old code, and those of code that is refused", function()
    local beats = header .. [[
bot:on("text", function(msg) msg:reply_text("one: " .. msg.text) end)
cunnekt.spawn(function()
  while true do
    cunnekt.sleep(0.05)
    bot.store:set("beat one", (bot.store:get "beat one" or 0) + 1)
  end
end)
]]
    start(beats)
    write((beats:gsub("one", "two")) .. "cunnekt.sleep(0.2)\nerror 'out of tea'")
    it_runs:expect "bot.lua is not reloaded"
    write((beats:gsub("one", "three")))
    it_runs:expect "bot.lua reloaded"
    write(header .. [[
bot:on("text", function(msg)
  local before = {}
  for key, value in bot.store:each "beat" do before[key] = value end
  msg.chat:sleep(0.5)
  for key, value in bot.store:each "beat" do msg:reply_text(key .. (value == before[key] and " has ended" or " goes on")) end
end)]])
    it_runs:expect "bot.lua reloaded.*bot.lua reloaded"
    it_runs:type "count\r"
    it_runs:expect "beat three has ended"
    it_runs:expect "beat one has ended"
    assert.not_matches("goes on", it_runs:text():match "count\n.*")
  end)

  it("waits for a script that waits while it is loaded, and takes a later change instead", function()
    start(echo)
    write(header .. 'cunnekt.sleep(3600)\nbot:on("text", function(msg) msg:reply_text "never" end)')
    say("tea", "one: tea")
    write((echo:gsub("one", "two")))
    it_runs:expect "bot.lua reloaded"
    say("cake", "two: cake")
  end)

  it("says which options of the bot need a new start", function()
    start(echo)
    change("bot()", "bot{ attempts = 2 }")
    it_runs:expect "change with the next start: attempts"
    say("tea", "one: tea")
  end)

  it("ends as it does without a change", function()
    start(echo .. "print 'the end'\n")
    change("one", "two")
    it_runs:expect "bot.lua reloaded"
    it_runs:type "\4"
    assert.equal(0, it_runs:wait())
    assert.matches("the end", it_runs:text())
    assert.is_true(it_runs:is_cooked())
  end)
end)

describe("open dialogs in cunnekt dev, when the script changes,", function()
  local folder, path, it_runs, changes

  local order = header .. [[
bot:on("text", "^order", function(msg) msg:start "order" end)
bot:dialog("order", function(chat)
  local drink = chat:ask("Which drink?").text
  chat:reply_text("one " .. drink)
  local size = chat:ask("Which size?").text
  chat:reply_text("one " .. size .. " " .. drink)
end)
]]

  local function start(text)
    path, changes = process.write(folder.path .. "/bot.lua", text), 0
    it_runs = screen.cunnekt({ "dev", "--sandbox", "127.0.0.1:0", "bot.lua" }, { cwd = folder.path, env = env })
    it_runs:expect "Asha>"
    it_runs:expect "listening on"
  end

  local function say(text, answer)
    it_runs:type(text .. "\r")
    it_runs:expect(answer)
  end

  local function change(text)
    process.write(path, text)
    changes = changes + 1
    it_runs:expect(("bot.lua reloaded.*"):rep(changes))
  end

  before_each(function()
    folder = process.folder()
  end)

  after_each(function()
    it_runs:close()
  end)

  it("go on with the new code where it has changed behind the question", function()
    start(order)
    say("order", "Which drink")
    change((order:gsub("one", "two")))
    it_runs:expect "1 open dialog goes on with it"
    say("tea", "two tea")
    say("big", "two big tea")
  end)

  it("go on with the new code where what came before is the same", function()
    start(order)
    say("order", "Which drink")
    say("tea", "Which size")
    change((order:gsub('"one " .. size', '"two " .. size')))
    say("big", "two big tea")
  end)

  it("go on with the code that they began with where it has changed before the question, and it says so", function()
    start(order)
    say("order", "Which drink")
    say("tea", "Which size")
    change((order:gsub("Which drink", "What do you drink"):gsub("one", "two")))
    local text = it_runs:text():gsub("\n   ", " ")
    local id = text:match "dialog (%d+), 'order', of 919999999999 goes on with the code that it began with: .*step"
    assert.is_truthy(id, text)
    assert.matches("/end " .. id .. " ends it", text)
    say("big", "one big tea")
    say("order", "What do you drink")
  end)

  it("end when one asks for it", function()
    start(order)
    say("order", "Which drink")
    change((order:gsub("Which drink", "What do you drink"):gsub("one", "two")))
    it_runs:type "/end\r"
    it_runs:expect "ended: %d+"
    say("order", "What do you drink")
    say("tea", "two tea")
  end)

  it("go on with the code that they began with when they are gone from the script", function()
    start(order)
    say("order", "Which drink")
    change(header .. 'bot:on("text", function(msg) msg:reply_text "new" end)')
    assert.matches("it is not in the script any more", (it_runs:text():gsub("\n   ", " ")))
    say("tea", "one tea")
    say("big", "one big tea")
    say("order", "new")
  end)

  it("begin anew where they are to", function()
    local text = order:gsub("end%)\n$", 'end, { on_change = "restart" })\n')
    start(text)
    say("order", "Which drink")
    change((text:gsub("Which drink", "What do you drink"):gsub("one", "two")))
    assert.matches("begins anew with the next answer", (it_runs:text():gsub("\n   ", " ")))
    say("tea", "What do you drink")
    say("coffee", "two coffee")
  end)

  it("of handlers that wait move as well, or say so, when another handler has their place", function()
    local asks = header .. [[
bot:on("text", "^hi", function(msg) msg:reply_text("one " .. msg.chat:ask("Name?").text) end)
]]
    start(asks)
    say("hi", "Name%?")
    change((asks:gsub("one", "two")))
    say("Ravi", "two Ravi")
    say("hi", "Name%?.*Name%?")
    change((asks:gsub("one", "three"):gsub('bot:on', 'bot:on("image", print)\nbot:on', 1)))
    say("Ravi", "three Ravi")
  end)

  it("that broke go on when the script is mended", function()
    start((order:gsub('"one " .. drink', "nothing .. drink"):gsub("bot%(%)", "bot{ attempts = 1 }")))
    say("order", "Which drink")
    say("tea", "dead letter")
    change((order:gsub("bot%(%)", "bot{ attempts = 1 }")))
    it_runs:expect "one tea.*Which size"
    say("big", "one big tea")
  end)
end)
