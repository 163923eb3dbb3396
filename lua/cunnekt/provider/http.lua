-- SPDX-License-Identifier: MIT
-- HTTP requests. A call waits for its answer: inside a task it yields, elsewhere it runs the loop until the answer is
-- complete. An answer with any status is a result; `nil, err` means that there is none. libcurl does the work, behind
-- src/http/out/client.h; of what http.prepare sends it only makes the connections, behind endpoint.h.

local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local network = require "cunnekt.base.network"
local options = require "cunnekt.base.options"
local receiver = require "cunnekt.base.receiver"
local task = require "cunnekt.base.task"

---@class cunnekt.http
local http = {}

---@class cunnekt.http.options
---@field method? string "GET" by default
---@field url? string http or https
---@field headers? table<string, string|number|string[]>
---@field body? string
---@field json? any sent as the body, with its Content-Type; instead of `body`
---@field timeout? number seconds until the answer is complete; 30 by default, math.huge for none
---@field connect_timeout? number seconds for name, connection and TLS; 10 by default
---@field max_bytes? integer of the answer's body; 16 MiB by default
---@field min_speed? integer bytes a second that the transfer must have, over any 30 s in which it is waited for; 100 by
---default, 0: none. The time in which the server prepares its answer does not count
---@field ca_file? string certificates (PEM) to trust, besides the system's
---@field proxy? string URL of a proxy; "" for none, whatever the environment says
---@field unix? string path of a Unix socket to connect to, whatever host the URL names
---@field max_redirects? integer followed for GET and HEAD only; 0 by default

---@class cunnekt.http.answer
---@field status integer
---@field headers table<string, string> by lower-case name; several of a name are joined by ", "
---@field body string

---The options of `http.request`, for checks before it is called.
---@type table<string, string>
http.option_types = {
  method = "string",
  url = "string",
  headers = "table",
  body = "string",
  json = "any",
  timeout = "number",
  connect_timeout = "number",
  max_bytes = "integer",
  min_speed = "integer",
  ca_file = "string",
  proxy = "string",
  unix = "string",
  max_redirects = "integer",
}

local default_timeout, default_connect_timeout = 30, 10
local default_max_bytes = 16 * 1024 * 1024
-- Bytes a second. Slower than any network that people use, so only a transfer that trickles has less.
local default_min_speed = 100
local longest_ms = 0x7fffffff -- the maximum of libcurl's timers

-- ---- options for the C module --------------------------------------------------------------------------------------

local function milliseconds(where, name, seconds, level)
  if seconds <= 0 or seconds ~= seconds then
    error(("%s: option '%s' must be more than 0"):format(where, name), level)
  end
  local ms = math.ceil(math.min(seconds, 1e9) * 1000)
  return ms <= longest_ms and ms or 0 -- 0: none
end

local function whole(where, name, number, level)
  local integer = math.tointeger(number)
  if not integer or integer < 0 then
    error(("%s: option '%s' must not be negative"):format(where, name), level)
  end
  return integer
end

local function add_header(lines, where, name, value, level)
  local kind = type(value)
  if type(name) ~= "string" or (kind ~= "string" and kind ~= "number") then
    -- The value is not shown: it may be an API key.
    error(("%s: header '%s' must be a string, got %s"):format(where, tostring(name), kind), level)
  elseif name:find(":", 1, true) then
    -- It would be a shorter name with another value. What is behind the colon may be a key.
    local message = "%s: header '%s' has a colon in its name; write headers = { [\"%s\"] = value }"
    error(message:format(where, name:match "^[^:]*", name:match "^[^:]*"), level)
  end
  lines[#lines + 1] = name .. ": " .. value
end

-- A list of "Name: value", sorted: the C module recognises equal requests by it.
local function header_lines(where, headers, has_json, level)
  local lines, has_type = {}, false
  for name, value in pairs(headers or {}) do
    has_type = has_type or (type(name) == "string" and name:lower() == "content-type")
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      add_header(lines, where, name, one, level + 1)
    end
  end
  if has_json and not has_type then
    lines[#lines + 1] = "Content-Type: application/json"
  end
  table.sort(lines)
  return lines
end

local function raw_options(where, opts, level)
  if not opts.url then
    error(where .. ": option 'url' is missing", level)
  elseif opts.json ~= nil and opts.body then
    error(where .. ": options 'json' and 'body' exclude each other", level)
  end
  local has_json = opts.json ~= nil
  local connect_timeout = opts.connect_timeout or default_connect_timeout
  return {
    method = opts.method or "GET",
    url = opts.url,
    headers = header_lines(where, opts.headers, has_json, level + 1),
    body = has_json and json.encode(opts.json) or opts.body,
    timeout_ms = milliseconds(where, "timeout", opts.timeout or default_timeout, level + 1),
    connect_timeout_ms = milliseconds(where, "connect_timeout", connect_timeout, level + 1),
    max_bytes = whole(where, "max_bytes", opts.max_bytes or default_max_bytes, level + 1),
    min_speed = whole(where, "min_speed", opts.min_speed or default_min_speed, level + 1),
    max_redirects = whole(where, "max_redirects", opts.max_redirects or 0, level + 1),
    ca_file = opts.ca_file,
    proxy = opts.proxy,
    unix = opts.unix,
  }
end

-- ---- answers -------------------------------------------------------------------------------------------------------

local function parse_headers(head)
  local headers = {}
  for name, value in head:gmatch "\n([^%s:]+):[ \t]*([^\r\n]*)" do
    name = name:lower()
    local last = value:byte(-1)
    if last == 32 or last == 9 then -- rare; matched from the end, since a head may be one long run of spaces
      value = value:match ".*[^ \t]" or ""
    end
    local before = headers[name]
    headers[name] = before and before .. ", " .. value or value
  end
  return headers
end

---The scheme, host and port of a URL, for messages and logs. All else may be secret, or a customer's: user and password,
---the path of a webhook, a number in a query.
---@param url string
---@return string
function http.origin(url)
  local scheme, authority = url:match "^([hH][tT][tT][pP][sS]?://)([^/?#\\]*)"
  local host, port = (authority or ""):gsub("^.*@", ""):match "^([^:%[%]]+):?(%d*)$"
  if not host then
    host, port = (authority or ""):gsub("^.*@", ""):match "^(%[[%x:.]+%]):?(%d*)$"
  end
  if not host then -- any part of it could be a password
    return "(a malformed URL)"
  end
  return scheme .. host .. (port ~= "" and ":" .. port or "")
end

local function failure(raw, kind, message, sent)
  return errors.new(kind, ("%s %s: %s"):format(raw.method, http.origin(raw.url), message), { sent = sent })
end

-- Waits for the answer; returns the request too, for streams.
local function wait(raw)
  local request
  local status, body, head, sent = task.await(function(done)
    request = network.request(raw, done)
    return function()
      request:close()
    end
  end)
  if not status then
    return nil, failure(raw, body, head, sent)
  end
  return { status = status, headers = parse_headers(head), body = body }, request
end

-- Its callers use tail calls, so level 3 is the line of the script.
local function send(where, opts)
  local raw = raw_options(where, options.check(where, opts, http.option_types, 3), 3)
  -- What is sent, independent of the order of JSON keys.
  local content = opts.json ~= nil and { json = opts.json } or raw.body or false
  return task.record("http", { raw.method, raw.url, content }, function()
    local answer, err = wait(raw)
    if not answer then
      return nil, err
    end
    return answer
  end)
end

-- The options of a call whose form is `form`, with what it has besides.
local function with(form, opts, method, url, body)
  if type(opts or {}) ~= "table" then
    error(("%s: options must be a table, got %s; write %s"):format(form:match "^[^(]*", type(opts), form), 3)
  end
  local merged = {}
  for name, value in pairs(opts or {}) do
    merged[name] = value
  end
  merged.method, merged.url, merged.body = method, url, body or merged.body
  return merged
end

-- ---- requests ------------------------------------------------------------------------------------------------------

---Sends a request and waits for its whole answer.
---
---err.sent says whether the server may have received the request: when it is true, do not repeat a request that must not
---happen twice.
---@param opts cunnekt.http.options
---@return cunnekt.http.answer? answer of any status
---@return cunnekt.error? err kind: network, tls, timeout, too_large, cancelled or invalid
function http.request(opts)
  return send("http.request", opts)
end

-- Most answers' headers are never used: they are parsed when the first is read.
local lazy_headers_mt = {
  __index = function(self, wanted)
    local head = self[1]
    self[1] = nil
    setmetatable(self, nil)
    for name, value in pairs(parse_headers(head)) do
      self[name] = value
    end
    return self[wanted]
  end,
}

---The answer of a request that http.prepare made, from what its function for answers is called with.
---@param raw table the options of its request
---@param status integer?
---@param answer string
---@param head string
---@param sent boolean?
---@return cunnekt.http.answer?
---@return cunnekt.error?
local function read_answer(raw, status, answer, head, sent)
  if not status then
    return nil, failure(raw, answer, head, sent)
  end
  return { status = status, body = answer, headers = setmetatable({ head }, lazy_headers_mt) }
end

---A request that is sent repeatedly, with different bodies.
---@class cunnekt.http.prepared
---@field start fun(body: string, done: function, ...): any sends it without waiting: `done` is called with the values behind it, and what `read` takes; gives what cancels it, with a method `close`
---@field read fun(...): cunnekt.http.answer?, cunnekt.error? as http.request; its `headers` are parsed on first access, and not for `pairs`
---@field post fun(body: string): ... sends it and waits: what `read` takes
---@field endpoint cunnekt.endpoint? what `start` posts to, where that is one

---Checks the options of a request once, for one that is sent repeatedly with different bodies.
---@param opts cunnekt.http.options of http.request, without body and json
---@return cunnekt.http.prepared
function http.prepare(opts)
  local raw = raw_options("http.prepare", options.check("http.prepare", opts, http.option_types, 3), 3)
  local endpoint = network.endpoint(raw)
  local function start(body, done, ...)
    if endpoint then
      return endpoint:post(body, done, ...)
    end
    raw.body = body
    local given = table.pack(...)
    local request = network.request(raw, function(...)
      local all = table.move({ ... }, 1, select("#", ...), given.n + 1, table.move(given, 1, given.n, 1, {}))
      done(table.unpack(all, 1, given.n + select("#", ...)))
    end)
    raw.body = nil
    return request
  end
  local function read(...)
    return read_answer(raw, ...)
  end
  local function post(body)
    if endpoint then
      return task.await_method(endpoint, "post", body)
    end
    return task.await(function(done)
      return start(body, done)
    end)
  end
  return { start = start, read = read, post = post, endpoint = endpoint }
end

---Sends a GET request.
---@param url string
---@param opts? cunnekt.http.options
---@return cunnekt.http.answer? answer
---@return cunnekt.error? err as of http.request
function http.get(url, opts)
  return send("http.get", with("http.get(url, { timeout = 5 })", opts, "GET", url))
end

---Sends a POST request. It is written at most once, even when its connection fails.
---@param url string
---@param body? string or leave it out and give opts.json
---@param opts? cunnekt.http.options
---@return cunnekt.http.answer? answer
---@return cunnekt.error? err as of http.request
function http.post(url, body, opts)
  return send("http.post", with("http.post(url, body, { timeout = 5 })", opts, "POST", url, body))
end

---An answer whose body is read in pieces. What is not read is not received: the server has to wait.
---@class cunnekt.http.stream
---@field status integer
---@field headers table<string, string>
local stream_methods = {}
local stream_mt = { __index = stream_methods, __name = "cunnekt.http.stream" }

---Waits for the next piece of the body.
---@return string? chunk nil at the end, and with an error
---@return cunnekt.error? err as of http.request
function stream_methods:read()
  if getmetatable(self) ~= stream_mt then
    receiver.refuse("stream", "read", self)
  elseif self._is_over then
    return nil, self._err
  end
  local chunk, kind, message, sent = task.await(function(done)
    self._request:read(done)
    return function()
      self:close()
    end
  end)
  if not chunk then
    self._is_over = true
    self._err = kind and failure(self._raw, kind, message, sent) or nil
  end
  return chunk, self._err
end

---Ends the transfer; closing twice is fine. A read under way fails with the kind "cancelled".
function stream_methods:close()
  if getmetatable(self) ~= stream_mt then
    receiver.refuse("stream", "close", self)
  elseif not self._is_over then
    self._is_over = true
    self._err = failure(self._raw, "cancelled", "closed", true)
  end
  self._request:close()
end

stream_mt.__close = stream_methods.close

---Sends a request and waits only for the head of its answer.
---@param opts cunnekt.http.options timeout and max_bytes apply to the whole body
---@return cunnekt.http.stream? stream
---@return cunnekt.error? err as of http.request
function http.stream(opts)
  local raw = raw_options("http.stream", options.check("http.stream", opts, http.option_types), 3)
  task.refuse("http.stream", 2)
  raw.stream = true
  local answer, request = wait(raw)
  if not answer then
    return nil, request
  end
  answer._request, answer._raw = request, { method = raw.method, url = raw.url }
  return setmetatable(answer, stream_mt)
end

-- ---- texts in URLs -------------------------------------------------------------------------------------------------

local function check_text(where, text)
  if type(text) ~= "string" and type(text) ~= "number" then
    error(("cunnekt.http.%s: expected a string, got %s"):format(where, type(text)), 3)
  end
  return tostring(text)
end

---Percent-encodes everything but letters, digits and `-._~`.
---@param text string
---@return string
function http.url_encode(text)
  return (check_text("url_encode", text):gsub("[^%w%-._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

---Decodes `%XX`; any other `%` stays. `+` is a plus sign here.
---@param text string
---@return string
function http.url_decode(text)
  return (check_text("url_decode", text):gsub("%%(%x%x)", function(code)
    return string.char(tonumber(code, 16))
  end))
end

---Parses the part of a URL after the `?`. `+` is a space here; of equal names the last one counts.
---@param query string
---@return table<string, string>
function http.parse_query(query)
  local values = {}
  for pair in check_text("parse_query", query):gmatch "[^&]+" do
    local name, value = pair:gsub("+", " "):match "^([^=]*)=?(.*)$"
    values[http.url_decode(name)] = http.url_decode(value)
  end
  return values
end

return http
