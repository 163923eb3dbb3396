-- SPDX-License-Identifier: MIT
-- What machines ask a running bot: whether it is alive, whether it takes events, and its numbers in the text form of
-- Prometheus. No telephone number, text or key is in any of it.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local counts = require "cunnekt.engine.counts"
local task = require "cunnekt.base.task"

local monitor = {}

-- Seconds for which the counts that the store must be asked for are good enough.
local counts_age = 10

local plain = "Content-Type: text/plain; charset=utf-8"

-- ---- readiness ---------------------------------------------------------------------------------------------------

---Why a bot takes no events now.
---@param bot table
---@return string? reason nil when it takes them
function monitor.unready(bot)
  if bot.is_stopping then
    return "stopping"
  elseif not bot.webhook_server then
    return "not listening yet"
  elseif not bot.store:is_writable() then
    return "the store cannot be written"
  elseif not bot.inbox:has_room(1) then
    return "too many events are waiting"
  end
  return nil
end

-- ---- metrics -----------------------------------------------------------------------------------------------------

local function add(lines, name, kind, help, value, labels)
  if help then
    lines[#lines + 1] = ("# HELP cunnekt_%s %s"):format(name, help)
    lines[#lines + 1] = ("# TYPE cunnekt_%s %s"):format(name, kind)
  end
  lines[#lines + 1] = ("cunnekt_%s%s %s"):format(name, labels or "", value)
end

local function add_store(lines, stats)
  add(lines, "store_jobs_total", "counter", "changes that were committed", stats.jobs - stats.failed)
  add(lines, "store_jobs_failed_total", "counter", "changes that could not be made", stats.failed)
  add(lines, "store_commits_total", "counter", "commits, each of all the changes that waited", stats.batches)
  add(lines, "store_queued_jobs", "gauge", "changes that wait for their commit", stats.queued)
  add(lines, "store_commit_seconds", "gauge", "how long the last commit took", stats.last_commit_us / 1e6)
  add(lines, "store_commit_seconds_max", "gauge", "how long the longest commit took", stats.max_commit_us / 1e6)
  add(lines, "store_wal_bytes", "gauge", "size of the write-ahead log", stats.wal_bytes)
  add(lines, "store_writable", "gauge", "1 when the store can be written", stats.is_writable and 1 or 0)
end

local function add_aside(lines, aside)
  add(lines, "events_set_aside", "gauge", "events that wait for somebody to retry or drop them", aside.dead)
  local help = "messages that wait for somebody to retry or drop them"
  for _, state in ipairs { "unknown", "rejected", "failed" } do
    add(lines, "messages_set_aside", "gauge", help, aside[state], ('{state="%s"}'):format(state))
    help = nil
  end
end

-- May wait for the store, now and then.
local function count_set_aside(bot)
  local known = bot.aside
  if not known or clock.monotonic() - known.at > counts_age then
    local aside = bot.store:count_set_aside()
    known = aside and { at = clock.monotonic(), counts = aside } or known
    bot.aside = known
  end
  return known and known.counts
end

---A bot's numbers. May wait.
---@param bot table
---@return string
function monitor.metrics(bot)
  local lines = {}
  for _, entry in ipairs(counts.known) do
    add(lines, entry[1] .. "_total", "counter", entry[2], bot.counts[entry[1]])
  end
  add(lines, "events_pending", "gauge", "events that wait for their turn or are in it", bot.inbox:count())
  add(lines, "events_under_way", "gauge", "events that are in their turn", bot.inbox:active())
  add(lines, "messages_pending", "gauge", "messages that wait to be sent or are being sent", bot.outbox:count())
  add_store(lines, bot.store:stats())
  add(lines, "ready", "gauge", "1 when events are taken", monitor.unready(bot) and 0 or 1)
  add(lines, "memory_bytes", "gauge", "memory of the process", core.memory() or 0)
  add(lines, "lua_memory_bytes", "gauge", "memory of its scripts", math.floor(collectgarbage "count" * 1024))
  add(lines, "start_time_seconds", "gauge", "when it began to serve, since 1970", ("%.0f"):format(bot.started_at or 0))
  local aside = count_set_aside(bot)
  if aside then
    add_aside(lines, aside)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- answers -----------------------------------------------------------------------------------------------------

local pages = {}

pages["/healthz"] = function(_, exchange)
  exchange:answer(200, "alive\n", { plain })
end

pages["/readyz"] = function(bot, exchange)
  local reason = monitor.unready(bot)
  exchange:answer(reason and 503 or 200, (reason or "ready") .. "\n", { plain })
end

pages["/metrics"] = function(bot, exchange)
  task.spawn(function()
    exchange:answer(200, monitor.metrics(bot), { "Content-Type: text/plain; version=0.0.4; charset=utf-8" })
  end)
end

---Answers a request for one of these pages.
---@param bot table
---@param exchange cunnekt.exchange
---@param method string
---@param path string
---@return boolean is_answered false when it is for something else
function monitor.answer(bot, exchange, method, path)
  local page = pages[path]
  if not page then
    return false
  elseif method ~= "GET" then
    exchange:answer(405, "send a GET\n", { plain, "Allow: GET" })
  else
    page(bot, exchange)
  end
  return true
end

return monitor
