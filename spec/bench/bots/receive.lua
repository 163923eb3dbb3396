-- SPDX-License-Identifier: MIT
-- A bot whose handler does nothing: what remains is taking events in, storing them and calling a handler.
local cunnekt = require "cunnekt"

local bot = cunnekt.bot { api_key = "bench", listen = "127.0.0.1:" .. os.getenv "BENCH_PORT" }
bot:on("any", function() end)
bot:run()
