-- Steps back as soon as staff write in WhatsApp's own app, and takes over again when they are through.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
local HOUR = 3600

-- An echo is what staff wrote to this customer on the phone. "#bot" gives the conversation back to the bot.
bot:on("echo", function(echo)
  local chat = echo.chat
  if echo.text and echo.text:find "^%s*#bot" then
    bot:cancel_job("back to " .. chat.to)
    chat:resume()
    return chat:reply_text "The machine is back. Write to me whenever you like."
  end
  chat:pause() -- cunnekt dialogs list shows what the customer writes meanwhile
  -- If staff forget it, the bot takes over again.
  bot:after(2 * HOUR, { args = { to = chat.to } }, "back to " .. chat.to, "back")
end)

bot:job("back", function(job)
  bot:chat(job.args.to):resume()
end)

bot:dialog("help", function(chat)
  local topic = chat:ask_buttons {
    body = "How can we help you?",
    buttons = { { id = "hours", title = "Opening hours" }, { id = "person", title = "A person" } },
  }
  if topic.reply.id == "hours" then
    return chat:reply_text "We are open from 9 to 18, but not on Sundays."
  end
  chat:reply_text "Somebody answers you here as soon as they can."
  chat:pause()
end)

bot:on("message", function(msg)
  msg:start "help"
end)

-- customer: hi
-- bot: How can we help you? [Opening hours] [A person]
-- customer: opening hours
-- bot: We are open from 9 to 18…
-- customer: hi
-- bot: How can we help you? …
-- customer: /button person
-- bot: Somebody answers you here …
-- customer: are you there?
-- staff: Good morning! Yes, I am.
-- customer: wonderful, thank you
-- staff: #bot
-- bot: The machine is back. …
-- customer: hi
-- bot: How can we help you? …
