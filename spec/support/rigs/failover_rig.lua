-- SPDX-License-Identifier: MIT
-- A primary and its standby, PostgreSQL servers that die and follow one another, beneath the hosts and customers of pair_rig: the
-- same judge, who knows nothing of databases.

local clock = require "cunnekt.time.clock"
local pair_rig = require "spec.support.rigs.pair_rig"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"

local failover_rig = {}

local tool = "spec/support/postgres.sh"
local made = 0

-- Waits while the loop goes on: the provider is in this process.
local function run(...)
  local ended = process.run { tool, ... }
  assert(ended.code == 0, ended.err)
end

local function new_server(port)
  made = made + 1
  return { name = "server-" .. made, port = port or pair_rig.free_port() }
end

local function ask(server, text)
  local pipe <close> = assert(io.popen(("%s --sql-at %d %q"):format(tool, server.port, text)))
  return (pipe:read("a"):gsub("%s+$", ""))
end

local rig_methods = {}

---A primary without a standby, and `count` hosts, 1 by default, that are not started yet.
---@return table rig of pair_rig, with the methods below; `primary`, `standby`
function failover_rig.new(count)
  local first, second = new_server(), new_server()
  local url = ("postgres://cunnekt@127.0.0.1:%d,127.0.0.1:%d/postgres?connect_timeout=2"):format(first.port, second.port)
  local rig = pair_rig.new(url, "failover", count or 1)
  for name, method in pairs(rig_methods) do
    rig[name] = method
  end
  rig.primary, rig.free = first, second.port
  run("--new", first.name, tostring(first.port))
  function rig.sql(text)
    return ask(rig.primary, text)
  end
  return rig
end

function rig_methods:set(name, value)
  self.sql(("ALTER SYSTEM SET %s = '%s'"):format(name, value))
  self.sql "SELECT pg_reload_conf()"
end

---A new standby of the primary, which has all that the primary has. Synchronous: from then on no commit is confirmed without it.
function rig_methods:copy(is_synchronous)
  self.standby = new_server(self.free)
  run("--copy", self.standby.name, tostring(self.standby.port), tostring(self.primary.port))
  if is_synchronous then
    self:set("synchronous_standby_names", "copy")
  end
  local state = is_synchronous and "sync" or "async"
  process.wait_until("the standby", function()
    return self.sql "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'" == state
  end)
end

---From now on the standby receives nothing.
function rig_methods:cut_off()
  ask(self.standby, "ALTER SYSTEM SET primary_conninfo = ''")
  ask(self.standby, "SELECT pg_reload_conf()")
  process.wait_until("the end of the replication", function()
    return self.sql "SELECT count(*) FROM pg_stat_replication" == "0"
  end)
end

---@param how "kill"|"end" its clients are told of that
function rig_methods:lose_primary(how)
  run("--" .. how, self.primary.name)
end

---@param how "kill"|"end"
function rig_methods:lose_standby(how)
  run("--" .. how, self.standby.name)
  self.free, self.standby = self.standby.port, nil
end

function rig_methods:promote()
  run("--promote", self.standby.name)
  self.free, self.primary, self.standby = self.primary.port, self.standby, nil
end

function rig_methods:total_said()
  local total = 0
  for _, said in pairs(self.said) do
    total = total + said
  end
  return total
end

---Waits until so many more webhooks are answered with 200.
function rig_methods:wait_for_webhooks(count)
  local wanted = self:total_said() + count
  process.wait_until(count .. " webhooks", function()
    return self:total_said() >= wanted
  end)
end

-- What /readyz of a host says, each sentence once.
local function collect_reasons(rig, host)
  local reasons, seen = {}, {}
  while true do
    local status, body = rig:readiness(host)
    if status == 200 and rig.is_promoted then
      return reasons
    elseif status ~= 200 and body and not seen[body] then
      seen[body] = true
      reasons[#reasons + 1] = body:gsub("%s+$", "")
    end
    assert(clock.monotonic() < rig.patience, "the host is not ready: " .. (reasons[#reasons] or "it does not answer"))
    task.sleep(0.01)
  end
end

---The primary dies, and its standby takes its place.
---@param host table
---@param how "kill"|"end"
---@return number seconds until the host was ready again
---@return string[] reasons why it was not meanwhile
function rig_methods:fail_over(host, how)
  local began = clock.monotonic()
  self.is_promoted = false
  local watching = task.spawn(collect_reasons, self, host)
  self:lose_primary(how)
  self:promote()
  self.is_promoted = true
  local reasons = task.join(watching)
  return clock.monotonic() - began, reasons
end

return failover_rig
