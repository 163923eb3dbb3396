-- SPDX-License-Identifier: MIT
-- An HTTP server in the process of the spec: real sockets, on the loop that the client under test runs on.

local core = require "cunnekt.core"

local server = {}

---@class spec.request
---@field method string
---@field path string raw
---@field query string? raw
---@field body string?
---@field header fun(name: string): string?
---@field exchange userdata to answer it later, or to cut it; a handler that returns nothing keeps it open

---Serves on a free port of the loopback.
---@param handler fun(request: spec.request): integer?, string?, table<string, string>? gives status, body and headers
---@param opts? table of core.listen, beside host and port
---@return {url: string, requests: spec.request[], close: fun(self)}
function server.new(handler, opts)
  local self = { requests = {} }
  local listen = { host = "127.0.0.1", port = 0, max_body = 8 * 1024 * 1024 }
  for name, value in pairs(opts or {}) do
    listen[name] = value
  end
  local listener = assert(core.listen(listen, function(exchange, method, path, query, body)
    -- The fields are asked for now: later the exchange may be gone.
    local names = { "API-KEY", "Content-Type", "User-Agent", "Host" }
    local headers = {}
    for _, name in ipairs(names) do
      headers[name] = exchange:header(name)
    end
    local request = {
      method = method,
      path = path,
      query = query,
      body = body,
      exchange = exchange,
      header = function(name)
        return headers[name]
      end,
    }
    self.requests[#self.requests + 1] = request
    local status, answer, fields = handler(request)
    if status then
      local lines = {}
      for name, value in pairs(fields or {}) do
        lines[#lines + 1] = name .. ": " .. value
      end
      exchange:answer(status, answer, lines)
    end
  end))
  self.url = "http://127.0.0.1:" .. listener:port()
  function self.close()
    -- What was left open is not waited for.
    for _, request in ipairs(self.requests) do
      request.exchange = nil
    end
    listener:close()
  end
  return self
end

---The URL of a port at which nobody listens: no other spec is given this one.
---@return string
function server.nobody()
  return "http://127.0.0.1:1"
end

return server
