-- Collects feedback and hands unhappy customers over to a person, who returns the conversation to the bot.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local STAFF = os.getenv "STAFF_NUMBER" or "918888888888"
local PATIENCE = 23 * 3600 -- what is said after it still arrives: WhatsApp takes texts for 24 hours after the customer's last message

bot:dialog("feedback", function(chat, args)
  local rating = chat:ask_buttons {
    body = ("Hello %s! How was it?"):format(args.name), timeout = PATIENCE,
    otherwise = "Please tap one of the buttons.", tries = 3,
    buttons = { { id = "good", title = "Good" }, { id = "so so", title = "So so" }, { id = "bad", title = "Bad" } },
  }
  if not rating then
    return chat:reply_text "Another time, then."
  elseif rating.reply.id == "good" then
    bot.store:increment "happy customers"
    return chat:reply_text "We are glad. See you soon!"
  end
  local story = chat:ask("I am sorry. What went wrong?", { timeout = PATIENCE })
  local words = story and story.text or "(no words)"
  if rating.reply.id == "so so" then
    return chat:reply_text "Thank you, we will do better."
  end
  chat:reply_text "Somebody will write to you here, right away."
  bot:chat(STAFF):reply_text(("%s (%s) is unhappy: %s\nWhen you are through, send: done %s"):format(args.name, chat.to, words, chat.to), {
    fallback = { template_id = "unhappy_customer", body = { args.name, chat.to } },
  })
  chat:pause() -- a person has the conversation from here on
  chat:wait { signal = "done" }
  chat:reply_text "I hope that helped. I am the machine again; write whenever you like."
end)

-- A text from the staff returns the conversation to the bot; from a shell, `cunnekt dialogs resume NUMBER` does.
bot:on("text", cunnekt.filter.from(STAFF) & cunnekt.filter.text "^[Dd]one %d+$", function(msg)
  local customer = msg.text:match "%d+"
  local chat, err = bot:chat(customer)
  if not chat then
    return msg:reply_text(("That is no number: %s"):format(err.message))
  end
  chat:resume()
  bot:signal(customer, "done")
  msg:reply_text "Thank you. The machine has them again."
end)

bot:on("message", cunnekt.filter.from(STAFF), function(msg)
  msg:reply_text "Send done and the customer's number when you are through."
end)

bot:on("message", function(msg)
  msg:start("feedback", { name = msg.name or "friend" })
end)

-- customer: hi
-- bot: Hello Asha! How was it? [Good] [So so] [Bad]
-- customer: /button bad
-- bot: I am sorry. What went wrong?
-- customer: it was cold
-- bot: Somebody will write to you here, right away.
-- bot: template unhappy_customer Asha 919999999999
-- customer: hello?
-- transcript: who does not answer
-- customer: hi
-- bot: Hello Asha! …
-- 1 day later
-- bot: Another time, then.
