-- Looks up an order in a CRM over HTTP; other customers are not blocked.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local CRM = os.getenv "CRM_URL" or "http://127.0.0.1:9000"

bot:on("text", "order (%d+)", function(msg)
  local number = msg.text:match "order (%d+)"
  local answer, err = cunnekt.http.get(("%s/orders/%s"):format(CRM, number), { timeout = 5 })
  if not answer then
    print("the CRM did not answer:", err)
    return msg:reply_text "Our order book is closed right now. Please ask again in a minute."
  elseif answer.status == 404 then
    return msg:reply_text(("There is no order %s."):format(number))
  end
  local order = cunnekt.json.decode(answer.body)
  msg:reply_text(("Order %s is %s."):format(number, order and order.state or "being looked for"))
end)

-- customer: where is order 4711?
-- http GET http://127.0.0.1:9000/orders/4711 -> 200 {"id":4711,"state":"packed"}
-- bot: Order 4711 is packed.
-- customer: order 1
-- http GET http://127.0.0.1:9000/orders/1 -> 404 {"error":"no such order"}
-- bot: There is no order 1.
