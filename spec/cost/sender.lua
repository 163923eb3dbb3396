-- SPDX-License-Identifier: MIT
-- Sends so many texts, sixteen at a time: what spec/cost/messages.lua counts.

local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"

local AT_ONCE = 16
local each = math.tointeger(tonumber(arg[1])) // AT_ONCE
local client = cunnekt.client()
local text = ("."):rep(101) -- as in spec/bench

cunnekt.run(function()
  local senders = {}
  for i = 1, AT_ONCE do
    senders[i] = task.spawn(function()
      for _ = 1, each do
        assert(client:send_text("919999999999", text))
      end
    end)
  end
  for _, sender in ipairs(senders) do
    task.join(sender)
  end
end)
