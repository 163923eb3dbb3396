-- SPDX-License-Identifier: MIT
-- The client: checks a message, waits for the rate limits, posts it, and retries only when the provider surely did not
-- accept it. The API has no idempotency key: when a request was written and its answer is lost, the message may have been
-- accepted. That is reported as "unknown_outcome" and never retried here.
--
-- Only the closures of `transport` hold the API key: no field and no error has it.

local answer = require "cunnekt.provider.answer"
local build = require "cunnekt.provider.build"
local core = require "cunnekt.core"
local download = require "cunnekt.provider.download"
local errors = require "cunnekt.base.errors"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local limiter = require "cunnekt.provider.limiter"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local personal = require "cunnekt.provider.personal"
local receiver = require "cunnekt.base.receiver"
local redact = require "cunnekt.base.redact"
local retry = require "cunnekt.provider.retry"
local settings = require "cunnekt.provider.settings"
local task = require "cunnekt.base.task"

local client = {}

-- An answer to a send is a few hundred bytes.
local LARGEST_ANSWER = 1024 * 1024
-- Meta's code for too many messages to one contact (see src/engine/limiter.h).
local PAIR_LIMITED = 131056

-- ---- transport ------------------------------------------------------------------------------------------------------

local PLUS = ("+"):byte()

local function recipient_of(payload)
  local mobile = payload.mobile
  return mobile:byte() == PLUS and mobile:match "^%+(%d+)$" or mobile
end

-- What the provider says of a message, or, without one, of a download.
local function sentence(text, payload)
  return payload and personal.refusal(text, payload, recipient_of(payload)) or redact.sentence(text)
end

-- Everything that knows the API key; removes it from `chosen`. Only a header gets it, and no message of ours has it; a
-- server may repeat the key that it refuses, so answers are searched for it before they become errors.
local function transport(chosen)
  local key = chosen.api_key
  chosen.api_key = nil

  local function request_options(extra, has_key)
    extra.timeout = extra.timeout or chosen.timeout
    extra.connect_timeout = chosen.connect_timeout
    extra.ca_file, extra.proxy = chosen.ca_file, chosen.proxy
    -- A redirect would send the key to another server.
    extra.max_redirects = 0
    extra.headers = extra.headers or {}
    extra.headers["API-KEY"] = has_key and key or nil
    extra.headers["User-Agent"] = "cunnekt-lua"
    return extra
  end

  local function sender(endpoint)
    return http.prepare(request_options({
      method = "POST",
      url = chosen.base_url .. "/" .. endpoint,
      headers = { ["Content-Type"] = "application/json", Accept = "application/json" },
      max_bytes = LARGEST_ANSWER,
      min_speed = 0, -- so small an answer ends by its timeout
    }, true))
  end
  local senders = {}

  return {
    -- What posts to an endpoint, as of http.prepare.
    to = function(endpoint)
      local prepared = senders[endpoint] or sender(endpoint)
      senders[endpoint] = prepared
      return prepared
    end,
    -- `most`: max_bytes, timeout, min_speed, as of http.stream.
    open = function(url, has_key, most)
      most = { url = url, max_bytes = most.max_bytes, timeout = most.timeout, min_speed = most.min_speed }
      return http.stream(request_options(most, has_key))
    end,
    timeout = chosen.timeout,
    ---@type cunnekt.answer.cleaner
    cleaner = { without_key = redact.remover(key, "[API key]"), sentence = sentence },
  }
end

-- ---- the client -----------------------------------------------------------------------------------------------------

---@class cunnekt.client
---@field base_url string
---@field numbers cunnekt.build.options how recipients' numbers are read and written
local client_methods = {}
local client_mt = { __index = client_methods, __name = "cunnekt.client" }

function client_mt:__tostring()
  return ("cunnekt.client (%s)"):format(http.origin(self.base_url))
end

---@class cunnekt.client.options
---@field api_key? string CUNNEKT_API_KEY by default
---@field base_url? string CUNNEKT_BASE_URL by default, else the provider's
---@field timeout? number seconds for a whole request; 30 by default
---@field connect_timeout? number seconds; 10 by default
---@field ca_file? string certificates to trust instead of the system's
---@field proxy? string URL of a proxy
---@field retries? integer how often a send that surely was not accepted is retried; 3 by default
---@field rate? number messages a second; CUNNEKT_RATE by default, else 80; 0: no limit
---@field pair_rate? number messages a second to one contact, after a burst of 45; CUNNEKT_PAIR_RATE by default, else
---one in 6 s; 0: no limit
---@field mobile_format? "digits"|"plus" how the number is sent; "digits" by default
---@field default_country? string|integer country code for numbers that are written without one

local NO_KEY = "cunnekt.client: there is no API key; put it into the environment variable CUNNEKT_API_KEY, "
  .. "or give it as the option api_key (it is on the API page of the Cunnekt dashboard)"

---Makes a client. Raises what is wrong with its options.
---@param opts? cunnekt.client.options
---@param level? integer whose line the error about a missing key names, as in `error`; 1: the caller's
---@return cunnekt.client
function client.new(opts, level)
  opts = options.check("cunnekt.client", opts, settings.client_types, 3, settings.known)
  local chosen = settings.load {
    script = opts,
    where = "cunnekt.client",
    conf_path = false,
    names = settings.client_types,
  }
  if not chosen.api_key then
    error(NO_KEY, (level or 1) + 1)
  end
  chosen.base_url = chosen.base_url:gsub("/+$", "")
  return setmetatable({
    base_url = chosen.base_url,
    numbers = { mobile_format = chosen.mobile_format, default_country = chosen.default_country },
    _transport = transport(chosen),
    _limiter = limiter.new { rate = chosen.rate, pair_rate = chosen.pair_rate },
    _retries = chosen.retries,
  }, client_mt)
end

-- ---- one delivery ---------------------------------------------------------------------------------------------------

local LOST = "the request was written, but its answer was lost (%s); the message may have been accepted or not, "
  .. "and is not sent again"

-- The error for a request without an answer.
local function without_answer(err)
  if err.kind == "invalid" then
    return err
  elseif err.sent ~= false then
    return errors.new("unknown_outcome", LOST:format(err.message), { cause = err.kind, retryable = false, sent = true })
  end
  -- Nothing was written. The next connection may succeed; a bad certificate stays bad.
  err.retryable = err.kind == "network" or err.kind == "timeout"
  return err
end

-- What became of a message, by what its request has given.
local function outcome_of(self, payload, response, transport_err)
  if not response then
    return nil, without_answer(transport_err)
  end
  local sent, err = answer.read(response.status, response.headers, response.body, self._transport.cleaner, payload)
  if err and err.code == PAIR_LIMITED then
    err.retry_after = math.max(err.retry_after or 0, self._limiter:penalise(payload.mobile))
  end
  return sent, err
end

local function read(self, payload, prepared, status, body, ...)
  local sent = status and answer.read_usual(status, body)
  if sent then
    return sent
  end
  return outcome_of(self, payload, prepared.read(status, body, ...))
end

local function post_once(self, payload, body)
  local prepared = self._transport.to(build.endpoint(payload))
  return read(self, payload, prepared, prepared.post(body))
end

local function wait_for(seconds)
  if seconds > 0 then
    task.sleep(seconds)
  end
end

local function penalised(seconds)
  local message = "too many messages were sent to this contact; WhatsApp accepts none for now"
  return errors.new("rate_limited", message, { code = PAIR_LIMITED, retryable = true, retry_after = seconds })
end

-- Waits until both limits allow the message: the contact's first, so that no token of the number is used too early.
local function wait_for_turn(self, contact)
  local seconds, is_whole, is_penalised = self._limiter:reserve(contact, retry.max_wait)
  if not seconds then
    return nil, penalised(is_whole)
  end
  wait_for(seconds)
  if not is_whole then
    wait_for(self._limiter:reserve_number())
  end
  return true, is_penalised
end

-- Seconds until the next attempt; nil when there is none, or it would be too late.
local function pause_before_retry(err, attempt)
  if not err.retryable then
    return nil
  end
  local pause = err.retry_after or retry.request(attempt)
  return pause <= retry.max_wait and pause or nil
end

-- The payload with the number as this client writes it; builders may have been called without its options.
local function addressed(self, payload)
  if self.numbers.mobile_format ~= "plus" or not payload.mobile:find "^%d" then
    return payload
  end
  local copy = {}
  for name, value in pairs(payload) do
    copy[name] = value
  end
  copy.mobile = "+" .. payload.mobile
  return copy
end

local function encoded(self, payload)
  if type(payload) ~= "table" or type(payload.mobile) ~= "string" then
    error("client:deliver: the payload must be one that a builder made", 3)
  end
  local ok, body = pcall(json.encode, addressed(self, payload))
  if not ok and body == "not enough memory" then
    error(body, 0) -- not a fault of the message
  elseif not ok then
    return nil, errors.new("invalid", "the payload cannot be written as JSON: " .. tostring(body))
  end
  return body
end

local deliver_options = { retries = "integer" }

local function deliver(self, payload, body, last)
  local contact, err = payload.mobile, nil
  for attempt = 1, last do
    local may_go, is_penalised = wait_for_turn(self, contact)
    if not may_go then
      return nil, is_penalised -- the error
    end
    local sent
    sent, err = post_once(self, payload, body)
    if sent then
      if is_penalised then
        self._limiter:forgive(contact)
      end
      sent.attempts = attempt
      return sent
    end
    err.attempts = attempt
    local pause = pause_before_retry(err, attempt)
    if not pause or attempt == last then
      break
    end
    task.sleep(pause)
  end
  return nil, err
end

-- The payload as JSON: as it is known, or encoded now.
local function body_of(self, payload, text)
  if text and self.numbers.mobile_format ~= "plus" then
    return text
  end
  return encoded(self, payload)
end

-- Sends what a builder has given: a payload, or nil and an error.
local function send(self, payload, err, text, retries)
  local body = nil
  if payload then
    body, err = body_of(self, payload, text)
  end
  if not body then
    return nil, err
  end
  return task.record("client", payload, deliver, self, payload, body, (retries or self._retries) + 1)
end

---Sends a payload that a builder made. Waits for the rate limits, and retries what surely was not accepted.
---@param payload table
---@param opts? {retries: integer?} instead of the client's
---@return cunnekt.sent_answer? sent with `attempts`
---@return cunnekt.error? err with `attempts`
function client_methods:deliver(payload, opts)
  return send(self, payload, nil, nil, options.check("client:deliver", opts, deliver_options).retries)
end

---Takes a permit of both rate limits for a message, for the outbox. It must be used at once, or given back.
---@param payload table
---@return number seconds until there may be one; 0: taken
---@return boolean is_for_all whether nothing can be sent until then, to nobody
function client_methods:take_permit(payload)
  return self._limiter:delay(payload.mobile)
end

---Gives back a permit for a message that was not sent.
---@param payload table
function client_methods:return_permit(payload)
  self._limiter:give_back(payload.mobile)
end

---What the outbox needs to send the usual messages by itself.
---@return cunnekt.limiter
function client_methods:limiter()
  return self._limiter
end

---What an answer to a message says, where it is not the usual one.
---@param message {payload: table}
---@param done fun(message: table, message_id: string?, err: cunnekt.error?)
---@param ... any what the endpoint gives
function client_methods:read(message, done, ...)
  local payload = message.payload
  local sent, err = outcome_of(self, payload, self._transport.to(build.endpoint(payload)).read(...))
  if sent then
    self._limiter:forgive(payload.mobile)
  end
  done(message, sent and sent.message_id, err)
end

local function on_answer(self, done, message, ...)
  local status, body = ...
  local id = status and status < 300 and core.accepted_id(body)
  if not id then
    return self:read(message, done, ...)
  end
  self._limiter:forgive(message.payload.mobile)
  done(message, id)
end

---Posts a message once, for the outbox, which has a permit, waits and tries again by itself. It waits for nothing, and is no step
---of a run.
---@param message {payload: table, text: string?} `text`: the payload as JSON, where that is known
---@param done fun(message: table, message_id: string?, err: cunnekt.error?) without an error it was accepted; `retry_after` of one: seconds for which WhatsApp accepts nothing for this contact, where it says so
---@return any request what cancels it, with a method `close`
function client_methods:transmit(message, done)
  local payload, text = message.payload, message.text
  local texts = text and payload.type == "text" and self.texts
  if texts then
    return texts:post(text, on_answer, self, done, message) -- the usual one
  end
  local body, err = body_of(self, payload, text)
  if not body then
    done(message, nil, err)
    return nil
  end
  local prepared = self._transport.to(build.endpoint(payload))
  if body == text and payload.type == "text" then
    self.texts = prepared.endpoint -- from now on the outbox posts to it by itself
  end
  return prepared.start(body, on_answer, self, done, message)
end

local function check_self(name, self, level)
  if getmetatable(self) ~= client_mt then
    receiver.refuse("client", name, self, level or 4)
  end
end

local function numbers_of(self, name)
  check_self(name, self, 5)
  return self.numbers
end

-- ---- what it sends --------------------------------------------------------------------------------------------------

---Sends a template.
---@param to string|number the recipient
---@param template_id string as the dashboard shows it
---@param message? cunnekt.template_message
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_template(to, template_id, message)
  return send(self, build.send_template(to, template_id, message, numbers_of(self, "send_template")))
end

---Sends a text.
---@param to string|number
---@param text string at most 4096 characters
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_text(to, text)
  local payload, err = build.send_text(to, text, numbers_of(self, "send_text"))
  local most, digits = limits.characters.text.max, limits.number_digits
  local json_text = payload and core.text_message(text, payload.mobile, most, digits.min, digits.max)
  return send(self, payload, err, json_text)
end

---Sends reply buttons.
---@param to string|number
---@param spec cunnekt.buttons_message
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_buttons(to, spec)
  return send(self, build.send_buttons(to, spec, numbers_of(self, "send_buttons")))
end

---Sends a list to choose from.
---@param to string|number
---@param spec cunnekt.list_message
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_list(to, spec)
  return send(self, build.send_list(to, spec, numbers_of(self, "send_list")))
end

---Sends a form to fill in.
---@param to string|number
---@param spec cunnekt.form_message
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_form(to, spec)
  return send(self, build.send_form(to, spec, numbers_of(self, "send_form")))
end

---Sends a button that opens a web page.
---@param to string|number
---@param spec cunnekt.cta_url_message
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_cta_url(to, spec)
  return send(self, build.send_cta_url(to, spec, numbers_of(self, "send_cta_url")))
end

---Sends an image.
---@param to string|number
---@param url string where the file itself is
---@param caption? string at most 1024 characters
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_image(to, url, caption)
  return send(self, build.send_image(to, url, caption, numbers_of(self, "send_image")))
end

---Sends a video.
---@param to string|number
---@param url string where the file itself is
---@param caption? string at most 1024 characters
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_video(to, url, caption)
  return send(self, build.send_video(to, url, caption, numbers_of(self, "send_video")))
end

---Sends a document.
---@param to string|number
---@param url string where the file itself is
---@param caption? string at most 1024 characters
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_document(to, url, caption)
  return send(self, build.send_document(to, url, caption, numbers_of(self, "send_document")))
end

---Sends audio.
---@param to string|number
---@param url string where the file itself is
---@param caption? string is sent, but WhatsApp shows none
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send_audio(to, url, caption)
  return send(self, build.send_audio(to, url, caption, numbers_of(self, "send_audio")))
end

---Sends the provider's own JSON, given as a table, after the same checks.
---@param payload table
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err
function client_methods:send(payload)
  return send(self, build.send(payload, numbers_of(self, "send")))
end

---Downloads the media of an incoming message to a file, to a function or, when small, into memory.
---@param message_id string the id of the message, not of its media
---@param opts? cunnekt.download.options
---@return cunnekt.download.result? result
---@return cunnekt.error? err kinds: as for a send; corrupt, too_large; invalid when a file cannot be written
function client_methods:download(message_id, opts)
  check_self("download", self)
  return download.run(self, message_id, opts)
end

return client
