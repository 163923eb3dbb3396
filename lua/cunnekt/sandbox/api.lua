-- SPDX-License-Identifier: MIT
-- The provider's three endpoints in the sandbox: checks the API key, the message as the client does, and the service
-- window; answers with a message id, and starts the statuses. Where the provider documents no answer, it has Meta's form.
-- Faults are chosen by faults.lua and carried out here.
local build = require "cunnekt.provider.build"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local ids = require "cunnekt.sandbox.ids"
local json = require "cunnekt.base.json"

local api = {}

local JSON = { "Content-Type: application/json" }

-- Meta's codes, https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
local AUTHENTICATION, INVALID, BAD_VALUE, OUTSIDE_WINDOW = 190, 100, 131009, 131047

local CLOSED = "Re-engagement message: more than 24 hours have passed since the customer last wrote; send a template"

local api_methods = {}
local api_mt = { __index = api_methods, __name = "cunnekt.sandbox_api" }

---@param opts { state: table, faults: table, webhooks: table, api_key: string|nil, on_event: fun(event: table) }
---@return table api
function api.new(opts)
  return setmetatable({
    _state = opts.state,
    _faults = opts.faults,
    _webhooks = opts.webhooks,
    _api_key = opts.api_key,
    _on_event = opts.on_event,
    _held = {},
  }, api_mt)
end

local function answer_error(exchange, status, code, message, headers)
  local body = { error = { message = message, type = "OAuthException", code = code, fbtrace_id = ids.conversation() } }
  exchange:answer(status, json.encode(body), headers or JSON)
end

-- Without a configured key the sandbox accepts any: it protects nothing.
local function has_key(self, exchange)
  local key = exchange:header "API-KEY"
  if not key or key == "" then
    return false
  end
  return not self._api_key or core.equal(key, self._api_key)
end

-- The message after the client's checks, and its recipient; or nil with a code and a sentence.
local function read_payload(body, endpoint)
  local payload, err = json.decode(body)
  if not payload then
    return nil, INVALID, "the body is not JSON: " .. err.message
  end
  -- What raises in the client, such as a field of a wrong type, is an invalid message here.
  local ok, checked, failure = pcall(build.send, payload)
  if not ok then
    return nil, INVALID, tostring(checked)
  elseif not checked then
    return nil, failure.limit and BAD_VALUE or INVALID, failure.message
  end
  local wanted = build.endpoint(payload)
  if wanted ~= endpoint then
    return nil, INVALID, ("this message belongs to /v1/%s"):format(wanted)
  end
  return payload, checked.mobile
end

local ACCEPTED = '{"messaging_product":"whatsapp","contacts":[{"input":%s,"wa_id":"%s"}],"messages":[{"id":"%s"}]}'

local function answer_accepted(exchange, entry)
  exchange:answer(200, ACCEPTED:format(json.encode(entry.payload.mobile), entry.contact, entry.id), JSON)
end

local function take(self, exchange, payload, endpoint, contact)
  local kind = endpoint == "sendnotification" and "template" or payload.type
  local entry = self._state:add {
    direction = "out", contact = contact, id = ids.outbound(contact), type = kind, endpoint = endpoint, payload = payload,
    key = exchange:header "API-KEY",
  }
  self._on_event { kind = "out", entry = entry }
  return entry
end

-- Delays the answer of an exchange, which must stay referenced: a collected one is answered 500.
local function hold(self, exchange, seconds, fn)
  local timer
  timer = clock.after(seconds, function()
    self._held[timer] = nil
    fn()
  end)
  self._held[timer] = exchange
end

local FAULTY = {}

function FAULTY.status(_, fault, exchange)
  local headers = { JSON[1] }
  if fault.retry_after then
    headers[2] = ("Retry-After: %d"):format(fault.retry_after)
  end
  answer_error(exchange, fault.status, fault.code or 131000, fault.title or "Something went wrong", headers)
end

function FAULTY.delay(self, fault, exchange, entry)
  hold(self, exchange, fault.seconds, function()
    if entry then
      answer_accepted(exchange, entry)
    else
      answer_error(exchange, 503, 131016, "Service unavailable")
    end
  end)
end

function FAULTY.drop(self, fault, exchange)
  hold(self, exchange, fault.seconds, function()
    exchange:cut()
  end)
end

function FAULTY.reset(_, _, exchange)
  exchange:cut()
end

function FAULTY.garbage(_, _, exchange)
  exchange:answer(200, "<html><body>Bad gateway \xff\xfe{\"messages\":[</body></html>", { "Content-Type: text/html" })
end

function FAULTY.empty(_, _, exchange)
  exchange:answer(200, "", JSON)
end

function FAULTY.failed(_, _, exchange, entry)
  answer_accepted(exchange, entry)
end

FAULTY.reorder = FAULTY.failed

local function send_with_fault(self, fault, exchange, payload, endpoint, contact)
  if fault.kind == "slow" then
    return hold(self, exchange, fault.seconds, function()
      local entry = take(self, exchange, payload, endpoint, contact)
      answer_accepted(exchange, entry)
      self._webhooks:announce(entry)
    end)
  end
  local entry = fault.accept and take(self, exchange, payload, endpoint, contact) or nil
  FAULTY[fault.kind](self, fault, exchange, entry)
  if entry then
    self._webhooks:announce(entry, fault)
  end
end

local function refuse(self, exchange, code, message, contact)
  self._state.counts.refused = self._state.counts.refused + 1
  self._on_event { kind = "refused", code = code, message = message, contact = contact }
  answer_error(exchange, 400, code, ("(#%d) %s"):format(code, message))
end

local function send(self, exchange, endpoint, body)
  local payload, contact, message = read_payload(body, endpoint)
  if not payload then
    return refuse(self, exchange, contact, message)
  end
  if endpoint == "sendreplymessage" and self._state:window(contact) <= 0 then
    return refuse(self, exchange, OUTSIDE_WINDOW, CLOSED, contact)
  end
  local fault = self._faults:for_send(contact)
  if fault then
    return send_with_fault(self, fault, exchange, payload, endpoint, contact)
  end
  local entry = take(self, exchange, payload, endpoint, contact)
  answer_accepted(exchange, entry)
  self._webhooks:announce(entry)
end

local function get_media(self, exchange, query)
  local id = http.parse_query(query or "").messageId
  local entry = id and self._state:find(id)
  if not entry or not entry.file then
    return answer_error(exchange, 404, INVALID, "no media file is known for this messageId")
  end
  exchange:answer(200, entry.file.data, { "Content-Type: " .. entry.file.mime_type })
end

local METHODS = { sendnotification = "POST", sendreplymessage = "POST", getmediafile = "GET" }

---Answers a request under /v1/.
---@param exchange userdata
---@param method string
---@param endpoint string what follows /v1/
---@param query string|nil
---@param body string|nil
function api_methods:handle(exchange, method, endpoint, query, body)
  local wanted = METHODS[endpoint]
  if not wanted then
    return answer_error(exchange, 404, INVALID, "there is no such endpoint")
  elseif not has_key(self, exchange) then
    return answer_error(exchange, 401, AUTHENTICATION, "Authentication error: the API-KEY header is missing or wrong")
  elseif method ~= wanted then
    return answer_error(exchange, 405, INVALID, "this endpoint takes " .. wanted, { JSON[1], "Allow: " .. wanted })
  elseif endpoint == "getmediafile" then
    return get_media(self, exchange, query)
  end
  return send(self, exchange, endpoint, body or "")
end

---Cuts the connections of requests that faults delay.
function api_methods:close()
  for timer, exchange in pairs(self._held) do
    timer:close()
    exchange:cut()
  end
  self._held = {}
end

return api
