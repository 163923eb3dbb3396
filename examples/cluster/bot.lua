-- SPDX-License-Identifier: MIT
-- The bot of `make demo-cluster`: says how many messages a customer has written. Any number of hosts may run it on one database.
local cunnekt = require "cunnekt"

local bot = cunnekt.bot()

bot:on("text", function(msg)
  local state = msg.chat.state
  state.count = (state.count or 0) + 1
  msg:reply_text(("%s: your message number %d"):format(msg.text, state.count))
end)
