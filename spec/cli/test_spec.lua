-- SPDX-License-Identifier: MIT
-- `cunnekt test` as a user sees it: files in, lines and exit codes out.

local core = require "cunnekt.core"
local process = require "spec.support.process"

describe("cunnekt test", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function write(name, text)
    process.write(folder.path .. "/" .. name, text)
  end

  local function read(name)
    local file <close> = assert(io.open(folder.path .. "/" .. name, "rb"))
    return file:read "a"
  end

  local function test(...)
    return process.cunnekt({ "test", ... }, { cwd = folder.path })
  end

  local echo = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
bot:on("text", function(msg) msg:reply_text("You said " .. msg.text) end)
bot:on("image", function(msg) msg:reply_text "Nice!" end)
]]

  it("plays the transcript of a script, and says what no transcript reached", function()
    write("bot.lua", echo .. "-- customer: hi\n-- bot: You said hi\n")
    local done = test "bot.lua"
    assert.are.equal(0, done.code, done.out .. done.err)
    assert.truthy(done.out:find("no transcript reached 1 of 2 handlers, dialogs and jobs:\n  bot.lua:4: bot:on('image')", 1, true))
    assert.truthy(done.out:find("1 transcript, all passed in ", 1, true))
    assert.is_nil(done.out:find("\27", 1, true)) -- no terminal, no colour
  end)

  -- What counts how often a handler runs is between it and its caller.
  it("names the script's line where a call that is returned is refused", function()
    for _, handler in ipairs {
      'bot:on("text", function(msg)\n  return msg:start(msg.name)\nend)',
      'bot:global("go", function(msg)\n  return msg:start(msg.name)\nend)',
      'bot:on("text", function(msg) msg:start "d" end)\nbot:dialog("d", function(chat)\n  return chat:start(chat.name)\nend)',
    } do
      local line = handler:find "bot:dialog" and 3 or 2
      write("bot.lua", ('local bot = require("cunnekt").bot()\n%s\n-- customer: go\n-- bot: hm\n'):format(handler))
      local said = test("bot.lua").out
      assert.truthy(said:find(("error: bot.lua:%d: %%w+:start: there is no dialog 'Asha'"):format(line)), said)
      assert.is_nil(said:find("cunnekt/", 1, true), said)
    end
  end)

  -- It said "deadlock", with a line of ours.
  it("says what to do where a script waits in a function that C calls, or in a coroutine", function()
    local sort = "in a function that string.gsub, table.sort or the like calls; let that one only collect, and wait in a loop behind it"
    for code, where in pairs {
      ["table.sort({ 2, 1 }, function(a, b)\ncunnekt.sleep(1) return a < b end)"] = sort,
      ["msg.text:gsub('.', function()\ncunnekt.sleep(1) end)"] = sort,
      ["coroutine.wrap(function()\ncunnekt.sleep(1) end)()"] = "in a coroutine of the script; wait in the function that resumes it",
    } do
      write("bot.lua", ('local cunnekt = require "cunnekt" cunnekt.bot():on("text", function(msg) %s end)\n-- customer: hi\n'):format(code))
      local said = test("bot.lua").out
      assert.truthy(said:find(("bot.lua:2: nothing can be waited for %s (event 1"):format(where), 1, true), said)
    end
  end)

  it("says which dialogs, global commands and jobs no transcript reached", function()
    write("bot.lua", [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
bot:global("menu", function(msg) msg:reply_text "Menu" end)
bot:dialog("asked", function(chat) chat:ask "Yes?" end)
bot:dialog("called", function(chat) chat:reply_text "Called" end)
bot:dialog("never", function(chat) chat:reply_text "Never" end)
bot:dialog("outer", function(chat) chat:call "called" end)
bot:job("remind", function(job) bot:chat(job.args):reply_text "Remember!" end)
bot:job("forgotten", function() end)
bot:every(3600, "hourly", function() end)
bot:daily("03:00", "nightly", function() end)
bot:on("text", "later", function(msg)
  bot:after(60, { args = msg.from }, "remind " .. msg.from, "remind")
  bot:after(90, "once " .. msg.from, function() end)
  bot:after(86400, "tomorrow " .. msg.from, function() end)
end)
bot:on("text", "ask", function(msg) msg:start "asked" end)
bot:on("text", "outer", function(msg) msg:start "outer" end)
-- transcript: a question
-- customer: ask
-- bot: Yes?
-- transcript: a call
-- customer: outer
-- bot: Called
-- transcript: time
-- customer: later
-- 1 hour later
-- bot: Remember!
]])
    local done = test "bot.lua"
    assert.are.equal(0, done.code, done.out .. done.err)
    assert.truthy(done.out:find([[
no transcript reached 5 of 14 handlers, dialogs and jobs:
  bot.lua:3: bot:global('menu')
  bot.lua:6: bot:dialog('never')
  bot.lua:9: bot:job('forgotten')
  bot.lua:11: job 'nightly'
  bot.lua:15: job 'tomorrow 919999999999'
3 transcripts, all passed]], 1, true), done.out)
  end)

  it("shows what differs line by line, with the line of the file", function()
    write("bot.lua", echo .. "-- customer: hi\n-- bot: You said ho\n-- customer: ho\n-- customer: /image\n-- bot: Nice!\n-- bot: Really\n")
    local done = test "bot.lua"
    assert.are.equal(1, done.code)
    assert.truthy(done.out:find("bot.lua:6: the bot said something else\n  - You said ho\n  + You said hi\n", 1, true), done.out)
    assert.truthy(done.out:find("bot.lua:7: the bot said more\n  + You said ho\n", 1, true), done.out)
    assert.truthy(done.out:find("bot.lua:10: the bot did not say this\n  - Really\n", 1, true), done.out)
    assert.truthy(done.out:find("1 transcript, 1 failed", 1, true))
  end)

  it("finds chat files beside a script, in a folder, and the script that they name", function()
    write("bot.lua", echo)
    write("bot.chat", "# how it begins\ncustomer: hi\nbot: You said hi\n")
    write("bot.more.chat", "-- customer: yes\n-- bot: You said yes\n")
    write("other.chat", "script: bot.lua\ncustomer: /image\nbot: Nice!\n")
    assert.truthy(test("bot.lua").out:find("2 transcripts, all passed", 1, true))
    assert.truthy(test("other.chat").out:find("1 transcript, all passed", 1, true))
    assert.truthy(test().out:find("3 transcripts, all passed", 1, true))
    write("lost.chat", "customer: hi\n")
    local done = test "lost.chat"
    assert.are.equal(2, done.code)
    assert.truthy(done.err:find("there is no script for it; write its path", 1, true))
  end)

  it("looks into the folders of a folder, but for links, hidden ones and those of others", function()
    process.run({ "mkdir", "-p", "chats/more", ".git", "lua_modules/a" }, { cwd = folder.path })
    write("bot.lua", echo .. "-- customer: hi\n-- bot: You said hi\n")
    write("chats/yes.chat", "script: ../bot.lua\ncustomer: yes\nbot: You said yes\n")
    write("chats/more/no.chat", "script: ../../bot.lua\ncustomer: no\nbot: wrong\n")
    write(".git/bot.lua", echo .. "-- customer: hi\n")
    write("lua_modules/a/bot.lua", echo .. "-- customer: hi\n")
    process.run({ "ln", "-s", "..", "chats/up" }, { cwd = folder.path })
    local done = test()
    assert.truthy(done.out:find("chats/more/no.chat:3: the bot said something else", 1, true), done.out .. done.err)
    assert.truthy(done.out:find("3 transcripts, 1 failed", 1, true), done.out)
    assert.truthy(test("chats").out:find("2 transcripts, 1 failed", 1, true))
  end)

  it("says what to write where there is no transcript, or an empty one", function()
    write("bot.lua", echo)
    local done = test "bot.lua"
    assert.are.equal(1, done.code)
    assert.truthy(done.err:find("-- customer: hi", 1, true))
    write("bot.chat", "# nothing yet\n")
    done = test "bot.lua"
    assert.are.equal(1, done.code)
    assert.truthy(done.out:find("bot.chat:1: the transcript is empty", 1, true), done.out)
    done = test "nowhere.lua"
    assert.are.equal(2, done.code)
    done = test "--updat"
    assert.are.equal(2, done.code)
  end)

  it("rewrites the bot's lines, and keeps every other byte", function()
    local text = echo:gsub("\n", "\r\n")
      .. "--  a note\r\n  -- customer: grüß dich\r\n  --  bot: wrong\r\n-- customer: hi\r\n-- another\r\n-- customer: /image\r\n"
      .. "-- bot: N…\r\n-- bot: too much\r\n-- customer: end"
    write("bot.lua", text)
    local done = test("--update", "bot.lua")
    assert.are.equal(0, done.code, done.out .. done.err)
    local expected = echo:gsub("\n", "\r\n")
      .. "--  a note\r\n  -- customer: grüß dich\r\n  --  bot: You said grüß dich\r\n-- customer: hi\r\n-- bot: You said hi\r\n-- another\r\n"
      .. "-- customer: /image\r\n-- bot: N…\r\n-- customer: end\r\n-- bot: You said end"
    assert.are.equal(expected, read "bot.lua")
    assert.are.equal(0, test("bot.lua").code)
    test("--update", "bot.lua")
    assert.are.equal(expected, read "bot.lua")
  end)

  it("leaves comments and strings of a script's code as they are", function()
    local code = [==[
-- status: experimental
-- bot: Asha's tea shop, by me
local bot = require("cunnekt").bot()
local notes = [[
-- customer: hi
-- bot: from a string
]]
bot:on("text", function(msg)
  -- customer: whoever writes
  -- bot: says hello
  msg:reply_text(notes:match "from [%w ]+")
end)
]==]
    write("bot.lua", code .. "-- customer: hi\n-- bot: Hello\n")
    local done = test("--update", "bot.lua")
    assert.are.equal(0, done.code, done.out .. done.err)
    assert.truthy(done.out:find("\n1 line updated\n", 1, true), done.out)
    assert.are.equal(code .. "-- customer: hi\n-- bot: from a string\n", read "bot.lua")
  end)

  it("plays a script with a byte order mark, as a chat file of it may have one", function()
    write("bot.lua", "\xef\xbb\xbf" .. echo .. "require 'texts'\n-- customer: hi\n-- bot: You said ho\n")
    write("texts.lua", "\xef\xbb\xbfreturn {}\n")
    write("more.chat", "\xef\xbb\xbfscript: bot.lua\r\ncustomer: hi\r\nbot: You said hi\r\n")
    local done = test("--update", "bot.lua", "more.chat")
    assert.are.equal(0, done.code, done.out .. done.err)
    assert.truthy(done.out:find("bot.lua:7: the bot said something else", 1, true), done.out)
    assert.are.equal("\xef\xbb\xbf" .. echo .. "require 'texts'\n-- customer: hi\n-- bot: You said hi\n", read "bot.lua")
  end)

  -- All behind its first comment was a comment, and a chat file one line.
  it("names a file in which CR alone ends a line", function()
    local text = echo .. "-- customer: hi\n-- bot: You said hi\n"
    for name, code in pairs { ["bot.lua"] = text:gsub("\n", "\r"), ["bot.chat"] = "\ncustomer: hi\rbot: You said hi\r" } do
      write("bot.lua", echo)
      write(name, code)
      local done = test(name)
      assert.are.equal(2, done.code, done.out .. done.err)
      local says = ("cunnekt test: %s:%d: the line ends with CR alone; save the file with LF or CRLF"):format(name, name == "bot.lua" and 1 or 2)
      assert.truthy(done.err:find(says, 1, true), done.err)
    end
  end)

  it("has no transcript in a script whose code follows it", function()
    write("bot.lua", "-- customer: hi\n-- bot: You said hi\n" .. echo)
    local done = test "bot.lua"
    assert.are.equal(1, done.code)
    assert.truthy(done.err:find("bot.lua has no transcript; write what is said at its end, behind all code, as in:\n-- customer: hi", 1, true), done.err)
  end)

  -- One at the end was played, and the first one was passed over without a word.
  it("says which transcripts of a script it does not play", function()
    local says = "-- customer: hi\n-- bot: You said hi\n"
    local stray = {
      ["-- customer: hi\n\n-- bot: Hello\n" .. echo .. says] = 1,
      ["-- customer: hi\n-- a note\n-- and this\n-- bot: Hello\n" .. echo] = 1,
      ["local x\n-- > hi\n--\n-- < Hello\n" .. echo .. says] = 2,
      ["-- Customer: hi\n-- Bot: Hello\n" .. echo .. says] = 1,
      ["--[[ customer: hi\n\nand then\n\nbot: Hello ]]\n" .. echo] = 1,
    }
    stray[says .. echo .. says], stray["--[[\ncustomer: hi\nbot: Hello\n]]\n" .. echo], stray[echo .. "--[[\n" .. says .. "]]\n" .. says] = 1, 2, 6
    for code, line in pairs(stray) do
      write("bot.lua", code)
      local done = test "."
      assert.truthy(done.err:find(("bot.lua:%d: not played, for code comes behind it"):format(line), 1, true), code .. done.err)
    end
    for _, code in ipairs {
      "local text = [[\n" .. says .. "]]\n-- customer: is a word\nprint(text)\n",
      "-- customer: is a word\nlocal x\n-- bot: is one, too\n",
      "-- > a quotation\n-- bot:on('text', print)\n",
      "-- bot: the bot\n-- customer: who writes\n",
    } do
      write("bot.lua", code .. echo .. says)
      assert.are.equal("", test("bot.lua").err, code)
    end
  end)

  local slow = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
bot:dialog("size", function(chat)
  local answer = chat:ask("Which size?", { timeout = 90 })
  chat:reply_text(answer and "You have " .. answer.text or "Too late")
end)
bot:on("text", "hi", function(msg)
  msg:reply_text "Hello"
  msg:start "size"
end)
]]

  -- What follows a line that the bot never says came a minute later than in the file that was written.
  it("writes what comes where no time passes in vain", function()
    local function transcript(...)
      return "-- transcript: before\n-- customer: hi\n-- bot: Hello\n-- bot: Which size?\n"
        .. "-- transcript: sizes\n-- customer: hi\n-- bot: Hello\n-- bot: Which size?\n" .. table.concat({ ... }, "\n") .. "\n"
    end
    write("bot.lua", slow .. transcript("-- bot: Small or large?", "-- 20 seconds later", "-- bot: Are you there?", "-- customer: large", "-- bot: You have l…"))
    local done = test("--update", "bot.lua")
    assert.are.equal(0, done.code, done.out .. done.err)
    assert.truthy(done.out:find("\n2 lines updated\n", 1, true), done.out)
    local expected = slow .. transcript("-- 20 seconds later", "-- customer: large", "-- bot: You have l…")
    assert.are.equal(expected, read "bot.lua")
    done = test("--update", "bot.lua")
    assert.are.equal(0, done.code)
    assert.truthy(done.out:find("\n0 lines updated\n", 1, true), done.out)
    assert.are.equal(expected, read "bot.lua")
  end)

  it("says with --update that the bot says something else each time", function()
    write("bot.lua", [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
bot:on("text", function(msg) msg:reply_text(tostring {}) end)
]] .. "-- customer: hi\n-- bot: table: 0\n")
    local done = test("--update", "bot.lua")
    assert.are.equal(1, done.code, done.out .. done.err)
    assert.truthy(done.out:find("bot.lua:5: the bot says something else each time: write … in place of what changes\n", 1, true), done.out)
  end)

  it("writes no line for what no line of the bot can mend", function()
    write("bot.lua", echo .. "-- customer: hi\n-- bot: You said hi\n-- log: nothing\n")
    local before = read "bot.lua"
    assert.are.equal(1, test("--update", "bot.lua").code)
    assert.are.equal(before, read "bot.lua")
  end)

  it("writes JUnit's XML", function()
    write("bot.lua", echo .. "-- transcript: a < b\n-- customer: hi\n-- bot: <&>\n-- transcript: good\n-- customer: yes\n-- bot: …yes\n")
    local done = test("--junit", "out.xml", "bot.lua")
    assert.are.equal(1, done.code)
    local xml = read "out.xml"
    assert.truthy(xml:find('<testsuite name="cunnekt test" tests="2" failures="1"', 1, true), xml)
    assert.truthy(xml:find('name="bot.lua:5: a &lt; b"', 1, true), xml)
    assert.truthy(xml:find("- &lt;&amp;&gt;\n  + You said hi", 1, true), xml)
    assert.are.equal(2, test("--junit", "no/where.xml", "bot.lua").code)
  end)

  it("has colours on a terminal, unless NO_COLOR is set", function()
    write("bot.lua", echo .. "-- customer: hi\n-- bot: wrong\n")
    local command = process.quote(process.host) .. " test bot.lua"
    local function on_terminal(env)
      return process.run({ "script", "-qec", command, "/dev/null" }, { cwd = folder.path, env = env }).out
    end
    assert.truthy(on_terminal({ TERM = "xterm", NO_COLOR = "" }):find("\27[31m  - wrong\27[0m", 1, true))
    assert.is_nil(on_terminal({ TERM = "xterm", NO_COLOR = "1" }):find("\27", 1, true))
  end)

  it("needs no key, reads no settings of the environment, and leaves no file", function()
    write("bot.lua", echo .. "-- customer: hi\n-- bot: You said hi\n")
    local env = { CUNNEKT_STORE = "sqlite:x.db", CUNNEKT_LISTEN = "256.0.0.1:1", CUNNEKT_WEBHOOK_SECRET = "", CUNNEKT_RATE = "x" }
    local done = process.cunnekt({ "test", "bot.lua" }, { cwd = folder.path, env = env })
    assert.are.equal(0, done.code, done.out .. done.err)
    assert.are.same({ "bot.lua" }, core.names(folder.path))
  end)

  it("stops a handler that never ends, and shows few of many differences", function()
    write("bot.lua", [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot { budget = { seconds = 0.2 } }
bot:on("text", "loop", function() while true do end end)
bot:on("text", function(msg) for i = 1, 40 do msg:reply_text(tostring(i)) end end)
-- transcript: endless
-- customer: loop
-- transcript: many
-- customer: hi
]])
    local done = test "bot.lua"
    assert.are.equal(1, done.code)
    assert.truthy(done.out:find("bot.lua:6: error: ", 1, true), done.out)
    assert.truthy(done.out:find("budget of 0.2 seconds", 1, true), done.out)
    assert.truthy(done.out:find("bot.lua: and 20 more differences", 1, true), done.out)
  end)

  it("shows a script that does not compile, one that raises, and one that ends the program", function()
    local says = "\n-- customer: hi\n-- bot: hi\n"
    write("a.lua", "local x = = 1" .. says)
    write("b.lua", "local cunnekt = require 'cunnekt'\nerror 'no luck'" .. says)
    write("c.lua", "os.exit(0)" .. says)
    write("d.lua", "local x = 1" .. says)
    local done = test "."
    assert.are.equal(1, done.code)
    assert.truthy(done.out:find("a.lua:1: unexpected symbol near '='", 1, true), done.out)
    assert.truthy(done.out:find("b.lua:2: no luck", 1, true), done.out)
    assert.truthy(done.out:find("c.lua:1: os.exit was called", 1, true), done.out)
    assert.truthy(done.out:find("d.lua:2: the script makes no bot", 1, true), done.out)
    assert.truthy(done.out:find("4 transcripts, 4 failed", 1, true), done.out)
  end)
end)
