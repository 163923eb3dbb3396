-- SPDX-License-Identifier: MIT
-- Clients that speak raw bytes to a listener of the same process. Nothing here waits for a time to pass: the loop is
-- stepped until what was waited for has come, and a guard ends a test that would wait forever.
local core = require "cunnekt.core"
local rawclient = require "rawclient"

local wire = {}

local GUARD = 20 -- seconds; sanitizers and a busy machine are slow

--- Steps the loop once. With nothing under way it would not look at sockets, so a timer is; it also brings the step back when what
--- we wait for is no event of the loop.
function wire.pass()
  local tick = core.real_timer(0.001, function() end)
  core.step(true)
  tick:close()
end

--- Steps the loop until `is_done()` is true.
---@param is_done fun(): any
---@param what string? for the message when it never is
---@param lines string[]? what was logged meanwhile, for the same message
---@return any value what is_done returned
function wire.step_until(is_done, what, lines)
  local give_up = core.real_monotonic() + GUARD
  local value = is_done()
  while not value do
    if core.real_monotonic() > give_up then
      error(("waited in vain for %s\n%s"):format(what or "something", table.concat(lines or {}, "\n")), 2)
    end
    wire.pass()
    value = is_done()
  end
  return value
end

local client_methods = {}
local client_mt = { __index = client_methods }

---@param port integer
---@param host string?
function wire.connect(port, host)
  return setmetatable({ raw = rawclient.connect(host or "127.0.0.1", port), got = "" }, client_mt)
end

--- Sends all of `data`, as far as the other side takes it.
function client_methods:send(data)
  local at = 1
  wire.step_until(function()
    local sent = self.raw:send(data:sub(at, at + 65535))
    at = sent and at + sent or #data + 1
    return at > #data
  end, "a send")
  return self
end

--- Takes what is there. False once the other side has closed.
function client_methods:poll()
  while not self.is_over do
    local data = self.raw:receive()
    if data == "" then
      return true
    end
    self.is_over = not data
    self.got = self.got .. (data or "")
  end
  return false
end

--- Everything until the other side closes.
function client_methods:rest()
  wire.step_until(function()
    return not self:poll()
  end, "the connection's end")
  return self.got
end

local function split(text)
  local head, from = text:match "^(.-\r\n)\r\n()"
  if not head then
    return
  end
  local size = tonumber(head:lower():match "\ncontent%-length: (%d+)\r\n")
  local status = tonumber(head:match "^HTTP/1%.1 (%d%d%d) ")
  if not size or status < 200 then
    return { status = status, head = head, body = "" }, from
  end
  if #text >= from + size - 1 then
    return { status = status, head = head, body = text:sub(from, from + size - 1) }, from + size
  end
end

--- The next answer: { status, head, body }. Nil when the connection ends without one.
function client_methods:answer()
  local answer, from
  wire.step_until(function()
    local is_open = self:poll()
    answer, from = split(self.got)
    return answer or not is_open
  end, "an answer")
  self.got = answer and self.got:sub(from) or self.got
  return answer
end

function client_methods:finish()
  self.raw:finish()
end

function client_methods:reset()
  self.raw:reset()
end

function client_methods:close()
  self.raw:close()
end

client_mt.__close = client_methods.close

--- One request on a connection of its own, in these pieces, each seen by the listener before the next is sent.
function wire.ask(port, ...)
  local client <close> = wire.connect(port)
  for _, piece in ipairs { ... } do
    client:send(piece)
    for _ = 1, 3 do
      core.step(false)
    end
  end
  return client:answer(), client
end

--- A POST as our own clients would send it.
function wire.post(path, body, fields)
  return ("POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s"):format(path, fields or "", #body, body)
end

-- Of a connection with `raw`, `got` and `is_over`.
wire.send, wire.poll = client_methods.send, client_methods.poll

return wire
