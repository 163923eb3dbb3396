-- SPDX-License-Identifier: MIT
local http = require "cunnekt.provider.http"
local process = require "spec.support.process"

describe("the host", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  after_each(function()
    folder = nil
  end)

  local function script(text, name)
    return process.write(folder.path .. "/" .. (name or "script.lua"), text)
  end

  local function run_script(text, args, opts)
    return process.cunnekt({ "run", script(text), table.unpack(args or {}) }, opts)
  end

  describe("alone in an empty folder, with no environment", function()
    local function copied(...)
      assert(os.execute(("cp %s %s/cunnekt"):format(process.quote(process.host), folder.path)))
      return process.run({ "./cunnekt", ... }, { cwd = folder.path, is_bare = true })
    end

    it("runs a script that uses the module and JSON", function()
      script [[
        local cunnekt = require "cunnekt"
        print(cunnekt.json.encode { 1, "two" }, cunnekt.build.send_text("919999999999", "hi").text)
      ]]
      local result = copied("run", "script.lua")
      assert.equal("", result.err)
      assert.equal('[1,"two"]\thi\n', result.out)
      assert.equal(0, result.code)
    end)

    it("reads its arguments and knows its commands", function()
      assert.equal(0, copied("send", "-h").code)
      assert.equal(2, copied("send", "text").code)
    end)
  end)

  it("gives the script its arguments as the plain interpreter does", function()
    local result = run_script("print(arg[0]:match '[^/]*$', #arg, arg[1], ...)", { "-x", "--listen", "b c" })
    assert.equal("script.lua\t3\t-x\t-x\t--listen\tb c\n", result.out)
    assert.equal(0, result.code)
  end)

  it("keeps a bot's database beside the script, whatever the working folder", function()
    local elsewhere = process.folder()
    script [[
      local bot = require("cunnekt").bot { api_key = "key", listen = "127.0.0.1:0" }
      bot:every(0.001, "stop", function()
        if bot:address() then require("cunnekt.base.task").spawn(bot.stop, bot) end
      end)
      bot:run()
    ]]
    local result = process.cunnekt({ "run", folder.path .. "/script.lua" }, { cwd = elsewhere.path })
    assert.equal(0, result.code, result.err)
    assert.is_truthy(process.read(folder.path .. "/cunnekt.db"))
    assert.is_nil(process.read(elsewhere.path .. "/cunnekt.db"))
  end)

  it("keeps its own options from the script", function()
    local path = script "print(#arg, ...)"
    local result = process.cunnekt { "run", "--rate", "3", "--listen=127.0.0.1:0", path, "--rate" }
    assert.equal("1\t--rate\n", result.out)
  end)

  it("reads a script from standard input", function()
    local result = process.cunnekt({ "run", "-", "a" }, { stdin = "print('read', ...)" })
    assert.equal("read\ta\n", result.out)
  end)

  it("finds modules beside the script, wherever it is run from", function()
    assert(os.execute("mkdir " .. folder.path .. "/shop"))
    script("return 'prices'", "shop/prices.lua")
    local path = script("print((require 'prices'))", "shop/bot.lua")
    assert.equal("prices\n", process.cunnekt({ "run", path }, { cwd = "/" }).out)
  end)

  it("waits until the work of a script without a bot is done", function()
    local result = run_script [[
      local cunnekt = require "cunnekt"
      cunnekt.spawn(function() cunnekt.sleep(0.05) print "done" end)
      print "end"
    ]]
    assert.equal("end\ndone\n", result.out)
    assert.equal(0, result.code)
  end)

  it("leaves with the code that the script gives to os.exit", function()
    assert.equal(7, run_script("os.exit(7)").code)
    assert.equal(0, run_script("os.exit(true, true)").code)
  end)

  it("shows the warnings of a script", function()
    assert.matches("Lua warning: look out", run_script("warn 'look out'").err)
  end)

  it("survives a reader that closes its pipe", function()
    script [[
      for _ = 1, 100000 do print "a line" end
      io.open(arg[1], "w"):write "still here":close()
    ]]
    local command = '"$1" run script.lua note | head -n 1'
    process.run({ "sh", "-c", command, "sh", process.host }, { cwd = folder.path })
    local note = process.wait_until("the script's end", function()
      local text = process.read(folder.path .. "/note")
      return text and #text > 0 and text
    end)
    assert.equal("still here", note)
  end)

  describe("when a script fails", function()
    it("exits with 1 and a traceback of the script alone", function()
      local result = run_script [[
        local function deep() error "boom" end
        deep()
      ]]
      assert.equal(1, result.code)
      assert.matches("script.lua:1: boom\nstack traceback:.*script.lua:1: in .*deep.*script.lua:2: in main chunk", result.err)
      assert.not_matches("cunnekt/", result.err)
      assert.equal("", result.out)
    end)

    it("says what kind of value was raised", function()
      assert.matches("cunnekt: an error that is an empty table", run_script("error {}").err)
      assert.matches("^cunnekt: { code = 5 }\n", run_script("error { code = 5 }").err)
      assert.matches("^cunnekt: an error without a value\n", run_script("error()").err)
      assert.equal('cunnekt: { code = 5, list = { "a" } }\n', run_script('require("cunnekt").spawn(error, { code = 5, list = { "a" } })').err)
      assert.matches("a sentence", run_script("error(setmetatable({}, {__tostring = function() return 'a sentence' end}))").err)
    end)

    it("names the line that does not compile", function()
      local result = run_script "local x =\nlocal y"
      assert.equal(1, result.code)
      assert.matches("script.lua:2: unexpected symbol", result.err)
    end)

    it("exits with 1 when a task failed that nobody waited for", function()
      local result = run_script [[require("cunnekt").spawn(function() error "lost" end)]]
      assert.equal(1, result.code)
      assert.matches("lost\nstack traceback", result.err)
    end)

    it("exits with 1 when it waits for what cannot come", function()
      local result = run_script [[require("cunnekt.base.task").await(function() end)]]
      assert.equal(1, result.code)
      assert.matches("no running operation", result.err)
    end)
  end)

  describe("with a bot that the script did not run", function()
    local options = { env = { CUNNEKT_API_KEY = "key", CUNNEKT_STORE = "memory:", CUNNEKT_LISTEN = "127.0.0.1:0" } }

    it("serves it, and exits with 0 at SIGTERM", function()
      local path = script [[
        local bot = require("cunnekt").bot()
        bot:on("text", function(msg) print("heard " .. msg.text) io.stdout:flush() end)
      ]]
      local host = process.start({ process.host, "run", path }, options)
      local address = host:expect "listening on (%S+)"
      local body = [[{"metadata":{"phone_number_id":"1"},"messages":[{"from":"91","id":"wamid.1",]]
        .. [["timestamp":"1","type":"text","text":{"body":"hi"}}]}]]
      local answer = http.post("http://" .. address .. "/webhook", body)
      assert.equal(200, answer.status)
      host:expect("heard hi", "out")
      host:signal "TERM"
      assert.equal(0, host:wait().code)
    end)

    it("says why it cannot listen", function()
      local result = run_script("require('cunnekt').bot()", nil, {
        env = { CUNNEKT_API_KEY = "key", CUNNEKT_STORE = "memory:", CUNNEKT_LISTEN = "192.0.2.1:1" },
      })
      assert.equal(1, result.code)
      assert.matches("cannot listen on 192.0.2.1:1", result.err)
    end)
  end)

  -- Two hosts, as an operator starts them who copied the settings of the first.
  describe("beside another one that has its addresses", function()
    local first, listen, admin

    before_each(function()
      local path = script("require('cunnekt').bot()", "first.lua")
      first = process.start({ process.host, "run", path }, { env = {
        CUNNEKT_API_KEY = "key", CUNNEKT_STORE = "sqlite:" .. folder.path .. "/first.db",
        CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_ADMIN = "127.0.0.1:0",
      } })
      listen = first:expect "listening on (%S+)"
      admin = first:expect "admin pages on (%S+)"
    end)

    after_each(function()
      first:signal "TERM"
      assert.equal(0, first:wait().code)
    end)

    local bots = {
      ["that the script runs"] = "bot:run()",
      ["that the script did not run"] = "",
    }
    for which, ending in pairs(bots) do
      it("says which one is taken and exits with 1, with a bot " .. which, function()
        local text = [[
          local bot = require("cunnekt").bot()
          bot:every(0.001, "tick", function() print "tick" end)
          bot:on_restart(function() print "restart" end)
        ]] .. ending
        for _, case in ipairs {
          { "127.0.0.1:0", admin, "cannot listen on the admin address " .. admin },
          { listen, "127.0.0.1:0", "cannot listen on " .. listen },
          { listen, admin, "cannot listen on the admin address " .. admin },
        } do
          local store = folder.path .. "/second.db"
          local result = run_script(text, nil, { env = {
            CUNNEKT_API_KEY = "key", CUNNEKT_STORE = "sqlite:" .. store,
            CUNNEKT_LISTEN = case[1], CUNNEKT_ADMIN = case[2],
          } })
          assert.are.same({ 1, "" }, { result.code, result.out })
          assert.matches("cunnekt: .*network: " .. case[3] .. ".*Address already in use", result.err)
          assert.not_matches("listening", result.err)
          assert.is_nil(process.read(store .. ".ctl"))
          assert.is_nil(process.read(store .. "-wal"), "the store was not closed")
        end
        assert.equal(200, http.get("http://" .. admin .. "/healthz").status)
      end)
    end

    -- The first bot of the script went on, and nobody was told that the second one did not serve.
    it("ends as a whole when one of its bots cannot start", function()
      local result = run_script([[
        local cunnekt = require "cunnekt"
        for i = 1, 3 do
          cunnekt.bot { store = ("sqlite:%s/%d.db"):format((...), i), admin = i == 2 and select(2, ...) or nil }
        end
      ]], { folder.path, admin }, { env = { CUNNEKT_API_KEY = "key", CUNNEKT_LISTEN = "127.0.0.1:0" } })
      assert.equal(1, result.code)
      assert.matches("cannot listen on the admin address " .. admin .. ".+; bots of one script need one each, cunnekt%.bot{ admin = ", result.err)
      for i = 1, 3 do
        assert.is_nil(process.read(("%s/%d.db-wal"):format(folder.path, i)), "the store was not closed")
      end
    end)
  end)
end)
