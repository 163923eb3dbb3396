-- SPDX-License-Identifier: MIT
-- The webhook server: checks requests, gives their events to the inbox, and answers 200 once they are stored. It knows no
-- handlers. The HTTP protocol is src/http/in's, the format of webhooks provider/webhook.lua's.

local address = require "cunnekt.base.address"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local http = require "cunnekt.provider.http"
local limits = require "cunnekt.provider.limits"
local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local local_page = require "cunnekt.base.local_page"
local network = require "cunnekt.base.network"
local retry = require "cunnekt.provider.retry"
local webhook = require "cunnekt.provider.webhook"

local webhook_server = {}

-- Clients that send a byte per second hold a connection, of some kilobytes, until its deadline: valid requests must still
-- get through beside thousands of them.
local max_connections = 16384

-- A database may be away, or wait for a standby of its own, for longer than a sender of webhooks waits. What is stored in the end
-- is handled, and recognised when it comes again.
local answer_timeout_ms = 5000

local signature_field = "X-Hub-Signature-256"

local server_methods = {}
local server_mt = { __index = server_methods, __name = "cunnekt.webhook_server" }

-- What to look at, where the request says no more. Others are a browser's or a scanner's.
local reasons = {
  [400] = "the request or its body is malformed",
  [401] = "the signature is missing or does not match the body: compare CUNNEKT_APP_SECRET with the app's secret",
  [404] = "the path is another one than the webhook's: compare the address at the provider with CUNNEKT_WEBHOOK_PATH and CUNNEKT_WEBHOOK_SECRET",
  [413] = "the body is too large",
}

local wrong_token = "its verify token is another one: compare CUNNEKT_VERIFY_TOKEN with the token at the provider"
local no_token = "it asks for a handshake: set CUNNEKT_VERIFY_TOKEN to the token at the provider"
local foreign_page = "a page of another site asked, in a browser: set CUNNEKT_WEBHOOK_SECRET if it is a tool of yours"

-- Logs that requests are refused.
local function note_refusal(self, status, reason, count)
  local times = reason and self._log_pace:note(reason, count)
  if times then
    log.warn("refused with %d%s: %s", status, times > 1 and (" (%d times)"):format(times) or "", reason)
  end
end

local function refuse(exchange, status, message, headers)
  headers = headers or {}
  headers[#headers + 1] = "Content-Type: text/plain; charset=utf-8"
  exchange:answer(status, message .. "\n", headers)
end

local function path_of(settings)
  return settings.webhook_secret and "/webhook/" .. settings.webhook_secret or settings.webhook_path or "/webhook"
end

local function is_webhook(self, path)
  if self._settings.webhook_secret then
    return core.equal(path, self._path)
  end
  return path == self._path
end

local function busy(exchange, message)
  refuse(exchange, 503, message, { ("Retry-After: %d"):format(retry.sender) })
end

-- A webhook is not stored, or not as a whole. Of a store that cannot be written the log says more elsewhere.
local function refuse_webhook(self, exchange, err)
  if err.kind == "too_large" then
    note_refusal(self, 413, reasons[413])
    refuse(exchange, 413, "the body holds " .. err.message)
  elseif err.kind == "invalid" then
    note_refusal(self, 400, reasons[400])
    refuse(exchange, 400, err.message) -- with the byte, and nothing of the body
  elseif err.kind == "busy" then
    note_refusal(self, 503, err.message)
    busy(exchange, err.message)
  else
    busy(exchange, "the events cannot be stored now")
  end
end

local function receive(self, exchange, body)
  local secret = self._settings.app_secret
  if secret and not webhook.check_signature(exchange:header(signature_field), body, secret) then
    note_refusal(self, 401, reasons[401])
    return refuse(exchange, 401, "the signature does not match the body")
  end
  local is_taken, err = self._inbox:accept(body, self._answer_stored, exchange)
  if not is_taken then
    refuse_webhook(self, exchange, err)
  end
end

local function answer_handshake(self, exchange, query)
  local challenge = webhook.verify(query, self._settings.verify_token)
  if not challenge then
    note_refusal(self, 403, query["hub.mode"] and wrong_token)
    return refuse(exchange, 403, "the verify token does not match")
  end
  exchange:answer(200, challenge, { "Content-Type: text/plain" })
end

local function answer_get(self, exchange, query)
  query = http.parse_query(query or "")
  if self._settings.verify_token then
    return answer_handshake(self, exchange, query)
  end
  note_refusal(self, 405, query["hub.mode"] and no_token)
  refuse(exchange, 405, "send a POST", { "Allow: POST" })
end

local function on_request(self, exchange, method, path, query, body)
  if not is_webhook(self, path) then
    note_refusal(self, 404, reasons[404])
    refuse(exchange, 404, "not found")
  elseif self._is_open and exchange:header "Origin" and local_page.is_foreign(exchange) then -- browsers say it in each POST
    note_refusal(self, 403, foreign_page)
    refuse(exchange, 403, "a page of another site may not ask here")
  elseif method == "POST" then
    receive(self, exchange, body)
  elseif method == "GET" then
    answer_get(self, exchange, query)
  else
    refuse(exchange, 405, "send a POST", { self._settings.verify_token and "Allow: GET, POST" or "Allow: POST" })
  end
end

local is_everywhere = { ["0.0.0.0"] = true, ["::"] = true }

-- Anybody who finds the address could write as any customer.
local function warn_of_open_address(host, settings)
  if is_everywhere[host] and not (settings.webhook_secret or settings.app_secret) then
    log.warn "listening on all addresses without a secret: set CUNNEKT_WEBHOOK_SECRET or CUNNEKT_APP_SECRET, or anybody can write as a customer"
  end
end

-- Those of this process.
local open_servers = {}

-- The server of this process that has an address.
local function holder_of(host, port)
  for one in pairs(open_servers) do
    local its_host = one._listener:address()
    local is_same = its_host == host or is_everywhere[its_host] or is_everywhere[host]
    if is_same and one._listener:port() == port then
      return one
    end
  end
  return nil
end

-- What to do about an address that is in use.
local function hint_for(host, port)
  local holder = holder_of(host, port)
  if not holder then
    return "; stop the program that has it, or choose another one (CUNNEKT_LISTEN=HOST:PORT)"
  end
  local text = "; the bot of %s has it; give each bot a listen of its own, cunnekt.bot{ listen = \"%s\" }"
  return text:format(holder._place or "this script", address.beside(host, port))
end

---Opens the webhook server.
---@param settings table listen, webhook_path or webhook_secret, app_secret, verify_token
---@param inbox table
---@param place? string where the script makes its bot, such as "bot.lua:2"
---@return table? server
---@return cunnekt.error? err
function webhook_server.open(settings, inbox, place)
  local host, port = address.parse(settings.listen)
  if not host then
    return nil, port
  end
  local self = setmetatable({
    _settings = settings,
    _inbox = inbox,
    _place = place,
    _path = path_of(settings),
    _log_pace = log_pace.new(),
    -- Without a secret nothing but this keeps pages, shown by a browser on the same machine, from writing as customers.
    _is_open = not (settings.webhook_secret or settings.app_secret),
  }, server_mt)
  self._answer_stored = function(problem, exchange)
    if problem then
      return refuse_webhook(self, exchange, problem)
    end
    exchange:answer(200)
  end
  local listener, message = network.listen({
    host = host,
    port = port,
    -- Nothing is kept of bodies that the head alone rules out: 98 of them for a wrong path took the room of all others.
    body_path = self._path,
    body_field = settings.app_secret and signature_field or nil,
    max_body = limits.webhook_bytes,
    max_connections = max_connections,
    answer_timeout_ms = answer_timeout_ms,
    retry_after_s = retry.sender,
    on_refusal = function(status, count)
      note_refusal(self, status, reasons[status], count)
    end,
  }, function(...)
    on_request(self, ...)
  end)
  if not listener then
    local hint = message:find "in use" and hint_for(host, port) or ""
    return nil, errors.new("network", message .. hint)
  end
  self._listener, open_servers[self] = listener, true
  warn_of_open_address(host, settings)
  return self
end

---Gives webhooks to another inbox from now on.
---@param inbox table
---@param place? string as in webhook_server.open
function server_methods:give_to(inbox, place)
  self._inbox, self._place = inbox, place
end

---Its address, as "host:port".
function server_methods:address()
  return address.format(self._listener:address(), self._listener:port())
end

---Accepts no new connections; open exchanges are answered.
function server_methods:pause()
  open_servers[self] = nil
  self._listener:pause()
end

---Idempotent.
function server_methods:close()
  open_servers[self] = nil
  self._listener:close()
end

return webhook_server
