-- SPDX-License-Identifier: MIT
-- The provider of ../stops.lua, in the test's own process: what it has received, taken, answered and cut is known exactly,
-- and when. It does to each request what the host's life (see ../stops.lua) is to meet, and judges nothing.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"

local provider = {}

local function pick(list)
  return list[math.random(#list)]
end

local provider_methods = {}
local provider_mt = { __index = provider_methods }

-- What it does to a request.
local ways = {}

---A provider on a free port.
function provider.new()
  local self = setmetatable({
    life = { number = 0, way = "quick" }, -- of the host
    received = 0, -- requests in this life
    requests = {}, -- text → its last request
    taken = {}, -- text → how often
    order = {}, -- contact → texts as they were taken
    doubtful = {}, -- texts whose outcome the host did not know, ever
    doubtful_count = 0,
    certain = 0, -- texts that were taken, without the doubtful ones
  }, provider_mt)
  self.listener = assert(core.listen({ host = "127.0.0.1", port = 0 }, function(exchange, method, _, _, body)
    if method == "GET" then
      return exchange:answer(200, "")
    end
    local payload = json.decode(body)
    self:receive { text = payload.text, contact = payload.mobile, exchange = exchange }
  end))
  self.url = ("http://127.0.0.1:%d"):format(self.listener:port())
  return self
end

---Notes a request, and does to it what this life is to meet.
function provider_methods:receive(request)
  request.life = self.life
  self.received = self.received + 1
  self.requests[request.text] = request
  ways[self.life.way](self, request)
end

---Takes the message of a request: the customer will have it.
function provider_methods:take(request)
  local text, order = request.text, self.order[request.contact] or {}
  self.order[request.contact] = order
  order[#order + 1] = text
  self.taken[text] = (self.taken[text] or 0) + 1
  if self.taken[text] == 1 and not self.doubtful[text] then
    self.certain = self.certain + 1
  end
end

---Notes that the host does not know what became of a message.
function provider_methods:doubt(text)
  self.doubtful[text], self.doubtful_count = true, self.doubtful_count + 1
  if self.taken[text] then
    self.certain = self.certain - 1
  end
end

local accepted = '{"messaging_product":"whatsapp","messages":[{"id":"wamid.%s"}]}'

function provider_methods:answer(request, status, header)
  if not self.is_closed and request.exchange:answer(status, status == 200 and accepted:format(request.text) or "", { header }) then
    request.answered_at, request.was_refused = clock.monotonic(), status ~= 200
  end
  request.exchange = nil
end

function provider_methods:answer_later(request, seconds)
  clock.after(seconds, function()
    self:answer(request, 200)
  end)
end

---Waits until everything that an ended host had written was read: these requests come behind it.
function provider_methods:read_the_rest()
  for _ = 1, 2 do
    assert(http.get(self.url))
  end
end

function provider_methods:close()
  self.is_closed = true
  self.listener:close()
end

provider_mt.__close = provider_methods.close

function ways.quick(self, request)
  self:take(request)
  self:answer(request, 200)
end

function ways.slow(self, request)
  self:take(request)
  self:answer_later(request, 0.2 + math.random() * (self.life.slowest - 0.2))
end

-- After the host has given up.
function ways.late(self, request)
  self:take(request)
  self:answer_later(request, self.life.timeout * (1.5 + math.random()))
end

function ways.unavailable(self, request)
  self:answer(request, 503, math.random() < 0.3 and "Retry-After: 1" or nil)
end

function ways.limited(self, request)
  self:answer(request, 429, "Retry-After: " .. pick { 1, 2, 30 })
end

function ways.reset(self, request)
  if math.random() < 0.5 then
    self:take(request)
  end
  request.is_cut = true
  request.exchange:cut()
end

function ways.mixed(self, request)
  ways[pick { "quick", "quick", "quick", "slow", "unavailable", "limited", "reset" }](self, request)
end

return provider
