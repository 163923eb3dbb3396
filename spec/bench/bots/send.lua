-- SPDX-License-Identifier: MIT
-- Sends texts, 64 at a time, until it is stopped.
local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"

local client = cunnekt.client { api_key = "bench", base_url = os.getenv "BENCH_SINK", rate = 0, pair_rate = 0 }
local text = ("."):rep(101) -- a body of 150 bytes, as all send

local function send_on()
  while true do
    local sent, err = client:send_text("919999999999", text)
    if not sent then
      error(err)
    end
  end
end

cunnekt.run(function()
  local senders = {}
  for i = 1, 64 do
    senders[i] = task.spawn(send_on)
  end
  task.join(senders[1])
end)
