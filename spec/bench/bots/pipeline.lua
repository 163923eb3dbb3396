-- SPDX-License-Identifier: MIT
-- A bot that answers each text with another, without limits on how fast.
local cunnekt = require "cunnekt"

local memory = os.getenv "BENCH_MEMORY"
local bot = cunnekt.bot {
  api_key = "bench",
  base_url = os.getenv "BENCH_SINK",
  listen = "127.0.0.1:" .. os.getenv "BENCH_PORT",
  rate = 0,
  pair_rate = 0,
  budget = { memory = memory ~= "" and memory or nil },
}
bot:on("text", function(msg)
  msg:reply_text("Thank you for your " .. msg.text .. ". It will be with you tomorrow evening.")
end)
bot:run()
