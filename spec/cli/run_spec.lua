-- SPDX-License-Identifier: MIT
-- What a script's author sees of `cunnekt run` and `cunnekt dev`: mistakes that the check finds, what keeps a bot from starting,
-- and the log.

local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local process = require "spec.support.process"
local sql = require "spec.support.sql"

local HEAD = 'local cunnekt = require "cunnekt"\nlocal bot = cunnekt.bot()\n'

describe("a script that is run", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function write(code)
    return process.write(folder.path .. "/bot.lua", code)
  end

  local function run(code, opts)
    opts = opts or {}
    write(code)
    local words = { "run", table.unpack(opts) }
    words[#words + 1] = "bot.lua"
    return process.cunnekt(words, { cwd = folder.path, env = opts.env })
  end

  local function dev(code, opts)
    opts = opts or {}
    write(code)
    local words = { "dev", "--sandbox", "127.0.0.1:0", table.unpack(opts) }
    words[#words + 1] = "bot.lua"
    return process.cunnekt(words, { cwd = folder.path, stdin = opts.stdin or "hi\n", env = { CUNNEKT_LISTEN = "127.0.0.1:0" } })
  end

  it("is checked first: warnings, and it goes on", function()
    local result = run 'if false then prnt "x" end\nprint "done"'
    assert.equal("cunnekt: warning: bot.lua:1: undefined global 'prnt' (did you mean 'print'?)\n", result.err)
    assert.equal("done\n", result.out)
    assert.equal(0, result.code)
  end)

  it("is not kept from running by a check that it cannot pass", function()
    local lines = {}
    for i = 1, 30 do
      lines[i] = "if false then _ = wrong" .. i .. " end"
    end
    local result = run(table.concat(lines, "\n"))
    assert.equal(0, result.code)
    assert.matches("wrong20'\ncunnekt: warning: 10 more: cunnekt check bot.lua\n$", result.err)
  end)

  it("finds nothing in memory of what only its start needed", function()
    local result = run 'for name in pairs(package.loaded) do if name:find "check%.?" or name == "argparse" then print(name) end end'
    assert.equal("cunnekt.provider.build_check\n", result.out) -- of messages
  end)

  it("says which block lacks its end, and what Lua says", function()
    local result = run "local function f()\n  if true then\n    return 1\nend\n"
    assert.equal(1, result.code)
    assert.matches("^cunnekt: bot.lua:2: this 'if' has no 'end': the 'end' in line 4 stands further left\nbot.lua:5: 'end' expected", result.err)
  end)

  describe("and cannot start, says so in one sentence", function()
    local function sentence(result)
      assert.equal(1, result.code)
      assert.not_matches("traceback", result.err)
      local line = assert(result.err:match "^cunnekt: ([^\n]*)\n$", result.err)
      return line
    end

    it("without a key", function()
      assert.matches("^bot.lua:2: cunnekt.client: there is no API key; put it into the environment variable CUNNEKT_API_KEY, or ", sentence(run(HEAD)))
    end)

    it("with a rate that is none", function()
      local env = { CUNNEKT_API_KEY = "key", CUNNEKT_RATE = "fast" }
      assert.equal("CUNNEKT_RATE: 'fast' is not a number; give messages a second, such as 80; 0 is no limit", sentence(run(HEAD, { env = env })))
      env = { CUNNEKT_API_KEY = "key", CUNNEKT_PAIR_RATE = "-1" }
      assert.matches("^CUNNEKT_PAIR_RATE: must be 0 or more, got %-1; give messages a second to one contact", sentence(run(HEAD, { env = env })))
    end)

    it("with a store that is in use", function()
      local env = { CUNNEKT_API_KEY = "key", CUNNEKT_LISTEN = "127.0.0.1:0" }
      write(HEAD)
      local other = process.start({ process.host, "run", "bot.lua" }, { cwd = folder.path, env = env })
      other:expect("listening on", "err")
      local result = run(HEAD, { env = env })
      other:signal "TERM"
      other:wait()
      assert.matches("^bot.lua:2: store: the store .*cunnekt.db is in use by .*; stop that one first, or give this bot a store of its own",
        sentence(result))
    end)

    it("with a store whose folder is missing", function()
      local result = run(HEAD, { env = { CUNNEKT_API_KEY = "key", CUNNEKT_STORE = "sqlite:no/such/x.db" } })
      assert.matches("^bot.lua:2: store: cannot open the store no/such/x.db: .*: make its folder first, or choose another file", sentence(result))
    end)

    it("with a database whose server is down", function()
      local url = "postgres:///shop?host=" .. folder.path
      local result = run(HEAD, { env = { CUNNEKT_API_KEY = "key", CUNNEKT_STORE = url } })
      assert.equal(1, result.code)
      if not sentence(result):find "built without PostgreSQL" then
        assert.matches("^bot.lua:2: store: cannot open the store on PostgreSQL: .*No such file or directory; see that the database runs there", sentence(result))
      end
      assert.not_matches("sqlite:", result.err)
      assert.not_matches("folder first", result.err)
    end)

    it("with a store that is damaged", function()
      local path, env = folder.path .. "/cunnekt.db", { CUNNEKT_API_KEY = "key", CUNNEKT_LISTEN = "127.0.0.1:0" }
      assert.equal(0, run(HEAD .. "bot:stop(0)", { env = env }).code)
      local db = sql.open(path)
      local page = db:value "SELECT rootpage FROM sqlite_schema WHERE name = 'conversation_paused'"
      db:close()
      local file = assert(io.open(path, "r+b"))
      file:seek("set", 4096 * (page - 1))
      file:write(("damage"):rep(600))
      file:close()
      local result = run(HEAD, { env = env })
      assert.equal(1, result.code)
      local sentence_of_it = "the database is damaged %(database disk image is malformed%); stop the bot and restore a backup of "
      assert.matches("cunnekt: store: " .. sentence_of_it .. path:gsub("%p", "%%%0"), result.err)
    end)

    it("with two bots on one store", function()
      local result = run(HEAD .. "local other = cunnekt.bot()", { env = { CUNNEKT_API_KEY = "key" } })
      assert.matches("^bot.lua:3: store: .* is open already in this process: give each bot a store of its own", sentence(result))
    end)

    it("with two bots on one address, and names the bot that has it", function()
      local holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
      local port = holder:port()
      holder:close()
      local bots = 'local cunnekt = require "cunnekt"\nlocal a = cunnekt.bot { store = "memory:" }\nlocal b = cunnekt.bot { store = "memory:"%s }\n'
      local env = { CUNNEKT_API_KEY = "key", CUNNEKT_LISTEN = ("127.0.0.1:%d"):format(port) }
      local wanted = ("Address already in use; the bot of bot.lua:2 has it; give each bot a listen of its own, cunnekt.bot{ listen = \"%%s:%d\" }")
        :format(port + 1)
      assert.equal(("network: cannot listen on 127.0.0.1:%d: "):format(port) .. wanted:format "127.0.0.1", sentence(run(bots:format "", { env = env })))
      local everywhere = bots:format((', listen = "0.0.0.0:%d", webhook_secret = "s"'):format(port))
      assert.equal(("network: cannot listen on 0.0.0.0:%d: "):format(port) .. wanted:format "0.0.0.0", sentence(run(everywhere, { env = env })))
    end)

    it("with an option that there is not", function()
      local result = run("local cunnekt = require 'cunnekt'\nlocal opts = {}\nopts['ra' .. 'tee'] = 1\ncunnekt.bot(opts)")
      assert.equal("bot.lua:4: cunnekt.bot: unknown option 'ratee' (did you mean 'rate'?)", sentence(result))
    end)
  end)

  it("is blamed for its options, and for those of a wrong value, by its line", function()
    for option, words in pairs {
      ["rate = -1"] = "option 'rate': must be 0 or more, got %-1", ['listen = "x"'] = "option 'listen': must be HOST:PORT",
      ["concurrency = 0"] = "option 'concurrency' must be 1 or more, got 0", ["grace = -1"] = "option 'grace' must be 0 or more, got %-1",
    } do
      local result = run('local cunnekt = require "cunnekt"\ncunnekt.bot { ' .. option .. " }", { env = { CUNNEKT_API_KEY = "key" } })
      assert.equal(1, result.code)
      assert.matches("cunnekt: bot.lua:2: cunnekt.bot: " .. words, result.err)
    end
  end)

  it("gets the options behind it as arguments, with a warning for those that are ours", function()
    write 'print(table.concat(arg, " "))'
    local result = process.cunnekt({ "run", "bot.lua", "--listen", "127.0.0.1:0", "--mine", "--", "--rate" }, { cwd = folder.path })
    assert.equal("--listen 127.0.0.1:0 --mine -- --rate\n", result.out)
    assert.equal("cunnekt: warning: --listen comes before the script; after it, it is an argument of the script\n", result.err)
  end)

  it("is blamed in a folder that is called as ours, too", function()
    process.run { "mkdir", "-p", folder.path .. "/cunnekt/bot" }
    process.write(folder.path .. "/cunnekt/bot.lua", "local cunnekt = require 'cunnekt'\nlocal function f() cunnekt.bot(1) end\nf()\n")
    local result = process.cunnekt({ "run", "cunnekt/bot.lua" }, { cwd = folder.path })
    assert.matches("cunnekt: ./cunnekt/bot.lua:2: cunnekt.bot: options must be a table, got number\nstack traceback:\n\t./cunnekt/bot.lua:2: in [^\n]*\n\t./cunnekt/bot.lua:3: in main chunk\n$", result.err)
  end)

  it("gives tasks, and functions of bot:on_error, a traceback of its own lines", function()
    local result = run "local cunnekt = require 'cunnekt'\ncunnekt.spawn(function()\n  cunnekt.sleep 'x'\nend)"
    assert.matches("bot.lua:3: in", result.err)
    assert.not_matches("\n\tcunnekt/", result.err)
    result = dev(HEAD .. 'bot:on_error(function() error "worse" end)\nbot:on("text", function(msg)\n  if not seen then seen = true error "bad" end\n  msg:reply_text "ok"\nend)')
    assert.matches("error: bot.lua:%d+: bad %(event 1", result.err)
    assert.matches("bot:on_error failed: bot.lua:3: worse\nstack traceback:\n\tbot.lua:3: in [^\n]*\n", result.err)
    assert.not_matches("\n\tcunnekt/", result.err)
  end)

  it("shows a refused reply where it happens", function()
    local result = dev(HEAD .. 'bot:on("text", function(msg)\n  msg:reply_text(nil)\n  msg:reply_text "after"\nend)')
    assert.matches("cunnekt: warning: bot.lua:4: reply_text: text is missing; it is nil: give a string\n", result.err)
    assert.matches("after", result.out)
  end)

  it("says a failure once in dev, although it is tried again", function()
    local result = dev(HEAD .. [[
      local count = 0
      bot:on("text", function(msg)
        count = count + 1
        if count < 3 then error "no luck" end
        msg:reply_text "at last"
      end)]], { stdin = "hi\n/clock +60s\n" })
    assert.matches("at last", result.out)
    local _, times = result.err:gsub("no luck %(event 1, text, attempt", "")
    assert.equal(1, times)
    assert.matches("no luck %(event 1, text, attempt 1 of 5; next try in [%d.]+ s%)\nstack traceback:\n\tbot.lua:6: in ", result.err)
    assert.not_matches("cunnekt/", result.err)
  end)

  it("logs each event, route, reply and send with --verbose, without the customer's number and words", function()
    local code = HEAD .. 'bot:on("text", "hi", function(msg) msg:reply_text "hello there" end)'
    assert.not_matches("debug", dev(code).err)
    local result = dev(code, { "--verbose" })
    local times = "cunnekt: debug: %d%d:%d%d:%d%d%.%d%d%d "
    assert.matches(times .. "event event=1 kind=message type=text contact=9199…99\n", result.err)
    assert.matches(times .. "route event=1 to=on:1:text\n", result.err)
    assert.matches(times .. "reply message=%d+ event=1 type=text contact=9199…99\n", result.err)
    assert.matches(times .. "send message=%d+ result=accepted id=…%w+ attempt=1\n", result.err)
    assert.matches("to=no_handler_matched", result.err)
    assert.not_matches("919999999999", result.err)
    assert.not_matches("hello", result.err)
  end)

  it("logs with --verbose also which handler took an event and failed, and where none had it yet", function()
    local code = HEAD .. [[
      bot:on("text", "hi", function() error "no luck" end)
      bot:use(function(msg, next) if not seen then seen = true error "not yet" end return next() end)]]
    local result = dev(code, { "--verbose", stdin = "hi\n/clock +60s\n" })
    assert.matches("route event=1 to=no_handler;_it_failed_on_its_way_to_one\n.-not yet.-route event=1 to=on:1:text\n.-no luck", result.err)
  end)

  it("gives an error's parts fields of their own with --log json", function()
    local result = dev(HEAD .. 'bot:on("text", function(msg)\n  error "no luck"\nend)', { "--log", "json" })
    local line = assert(json.decode(assert(result.err:match '[^\n]*"level":"error"[^\n]*')))
    assert.matches("^bot.lua:4: no luck %(event 1, text, attempt 1 of 5; next try in", line.msg)
    assert.same({ "handler", 1, "text", 1, 5, "bot.lua", 4 },
      { line.kind, line.event, line.type, line.attempt, line.attempts, line.file, line.line })
    assert.is_true(line.next_try > 0)
  end)

  it("says what is wrong with the command line in JSON, where the log has it", function()
    local result = process.cunnekt({ "run", "--log", "json", "nope.lua" }, { cwd = folder.path })
    local line = json.decode(result.err)
    assert.are.same({ 2, "error", "cunnekt run: cannot read nope.lua: No such file or directory" }, { result.code, line.level, line.msg })
  end)

  it("logs JSON with --log json and by CUNNEKT_LOG, and refuses other words", function()
    local result = run("if false then prnt() end", { "--log", "json" })
    local line = assert(json.decode(result.err))
    assert.same({ "warning", "bot.lua:1: undefined global 'prnt' (did you mean 'print'?)" }, { line.level, line.msg })
    assert.equal("warning", json.decode(run("if false then prnt() end", { env = { CUNNEKT_LOG = "json" } }).err).level)
    result = run("print(1)", { "--log", "xml" })
    assert.equal(2, result.code)
    assert.matches("^cunnekt run: %-%-log: 'xml' is none of: debug, info, json, text\n", result.err)
  end)

  -- The watchdog's thread wrote plain lines among the objects.
  it("logs as JSON that a turn cannot be stopped", function()
    local code = [[
      local bot = require("cunnekt").bot { api_key = "key", store = "memory:", listen = "127.0.0.1:0", budget = { seconds = 0.1 } }
      bot:after(0, "stuck", function() return ("a"):rep(40):find(("a?"):rep(40) .. ("a"):rep(40)) end)]]
    local result = process.cunnekt({ "run", "--log", "json", "-" }, { cwd = folder.path, stdin = code })
    local line = json.decode(result.err:match "[^\n]*\n$")
    assert.same({ 1, "error" }, { result.code, line.level })
    assert.matches("^a turn cannot be stopped at stdin:2: the program ends", line.msg)
  end)

  -- A collector of logs got lines of a traceback, each for itself.
  it("logs as JSON what ends it at once", function()
    for about, case in pairs {
      ["bot.lua:1: undefined global"] = { "if false then prnt() end" },
      ["^bot.lua:1: boom\nstack traceback:\n\tbot.lua:1: in main chunk$"] = { 'error "boom"' },
      ["^bot.lua:2: .*unexpected symbol"] = { "local x =\nlocal y" },
      ["^bot.lua:2: store: cannot open the store no/such/x.db"] = { HEAD, "sqlite:no/such/x.db" },
      ["^bot.lua:2: lost\nstack traceback"] = { 'require("cunnekt").spawn(function()\nerror "lost" end)' },
      ['^Lua warning: look "out"\n\tthere$'] = { 'warn("look ", [["out"]], "\\n\\tthere")' },
      ["^Lua warning: error in __gc"] = { "setmetatable({}, { __gc = error }) collectgarbage()" },
    } do
      local result = run(case[1], { "--log", "json", env = { CUNNEKT_API_KEY = "key", CUNNEKT_STORE = case[2] or "memory:" } })
      local is_found
      for line in result.err:gmatch "[^\n]*\n" do
        local object = json.decode(line)
        is_found = is_found or object.msg:find(about)
        assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", object.time)
        assert.is_true(object.level == "warning" or object.level == "error")
      end
      assert.is_truthy(is_found, about .. " is not in " .. result.err)
    end
  end)
end)
