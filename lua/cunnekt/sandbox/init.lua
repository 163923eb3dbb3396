-- SPDX-License-Identifier: MIT
-- A local Cunnekt for trying scripts and for tests: the provider's endpoints under /v1/, webhooks to a bot, and a control
-- API under /control/. It reaches no real customer. This file opens the listener and connects the parts; several sandboxes
-- can run in one process.
local address = require "cunnekt.base.address"
local api = require "cunnekt.sandbox.api"
local control = require "cunnekt.sandbox.control"
local errors = require "cunnekt.base.errors"
local faults = require "cunnekt.sandbox.faults"
local json = require "cunnekt.base.json"
local local_page = require "cunnekt.base.local_page"
local network = require "cunnekt.base.network"
local options = require "cunnekt.base.options"
local samples = require "cunnekt.sandbox.samples"
local state = require "cunnekt.sandbox.state"
local webhooks = require "cunnekt.sandbox.webhooks"

local sandbox = {}

---@class cunnekt.sandbox_options
---@field host string|nil where to listen (127.0.0.1)
---@field port integer|nil (0: any free one)
---@field api_key string|nil the only valid key (any)
---@field webhook string|nil the bot's URL
---@field app_secret string|nil signs webhooks with it, as Meta does
---@field open boolean|nil all service windows are open (only those of customers who wrote; the sample customer just has)
---@field statuses boolean|nil post sent, delivered and read (true)
---@field read boolean|nil customers read what they receive (true)
---@field delay number|nil seconds before each status (0)
---@field retry number|nil seconds before a refused webhook is posted again, doubled each time (1)
---@field history integer|nil messages that are kept (10000)
---@field on_event fun(event: table)|nil is called for each event: `{kind = "in"|"out"|"status"|"refused"|"webhook_refused", …}`
---@field url_of (fun(entry: table): string?, string?)|nil the URL and the secret for webhooks about a message, where there are several bots; nil: those above
---@field deliver cunnekt.sandbox_deliver|nil takes webhooks in this process instead of their being posted; the usual statuses of a message come together then

---@alias cunnekt.sandbox_deliver fun(body: string, entry: table, is_status: boolean): integer gives the HTTP status; may wait

local OPTIONS = {
  host = "string", port = "integer", api_key = "string", webhook = "string", app_secret = "string", open = "boolean",
  statuses = "boolean", read = "boolean", delay = "number", retry = "number", history = "integer", on_event = "function",
  deliver = "function", url_of = "function",
}

local INDEX = [[
A local Cunnekt, for trying scripts. POST /v1/sendnotification, POST /v1/sendreplymessage and GET /v1/getmediafile are
the provider's; /control/messages, statuses, clock, settings, state and faults are the sandbox's own.
]]

local sandbox_methods = {}
local sandbox_mt = { __index = sandbox_methods, __name = "cunnekt.sandbox" }

local JSON = { "Content-Type: application/json" }

local function route(self, exchange, method, path, query, body)
  local area, name = path:match "^/(%w+)/([%w_]*)/?$"
  -- Under /v1/ the API key does what the content type does elsewhere: no page of another site can send it.
  local status, problem = local_page.refusal(exchange, { is_json = area ~= "v1" and method == "POST" })
  if status then
    return exchange:answer(status, json.encode { error = { message = problem } }, JSON)
  end
  if area == "v1" then
    return self._api:handle(exchange, method, name, query, body)
  elseif area == "control" then
    return self._control:handle(exchange, method, name, query, body)
  elseif path == "/" then
    return exchange:answer(200, INDEX, { "Content-Type: text/plain; charset=utf-8" })
  end
  return exchange:answer(404, '{"error":{"message":"not found"}}', JSON)
end

local function parts(self, o)
  local on_event = o.on_event or function() end
  self.state = state.new { history = o.history or 10000, is_open = o.open or false }
  self._faults = faults.new()
  self._webhooks = webhooks.new {
    state = self.state,
    faults = self._faults,
    secret = o.app_secret,
    statuses = o.statuses ~= false,
    read = o.read ~= false,
    delay = o.delay or 0,
    retry = o.retry or 1,
    on_event = on_event,
    deliver = o.deliver,
    url_of = o.url_of,
  }
  self._webhooks:aim(o.webhook)
  local shared = { state = self.state, faults = self._faults, webhooks = self._webhooks, on_event = on_event }
  self._control = control.new(shared)
  shared.api_key = o.api_key
  self._api = api.new(shared)
end

---Starts a sandbox.
---@param opts cunnekt.sandbox_options|nil
---@return cunnekt.sandbox|nil sandbox `{url, port, state}`; `url` is what comes before /v1 and /control
---@return cunnekt.error|nil err kind network: it cannot listen on the address
function sandbox.new(opts)
  local o = options.check("sandbox.new", opts, OPTIONS)
  local self = setmetatable({}, sandbox_mt)
  parts(self, o)
  -- The sample customer has just written, so the provider's own examples, which are sent there, are accepted.
  self.state:hear(samples.NUMBER, "Asha")
  local host = o.host or "127.0.0.1"
  local listener, problem = network.listen({
    host = host,
    port = o.port or 0,
    max_body = 32 * 1024 * 1024, -- the control API takes files, in base64
    header_timeout_ms = 10000,
    body_timeout_ms = 60000,
    idle_timeout_ms = 120000,
    max_connections = 4096,
    max_per_address = 4096, -- all clients are on the loopback
  }, function(...)
    route(self, ...)
  end)
  if not listener then
    return nil, errors.new("network", problem)
  end
  self._listener = listener
  self.port = listener:port()
  self.url = "http://" .. address.format(host, self.port)
  return self
end

---Sets the bot's webhook URL; nil: none.
---@param url string|nil
function sandbox_methods:aim(url)
  self._webhooks:aim(url)
end

---A customer writes to the bot.
---@param fields table those of POST /control/messages; `data` as bytes; taken
---@return table|nil entry the message in the transcript
---@return cunnekt.error|nil err kind invalid
function sandbox_methods:say(fields)
  local ok, entry = pcall(self._control.say, self._control, fields)
  if not ok then
    return nil, errors.new("invalid", tostring(entry))
  end
  return entry
end

---Whether webhooks wait to be posted, also after a refusal.
---@return boolean
function sandbox_methods:is_busy()
  return self._webhooks.waiting > 0
end

---Stops listening and posting. Closing twice is fine.
function sandbox_methods:close()
  if self._listener then
    self._control:close()
    self._api:close()
    self._webhooks:close()
    self._listener:close()
    self._listener = nil
  end
end

return sandbox
