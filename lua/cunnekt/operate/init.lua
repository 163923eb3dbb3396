-- SPDX-License-Identifier: MIT
-- How the command line reaches a store: over the admin socket of the host that runs on it or, when none does, by opening
-- the file. The operations are the same either way; a session hides the difference.

local admin_server = require "cunnekt.operate.admin_server"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local location = require "cunnekt.store.location"
local operations = require "cunnekt.operate.operations"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"

local operate = {}

-- Seconds for a host to answer at all. A handler that computes without waiting blocks it for that long.
local patience = 15
-- Enough for lists with all their texts.
local max_bytes = 256 * 1024 * 1024

-- Seconds for another command to be done with a store.
local command_patience = 2

---Bytes: a disk with less free is full.
operate.full_below = 1024 * 1024

local session_methods = {}
local session_mt = { __index = session_methods, __name = "cunnekt.operate.session" }

---@class cunnekt.operate.session
---@field is_running boolean whether a host runs on the store
---@field path string the store's file, or the name that stands for one
---@field unready? string why the host accepts no events now
---@field version? integer of a store that is only read; 0: there is nothing in it yet
---@field hindrance? string why nothing can be changed although no host has the store
---@field silence? string what is wrong with a host here that does not answer, while the store can be read all the same

-- ---- with a host ---------------------------------------------------------------------------------------------------

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
  local problem = type(result) == "table" and result.error or { kind = "failed", message = "the host's answer is not JSON" }
  if problem.message:find("^" .. operations.no_operation) then
    problem.message = ("the running host is of an older version, which does not know '%s': restart it"):format(name)
  end
  return nil, errors.new(problem.kind, problem.message)
end

-- Whether a host answers at a socket: true, and why it accepts no events; or nil and why not, if there is a socket, and whether a host
-- is there and silent.
local function find_host(socket)
  if not core.stat(socket) then
    return nil, nil
  end
  local answer, err = http.get("http://cunnekt/readyz", { unix = socket, timeout = patience })
  if answer and (answer.status == 200 or answer.status == 503) then
    return true, answer.status == 503 and answer.body:match "^[^\n]*" or nil
  elseif answer then
    return nil, "something else answers at its socket"
  elseif err.kind == "timeout" then
    return nil, ("it has not answered for %d seconds"):format(patience), true
  end
  return nil, "its socket cannot be reached"
end

---Whether a host runs on a store and answers. Waits.
---@param path string the store's file
---@return boolean
function operate.is_running(path)
  return find_host(admin_server.socket_of(path)) == true
end

-- ---- without a host ------------------------------------------------------------------------------------------------

-- Opened to write, a store would be made under a name that is mistyped. A host on another machine may have the database: then it can be
-- looked into, and nothing be changed.
local function open_found(url, is_read_only)
  local looked, err = store.open_read_only(url)
  if not looked or is_read_only then
    return looked, err
  elseif looked.version == 0 then
    looked:close()
    return nil, errors.new("not_found", "there is no store on PostgreSQL by this name: nothing is in that schema; the first run of a bot fills it")
  end
  local opened
  opened, err = store.open(url)
  if err and err.message:find("in use", 1, true) then
    return looked
  elseif err and err.message:find("permission denied", 1, true) and looked.version == formats.schema_version then
    return looked, nil, err.message -- a user that may only read
  end
  looked:close()
  return opened, err
end

local function open_postgres(url, reason, is_read_only)
  local opened, err, hindrance = open_found(url, is_read_only)
  if err and reason then
    err = errors.new(err.kind, ("%s; and of a host here: %s"):format(err.message, reason))
  end
  return opened, err, hindrance
end

local function is_on_full_disk(path, err)
  local free = core.disk_free(location.folder(path))
  return err.message:find("disk is full", 1, true) or (free and free < operate.full_below)
end

-- A store can be read, and copied to another disk, when its own is full. One of another version could not be asked.
local function open_on_full_disk(url, err)
  local opened = store.open_read_only(url)
  if opened and opened.version == formats.schema_version then
    return opened, nil, "the store's disk is full, so nothing can be changed: free space on it"
  elseif opened then
    opened:close()
  end
  return nil, err
end

-- Another command has a store for milliseconds. `has_host`: it is a host, and has it for long.
local function open_file(url, has_host, is_read_only)
  local opening, deadline = is_read_only and store.open_read_only or store.open, clock.monotonic() + command_patience
  while true do
    local opened, err = opening(url)
    if opened or has_host or not err.message:find("in use", 1, true) or clock.monotonic() >= deadline then
      return opened, err
    end
    task.sleep(0.05)
  end
end

-- Gives the store; or why there is none; and, with a store that is only read for that, why nothing can be changed.
local function open_store(url, path, reason, is_read_only)
  if location.is_postgres(url) then
    return open_postgres(url, reason, is_read_only)
  end
  local found, problem = core.stat(path)
  if not found and problem:find "^no such file" then
    return nil, errors.new("not_found", ("there is no store %s"):format(path))
  elseif not found then
    local sentence = "the store %s cannot be reached: %s; run this as the bot's user, or with sudo"
    return nil, errors.new("store", sentence:format(path, problem))
  end
  local opened, err = open_file(url, reason ~= nil, is_read_only)
  if not opened and err.message:find("in use", 1, true) then
    return nil, errors.new(err.kind, ("%s, and %s"):format(err.message, reason or "that process has no admin socket"))
  elseif not opened and not is_read_only and is_on_full_disk(path, err) then
    return open_on_full_disk(url, err)
  elseif not opened then
    return nil, err
  end
  return opened
end

-- ---- a session -----------------------------------------------------------------------------------------------------

---Opens a session on a store. Waits.
---@param url string "sqlite:FILE" or "postgres://…"
---@param is_read_only? boolean without a host the store is only read: no byte of it changes
---@return cunnekt.operate.session? session
---@return cunnekt.error? err kind invalid, not_found or store
function operate.reach(url, is_read_only)
  local path, err = location.path(url)
  if not path then
    return nil, err
  elseif path == ":memory:" then
    return nil, errors.new("invalid", "a store memory: lives and ends with its host; only a file or a database can be inspected")
  end
  local self = setmetatable({ path = path, is_running = false }, session_mt)
  local socket = admin_server.socket_of(path)
  local is_there, reason, is_silent = find_host(socket)
  if is_there then
    self.is_running, self._socket, self.unready = true, socket, reason
    return self
  end
  self._store, err, self.hindrance = open_store(url, path, reason, is_read_only)
  if not self._store then
    return nil, err
  end
  self.version = is_read_only and self._store.version or nil
  self.silence = is_silent and reason or nil
  return self
end

-- Why nothing can be changed in a store that is only read.
local function why_read_only(self)
  if self.hindrance then
    return self.hindrance
  elseif self.silence then
    return ("the store is in use by %s, and of a host here: %s"):format(self:owner() or "a host", self.silence)
  end
  return "a host has this store and answers on its own machine only: run this there, with its --unit or --script"
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
  local result, err = operations.run({ store = self._store }, name, args)
  if err and err.code == "read_only" and not self.version then
    err = errors.new(err.kind, why_read_only(self))
  end
  return result, err
end

---What the store may lose by the settings of its database; of a host that runs, its log says it.
---@return string[]
function session_methods:notes()
  return self._store and self._store:notes() or {}
end

---The host that has the database, where none runs here and the store is only read.
---@return string? owner
function session_methods:owner()
  return self._store and self._store:owner()
end

---Closes the store, where the session opened it.
function session_methods:close()
  if self._store then
    self._store:close()
  end
end

return operate
