-- Customers ask for the status of an order; the answer comes from a shop's HTTP API (order_api.lua is a small one).
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local API = os.getenv "ORDER_API" or "http://127.0.0.1:9000"
local MINUTE = 60

-- Returns the order, or nil and the problem; an answered request is not repeated after a crash.
local function find_order(number)
  local answer, err = cunnekt.http.get(("%s/orders/%s"):format(API, number), { timeout = 5 })
  if not answer or answer.status >= 500 then
    return nil, "unreachable", err
  elseif answer.status ~= 200 then
    return nil, "unknown"
  end
  return cunnekt.json.decode(answer.body)
end

-- Asks the shop's API up to three times, with growing pauses: its server may be down for a while.
local function find_patiently(chat, number)
  for pause = 1, 3 do
    local order, problem = find_order(number)
    if order or problem == "unknown" then
      return order
    elseif pause == 1 then
      chat:reply_text "Our order book is closed right now. I keep asking and write to you."
    end
    chat:sleep(pause * 10 * MINUTE)
  end
  chat:reply_text "I could not find out. Somebody will look into it."
  return nil, "given up"
end

bot:dialog("order status", function(chat)
  local number, err = chat:ask("What is the number of your order?", {
    check = function(msg)
      return msg.text:match "^%s*%d+%s*$" ~= nil, "It has digits only, as 4711."
    end,
    tries = 3,
  })
  if not number then
    return chat:reply_text(err.kind == "tries" and "Never mind. Write order to try again." or tostring(err))
  end
  number = number.text:match "%d+"
  local order, problem = find_patiently(chat, number)
  if problem then
    return
  elseif not order then
    return chat:reply_text(("There is no order %s."):format(number))
  end
  chat:reply_text(("Order %s is %s%s."):format(number, order.state, order.arrives and ", and comes " .. order.arrives or ""))
  if order.arrives then
    local more = chat:ask_buttons {
      body = "Shall I ask again in an hour?", timeout = 10 * MINUTE,
      buttons = { { id = "yes", title = "Yes, please" }, { id = "no", title = "No, thanks" } },
    }
    if more and more.reply.id == "yes" then
      chat:sleep(60 * MINUTE)
      local now = find_patiently(chat, number)
      chat:reply_text(("An hour later order %s is %s."):format(number, now and now.state or "not to be found"))
    end
  end
end, {
  -- While it waits for the order book, or is sent a photo in the place of an answer, the dialog goes on.
  unexpected = function(msg)
    msg:reply_text "One thing after the other: I write to you as soon as I know more."
  end,
})

bot:on("message", function(msg)
  msg:start "order status"
end)

-- customer: hi
-- bot: What is the number of your order?
-- customer: soon
-- bot: It has digits only, as 4711.
-- customer: 4711
-- http GET http://127.0.0.1:9000/orders/4711 -> 200 {"id":4711,"state":"packed"}
-- bot: Order 4711 is packed.
-- customer: 12
-- bot: What is the number of your order?
-- customer: 12
-- http GET http://127.0.0.1:9000/orders/12 -> 404 {"error":"no such order"}
-- bot: There is no order 12.
