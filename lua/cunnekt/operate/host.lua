-- SPDX-License-Identifier: MIT
-- The operations on the host and the store as a whole: what runs and what waits, a check of the database, a backup. How
-- `cunnekt doctor` words the results is in doctor/.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local monitor = require "cunnekt.operate.monitor"

local host = {}

-- The integrity check blocks the store. Up to this size it takes well below a second, which a running host can bear.
local max_checked_bytes = 64 * 1024 * 1024

-- What waits: a running service knows, otherwise the store has to count.
local function count_waiting(target)
  local service = target.service
  if service then
    return { pending = service.inbox:count(), queued = service.outbox:count() }
  end
  return lists.count_waiting(target.store)
end

-- Stores of earlier versions, which are only read, have no columns for pauses.
local function count_paused(target)
  local version = target.store.version or formats.schema_version
  if version < formats.schema_version then
    return {}
  end
  return lists.count_paused(target.store)
end

local function about(target)
  local dead_letters, err = lists.count_dead_letters(target.store)
  local waiting, paused
  if dead_letters then
    waiting, err = count_waiting(target)
  end
  if waiting then
    paused, err = count_paused(target)
  end
  if not paused then
    return nil, err
  end
  local service = target.service
  return {
    pid = core.pid(),
    is_running = service ~= nil,
    started_at = service and service.started_at,
    listen = service and service:address(),
    unready = service and monitor.unready(service),
    is_writable = (target.store:is_writable()),
    pending = waiting.pending,
    queued = waiting.queued,
    dead = dead_letters.dead,
    unknown = dead_letters.unknown,
    rejected = dead_letters.rejected,
    failed = dead_letters.failed,
    paused = paused.conversations,
    paused_since = paused.since,
    paused_messages = paused.messages,
  }
end

local function check(target)
  local facts, err = lists.facts(target.store)
  local version, latest, problems = target.store.version or formats.schema_version, nil, nil
  if facts and version == formats.schema_version then
    latest, err = lists.latest_time(target.store)
  end
  if err then
    return nil, err
  end
  local is_file = facts and facts.engine:find "^SQLite" ~= nil
  if is_file and (not target.service or facts.bytes <= max_checked_bytes) then
    problems, err = lists.check_integrity(target.store)
    if not problems then
      return nil, err
    end
  end
  return {
    version = version,
    engine = facts.engine,
    sqlite = facts.engine:match "^SQLite (.+)", -- for a command of an older version
    bytes = facts.bytes,
    wal_bytes = target.store:stats().wal_bytes,
    latest_time = latest,
    now = clock.now(),
    problems = problems and json.array(problems), -- nil: not checked
  }
end

local function backup(target, args)
  if not args.path:find "^/" then
    return nil, errors.new("invalid", "the path of a backup must be absolute")
  end
  local ok, err = target.store:backup(args.path)
  if not ok then
    return nil, err
  end
  -- With the inode the command line finds out whether it sees the same file: the host may see other folders under the same names.
  return { path = args.path, bytes = (core.stat(args.path) or {}).size, inode = core.inode(args.path) }
end

---@type table<string, cunnekt.operate.operation>
host.operations = {
  ["host.about"] = { types = {}, run = about },
  ["store.check"] = { types = {}, run = check },
  ["store.backup"] = { types = { path = "string" }, run = backup },
}

return host
