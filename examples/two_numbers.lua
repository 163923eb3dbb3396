-- One bot for two business numbers, sales and support: each has its own conversations, and one hands customers to the other.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

-- The id of support's number, as the provider shows it; the other one is that of sales.
local SUPPORT = os.getenv "SUPPORT_ID" or "106540352242923"

bot:dialog("complaint", function(chat, args)
  local number = chat:ask(("Hello %s, this is support. Which order is it about?"):format(args.name), {
    check = function(msg)
      return msg.text:find "^%s*%d+%s*$" ~= nil, "Its number has digits only."
    end,
  }).text
  local story = chat:ask "What is wrong with it?"
  chat.state.complaint = { order = number, story = story.text }
  chat:reply_text(("We have noted it for order %s."):format(number))
end)

bot:dialog("sale", function(chat)
  local what = chat:ask_buttons {
    body = "This is sales. What can we do?",
    buttons = { { id = "buy", title = "I want to buy" }, { id = "complain", title = "Something is wrong" } },
  }
  if what.reply.id == "complain" then
    -- Support writes to the same person from its own number.
    bot:start(chat.to, "complaint", { name = chat.name or "friend" }, { phone_number_id = SUPPORT })
    return chat:reply_text "Support writes to you in a moment, from its own number."
  end
  chat.state.sales = (chat.state.sales or 0) + 1
  chat:reply_text(("Here is our catalogue, for the %d. time."):format(chat.state.sales))
end)

local function is_for_support(msg)
  return msg.phone_number_id == SUPPORT
end

bot:on("message", is_for_support, function(msg)
  msg:start("complaint", { name = msg.name or "friend" })
end)

bot:on("message", function(msg)
  msg:start "sale"
end)

-- customer: hello
-- bot: This is sales. What can we do? [I want to buy] [Something is wrong]
-- customer: /button buy
-- bot: Here is our catalogue, for the 1. time.
-- customer: hello
-- bot: This is sales. …
-- customer: something is wrong
-- bot: Support writes to you in a moment, from its own number.
-- bot: Hello Asha, this is support. …
