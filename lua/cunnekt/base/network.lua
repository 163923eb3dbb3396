-- SPDX-License-Identifier: MIT
-- The one way to the network: requests and listeners of Lua go through this table. It is the C core's, and a virtual network
-- takes its place for tests of scripts: listeners and requests meet in memory, and nothing leaves the process.

local core = require "cunnekt.core"

---@class cunnekt.network
local network = { request = core.request, endpoint = core.endpoint, listen = core.listen }

local virtual_methods = {}
local virtual_mt = { __index = virtual_methods, __name = "cunnekt.virtual_network" }

---@class cunnekt.virtual_network
---@field serving table? the request, as of core.request, that a listener is taking now

---An answer to a request that no listener is there for.
---@class cunnekt.virtual_network.answer
---@field status? integer
---@field body? string
---@field headers? string[] "Name: value"
---@field kind? string without a status: the kind of the failure, as of core.request
---@field message? string

---A network in memory; it does nothing until it is installed.
---@param on_foreign fun(request: table): cunnekt.virtual_network.answer answers requests to everything outside
---@return cunnekt.virtual_network
function network.virtual(on_foreign)
  return setmetatable({ _on_foreign = on_foreign, _listeners = {}, _last_port = 40000 }, virtual_mt)
end

-- ---- answers ---------------------------------------------------------------------------------------------------------

-- As in the core, callbacks come from core.step, never from within the call. The virtual clock need not go on for it.
local function soon(fn)
  core.real_timer(0, fn)
end

local function head_of(status, headers)
  return ("HTTP/1.1 %d\r\n%s\r\n"):format(status, table.concat(headers, "\r\n") .. "\r\n")
end

local request_methods = {}
local request_mt = { __index = request_methods, __name = "cunnekt.virtual_request" }

-- Ends a request, once.
local function finish(self, ...)
  if self.is_over then
    return
  end
  self.is_over = true
  if self.timer then
    self.timer:close()
  end
  local results = table.pack(...)
  soon(function()
    if not self.is_closed then
      self.done(table.unpack(results, 1, results.n))
    end
  end)
end

local function answer(self, status, body, headers)
  local most = self.raw.max_bytes or 0
  if most > 0 and #body > most then
    return finish(self, nil, "too_large", ("the answer has more than %d bytes"):format(most), true)
  end
  local head = head_of(status, headers)
  if self.raw.stream then
    self.rest = body
    return finish(self, status, nil, head)
  end
  finish(self, status, body, head)
end

---As of core.request.
---@param fn fun(chunk: string?)
function request_methods:read(fn)
  local chunk = self.rest
  self.rest = nil
  soon(function()
    fn(chunk ~= "" and chunk or nil)
  end)
end

---As of core.request.
function request_methods:close()
  if not self.is_over then
    finish(self, nil, "cancelled", "closed", true)
  end
end

-- ---- listeners -------------------------------------------------------------------------------------------------------

-- Header fields by lower-case name.
local function fields_of(raw)
  local fields = { host = raw.url:match "^%a+://([^/?#]+)" }
  for _, line in ipairs(raw.headers or {}) do
    local name, value = line:match "^([^:]+):%s*(.*)$"
    if name then
      fields[name:lower()] = value
    end
  end
  return fields
end

local function exchange_of(request)
  local exchange, fields = {}, nil
  function exchange.header(_, name)
    fields = fields or fields_of(request.raw)
    return fields[name:lower()]
  end
  function exchange.peer()
    return "127.0.0.1"
  end
  function exchange.answer(_, status, body, headers)
    local is_taken = not request.is_over
    answer(request, status, body or "", headers or {})
    return is_taken
  end
  function exchange.cut()
    finish(request, nil, "network", "the connection was closed", true)
  end
  return exchange
end

-- "127.0.0.1:80", "a.localhost:80" and "localhost:80" are this machine.
local function port_of(url)
  local host, port = url:match "^%a+://([^/?#:]+):(%d+)"
  local is_local = host and (host:find "^127%." or host == "localhost" or host:find "%.localhost$")
  return is_local and math.tointeger(tonumber(port)) or nil
end

local function deliver(self, request)
  local raw = request.raw
  local listener = self._listeners[port_of(raw.url)]
  if not listener then
    local given = self._on_foreign(raw)
    if given.status then
      return answer(request, given.status, given.body or "", given.headers or {})
    end
    return finish(request, nil, given.kind or "network", given.message or "there is no network", false)
  end
  local path, query = raw.url:match "^%a+://[^/?#]+([^?#]*)%??([^#]*)"
  self.serving = raw
  listener.on_request(exchange_of(request), raw.method or "GET", path == "" and "/" or path, query ~= "" and query or nil, raw.body or "")
  self.serving = nil
end

---As core.request.
---@param raw table
---@param done fun(...)
---@return table request
function virtual_methods:request(raw, done)
  local copy = {} -- the caller may use its table again
  for name, value in pairs(raw) do
    copy[name] = value
  end
  local request = setmetatable({ raw = copy, done = done }, request_mt)
  if (copy.timeout_ms or 0) > 0 then
    request.timer = core.timer(copy.timeout_ms / 1000, function()
      finish(request, nil, "timeout", "no answer in time", true)
    end)
  end
  soon(function()
    if not request.is_over then
      deliver(self, request)
    end
  end)
  return request
end

---As core.listen.
---@param opts table
---@param on_request function
---@return table? listener
---@return string? message
function virtual_methods:listen(opts, on_request)
  local port = opts.port or 0
  if port == 0 then
    self._last_port = self._last_port + 1
    port = self._last_port
  end
  if self._listeners[port] then
    return nil, ("port %d is in use"):format(port)
  end
  local listener = { on_request = on_request }
  function listener.port()
    return port
  end
  function listener.address()
    return opts.host or "127.0.0.1"
  end
  function listener.pause()
    self._listeners[port] = nil
  end
  listener.close = listener.pause
  self._listeners[port] = listener
  return listener
end

-- ---- in place of the real one -------------------------------------------------------------------------------------------

---Puts this network in place of the real one.
---@return cunnekt.virtual_network self
function virtual_methods:install()
  function network.request(raw, done)
    return self:request(raw, done)
  end
  function network.listen(opts, on_request)
    return self:listen(opts, on_request)
  end
  function network.endpoint() -- without one, http.prepare makes requests
    return nil
  end
  return self
end

---Puts the real network back.
function virtual_methods.uninstall()
  network.request, network.endpoint, network.listen = core.request, core.endpoint, core.listen
end

return network
