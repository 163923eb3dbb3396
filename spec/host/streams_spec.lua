-- SPDX-License-Identifier: MIT
-- What the host does with standard streams that are closed, or that cannot be written.
local http = require "cunnekt.provider.http"
local process = require "spec.support.process"

local folder

-- Starts the host with the redirections of a shell.
local function start(redirections, ...)
  local opts = { cwd = folder.path, env = { CUNNEKT_API_KEY = "key", CUNNEKT_STORE = "sqlite:bot.db", CUNNEKT_LISTEN = "127.0.0.1:0" } }
  return process.start({ "sh", "-c", 'exec "$@" ' .. redirections, "sh", process.host, ... }, opts)
end

local function webhook(number)
  local text = '{"messages":[{"id":"wamid.%d","from":"919999999999","type":"text","text":{"body":"hi"}}]}'
  return text:format(number)
end

before_each(function()
  folder = process.folder()
end)

-- The log went into whatever had got the number of standard error, such as a pipe that nobody reads.
describe("without standard streams", function()
  local bot = [[
    local bot = require("cunnekt").bot()
    bot:on("text", function() end)
    bot:every(0.001, "tell", function()
      if bot:address() and not io.open "address" then
        io.open("address.part", "w"):write(bot:address()):close()
        os.rename("address.part", "address")
      end
    end)
  ]]

  for _, closed in ipairs { "<&-", ">&-", "2>&-", "<&- >&- 2>&-" } do
    it("serves a bot and stops it, with " .. closed, function()
      process.write(folder.path .. "/bot.lua", bot)
      local host = start(closed, "run", "--verbose", "bot.lua")
      local address = process.wait_until("the bot's address", function()
        return process.read(folder.path .. "/address")
      end)
      for number = 1, 300 do
        assert.equal(200, assert(http.post("http://" .. address .. "/webhook", webhook(number), { timeout = 20 })).status)
      end
      host:signal "TERM"
      assert.equal(0, host:wait().code)
    end)
  end

  for _, closed in ipairs { "<&-", "2>&-", "<&- 2>&-" } do
    it("runs commands with " .. closed, function()
      process.write(folder.path .. "/script.lua", "")
      assert.equal(0, start(closed, "check", "script.lua"):wait().code)
      assert.equal(0, start(closed, "run", "script.lua"):wait().code)
      assert.equal(1, start(closed, "values", "list"):wait().code) -- there is no store
    end)
  end
end)

-- `cunnekt contacts export … > export.json && cunnekt contacts forget …` deleted what the disk had no room for.
describe("an output that cannot be written", function()
  local full = os.execute "test -c /dev/full" and it or pending
  local problem = "cunnekt: cannot write the output: No space left on device\n"

  local function lines(count)
    process.write(folder.path .. "/script.lua", ("for _ = 1, %d do print 'a line' end"):format(count))
  end

  for name, words in pairs {
    ["a page"] = { "help", "run" },
    ["a list"] = { "events", "list" },
    ["JSON"] = { "outbox", "list", "--json" },
    ["a check"] = { "check", "script.lua" },
    ["what a script prints"] = { "run", "script.lua" },
  } do
    full("makes a command fail that prints " .. name, function()
      lines(1)
      start("", "run", process.write(folder.path .. "/maker.lua", 'require("cunnekt").bot():stop()')):wait()
      local ended = start("> /dev/full", table.unpack(words)):wait()
      assert.same({ 1, problem }, { ended.code, ended.err })
    end)
  end

  full("leaves the exit code of a command that failed anyway", function()
    process.write(folder.path .. "/script.lua", 'print "a line" error "boom"')
    assert.equal(1, start("> /dev/full", "run", "script.lua"):wait().code)
    assert.equal(2, start("> /dev/full", "run"):wait().code)
  end)

  it("is noticed when there is none", function()
    local ended = start(">&-", "help"):wait()
    assert.same({ 1, "cunnekt: cannot write the output: Bad file descriptor\n" }, { ended.code, ended.err })
  end)

  it("is no failure when its reader has read enough", function()
    lines(100000)
    local command = '{ "$1" run script.lua; echo $? > code; } | head -n 1'
    process.run({ "sh", "-c", command, "sh", process.host }, { cwd = folder.path })
    local code = process.wait_until("the script's end", function()
      return (process.read(folder.path .. "/code") or ""):match "%d+"
    end)
    assert.equal("0", code)
  end)
end)
