-- SPDX-License-Identifier: MIT
-- The two listeners of a running bot that are for its operators: the admin socket, a Unix socket beside the database, over
-- which the command line runs operations, and the admin address (the setting `admin`), where monitoring asks for health
-- and metrics. Only the bot's own user can open the socket. Whoever can reach the address can ask, so nothing can be
-- changed there and no customer's data is shown. It takes no webhooks: that is service/webhook_server.lua.

local address = require "cunnekt.base.address"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local local_page = require "cunnekt.base.local_page"
local location = require "cunnekt.store.location"
local log = require "cunnekt.base.log"
local monitor = require "cunnekt.operate.monitor"
local network = require "cunnekt.base.network"
local operations = require "cunnekt.operate.operations"
local task = require "cunnekt.base.task"

local admin_server = {}

local server_methods = {}
local server_mt = { __index = server_methods, __name = "cunnekt.admin_server" }

-- Room for the numbers of some hundred thousand events.
local max_body = 4 * 1024 * 1024

-- Operators are few, and files are left to the webhook's clients.
local max_connections = 32

local is_json = { "Content-Type: application/json" }
local is_text = { "Content-Type: text/plain; charset=utf-8" }
local statuses = { invalid = 400, not_found = 404, store = 503 }

---The admin socket of a store's file. The name is fixed: a command finds a host of another version by it.
---@param path string
---@return string
function admin_server.socket_of(path)
  return path .. ".ctl"
end

local function refuse(exchange, err)
  local text = json.encode { error = { kind = err.kind, message = err.message } }
  exchange:answer(statuses[err.kind] or 500, text, is_json)
end

local function run_operation(service, exchange, name, body)
  local args = {}
  if body ~= "" then
    args = json.decode(body)
  end
  if type(args) ~= "table" then
    return refuse(exchange, errors.new("invalid", "the arguments are not a JSON object"))
  end
  task.spawn(function()
    local ok, result, err = pcall(operations.run, { store = service.store, service = service }, name, args)
    if not ok then
      refuse(exchange, errors.new("failed", tostring(result)))
    elseif result then
      exchange:answer(200, json.encode(result), is_json)
    else
      refuse(exchange, err)
    end
  end)
end

-- A host without a socket still serves its customers, so this failure is a warning only.
local function open_socket(service, pages)
  if not service.store.is_kept then
    return nil
  end
  local path = admin_server.socket_of((location.path(service.settings.store)))
  local options = { unix = path, max_body = max_body, max_connections = max_connections }
  local listener, message = network.listen(options, function(exchange, method, target, _, body)
    local name = target:match "^/control/([%w_.]+)$"
    if name and method == "POST" then
      run_operation(service, exchange, name, body)
    elseif not pages:answer(exchange, method, target) then
      refuse(exchange, errors.new("not_found", "POST /control/OPERATION, or GET /healthz, /readyz, /metrics"))
    end
  end)
  if not listener then
    log.warn("cannot open the admin socket, so commands cannot reach this bot while it runs: %s", message)
  end
  return listener
end

-- The setting is for one bot: a script with two of them that has it in the environment cannot start.
local in_use = "; stop the program that has it, or choose another one (CUNNEKT_ADMIN=HOST:PORT); bots of one script need one each, "
  .. 'cunnekt.bot{ admin = "%s" }'

---Opens the admin address.
---@param wanted string? the setting; nil: none
---@param pages cunnekt.monitor
---@return table? listener
---@return cunnekt.error? err when it cannot listen there
function admin_server.open_address(wanted, pages)
  if not wanted then
    return nil
  end
  local host, port = address.parse(wanted)
  if not host then
    return nil, port
  end
  local options = { host = host, port = port, max_body = 0, max_connections = max_connections }
  -- On a network, monitoring asks by whatever name the machine has there.
  local any_name = not local_page.is_loopback(host)
  local listener, message = network.listen(options, function(exchange, method, path)
    local status, problem = local_page.refusal(exchange, { any_name = any_name })
    if status then
      return exchange:answer(status, problem .. "\n", is_text)
    elseif not pages:answer(exchange, method, path) then
      exchange:answer(404, "GET /healthz, /readyz or /metrics\n", is_text)
    end
  end)
  if not listener then
    local hint = message:find "in use" and in_use:format(address.beside(host, port)) or ""
    return nil, errors.new("network", ("cannot listen on the admin address %s: %s%s"):format(wanted, message, hint))
  end
  return listener
end

---Opens the admin socket and, when the setting `admin` asks for it, the admin address.
---@param service cunnekt.operate.service
---@return table? server
---@return cunnekt.error? err when it cannot listen on the admin address
function admin_server.open(service)
  local pages = monitor.new(service)
  local on_address, err = admin_server.open_address(service.settings.admin, pages)
  if err then
    return nil, err
  end
  return setmetatable({ _address = on_address, _socket = open_socket(service, pages) }, server_mt)
end

---The admin address, as "host:port".
---@return string? address nil when the setting `admin` is not set
function server_methods:address()
  return self._address and address.format(self._address:address(), self._address:port())
end

---Stops listening. Closing twice is fine.
function server_methods:close()
  for _, listener in pairs { self._address or nil, self._socket or nil } do
    listener:close()
  end
end

return admin_server
