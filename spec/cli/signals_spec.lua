-- SPDX-License-Identifier: MIT
-- How the commands end: by the first SIGINT, SIGTERM or SIGHUP orderly, by a second of the first two at once, and `cunnekt dev` with its input, whatever the
-- script does. A script without a bot kept `cunnekt dev` for ever, and one in a loop heard no signal.
local core = require "cunnekt.core"
local process = require "spec.support.process"
local rawclient = require "rawclient"

local bots = {
  ["that it serves"] = 'bot:on("text", function(msg) msg:reply_text "yes" end)',
  ["that the script runs"] = 'bot:on("text", function(msg) msg:reply_text "yes" end); bot:run()',
  ["beside a task without end"] = "cunnekt.spawn(function() while true do cunnekt.sleep(0.05) end end)",
}

local others = {
  ["that waits"] = "cunnekt.sleep(1000)",
  ["that waits again and again"] = "while true do cunnekt.sleep(0.01) end",
  ["with a task that waits"] = "cunnekt.spawn(function() cunnekt.sleep(1000) end)",
  ["that catches what it can"] = "while true do pcall(cunnekt.sleep, 1000) end",
}

local folder

local function start(command, source, opts)
  opts = opts or {}
  opts.cwd, opts.env = folder.path, { CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_STORE = "memory:", CUNNEKT_API_KEY = "k" }
  process.write(folder.path .. "/script.lua", source)
  -- A shell has its background jobs ignore SIGINT, which a terminal does not. And a loop that no signal ends must not stay.
  local prepare = "ulimit -t 20 && exec env --default-signal=INT,HUP \"$@\""
  local words = { "sh", "-c", prepare, "sh", process.host, command, "script.lua" }
  if opts.begun_by then
    table.insert(words, 5, opts.begun_by)
  end
  return process.start(words, opts)
end

local function bot_with(rest)
  return 'local cunnekt = require "cunnekt"; local bot = cunnekt.bot { grace = 1 }; ' .. rest
end

local function without_bot(rest)
  return 'local cunnekt = require "cunnekt"; io.stderr:write "begun\\n"; ' .. rest
end

before_each(function()
  folder = process.folder()
end)

describe("the first signal", function()
  for _, signal in ipairs { "INT", "TERM", "HUP" } do
    for name, rest in pairs(bots) do
      for _, command in ipairs { "run", "dev" } do
        it(("%s ends cunnekt %s of a bot %s"):format(signal, command, name), function()
          local running = start(command, bot_with(rest), { keeps_input = true })
          running:expect "listening on"
          running:signal(signal)
          local ended = running:wait()
          assert.equal(0, ended.code, ended.err)
          assert.equal(command == "run", ended.err:find "stopping" ~= nil)
        end)
      end
    end
    for name, rest in pairs(others) do
      it(("%s ends cunnekt dev of a script %s"):format(signal, name), function()
        local running = start("dev", without_bot(rest), { keeps_input = true })
        running:expect "begun"
        running:expect("Type as the customer", "out")
        running:signal(signal)
        local ended = running:wait()
        assert.same({ 0, "begun\n" }, { ended.code, ended.err })
      end)
    end
    it(signal .. " ends cunnekt trigger that waits for a bot", function()
      local holder = assert(core.listen({}, function() end))
      local words = { "env", "--default-signal=INT,HUP", process.host, "trigger", "text", "--webhook", "http://127.0.0.1:" .. holder:port() }
      local running = process.start(words)
      process.wait_until("the request", function()
        core.step(false)
        return core.counts().exchanges > 0
      end)
      running:signal(signal)
      assert.is_true(running:wait().code > 128)
      holder:close()
    end)
  end
end)

-- The end of an ssh session killed the bot in the middle of its work.
describe("SIGHUP", function()
  local waiting = [[bot:on("text", function() io.stderr:write "begun\n" cunnekt.sleep(0.5) io.stderr:write "done\n" end)]]

  -- Gives the bot, which is in a handler.
  local function busy_bot(opts)
    local running = start("run", bot_with(waiting), opts)
    local port = running:expect "listening on 127%.0%.0%.1:(%d+)"
    local body = '{"messages":[{"id":"wamid.1","from":"919999999999","type":"text","text":{"body":"hi"}}]}'
    local client <close> = rawclient.connect("127.0.0.1", tonumber(port))
    client:send(("POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
    running:expect "begun"
    return running
  end

  it("lets a bot finish what it has begun, also when it comes twice", function()
    local running = busy_bot()
    running:signal "HUP"
    running:expect "stopping"
    running:signal "HUP"
    local ended = running:wait()
    assert.equal(0, ended.code)
    assert.matches("begun\ncunnekt: stopping\ndone\n$", ended.err)
  end)

  it("is ignored by a bot that nohup has started", function()
    local running = busy_bot { begun_by = "nohup" }
    running:signal "HUP"
    running:expect "done"
    assert.not_matches("stopping", running:err())
    running:signal "TERM"
    assert.equal(0, running:wait().code)
  end)
end)

describe("the second signal ends at once", function()
  local busy = {
    ["a handler in a loop"] = 'bot:on("text", function() io.stderr:write "busy\\n" while true do end end)',
    ["a handler in a loop that catches errors"] =
      'bot:on("text", function() io.stderr:write "busy\\n" while true do pcall(function() while true do end end) end end)',
    ["a handler inside a C function"] =
      'bot:on("text", function() io.stderr:write "busy\\n" return (("a"):rep(100):find(("a*"):rep(60) .. "b")) end)',
  }
  for name, rest in pairs(busy) do
    it(name, function()
      local running = start("run", bot_with(rest))
      local port = running:expect "listening on 127%.0%.0%.1:(%d+)"
      local body = '{"messages":[{"id":"wamid.1","from":"919999999999","type":"text","text":{"body":"hi"}}]}'
      local client <close> = rawclient.connect("127.0.0.1", tonumber(port))
      client:send(("POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
      running:expect "busy"
      running:signal "TERM"
      running:signal "INT"
      assert.equal(1, running:wait().code)
    end)
  end
end)

describe("cunnekt dev of a script without a bot", function()
  it("ends with the script, when nothing is left to happen", function()
    local source = without_bot "cunnekt.spawn(function() cunnekt.sleep(0.01) io.stderr:write 'done\\n' end)"
    local ended = start("dev", source, { keeps_input = true }):wait()
    assert.same({ 0, "begun\ndone\n" }, { ended.code, ended.err })
  end)

  it("ends with the input", function()
    local ended = start("dev", without_bot "cunnekt.sleep(1000)", { stdin = "hello\n" }):wait()
    assert.same({ 0, "begun\n" }, { ended.code, ended.err })
  end)

  it("ends with an input that is empty", function()
    local ended = start("dev", without_bot "cunnekt.sleep(1000)"):wait()
    assert.same({ 0, "begun\n" }, { ended.code, ended.err })
  end)

  it("ends by /quit", function()
    local ended = start("dev", without_bot "cunnekt.sleep(1000)", { stdin = "/quit\n" }):wait()
    assert.same({ 0, "begun\n" }, { ended.code, ended.err })
  end)
end)
