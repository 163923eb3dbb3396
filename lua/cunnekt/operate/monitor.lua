-- SPDX-License-Identifier: MIT
-- The pages for monitoring: /healthz says that the process is alive, /readyz whether it accepts events, /metrics gives its
-- numbers in the text format of Prometheus. No telephone number, text or key is on any of them. The names of metrics are
-- public: dashboards and alerts use them.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local counts = require "cunnekt.engine.counts"
local lists = require "cunnekt.store.lists"
local status = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"

local monitor = {}

---@class cunnekt.monitor
local monitor_methods = {}
local monitor_mt = { __index = monitor_methods, __name = "cunnekt.monitor" }

-- Seconds for which counts that need a query are reused, however often metrics are read.
local max_age = 10

local plain = "Content-Type: text/plain; charset=utf-8"

---The pages of one running bot, or of one that stands by: that has nothing but `standing_by`, which says for whom, and `trouble`, which
---says why it takes no webhooks.
---@param service cunnekt.operate.service|{standing_by: string, trouble: fun(): string?}
---@return cunnekt.monitor
function monitor.new(service)
  return setmetatable({ _service = service, _dead_letters = nil, _counted_at = -math.huge }, monitor_mt)
end

-- ---- readiness -----------------------------------------------------------------------------------------------------

---Why a running bot accepts no events now.
---@param service cunnekt.operate.service
---@return string? reason nil when it accepts them
function monitor.unready(service)
  if service.standing_by then
    local trouble = service.trouble()
    return trouble and ("%s; %s"):format(service.standing_by, trouble)
  end
  local is_writable, problem = service.store:is_writable()
  if service.is_stopping then
    return "stopping"
  elseif not service:address() then
    return "not listening yet"
  elseif not is_writable then
    return problem and "the store cannot be written: " .. problem or "the store cannot be written"
  elseif not service.inbox:has_room(1) then
    return "too many events are waiting"
  end
  return nil
end

-- ---- metrics -------------------------------------------------------------------------------------------------------

local function add(lines, name, kind, help, value, labels)
  if help then
    lines[#lines + 1] = ("# HELP cunnekt_%s %s"):format(name, help)
    lines[#lines + 1] = ("# TYPE cunnekt_%s %s"):format(name, kind)
  end
  lines[#lines + 1] = ("cunnekt_%s%s %s"):format(name, labels or "", value)
end

local function add_store(lines, stats)
  add(lines, "store_jobs_total", "counter", "write requests that were committed", stats.calls - stats.failed)
  add(lines, "store_jobs_failed_total", "counter", "write requests that failed", stats.failed)
  add(lines, "store_commits_total", "counter", "commits, each of all requests that were queued", stats.batches)
  add(lines, "store_queued_jobs", "gauge", "write requests that wait for their commit", stats.queued)
  add(lines, "store_commit_seconds", "gauge", "duration of the last commit", stats.last_commit_us / 1e6)
  add(lines, "store_commit_seconds_max", "gauge", "duration of the longest commit", stats.max_commit_us / 1e6)
  add(lines, "store_wal_bytes", "gauge", "size of the write-ahead log", stats.wal_bytes)
  add(lines, "store_writable", "gauge", "1 when the store can be written", stats.is_writable and 1 or 0)
end

local function add_dead_letters(lines, found)
  add(lines, "events_set_aside", "gauge", "dead letters: events to retry or drop by hand", found.dead)
  local help = "messages to retry or drop by hand"
  for _, state in ipairs(status.dead_letters) do
    add(lines, "messages_set_aside", "gauge", help, found[state], ('{state="%s"}'):format(state))
    help = nil
  end
end

-- The counts of dead letters; old ones when the store cannot be read, nil before the first. Waits when they are too old.
local function count_dead_letters(self)
  local now = clock.monotonic()
  if now - self._counted_at > max_age then
    local found = lists.count_dead_letters(self._service.store)
    if found then
      self._dead_letters, self._counted_at = found, now
    end
  end
  return self._dead_letters
end

---The numbers of the bot, as text. Waits now and then.
---@return string
function monitor_methods:metrics()
  local service, lines = self._service, {}
  for _, entry in ipairs(counts.known) do
    add(lines, entry[1] .. "_total", "counter", entry[2], service.counts[entry[1]])
  end
  add(lines, "events_pending", "gauge", "events that wait or are being handled", service.inbox:count())
  add(lines, "events_under_way", "gauge", "events that are being handled", service.inbox:active())
  add(lines, "messages_pending", "gauge", "messages that wait to be sent or are being sent", service.outbox:count())
  add_store(lines, service.store:stats())
  add(lines, "ready", "gauge", "1 when events are accepted", monitor.unready(service) and 0 or 1)
  add(lines, "standing_by", "gauge", "1 when another host has the database", 0)
  add(lines, "memory_bytes", "gauge", "memory of the process", core.memory() or 0)
  add(lines, "lua_memory_bytes", "gauge", "memory of the Lua state", math.floor(collectgarbage "count" * 1024))
  add(lines, "start_time_seconds", "gauge", "start of the service, since 1970", ("%.0f"):format(service.started_at or 0))
  local found = count_dead_letters(self)
  if found then
    add_dead_letters(lines, found)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Of a host that stands by: there is nothing yet whose numbers it could have.
local function metrics_of_none(service)
  local lines = {}
  add(lines, "ready", "gauge", "1 when events are accepted", service.trouble() and 0 or 1)
  add(lines, "standing_by", "gauge", "1 when another host has the database", 1)
  return table.concat(lines, "\n") .. "\n"
end

-- ---- answers -------------------------------------------------------------------------------------------------------

local pages = {}

pages["/healthz"] = function(_, exchange)
  exchange:answer(200, "alive\n", { plain })
end

pages["/readyz"] = function(self, exchange)
  local service = self._service
  local reason = monitor.unready(service)
  local ready = service.standing_by and "ready, " .. service.standing_by or "ready"
  exchange:answer(reason and 503 or 200, (reason or ready) .. "\n", { plain })
end

pages["/metrics"] = function(self, exchange)
  task.spawn(function()
    local text = self._service.standing_by and metrics_of_none(self._service) or self:metrics()
    exchange:answer(200, text, { "Content-Type: text/plain; version=0.0.4; charset=utf-8" })
  end)
end

---Answers a request for one of the pages.
---@param exchange cunnekt.exchange
---@param method string
---@param path string
---@return boolean is_answered false when it asks for something else
function monitor_methods:answer(exchange, method, path)
  local page = pages[path]
  if not page then
    return false
  elseif method ~= "GET" then
    exchange:answer(405, "send a GET\n", { plain, "Allow: GET" })
  else
    page(self, exchange)
  end
  return true
end

return monitor
