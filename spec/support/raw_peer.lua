-- SPDX-License-Identifier: MIT
-- A server on a Unix socket of this process that says exactly these bytes, in exactly these pieces. It reads requests with a
-- Content-Length, one after the other on each connection.

local rawclient = require "rawclient"
local wire = require "spec.support.wire"

local raw_peer = {}

-- ---- a connection --------------------------------------------------------------------------------------------------

local link_methods = {}
local link_mt = { __index = link_methods }

link_methods.poll, link_methods.send = wire.poll, wire.send

-- The next whole request: head and body. Nil when there is none yet.
function link_methods:take()
  local head, from = self.got:match "^(.-\r\n)\r\n()"
  local size = head and tonumber(head:match "\nContent%-Length: (%d+)\r\n")
  if not head or #self.got < from + size - 1 then
    return nil
  end
  local body = self.got:sub(from, from + size - 1)
  self.got = self.got:sub(from + size)
  return { head = head, body = body }
end

function link_methods:deafen()
  self.raw:deafen()
end

function link_methods:close()
  self.is_closed = true
  self.raw:close()
end

-- ---- the server ----------------------------------------------------------------------------------------------------

local peer_methods = {}
local peer_mt = { __index = peer_methods }

---Accepts and reads what is there.
function peer_methods:poll()
  local raw = self._server:accept()
  while raw do
    self.links[#self.links + 1] = setmetatable({ raw = raw, got = "" }, link_mt)
    raw = self._server:accept()
  end
  for _, link in ipairs(self.links) do
    if not link.is_closed and not self.is_deaf then
      link:poll()
    end
  end
end

---Steps the loop until `is_done` says so, and reads meanwhile.
function peer_methods:wait(is_done, what)
  return wire.step_until(function()
    self:poll()
    return is_done()
  end, what)
end

---Waits for the next request on any connection.
---@return table link
---@return {head: string, body: string} request
function peer_methods:request()
  local request
  local link = self:wait(function()
    for _, link in ipairs(self.links) do
      request = not link.is_closed and link:take()
      if request then
        return link
      end
    end
  end, "a request")
  return link, request
end

---The connections that the other side has not closed, after it had a chance to.
function peer_methods:open()
  for _ = 1, 5 do
    wire.pass()
  end
  self:poll()
  local count = 0
  for _, link in ipairs(self.links) do
    count = count + ((link.is_closed or link.is_over) and 0 or 1)
  end
  return count
end

function peer_methods:close()
  for _, link in ipairs(self.links) do
    link:close()
  end
  self._server:close()
  os.remove(self.path)
end

function raw_peer.listen()
  local path = os.tmpname()
  return setmetatable({ path = path, _server = rawclient.listen(path), links = {} }, peer_mt)
end

return raw_peer
