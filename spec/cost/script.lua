-- SPDX-License-Identifier: MIT
-- The bots of both counts, as a user would write them: one answers each text; another one as well, beside a dialog that nobody
-- begins; and one has a dialog that replies and asks again without end. The first shows what an event costs where no dialog is. The
-- functions take the options of cunnekt.bot.

local cunnekt = require "cunnekt"

local script = {}

-- With what the customer said some 150 bytes.
local thanks = "Thank you for your message. It has reached us, and one of us looks after it today. You said: "

function script.answering(options)
  local bot = cunnekt.bot(options)
  bot:on("text", function(msg)
    msg:reply_text(thanks .. msg.text:sub(1, 57))
  end)
  return bot
end

function script.beside(options)
  local bot = script.answering(options)
  bot:dialog("order", function(chat)
    chat:ask "How many?"
  end)
  return bot
end

function script.asking(options)
  local bot = cunnekt.bot(options)
  bot:dialog("questions", function(chat)
    local answer = chat:ask "How many?"
    while true do
      chat:reply_text(thanks .. answer.text:sub(1, 57))
      answer = chat:ask "How many more of them do you want?"
    end
  end)
  bot:on("text", function(msg)
    msg:start "questions"
  end)
  return bot
end

return script
