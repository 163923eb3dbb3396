-- SPDX-License-Identifier: MIT
-- An answer is a message, and not its text: `if chat:ask(…) == "yes"` is never true, and tonumber of it is nil. The bot then does
-- the wrong thing without any error: an order is refused, a patient is not booked.

local bot_rig = require "spec.support.rigs.bot_rig"
local rules = require "cunnekt.cli.check.rules"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

-- What it says about a dialog that has asked, inside a handler.
local function check(body)
  local found = {}
  local code = 'bot:on("text", function(msg) local chat = msg.chat local a = chat:ask "Tea?" local b = chat:ask_list(unpacked())\n%s\nend) function unpacked() end'
  for i, problem in ipairs(rules.check(HEAD .. code:format(body), "")) do
    found[i] = ("%d: %s"):format(problem.line, problem.message)
  end
  return found
end

describe("cunnekt check, of answers,", function()
  for body, said in pairs {
    ["if a == 'yes' then end"] = "chat:ask gives a message, and so never 'yes'; compare its text",
    ["if a.text and a ~= 'no' then end"] = "chat:ask gives a message, and so never 'no'; compare its text",
    ["if b == 'x' then end"] = "chat:ask_list gives a message, and so never 'x'; compare its reply.id",
    ["if b.reply == 'x' then end"] = "msg.reply is a table, and so never 'x'; compare msg.reply.id",
    ["if msg == 'hi' then end"] = "msg is a message, and so never 'hi'; compare msg.text",
    ["if msg.text == 5 then end"] = 'msg.text is a string, and so never a number; compare it with "5"',
    ["if msg.from == 919999999999 then end"] = 'msg.from is a string, and so never a number; compare it with "919999999999"',
    ["if msg.from == '+919999999999' then end"] = "msg.from is never '+919999999999': it is digits only, without +",
    ["print(tonumber(a))"] = "tonumber: chat:ask gives a message; write its text",
    ["chat:reply_text(a)"] = "chat:reply_text: chat:ask gives a message; write its text",
    ["bot.client:send_text('919999999999', msg)"] = "client:send_text: msg is a message; write msg.text",
  } do
    it("names what is never so: " .. body, function()
      assert.same({ "2: " .. said }, check(body))
    end)
  end

  it("leaves alone what may be so", function()
    for _, body in ipairs {
      "if a.text == 'yes' or a == nil or b.reply.id == 'x' then end", "if a == msg then end", "if msg.timestamp == 5 then end",
      "if msg.from == '919999999999' then end", "if a.text .. 'x' == 'yesx' then end", "print(tonumber(a.text), tonumber(msg.chat.state.n))",
      "a = a.text if a == 'yes' then end", "if msg.chat.state == 5 then end", "if tonumber(a.text) == 5 then end",
    } do
      assert.same({}, check(body), body)
    end
  end)
end)

it("a message in the place of a text is refused with what to write", function()
  local rig = bot_rig.new()
  rig:new_bot():on("text", function(msg)
    msg:reply_text(msg)
  end)
  rig:start()
  rig:say "hi"
  bot_rig.wait_for(function()
    return #rig.lines > 0
  end, "the refusal")
  assert.matches("reply_text: text must be a string, got a message; write its text, as in answer.text", rig.lines[1], 1, true)
  rig:close()
end)
