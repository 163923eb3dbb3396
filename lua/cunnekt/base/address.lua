-- SPDX-License-Identifier: MIT
-- Addresses to listen on, HOST:PORT, from text and back; IPv6 hosts have brackets. It resolves no names and opens no
-- sockets. The check of settings is stricter, see provider/settings.lua.

local errors = require "cunnekt.base.errors"

local address = {}

-- The host where only a port is given: nobody else's machine can reach it.
local default_host = "127.0.0.1"
local max_port = 65535

---Splits "host:port", "[::1]:8080" or ":8080".
---@param text string
---@return string? host without brackets; the loopback when there is none
---@return integer|cunnekt.error port the error (kind invalid) when the text is no address
function address.parse(text)
  local host, port = text:match "^%[([%x:.]+)%]:(%d+)$"
  if not host then
    host, port = text:match "^([^:%[%]]*):(%d+)$"
  end
  port = math.tointeger(tonumber(port))
  if not port or port > max_port then
    return nil, errors.new("invalid", ("'%s' is not an address like 127.0.0.1:8080"):format(text))
  end
  return host ~= "" and host or default_host, port
end

---Joins them; an IPv6 host gets its brackets.
---@param host string
---@param port integer
---@return string
function address.format(host, port)
  return ("%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, port)
end

---An address beside one that is taken, to propose it.
---@param host string
---@param port integer
---@return string
function address.beside(host, port)
  return address.format(host, port < max_port and port + 1 or port - 1)
end

return address
