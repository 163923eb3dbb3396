-- SPDX-License-Identifier: MIT
-- What `cunnekt doctor` says of addresses: whether the bot can listen on its own, whether Cunnekt's API is reached and takes the
-- key, and whether the public address leads to the bot. No message is sent, and no event is posted.

local address = require "cunnekt.base.address"
local answer = require "cunnekt.provider.answer"
local clock = require "cunnekt.time.clock"
local format = require "cunnekt.time.format"
local http = require "cunnekt.provider.http"
local is_loopback = require("cunnekt.operate.doctor.settings").is_loopback
local json = require "cunnekt.base.json"
local network = require "cunnekt.base.network"
local settings = require "cunnekt.provider.settings"

local addresses = {}

-- Seconds for an answer; and by which the clock may be off: more closes service windows that are still open.
local patience, max_skew = 15, 60

-- ---- the bot's own -------------------------------------------------------------------------------------------------

local function refuse(exchange)
  exchange:answer(503)
end

local function hint_of(message, variable)
  if message:find "in use" then
    return ("stop the program that has it, or choose another port with %s"):format(variable)
  elseif message:find "[Pp]ermission denied" then
    return ("ports below 1024 are root's; choose a higher one with %s, and let a proxy pass requests on to it"):format(variable)
  elseif message:find "assign" then
    return ("this machine has no such address; set %s to 127.0.0.1:8080 where a proxy is in front"):format(variable)
  end
  return ("set %s to an address such as 127.0.0.1:8080"):format(variable)
end

local function check_free(add, value, variable)
  local host, port = address.parse(value)
  if not host or port == 0 then
    return
  end
  local listener, message = network.listen({ host = host, port = port }, refuse)
  if listener then
    listener:close()
    return add("ok", "address", "%s is free to listen on", value)
  end
  add("wrong", "address", "%s; %s", message, hint_of(message, variable))
end

---Checks the addresses to listen on.
---@param add fun(level: string, about: string, sentence: string, ...: any)
---@param values table<string, any> the settings
---@param host {is_running: boolean?, owner: string?, listen: string?} what runs on the store; owner: on another machine
function addresses.check_listen(add, values, host)
  if host.is_running then
    if host.listen and host.listen ~= values.listen and not values.listen:find ":0$" then
      add("note", "address", "the host listens on %s, and the settings say %s: it was started with others, or its script sets it",
        host.listen, values.listen)
    end
    return
  elseif host.owner then
    return -- one that stands by has them, as it should
  end
  check_free(add, values.listen, "CUNNEKT_LISTEN")
  if values.admin then
    check_free(add, values.admin, "CUNNEKT_ADMIN")
  end
end

-- ---- reaching others -----------------------------------------------------------------------------------------------

-- What to do where no answer comes.
local function remedy(err)
  if err.message:find("resolve", 1, true) then
    return "check its spelling, and that this machine can resolve names (getent hosts)"
  elseif err.kind == "tls" then
    return "check the clock and the package ca-certificates, or set ca_file to the certificate of its issuer"
  elseif err.kind == "timeout" then
    return "a firewall may drop it, or a proxy be needed (the setting proxy)"
  end
  return "check the address, and that a firewall lets it pass"
end

local function add_unreachable(add, shown, err)
  add("wrong", "online", "%s cannot be reached: %s; %s", shown, err.message, remedy(err))
end

local function check_clock(add, headers)
  local theirs = format.read_http_date(headers.date or "")
  local seconds = theirs and math.floor(clock.now() - theirs)
  if seconds and math.abs(seconds) > max_skew then
    add("wrong", "clock", "the clock is off by %d s from the API's: switch on the machine's time service (timedatectl set-ntp true)", seconds)
  end
end

-- ---- the API -------------------------------------------------------------------------------------------------------

local usual = "the usual one is https://app2.cunnekt.com/v1"

-- The only request of the API that sends and changes nothing: for the media of a message that does not exist.
local question = "/getmediafile?messageId=wamid.cunnekt-doctor"

local function ask(values, key)
  return http.get(values.base_url:gsub("/+$", "") .. question, {
    timeout = patience, ca_file = values.ca_file, proxy = values.proxy, headers = key and { ["API-KEY"] = key } or nil,
  })
end

local function is_refused(response)
  local raw = json.decode(response.body)
  local err
  if type(raw) == "table" then
    err = answer.failure(response.status, response.headers, response.body, raw)
  else
    err = select(2, answer.read(response.status, response.headers, response.body))
  end
  return err ~= nil and err.kind == "auth"
end

-- The answer without a key is there to compare: an API that says the same to both has not looked at the key.
local function check_key(add, values, without)
  local with, err = ask(values, values.api_key)
  if not with then
    return add("note", "key", "whether the key is right is not known: %s", err.message)
  elseif is_refused(with) then
    return add("wrong", "key", "the API refuses the key (status %d): copy it again from the API page of the Cunnekt dashboard", with.status)
  elseif is_refused(without) then
    return add("ok", "key", "the API takes the key")
  end
  local hint = with.status == 404 and "; base_url may be wrong, " .. usual or ""
  add("note", "key", "whether the key is right is not known: the API answers %d, with and without it%s", with.status, hint)
end

-- What answers in the place of the API, and takes no message; nil where it may be the API.
local function stranger(response)
  local status, location = response.status, response.headers.location
  if status >= 300 and status < 400 then
    local target = location and http.origin(location) or "another address"
    return ("redirects to %s, and messages do not follow that: correct base_url; %s"):format(target, usual)
  end
  local _, err = answer.read(status, response.headers, response.body)
  if status < 300 and err and err.kind == "unknown_outcome" then
    return ("answers %d with what is not the API's, a page of a proxy for example: correct base_url; %s"):format(status, usual)
  end
  return nil
end

---Asks the API. Waits.
---@param add fun(level: string, about: string, sentence: string, ...: any)
---@param values table<string, any> the settings
function addresses.check_api(add, values)
  local shown = settings.shown("base_url", values.base_url)
  local without, err = ask(values, nil)
  if not without then
    return add_unreachable(add, shown, err)
  end
  local problem = stranger(without)
  if problem then
    return add("wrong", "online", "%s %s", shown, problem)
  end
  add("ok", "online", "%s can be reached (it answered %d to a request without a key)", shown, without.status)
  check_clock(add, without.headers)
  local is_safe = values.base_url:find "^[hH][tT][tT][pP][sS]:" or is_loopback(values.base_url:match "^%w+://(.*)")
  if values.api_key and is_safe then
    check_key(add, values, without)
  end
end

-- ---- the public address --------------------------------------------------------------------------------------------

-- A GET is no webhook: the bot answers 405, or 403 when it has a token for handshakes, and both only at its path.
local function judge(add, shown, response, values)
  local status, location = response.status, response.headers.location
  if (status == 405 and (response.headers.allow or ""):find("POST", 1, true)) or (status == 403 and values.verify_token) then
    return add("ok", "public", "%s leads to the bot", shown)
  elseif status >= 300 and status < 400 then
    local target = location and http.origin(location) or "another address"
    add("wrong", "public", "%s redirects to %s, and posts do not follow that: give the dashboard that address", shown, target)
  elseif status == 404 then
    add("wrong", "public", "%s answers 404: the proxy passes another path on, or the bot runs with another secret than these settings", shown)
  elseif status == 502 or status == 503 or status == 504 then
    add("wrong", "public", "%s answers %d: its proxy does not reach the bot; compare where it passes requests on to with listen, %s",
      shown, status, values.listen)
  else
    add("wrong", "public", "%s answers %d, which the bot does not: another program answers there", shown, status)
  end
end

---Asks the public address for the bot. Waits.
---@param add fun(level: string, about: string, sentence: string, ...: any)
---@param url string such as https://bot.example.com
---@param values table<string, any> the settings
function addresses.check_public(add, url, values)
  local shown = http.origin(url)
  if url:find "^[hH][tT][tT][pP]:" and not is_loopback(url:match "^%w+://(.*)") then
    add("wrong", "public", "%s is not https: the provider posts to https addresses only, and everything could be read on the way", shown)
  end
  local path = values.webhook_secret and "/webhook/" .. values.webhook_secret or values.webhook_path
  local response, err = http.get(url:match "^(%a+://[^/?#]+)" .. path, { timeout = patience, ca_file = values.ca_file })
  if not response then
    return add_unreachable(add, shown, err)
  end
  judge(add, shown, response, values)
end

return addresses
