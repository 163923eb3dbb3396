-- Writes nothing to those who said stop, whatever else the bot does: one gate for all that comes and all that goes.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local function stop(msg)
  msg.chat:cancel()
  msg:reply_text "You will hear nothing more from us. Write start to come back."
  msg.chat.state.is_out = true -- after the reply, which still goes out
end

bot:global({ "stop", "стоп", "رکو" }, stop, { even_paused = true })
bot:on("quick_reply", cunnekt.filter.text "stop", stop) -- the button of a template, which is no command

bot:global("start", function(msg)
  msg.chat.state.is_out = nil
  msg:reply_text "Welcome back!"
end, { even_paused = true })

-- WhatsApp's own switch for offers.
bot:on("user_preferences", function(event)
  event.chat.state.wants_no_offers = event.value == "stop" or nil
end)

-- What comes: whoever is out reaches no handler and no dialog, but the word start.
bot:use(function(event, next)
  local is_start = event.text and event.text:lower():find "^%s*start%s*$"
  if event.kind == "message" and event.chat.state.is_out and not is_start then
    return
  end
  return next()
end)

-- What goes: nothing to whoever is out, no offers to whoever wants none.
bot:before_send(function(payload, chat)
  local state = chat.state
  if state.is_out or (state.wants_no_offers and payload.templateid == "offer") then
    return false
  end
end)

bot:dialog("tea", function(chat)
  local tea = chat:ask("Which tea do you like best?")
  chat.state.tea = tea.text
  chat:reply_text(("We tell you when %s is cheap. Write stop, and we never write again."):format(tea.text))
end)

bot:on("text", "offer", function(msg)
  msg:reply_template("offer", {
    body = { msg.chat.state.tea or "tea" },
    buttons = { { type = "quick_reply", payload = "stop" } },
  })
end)

bot:on("message", function(msg)
  msg:start "tea"
end)

-- customer: hi
-- bot: Which tea do you like best?
-- customer: STOP
-- bot: You will hear nothing more from us. …
-- customer: green
-- customer: hello?
-- customer: Start
-- bot: Welcome back!
-- customer: hi
-- bot: Which tea do you like best?
-- customer: green
-- bot: We tell you when green is cheap. …
-- customer: offer
-- bot: template offer …
-- customer: /reply stop
-- bot: You will hear nothing more from us. …
-- customer: hi
