-- A menu that answers choices, remembers each customer's last one, and is shown again after any other message.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local answers = {
  hours = "We are open from 9 to 21, every day.",
  place = "12 Janpath, New Delhi, behind the post office.",
  person = "Somebody will write to you within the hour.",
}

local function offer(msg)
  msg:reply_list {
    body = "What would you like to know?", list_title = "Menu",
    list = {
      { id = "hours", title = "Opening hours" },
      { id = "place", title = "Where we are" },
      { id = "person", title = "Talk to a person" },
    },
  }
end

bot:on("list", { "hours", "place", "person" }, function(msg)
  msg.chat.state.last = msg.reply.id
  msg:reply_text(answers[msg.reply.id])
end)

bot:on("text", "^again$", function(msg)
  local last = msg.chat.state.last
  if not last then
    return "next"
  end
  msg:reply_text(answers[last])
end)

bot:on("message", offer)

-- customer: again
-- bot: What would you like to know? [Menu] …
-- customer: /list place
-- bot: 12 Janpath, New Delhi, behind the post office.
-- customer: again
-- bot: 12 Janpath, New Delhi, behind the post office.
