-- SPDX-License-Identifier: MIT
-- The way to a store for the command line: over the socket of the host that runs on it, or, when none does, by opening it.
-- The same operations either way.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local operations = require "cunnekt.operate.operations"
local server = require "cunnekt.operate.server"
local store = require "cunnekt.store"

local control = {}

-- Seconds for a host to say that it is there. One that is busy with a long handler may need some.
local patience = 15
-- Lists with all their texts.
local max_bytes = 256 * 1024 * 1024

local session_methods = {}
local session_mt = { __index = session_methods, __name = "cunnekt.control.session" }

---@class cunnekt.control.session
---@field is_running boolean whether a host runs on the store
---@field path string the store's file

-- ---- a running host ----------------------------------------------------------------------------------------------

local function call_host(socket, name, args)
  local answer, err = http.request {
    method = "POST",
    url = "http://cunnekt/control/" .. name,
    body = json.encode(args),
    headers = { ["Content-Type"] = "application/json" },
    unix = socket,
    timeout = math.huge,
    max_bytes = max_bytes,
  }
  if not answer then
    return nil, errors.new(err.kind, "the host ended meanwhile: " .. err.message)
  end
  local result = json.decode(answer.body)
  if answer.status == 200 and type(result) == "table" then
    return result
  end
  local problem = type(result) == "table" and result.error or { kind = "failed", message = "the host's answer is no JSON" }
  return nil, errors.new(problem.kind, problem.message)
end

-- Whether a host answers at a socket: true, or why not.
local function find_host(socket)
  if not core.stat(socket) then
    return nil, nil
  end
  local answer, err = http.get("http://cunnekt/healthz", { unix = socket, timeout = patience })
  if answer then
    return answer.status == 200, answer.status ~= 200 and "its socket is not a host's" or nil
  elseif err.kind == "timeout" then
    return nil, ("it has not answered for %d seconds"):format(patience)
  end
  return nil, "its socket cannot be reached"
end

---Whether a host runs on a store and can be asked. Waits.
---@param path string the store's file
---@return boolean
function control.is_running(path)
  return find_host(server.socket_of(path)) == true
end

-- ---- no host -----------------------------------------------------------------------------------------------------

local function open_store(url, path, reason)
  if not core.stat(path) then
    return nil, errors.new("not_found", ("there is no store %s"):format(path))
  end
  local opened, err = store.open(url)
  if not opened then
    local message = err.message
    if message:find("in use", 1, true) then
      message = ("%s, and %s"):format(message, reason or "that has no socket to be asked at")
    end
    return nil, errors.new(err.kind, message)
  end
  return opened
end

-- ---- both --------------------------------------------------------------------------------------------------------

---Finds the way to a store. Waits.
---@param url string "sqlite:FILE"
---@return cunnekt.control.session? session
---@return cunnekt.error? err kind invalid, not_found or store
function control.reach(url)
  local path, err = store.path(url)
  if not path then
    return nil, err
  elseif path == ":memory:" then
    return nil, errors.new("invalid", "the store memory: lives and ends with its host: there is nothing to look into")
  end
  local self = setmetatable({ path = path, is_running = false }, session_mt)
  local socket = server.socket_of(path)
  local is_there, reason = find_host(socket)
  if is_there then
    self.is_running, self._socket = true, socket
    return self
  end
  self._store, err = open_store(url, path, reason)
  return self._store and self or nil, err
end

---Runs an operation. Waits.
---@param name string such as "events.list"
---@param args? table
---@return table? result
---@return cunnekt.error? err
function session_methods:call(name, args)
  if self._socket then
    return call_host(self._socket, name, args or {})
  end
  return operations.run({ store = self._store }, name, args)
end

---Lets go of the store.
function session_methods:close()
  if self._store then
    self._store:close()
  end
end

return control
