-- Replies with the text that the customer wrote.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

bot:on("text", function(msg) msg:reply_text(msg.text) end)

-- customer: good morning
-- bot: good morning
