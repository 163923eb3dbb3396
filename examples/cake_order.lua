-- Takes orders of cakes with pictures of how they shall look, and lets no picture or voice note end an order.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local HOUR, DAY = 3600, 24 * 3600
local PATIENCE = 23 * HOUR -- what is said after it still arrives: WhatsApp takes texts for 24 hours after the customer's last message
local function yes_no(body)
  return { body = body, timeout = PATIENCE, buttons = { { id = "yes", title = "Yes" }, { id = "no", title = "No" } } }
end

-- What arrives while the dialog waits for something else.
local function unexpected(msg)
  if msg.media then
    msg:reply_text "Thank you, but I cannot look at that now. I ask for pictures in a moment."
  else
    msg:reply_text "Sorry, I did not understand that."
  end
end

bot:dialog("cake", function(chat)
  local cake = chat:ask_buttons {
    body = "Which cake would you like?", timeout = PATIENCE,
    remind = { after = HOUR, text = "The oven is warm: which cake shall it be?" },
    buttons = { { id = "apple", title = "Apple" }, { id = "cherry", title = "Cherry" } },
  }
  if not cake then
    return chat:reply_text "Another time, then. Write to me whenever you like."
  end
  local order = { cake = cake.reply.title, files = {}, words = {} }
  local has_pictures = chat:ask_buttons(yes_no "Do you have pictures of how it shall look?")
  if has_pictures and has_pictures.reply.id == "yes" then
    chat:reply_text "Please send them all, with a few words if you like."
    for _, msg in ipairs(chat:collect { media = true, text = true, quiet = 20, max = 10, timeout = PATIENCE } or {}) do
      table.insert(msg.media and order.files or order.words, msg.media and msg.id or msg.text)
    end
  end
  local note = chat:ask("Anything that we should know? Write it or say it.", { accept = { "text", "audio" }, timeout = PATIENCE })
  order.note = note and (note.media and "a voice note" or note.text) or "nothing"
  local sure = chat:ask_buttons(yes_no(("%s cake, %d pictures, and %s to know. Shall we bake it?"):format(
    order.cake, #order.files, order.note)))
  if not (sure and sure.reply.id == "yes") then
    return chat:reply_text "All right, no cake."
  end
  local number = bot.store:increment "cakes"
  bot.store:set(("cake %d"):format(number), order)
  chat:reply_text(("It is order %d. We look forward to baking it!"):format(number))
end, { unexpected = unexpected, expires = 2 * DAY })

bot:on("message", function(msg)
  msg:start "cake"
end)

-- customer: hello
-- bot: Which cake would you like? [Apple] [Cherry]
-- customer: /image
-- bot: … I ask for pictures in a moment…
-- customer: cherry
-- bot: Do you have pictures …
-- customer: /button yes
-- bot: Please send them all…
-- customer: /image
-- customer: with much cream
-- customer: /image
-- 20 seconds later
-- bot: Anything that we should know? …
-- customer: /audio
-- bot: Cherry cake, 2 pictures, and a voice note to know. Shall we bake it? [Yes] [No]
-- customer: /button yes
-- bot: It is order 1. …
-- transcript: who leaves
-- customer: hello
-- bot: Which cake …
-- 1 hour later
-- bot: The oven is warm: …
-- 23 hours later
-- bot: Another time, then. …
-- transcript: who leaves later
-- customer: hello
-- bot: Which cake …
-- customer: /button cherry
-- bot: Do you have pictures …
-- 23 hours later
-- bot: Anything that we should know? …
