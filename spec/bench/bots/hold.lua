-- SPDX-License-Identifier: MIT
-- A bot that takes events and handles none, so that its store is full of them.
local cunnekt = require "cunnekt"

local bot = cunnekt.bot {
  api_key = "bench",
  base_url = os.getenv "BENCH_SINK",
  listen = "127.0.0.1:" .. os.getenv "BENCH_PORT",
  queue = 1000000,
}
bot:on("text", function()
  cunnekt.sleep(3600)
end)
bot:run()
