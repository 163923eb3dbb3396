-- SPDX-License-Identifier: MIT
-- `return chat:ask(…)` leaves no frame with the script's line. What such a call refuses names the function of the script then, and never
-- one of cunnekt's own files.

local bot_rig = require "spec.support.rigs.bot_rig"
local refusals = require "cunnekt.bot.refusals"

describe("a mistake in a call that is returned", function()
  local rig

  before_each(function()
    refusals.forget()
    rig = bot_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  -- Runs a script of one line more than this, and gives what the log says after a text.
  local function logged(code, opts)
    local bot = rig:new_bot(opts)
    assert(load("local bot, cunnekt = ...\n" .. code, "@bot.lua"))(bot, require "cunnekt")
    rig:start()
    rig:say "go"
    return bot_rig.wait_for(function()
      for _, line in ipairs(rig.lines) do
        if line:find("bot.lua:", 1, true) or line:find("cunnekt/", 1, true) or line:find("in the script", 1, true) then
          return line
        end
      end
    end, "a line about the script")
  end

  local function handler(call)
    return ('bot:dialog("d", function() end)\nbot:on("text", function(msg)\n  return %s\nend)'):format(call)
  end

  local calls = {
    ["msg:start(nil)"] = "msg:start: expected the name of a dialog",
    ["msg.chat:wait(nil)"] = "chat:wait: say what to wait for",
    ["msg.chat:sleep(nil)"] = "chat:sleep: seconds must be a number",
    ["msg.chat:ask('x', { tiemout = 3 })"] = "chat:ask: unknown option 'tiemout'",
    ["bot.store:set(nil, 3)"] = "store:set: the key must be a string",
    ["bot.store:increment('x', 'y')"] = "store:increment: the amount must be a number",
    ["cunnekt.sleep(nil)"] = "cunnekt.sleep: seconds must be a number",
    ["cunnekt.http.get(nil)"] = "http.get: ",
    ["bot:after(5, 'x', 'nojob')"] = "bot:after",
  }
  for call, words in pairs(calls) do
    it("is in the handler that begins there: " .. call, function()
      local line = logged(handler(call))
      assert.matches("bot.lua:3: " .. words, line, 1, true)
      assert.is_nil(line:find("cunnekt/", 1, true))
      assert.is_nil(line:find("traceback", 1, true))
    end)
  end

  it("is in the dialog", function()
    local code = 'bot:dialog("d", function(chat)\n  return chat:sleep(nil)\nend)\nbot:on("text", function(msg) msg:start "d" end)'
    assert.matches("bot.lua:2: chat:sleep: ", logged(code), 1, true)
  end)

  it("is in the command", function()
    assert.matches("bot.lua:2: chat:start: ", logged 'bot:global("go", function(msg)\n  return msg.chat:start(nil)\nend)', 1, true)
  end)

  it("is in the function of bot:use, for a reply as well", function()
    local use = 'bot:use(function(event, next)\n  if event.text == "go" then\n    return %s\n  end\n  return next()\nend)\n'
      .. 'bot:on("text", function(msg)\n  return msg:reply_text(nil)\nend)'
    assert.matches("bot.lua:2: in the function that begins there: reply_text: ", logged(use:format "event:reply_text(nil)"), 1, true)
  end)

  it("is in the handler, behind a function of bot:use", function()
    local code = 'bot:use(function(event, next)\n  return next()\nend)\nbot:on("text", function(msg)\n  return msg:reply_text(nil)\nend)'
    assert.matches("bot.lua:5: in the handler of 'text': reply_text: ", logged(code), 1, true)
  end)

  it("is in the job", function()
    local code = 'bot:job("later", function(job)\n  return bot:chat(job.args):reply_text(nil)\nend)\n'
      .. 'bot:on("text", function(msg) bot:after(0.01, { args = msg.from }, "x", "later") end)'
    assert.matches("bot.lua:2: in the function that begins there: reply_text: ", logged(code), 1, true)
  end)

  it("is an error of that place where replies raise", function()
    local line = logged('bot:on("text", function(msg)\n  return msg:reply_text(nil)\nend)', { replies = "raise" })
    assert.matches("bot.lua:2: in the handler of 'text': reply_text: ", line, 1, true)
  end)
end)
