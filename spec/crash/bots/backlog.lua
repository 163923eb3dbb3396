-- SPDX-License-Identifier: MIT
-- The bot with a backlog: counts each customer's messages, and answers every tenth with the number. With CRASH_HANG its
-- handlers never end, so that events pile up in the store.

local breakage = require "breakage"
local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"

local hangs = os.getenv "CRASH_HANG" ~= nil
local bot = cunnekt.bot { queue = 10000000, concurrency = hangs and 4 or nil }

bot:on("text", function(msg)
  if hangs then
    task.await(function() end)
  end
  local state = msg.chat.state
  state.count = (state.count or 0) + 1
  if state.count % 10 == 0 then
    assert(msg:reply_text(("%s #%d"):format(msg.text, state.count)))
  end
end)

breakage.apply(bot)
bot:run()
