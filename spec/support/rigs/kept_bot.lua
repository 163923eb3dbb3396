-- SPDX-License-Identifier: MIT
-- A bot with a database on the disk and a sandbox in the place of the provider, both in the process of the spec.

local inside = require("cunnekt.service").of
local bot_rig = require "spec.support.rigs.bot_rig"
local control = require "cunnekt.operate"
local cunnekt = require "cunnekt"
local lists = require "cunnekt.store.lists"
local log = require "cunnekt.base.log"
local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"

local kept_bot = {}

local kept_methods = {}
local kept_mt = { __index = kept_methods }

---@param opts? table of cunnekt.bot
function kept_bot.new(opts)
  local folder = process.folder()
  local self = setmetatable({
    folder = folder,
    path = folder.path .. "/cunnekt.db",
    lines = {},
    _opts = opts or {},
    _write = log.write,
  }, kept_mt)
  self.url = "sqlite:" .. self.path
  log.write = function(line)
    self.lines[#self.lines + 1] = line
  end
  self.sandbox = assert(sandbox.new())
  return self
end

---Starts a bot on the database, with the handlers that `prepare` gives it.
---@param prepare? fun(bot: cunnekt.bot)
---@return cunnekt.bot
function kept_methods:start(prepare)
  local opts = { api_key = "key", base_url = self.sandbox.url .. "/v1", listen = "127.0.0.1:0", store = self.url, attempts = 1 }
  for name, value in pairs(self._opts) do
    opts[name] = value
  end
  self.bot = cunnekt.bot(opts)
  if prepare then
    prepare(self.bot)
  end
  assert(self.bot:listen())
  self.sandbox:aim("http://" .. self.bot:address() .. "/webhook")
  return self.bot
end

function kept_methods:stop()
  if self.bot then
    self.bot:stop(1)
    self.bot = nil
  end
end

function kept_methods:close()
  self:stop()
  self.sandbox:close()
  log.write = self._write
end

---A customer writes.
function kept_methods:say(text, from)
  return assert(self.sandbox:say { type = "text", text = text, from = from })
end

---The provider misbehaves, see sandbox/faults.lua.
function kept_methods:fault(rule)
  self.sandbox._faults:add(rule)
end

---Runs an operation, over the socket or on the store alone.
---@return table? result
---@return cunnekt.error? err
function kept_methods:call(name, args)
  local session = assert(control.reach(self.url))
  local result, err = session:call(name, args)
  session:close()
  return result, err
end

---Steps the loop until `fn` gives something.
function kept_methods:wait_for(what, fn)
  return bot_rig.wait_for(fn, what)
end

---Waits until nothing is under way.
function kept_methods:settle()
  self:wait_for("quiet", function()
    return not self.sandbox:is_busy() and inside(self.bot).inbox:count() == 0 and inside(self.bot).outbox:active() == 0
  end)
end

---Waits until so many events are of a state.
function kept_methods:wait_for_events(state, count)
  return self:wait_for(("%d %s events"):format(count, state), function()
    local list = assert(lists.events(inside(self.bot).store, state, {}))
    return #list == count and list
  end)
end

---Waits until so many messages are of a state.
function kept_methods:wait_for_messages(state, count)
  return self:wait_for(("%d %s messages"):format(count, state), function()
    local list = assert(lists.messages(inside(self.bot).store, { state }, {}))
    return #list == count and list
  end)
end

---Runs the host's command line on this store.
function kept_methods:run(...)
  return process.cunnekt({ ... }, { cwd = self.folder.path })
end

return kept_bot
