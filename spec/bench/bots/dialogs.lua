-- SPDX-License-Identifier: MIT
-- A bot whose dialog asks a hundred questions.
local cunnekt = require "cunnekt"

local bot = cunnekt.bot {
  api_key = "bench",
  base_url = os.getenv "BENCH_SINK",
  listen = "127.0.0.1:0",
  rate = 0,
  pair_rate = 0,
  parked = math.tointeger(tonumber(os.getenv "BENCH_PARKED")),
}
bot:dialog("questions", function(chat)
  local total = 0
  for i = 1, 100 do
    local answer = chat:ask(("Question %d: how many?"):format(i))
    total = total + #answer.text
  end
  chat:reply_text(("Together %d."):format(total))
end)
bot:on("text", function(msg)
  msg:start "questions"
end)
bot:run()
