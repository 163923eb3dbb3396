-- SPDX-License-Identifier: MIT
-- The load of both counts: webhooks of 473 bytes, as in spec/bench/drive, and a provider that takes messages. The
-- provider can hold its answers until all messages of a round are there. Knows nothing of what is counted.

local core = require "cunnekt.core"

local traffic = {}

local SIZE = 473
local said = 0

local form = '{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{'
  .. '"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881",'
  .. '"phone_number_id":"106540352242922"},"contacts":[{"profile":{"name":"Asha Rao"},"wa_id":"%s"}],'
  .. '"messages":[{"from":"%s","id":"wamid.cost%012d","timestamp":"%d","type":"text","text":{"body":"%s'
local tail = '"}}]},"field":"messages"}]}]}'

---The body of a webhook with a text, which is filled up to the size of all bodies.
---@param contact integer at most ten digits
---@param text string
---@return string body
function traffic.body(contact, text)
  said = said + 1
  local number = ("91%010d"):format(contact)
  local head = form:format(number, number, said, math.floor(core.now()), text)
  return head .. ("."):rep(SIZE - #head - #tail) .. tail
end

---Sends a webhook over a kept connection. Whatever is no 200 ends the program.
---@param url string
---@param contact integer
---@param text string
---@param done fun()
function traffic.send(url, contact, text, done)
  core.request({
    method = "POST",
    url = url,
    body = traffic.body(contact, text),
    headers = { "Content-Type: application/json" },
    timeout_ms = 60000,
  }, function(status, ...)
    if status ~= 200 then
      io.stderr:write(("a webhook was not taken: %s\n"):format(table.concat({ tostring(status), ... }, " ", 1, 2)))
      os.exit(1, false)
    end
    done()
  end)
end

---@class traffic.provider
---@field taken integer messages that have come
---@field held table[] those that wait for `answer_held`
---@field url string

local provider_methods = {}
local provider_mt = { __index = provider_methods }

local function answer(self, exchange)
  self.answered = self.answered + 1
  local id = ('{"messaging_product":"whatsapp","messages":[{"id":"wamid.out%012d"}]}'):format(self.answered)
  exchange:answer(200, id, { "Content-Type: application/json" })
end

---@param is_holding boolean
---@return traffic.provider
function traffic.provider(is_holding)
  local self = setmetatable({ taken = 0, answered = 0, held = {} }, provider_mt)
  self.listener = assert(core.listen({ port = 0 }, function(exchange)
    self.taken = self.taken + 1
    if is_holding then
      table.insert(self.held, exchange)
    else
      answer(self, exchange)
    end
  end))
  self.url = ("http://127.0.0.1:%d"):format(self.listener:port())
  return self
end

---Answers what is held.
function provider_methods:answer_held()
  local held = self.held
  self.held = {}
  for _, exchange in ipairs(held) do
    answer(self, exchange)
  end
end

return traffic
