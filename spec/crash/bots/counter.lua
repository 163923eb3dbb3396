-- SPDX-License-Identifier: MIT
-- The bot under torture. It counts each customer's messages in the conversation's state and, beside it, in the shared
-- store; the answer carries the number, so that a turn that is lost, repeated or out of order shows at the far end.
-- CRASH_BREAK names promises to break on purpose; see breakage.lua.

local breakage = require "breakage"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"

local bot = cunnekt.bot {
  unknown = breakage.is_set "resend" and "resend" or "hold",
  attempts = 1000000,
  concurrency = tonumber(os.getenv "CRASH_CONCURRENCY"),
  queue = tonumber(os.getenv "CRASH_QUEUE"),
}

local pause = tonumber(os.getenv "CRASH_PAUSE" or 0)
local failing = tonumber(os.getenv "CRASH_FAILING" or 0)

-- A wait that is no end of the turn, as a slow service behind a plain library would be.
local function busy(seconds)
  task.await(function(done)
    core.timer(seconds, done)
  end)
end

-- What is held may be settled by a status later, so the oracle has no other way to know of it.
bot:on_error(function(err, about)
  if err.kind == "unknown_outcome" then
    io.stderr:write("held ", about.payload.text, "\n")
  elseif err.kind ~= "handler" then
    io.stderr:write("failed: ", err.kind, " ", err.message, "\n")
  end
end)

bot:on("text", function(msg)
  local state = msg.chat.state
  state.count = (state.count or 0) + 1
  bot.store:set("count " .. msg.from, state.count)
  if pause > 0 then
    busy(pause)
  end
  local first = ("%s #%d"):format(msg.text, state.count)
  assert(msg:reply_text(first))
  if math.random() < failing then
    error "on purpose"
  end
  if state.count % 3 == 0 then
    assert(msg:reply_text(first .. " and more"))
  end
  if bot.store:get("count " .. msg.from) ~= state.count then
    error "the store and the state disagree"
  end
end)

-- Pauses are as many times shorter.
local hurry = tonumber(os.getenv "CRASH_HURRY")
if hurry then
  local clock = require "cunnekt.time.clock"
  local after = clock.after
  clock.after = function(seconds, fn)
    return after(seconds / hurry, fn)
  end
end

-- On request, what is open on the loop.
core.signal("SIGUSR1", function()
  local words = {}
  for name, count in pairs(core.counts()) do
    words[#words + 1] = name .. "=" .. count
  end
  table.sort(words)
  io.stderr:write("counts ", table.concat(words, " "), "\n")
end)

-- And what Lua holds.
core.signal("SIGUSR2", function()
  collectgarbage()
  collectgarbage()
  io.stderr:write(("lua %.0f\n"):format(collectgarbage "count" * 1024))
end)

breakage.apply(bot)
bot:run()
