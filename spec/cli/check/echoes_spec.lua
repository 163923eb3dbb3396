-- SPDX-License-Identifier: MIT
-- Handlers that answer every status: the answer is reported, too, and is answered. What decides by itself is left alone.

local process = require "spec.support.process"

local HEAD = 'local cunnekt = require "cunnekt"\nlocal bot = cunnekt.bot()\n'

local function check(code)
  local folder = process.folder()
  process.write(folder.path .. "/bot.lua", HEAD .. code)
  return process.cunnekt({ "check", "bot.lua" }, { cwd = folder.path }).out
end

describe("cunnekt check, of handlers that answer a status,", function()
  it("says where that would never end", function()
    for _, name in ipairs {
      "accepted", "status", "sent", "delivered", "read", "any", "failed", "rejected", "unknown_outcome", "expired",
    } do
      for _, answer in ipairs {
        'status.chat:reply_text "Thanks"', 'local chat = status.chat print "x" return chat:reply_text "Thanks"',
        'status.chat:reply { text = "Thanks" } if x then return end', 'local answer = status.chat:ask "Did you?"',
      } do
        local said = check(("bot:on('%s', function(status)\n  %s\nend)"):format(name, answer))
        assert.matches(("bot.lua:4: bot:on: every '%s' is answered here, and the answer has one, too"):format(name), said, 1, true)
      end
    end
  end)

  it("leaves alone what looks first, or answers later", function()
    for _, code in ipairs {
      'bot:on("read", function(status) if status.track then status.chat:reply_text "x" end end)',
      'bot:on("read", function(status) if not status.track then return end status.chat:reply_text "x" end)',
      'bot:on("read", cunnekt.filter.from "919999999999", function(status) status.chat:reply_text "x" end)',
      'bot:on("failed", function(status) bot:chat("919999999999"):reply_text("failed: " .. status.id) end)',
      'bot:on("read", function(status) bot:after(60, "x " .. status.id, function() status.chat:reply_text "x" end) end)',
      'bot:on("message", function(msg) msg:reply_text "x" end)',
      'bot:on("read", function(status) while status.track do status.chat:reply_text "x" break end end)',
      'bot:on("read", function(status) print(status.id) end)',
      'bot:on("read", function(status) return status.track and status.chat:reply_text "x" end)',
      'bot:on("read", function(status) local sent = status.track and (status.chat:reply_text "x") or nil end)',
      'bot:on("read", function(s) if not s.track then print "x" elseif s.chat:ask "Well?" then print "y" end end)',
      'bot:on("read", function(status) if not status.track then goto done end status.chat:reply_text "x" ::done:: end)',
      'bot:on("read", function(status) assert(status.track, "not ours") status.chat:reply_text "x" end)',
      'bot:on("played", function(status) status.chat:reply_text "x" end)', -- a text is never played
      'bot:on("status", function(s) if not s.track then return end return "next" end) bot:on("read", function(s) s.chat:reply_text "x" end)',
      'bot:use(function(event, go_on) if event.track then go_on() end end) bot:on("read", function(s) s.chat:reply_text "x" end)',
      'local other = cunnekt.bot() bot:on("read", function() other:chat("919999999999"):reply_text "x" end)',
    } do
      assert.not_matches("never end", check(code), code)
    end
  end)
end)
