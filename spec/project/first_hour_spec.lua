-- SPDX-License-Identifier: MIT
-- The first hour of a new user, in a pseudo-terminal, with a home and a prefix of its own: the sources, make demo, make install, a new bot,
-- a mistake of each kind, each mended by what its message says and nothing else, and a transcript that passes. The same on a bare
-- Debian, up to the service behind a proxy: make bare-try. #packaging: it builds with other flags.

local process = require "spec.support.process"

-- Seconds for a command; a build on a busy machine takes longest.
local PATIENCE = 400

describe("the first hour #packaging", function()
  local home, clone, bin

  -- What a command shows on a terminal, without colours, and its exit status.
  local function on_terminal(words, cwd, env)
    local out = home.path .. "/said"
    local variables = { HOME = home.path, PATH = bin .. ":" .. os.getenv "PATH", TERM = "xterm", CUNNEKT_LISTEN = "127.0.0.1:0" }
    for name, value in pairs(env or {}) do
      variables[name] = value
    end
    local assignments = {}
    for name, value in pairs(variables) do
      assignments[#assignments + 1] = name .. "=" .. process.quote(value)
    end
    local command = ("cd %s && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CUNNEKT_API_KEY %s timeout %d script -qec %s /dev/null < /dev/null > %s 2>&1"):format(
      process.quote(cwd or home.path), table.concat(assignments, " "), PATIENCE, process.quote(words), out)
    local _, _, code = os.execute(command)
    return process.read(out):gsub("\27%[[%d;]*[%a]", ""):gsub("\r+\n", "\n"), code
  end

  -- Once for all tests: the sources as they are in a clone, the demo, and the installation.
  local has_begun = false
  local function begin()
    if has_begun then
      return
    end
    has_begun = true
    home = process.folder()
    clone, bin = home.path .. "/cunnekt", home.path .. "/prefix/bin"
    assert(os.execute(("mkdir %s && git ls-files -co --exclude-standard | tar cf - -T - | tar xf - -C %s"):format(clone, clone)))
  end

  local function install()
    begin()
    if not process.read(bin .. "/cunnekt") then
      -- Without optimizing it is built in a third of the time.
      local said, code = on_terminal(("make -s CFLAGS=-O0 PREFIX=%s/prefix install"):format(home.path), clone)
      assert(code == 0, said)
    end
  end

  it("begins with make demo, which shows a conversation and how to go on", function()
    begin()
    local said, code = on_terminal("make demo CFLAGS=-O0", clone)
    assert.equal(0, code, said)
    assert.matches("building cunnekt: %d+ files in %d+ s", said)
    assert.matches("\nA customer, Vivek, writes to the bot.*\n  │ Hi\n.*was downloaded.*cunnekt new shop.*docs/tutorial.md", said)
    assert.is_nil(said:find(" -c -o ", 1, true))
    install()
    assert.matches("^cunnekt %d", (on_terminal "cunnekt -V"))
  end)

  -- The script of `cunnekt new`, with this before the last handler, and these lines of its conversation behind the others.
  local function script_with(code, lines)
    local text = process.read(home.path .. "/shop/bot.lua")
    local at = assert(text:find("-- The last handler takes", 1, true))
    return text:sub(1, at - 1) .. code .. "\n\n" .. text:sub(at) .. (lines or "")
  end

  local function new_bot()
    install()
    if not process.read(home.path .. "/shop/bot.lua") then
      local said, code = on_terminal "cunnekt new shop"
      assert.equal(0, code, said)
    end
  end

  it("goes on with a bot of one's own, whose conversation passes", function()
    new_bot()
    for _, words in ipairs { "cunnekt check bot.lua", "cunnekt test bot.lua" } do
      local said, code = on_terminal(words, home.path .. "/shop")
      assert.equal(0, code, said)
    end
  end)

  -- Writes a script and gives what a command says of it.
  local function try(command, text)
    process.write(home.path .. "/shop/try.lua", text)
    return on_terminal(("cunnekt %s try.lua"):format(command), home.path .. "/shop")
  end

  -- The mend that a message names: "did you mean", or "write".
  local function mended(code, said)
    local wrong, right = said:match "'([^'\n]+)' %(did you mean '([^'\n]+)'%?%)"
    if not wrong then
      right = said:match "needs a colon: write ([%w:_]+)"
      wrong = right and right:gsub(":", ".", 1)
    end
    assert(right, "no mend is named: " .. said)
    local from, to = code:find(wrong, 1, true)
    return code:sub(1, from - 1) .. right .. code:sub(to + 1)
  end

  local line_of_code = 27

  local misspelt = {
    "a method of bot", [[bot:onn("text", "zz", function(msg) msg:reply_text "x" end)]],
    "a method of msg", [[bot:on("text", "zz", function(msg) msg:replytext "x" end)]],
    "a method of chat", [[bot:dialog("zz", function(chat) chat:aks "x" end) bot:on("text", "zz", function(msg) msg:start "zz" end)]],
    "a method of bot.store", [[bot:on("text", "zz", function(msg) bot.store:gett "a" msg:reply_text "x" end)]],
    "a field of msg", [[bot:on("text", "zz", function(msg) msg:reply_text(msg.txet and "x") end)]],
    "a name of cunnekt", [[bot:on("text", "zz", function(msg) cunnekt.jsn.encode {} msg:reply_text "x" end)]],
    "a dot for a colon", [[bot:on("text", "zz", function(msg) msg.reply_text "x" end)]],
    "an event", [[bot:on("txt", "zz", function(msg) msg:reply_text "x" end)]],
    "an option", [[bot:on("text", "zz", function(msg) msg:reply_text("x", { unknwon = "hold" }) end)]],
    "the name of a dialog", [[bot:dialog("later", function(chat) chat:reply_text "x" end) bot:on("text", "zz", function(msg) msg:start "latre" end)]],
    "the name of a job", [[bot:job("remind", function() end) bot:on("text", "zz", function(msg) bot:after(60, "c", "remnd") msg:reply_text "x" end)]],
    "a global", [[bot:on("text", "zz", function(msg) msg:reply_text(tostrng "x") end)]],
  }
  for i = 1, #misspelt, 2 do
    it(("mends %s by what check says"):format(misspelt[i]), function()
      new_bot()
      local code = misspelt[i + 1]
      local said, status = try("check", script_with(code))
      assert.equal(1, status)
      assert.matches("^try.lua:" .. line_of_code .. ": ", said)
      local text = script_with(mended(code, said), "-- customer: zz\n-- bot: x\n")
      said, status = try("check", text)
      assert.equal(0, status, said)
      said, status = try("test", text)
      assert.equal(0, status, said)
    end)
  end

  -- What a handler says, what is told of it, and what that tells to write.
  local refused = {
    "an empty text", [[msg:reply_text(("x"):rep(0))]], "text is empty; leave the reply out, or write something", [[msg:reply_text "x"]],
    "no text", [[msg:reply_text(msg.name and nil)]], "text is missing; it is nil: give a string", [[msg:reply_text "x"]],
    "a table for a text", [[msg:reply_text({ 1 })]], "text must be a string, got table", [[msg:reply_text "x"]],
    "equal ids", [[msg:reply_buttons { body = "x", buttons = { { id = "a", title = "A" }, { id = "a" .. "", title = "B" } } }]],
    "buttons[2].id is the same as buttons[1].id; each button needs an id of its own",
    [[msg:reply_buttons { body = "x", buttons = { { id = "a", title = "A" }, { id = "b", title = "B" } } }]],
    "twelve rows", [[local rows = {} for i = 1, 12 do rows[i] = { id = tostring(i), title = "T" } end
    msg:reply_list { body = "x", list_title = "All", list = rows }]],
    "list has 12 items; Cunnekt allows 10; offer the others in a second list",
    [[local rows = {} for i = 1, 10 do rows[i] = { id = tostring(i), title = "T" } end
    msg:reply_list { body = "x", list_title = "All", list = rows }]],
    "a list without a title", [[local it = { body = "x", list = { { id = "a", title = "A" } } } msg:reply_list(it)]],
    'list_title is missing; write list_title = "Menu"',
    [[local it = { body = "x", list_title = "Menu", list = { { id = "a", title = "A" } } } msg:reply_list(it)]],
    "strings as buttons", [[local names = { "Yes", "No" } msg:reply_buttons { body = "x", buttons = names }]],
    'buttons[1] must be a table, got string; write { id = "yes", title = "Yes" } for each button',
    [[local names = { { id = "yes", title = "Yes" } } msg:reply_buttons { body = "x", buttons = names }]],
    "a title that is too long", [[msg:reply_buttons { body = "x", buttons = { { id = "a", title = ("A"):rep(30) } } }]],
    "buttons[1].title is 30 characters long; Cunnekt allows 24",
    [[msg:reply_buttons { body = "x", buttons = { { id = "a", title = ("A"):rep(20) } } }]],
    "a line break in a parameter", [[msg:reply_template("t", { body = { msg.text .. "\n" } })]],
    "body[1] has a line break; WhatsApp allows none in a template's parameter; write it in one line",
    [[msg:reply_template("t", { body = { msg.text } })]],
  }
  for i = 1, #refused, 4 do
    it(("mends %s by what test says"):format(refused[i]), function()
      new_bot()
      local function play(code)
        local handler = ('bot:on("text", "zz", function(msg)\n  %s\nend)'):format(code)
        return try("test", script_with(handler, "-- customer: zz\n-- bot: …\n"))
      end
      local said, status = play(refused[i + 1])
      assert.equal(1, status)
      assert.matches("try.lua:%d+: warning: try.lua:%d+: reply_%a+: ", said)
      assert.truthy(said:find(refused[i + 2], 1, true), said)
      said, status = play(refused[i + 3])
      assert.equal(0, status, said)
    end)
  end

  it("mends a handler that raises, one that never runs, and a missing end", function()
    new_bot()
    local raising = 'bot:on("text", "zz", function(msg)\n  msg:reply_text(msg.stock.name)\nend)'
    local said = try("test", script_with(raising, "-- customer: zz\n-- bot: x\n"))
    assert.matches("try.lua:28: attempt to index a nil value %(field 'stock'%) %(event %d+, text%) %(%d attempts%)", said)
    said = try("check", 'local bot = require("cunnekt").bot()\nbot:on("message", function() end)\nbot:on("text", function() end)\n')
    assert.matches("try.lua:3: bot:on: this handler never runs: that of line 2 takes every 'message' first; move this one above it", said)
    said = try("check", script_with 'bot:on("text", function(msg)\n  if msg.text == "a" then\n    msg:reply_text "x"\nend)')
    assert.matches("try.lua:28: this 'if' has no 'end': the 'end' in line 30 stands further left", said)
  end)

  -- Starts the bot in these variables. It ends soon: by itself, or by a signal.
  local function start(env, seconds)
    return on_terminal(("timeout %d cunnekt run bot.lua"):format(seconds or 2), home.path .. "/shop", env)
  end

  it("mends what keeps a bot from starting by what run and doctor say", function()
    new_bot()
    local env = { CUNNEKT_APIKEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_WEBHOOK_SECRET = "s3cr3t" }
    local said, code = start(env)
    assert.equal(1, code)
    assert.matches("there is no API key; put it into the environment variable CUNNEKT_API_KEY", said)
    said, code = on_terminal("cunnekt doctor bot.lua", home.path .. "/shop", env)
    assert.equal(1, code)
    local wrong, right = said:match "the variable (%S+) is no setting; did you mean (%S+)%?"
    env[right], env[wrong] = env[wrong], nil
    env.CUNNEKT_RATE = "fast"
    said = start(env)
    assert.matches("CUNNEKT_RATE: 'fast' is not a number; give messages a second, such as 80", said)
    env.CUNNEKT_RATE = said:match "such as (%d+)"
    said = start(env)
    assert.matches("cunnekt: listening on 127.0.0.1:%d+", said)
    said, code = on_terminal("cunnekt doctor bot.lua", home.path .. "/shop", env)
    assert.equal(0, code, said)
  end)

  it("mends a store in use, and a port in use", function()
    new_bot()
    local env = { CUNNEKT_API_KEY = "k", CUNNEKT_WEBHOOK_SECRET = "s3cr3t", CUNNEKT_LISTEN = "127.0.0.1:0" }
    local other = process.start({ bin .. "/cunnekt", "run", home.path .. "/shop/bot.lua" }, { env = env })
    local address = other:expect "listening on (%S+)"
    local said, code = start(env)
    assert.equal(1, code)
    assert.matches("is in use by process %d+; stop that one first, or give this bot a store of its own %(CUNNEKT_STORE=sqlite:FILE%)", said)
    env.CUNNEKT_STORE, env.CUNNEKT_LISTEN = "sqlite:other.db", address
    said, code = start(env)
    assert.equal(1, code)
    assert.matches("in use; stop the program that has it, or choose another one %(CUNNEKT_LISTEN=HOST:PORT%)", said)
    said = on_terminal("cunnekt doctor bot.lua", home.path .. "/shop", env)
    assert.matches("cannot listen on " .. address:gsub("%p", "%%%0") .. ": Address already in use; stop the program that has it", said)
    local refused_there = on_terminal(("cunnekt trigger text --webhook http://%s/webhook/wrong"):format(address))
    assert.matches("answered 404", refused_there)
    assert.matches("refused with 404: the path is another one than the webhook's: compare the address at the provider", other:err())
    other:signal "TERM"
    other:wait()
    said = start(env)
    assert.matches("cunnekt: listening on " .. address:gsub("%p", "%%%0"), said)
  end)
end)
