-- A minimal HTTP API with a shop's orders, for trying order_status.lua.
-- SPDX-License-Identifier: MIT
-- cunnekt run examples/order_api.lua [PORT]     then: curl http://127.0.0.1:9000/orders/4711
local cunnekt = require "cunnekt"
local core = require "cunnekt.core" -- the sandbox's web server; a real order system is a separate program

local orders = {
  ["4711"] = { state = "packed", arrives = "tomorrow" },
  ["4712"] = { state = "on its way", arrives = "today" },
  ["4713"] = { state = "delivered" },
}

local json_type = { "Content-Type: application/json" }

local listener = assert(core.listen({ port = math.tointeger(tonumber(arg and arg[1])) or 9000 }, function(exchange, method, path)
  local order = method == "GET" and orders[path:match "^/orders/(%w+)$"]
  if order then
    exchange:answer(200, cunnekt.json.encode(order), json_type)
  else
    exchange:answer(404, cunnekt.json.encode { error = "there is no such order" }, json_type)
  end
end))
print("the order book is at http://127.0.0.1:" .. listener:port())
