-- SPDX-License-Identifier: MIT
-- Finalizers (__gc) of a script's objects, or a library's: the collector runs them at any allocation, also in the middle of a turn.

local parse = require "cunnekt.testing.parse"
local play = require "cunnekt.testing.play"
local process = require "spec.support.process"

-- A bot that lets go of a few objects in each turn. Their finalizers do `what`.
local code = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
local held, ran, failures = {}, 0, {}
local function finish()
  local ok, failure = pcall(function() %s end)
  ran = ran + 1
  failures[#failures + 1] = not ok and failure or nil
end
for i = 1, 20000 do
  held[i] = setmetatable({}, { __gc = finish })
end
local function let_go()
  for i = 1, 40 do
    held[#held] = nil
  end
end
bot:on("text", "count", function(msg) msg:reply_text(ran > 1000 and "many" or tostring(ran)) end)
bot:on("text", "failures", function(msg) msg:reply_text(failures[1] or "none") end)
bot:on("text", "say", function(msg)
  let_go()
  for i = 1, 5 do
    msg:reply_text(tostring(i))
  end
end)
bot:on("text", function(msg)
  let_go()
  msg:reply_text(msg.text)
  msg:reply_text(msg.text .. " again")
  msg.chat:sleep(1)
  msg:reply_text(msg.text .. " at last")
end)
]]

describe("a finalizer in the middle of a turn", function()
  local folder

  setup(function()
    folder = process.folder()
    collectgarbage("incremental", 100, 20) -- never rests
  end)

  teardown(function()
    collectgarbage("incremental", 200, 100)
  end)

  local function problems(what, text)
    local path = process.write(folder.path .. "/bot.lua", code:format(what))
    local found = play.run(parse.text(text, { path = "bot.chat", script = path, is_chat = true })[1]).problems
    return found[1] and { line = found[1].line, message = found[1].message } or nil
  end

  local chat = {}
  for i = 1, 60 do
    chat[i] = ("customer: n%d\nbot: n%d\nbot: n%d again\nbot: n%d at last\n"):format(i, i, i, i)
  end
  chat = table.concat(chat)

  local says = ("customer: say\nbot: 1\nbot: 2\nbot: 3\nbot: 4\nbot: 5\n"):rep(200)

  for _, what in ipairs { "math.random()", "os.remove '/nowhere/at/all'", "for _ in pairs { a = 1 } do end" } do
    it("loses no reply of it, and spoils nothing: " .. what, function()
      for _, text in ipairs { chat, says } do
        assert.is_nil(problems(what, text .. "customer: count\nbot: many\ncustomer: failures\nbot: none\n"))
      end
    end)
  end

  for _, what in ipairs { 'bot:chat("919999999999"):reply_text "never"', 'bot.store:set("a", 1)', 'bot:chat("919999999999"):sleep(1)' } do
    it("can neither send, store nor wait, and is told so: " .. what, function()
      assert.is_nil(problems(what, chat .. "customer: count\nbot: many\ncustomer: failures\nbot: …finalizer…\n"))
    end)
  end
end)
