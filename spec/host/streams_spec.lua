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
