-- SPDX-License-Identifier: MIT
-- A running bot's doors for those who look after it: the socket beside its database, where the command line comes in, and
-- the admin address, where machines ask how it is. The socket is for the bot's own user; the address is whoever's that
-- can reach it, so nothing can be changed there and nothing of customers be seen.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local monitor = require "cunnekt.operate.monitor"
local operations = require "cunnekt.operate.operations"
local parse_address = require("cunnekt.service.webhook_server").parse_address
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"

local server = {}

local server_methods = {}
local server_mt = { __index = server_methods, __name = "cunnekt.control.server" }

-- Arguments are small; a list of a hundred thousand numbers is not.
local max_body = 4 * 1024 * 1024

local is_json = { "Content-Type: application/json" }
local statuses = { invalid = 400, not_found = 404, store = 503 }

---The socket of a store's file.
---@param path string
---@return string
function server.socket_of(path)
  return path .. ".ctl"
end

local function refuse(exchange, err)
  local text = json.encode { error = { kind = err.kind, message = err.message } }
  exchange:answer(statuses[err.kind] or 500, text, is_json)
end

local function operate(bot, exchange, name, body)
  local args = {}
  if body ~= "" then
    args = json.decode(body)
  end
  if type(args) ~= "table" then
    return refuse(exchange, errors.new("invalid", "the arguments are no JSON object"))
  end
  task.spawn(function()
    local ok, result, err = pcall(operations.run, { store = bot.store, service = bot }, name, args)
    if not ok then
      refuse(exchange, errors.new("failed", tostring(result)))
    elseif result then
      exchange:answer(200, json.encode(result), is_json)
    else
      refuse(exchange, err)
    end
  end)
end

-- The socket is a convenience: a host that cannot have one runs all the same.
local function open_socket(bot)
  if not bot.store.is_kept then
    return nil
  end
  local path = server.socket_of((store.path(bot.settings.store)))
  local listener, message = core.listen({ unix = path, max_body = max_body }, function(exchange, method, target, _, body)
    local name = target:match "^/control/([%w_.]+)$"
    if name and method == "POST" then
      operate(bot, exchange, name, body)
    elseif not monitor.answer(bot, exchange, method, target) then
      refuse(exchange, errors.new("not_found", "POST /control/OPERATION, or GET /healthz, /readyz, /metrics"))
    end
  end)
  if not listener then
    log.warn("the command line cannot reach this bot while it runs: %s", message)
  end
  return listener
end

local function open_admin(bot)
  local address = bot.settings.admin
  if not address then
    return nil
  end
  local host, port = parse_address(address)
  if not host then
    return nil, port
  end
  local listener, message = core.listen({ host = host, port = port, max_body = 0 }, function(exchange, method, path)
    if not monitor.answer(bot, exchange, method, path) then
      exchange:answer(404, "GET /healthz, /readyz or /metrics\n", { "Content-Type: text/plain; charset=utf-8" })
    end
  end)
  if not listener then
    return nil, errors.new("network", ("cannot listen on the admin address %s: %s"):format(address, message))
  end
  return listener
end

---Opens a bot's doors.
---@param bot table
---@return table? server
---@return cunnekt.error? err when the admin address cannot be had
function server.open(bot)
  local admin, err = open_admin(bot)
  if err then
    return nil, err
  end
    return setmetatable({ _admin = admin, _socket = open_socket(bot) }, server_mt)
end

---Where the admin pages are, as "host:port"; nil when they are nowhere.
---@return string?
function server_methods:admin_address()
  if not self._admin then
    return nil
  end
  local host = self._admin:address()
  return ("%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, self._admin:port())
end

---Closes them.
function server_methods:close()
  for _, listener in pairs { self._admin or nil, self._socket or nil } do
    listener:close()
  end
end

return server
