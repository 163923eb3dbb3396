-- Sends a template to a list of numbers and exits: a client without a bot.
-- SPDX-License-Identifier: MIT
-- cunnekt run notify.lua TEMPLATE NUMBER …
local cunnekt = require "cunnekt"
local client = cunnekt.client()

local template, failed = arg[1], 0
for i = 2, #arg do
  local sent, err = client:send_template(arg[i], template, { body = { "Diwali sale", "20 %" } })
  if sent then
    print(arg[i], sent.message_id)
  else
    failed = failed + 1
    print(arg[i], err)
  end
end
os.exit(failed == 0)
