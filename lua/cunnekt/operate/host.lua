-- SPDX-License-Identifier: MIT
-- What an operator asks of the host and the store as a whole; see control/events.lua for the form.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local monitor = require "cunnekt.operate.monitor"
local schema = require "cunnekt.store.schema"

local host = {}

-- A larger database is not read through while a host needs it: everybody would wait for a second or more.
local largest_check = 64 * 1024 * 1024

-- What waits, from the bot that knows, or from the store.
local function count_waiting(target)
  local bot = target.service
  if bot then
    return { pending = bot.inbox:count(), queued = bot.outbox:count() }
  end
  return target.store:count_waiting()
end

local function about(target)
  local aside, err = target.store:count_set_aside()
  local waiting
  if aside then
    waiting, err = count_waiting(target)
  end
  if not waiting then
    return nil, err
  end
  local bot = target.service
  return {
    pid = core.pid(),
    is_running = bot ~= nil,
    started_at = bot and bot.started_at,
    listen = bot and bot:address(),
    unready = bot and monitor.unready(bot), -- why it takes no events, if so
    is_writable = target.store:is_writable(),
    pending = waiting.pending,
    queued = waiting.queued,
    dead = aside.dead,
    unknown = aside.unknown,
    rejected = aside.rejected,
    failed = aside.failed,
  }
end

local function check(target)
  local facts, err = target.store:facts()
  local latest, problems
  if facts then
    latest, err = target.store:latest_time()
  end
  if err then
    return nil, err
  end
  if not target.service or facts.bytes <= largest_check then
    problems, err = target.store:check_integrity()
    if not problems then
      return nil, err
    end
  end
  return {
    version = schema.version,
    sqlite = facts.sqlite,
    bytes = facts.bytes,
    wal_bytes = target.store:stats().wal_bytes,
    latest_time = latest,
    now = clock.now(),
    problems = problems and json.array(problems), -- none: not checked
  }
end

local function backup(target, args)
  if not args.path:find "^/" then
    return nil, errors.new("invalid", "the path of a backup must be a whole one")
  end
  local ok, err = target.store:backup(args.path)
  return ok and { path = args.path, bytes = (core.stat(args.path) or {}).size } or nil, err
end

---@type table<string, {types: table, run: fun(target: cunnekt.control.target, args: table): table?, cunnekt.error?}>
host.operations = {
  ["host.about"] = { types = {}, run = about },
  ["store.check"] = { types = {}, run = check },
  ["store.backup"] = { types = { path = "string" }, run = backup },
}

return host
