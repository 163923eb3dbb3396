-- SPDX-License-Identifier: MIT
-- The bot of joins.lua. It counts each stream of a person's texts in the conversation's state; the answer carries the number.
-- Every second person talks with a dialog that never ends, the others with a handler.

local breakage = require "breakage"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"

local bot = cunnekt.bot { attempts = 1000000 }

bot:on_error(function(err, about)
  if err.kind == "unknown_outcome" then
    io.stderr:write("held ", about.payload.text, "\n")
  else
    io.stderr:write("failed: ", err.kind, " ", tostring(err), "\n")
  end
end)

-- A wait in the middle of a turn, as a slow service behind a plain library would be: others of the person wait meanwhile.
local function work()
  task.await(function(done)
    core.timer(math.random() * 0.02, done)
  end)
end

local function answer(chat, text)
  local stream, state = text:match "^(.-)%-%d+$", chat.state
  state[stream] = (state[stream] or 0) + 1
  local first = ("%s #%d"):format(text, state[stream])
  assert(chat:reply_text(first))
  if state[stream] % 3 == 0 then
    assert(chat:reply_text(first .. " and more"))
  end
end

bot:dialog("endless", function(chat)
  while true do
    answer(chat, chat:wait({ any = true }).text)
  end
end)

bot:on("text", function(msg)
  work()
  answer(msg.chat, msg.text)
  local serial = tonumber(msg.text:match "(%d+)%-%d+$")
  if (serial + 1) // 2 % 2 == 0 then
    msg:start "endless"
  end
end)

breakage.apply(bot)
bot:run()
