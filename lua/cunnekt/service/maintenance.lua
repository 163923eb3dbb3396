-- SPDX-License-Identifier: MIT
-- Periodic maintenance of a running bot: window_closing events, removal of old rows, and a look whether its disk answers. What is old, and
-- which windows end, is the store's to find; timers of dialogs and jobs are elsewhere.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local kept_events = require "cunnekt.dialog.flow.kept_events"
local limits = require "cunnekt.provider.limits"
local log = require "cunnekt.base.log"
local record = require "cunnekt.engine.record"
local task = require "cunnekt.base.task"

local maintenance = {}

-- Seconds between checks of windows, between sweeps, and between the small steps of a sweep, so that no event waits for it.
local window_pace, sweep_pace, step_pause = 30, 3600, 0.2

local maintenance_methods = {}
local maintenance_mt = { __index = maintenance_methods, __name = "cunnekt.maintenance" }

-- Reports a watched window, once.
local function timer_of(row)
  local _, to = identity.parts(row.contact)
  local ends_at = row.last_inbound + limits.service_window
  return {
    contact = row.contact,
    event = record.own(row.contact, { status = "window_closing", recipient = to, ends_at = ends_at }),
  }
end

local function queue_window_events(service)
  local store = service.store
  local rows, err = store:query("closing_windows", { window = limits.service_window, ["until"] = clock.now() })
  local records
  if rows then
    local timers = {}
    for i, row in ipairs(rows) do
      timers[i] = timer_of(row)
    end
    records, err = store:fire(timers)
  end
  if not records then
    return log.warn("service windows could not be checked: %s", err.message)
  end
  service.inbox:enqueue(records)
end

local function sweep(service)
  local days, now = service.options.keep_days, service.engine.wall_clock:certain()
  if not now then
    return -- no trusted time before the first webhook
  end
  local ok, problem = pcall(kept_events.expire, service.store, now)
  if not ok then
    log.warn("kept signals could not be removed: %s", errors.is(problem) and problem.message or tostring(problem))
  end
  repeat
    local is_done, err = service.store:sweep(days, now)
    if is_done == nil then
      log.warn("old rows could not be removed: %s", err.message)
    elseif not is_done then
      task.sleep(step_pause)
    end
  until is_done ~= false or service.is_stopping
end

-- Runs `work` again `seconds` after it ends.
local function repeat_every(self, name, seconds, work)
  self[name] = clock.after(seconds, function()
    self[name] = nil
    task.spawn(function()
      work(self._service)
      if not self._is_stopped then
        repeat_every(self, name, seconds, work)
      end
    end)
  end)
end

-- Time that passes in transcripts and in `cunnekt dev` goes from timer to timer: so there is none without a window to check.
local function start_windows(self)
  local store = self._service.store
  if store.may_have_watches then
    return repeat_every(self, "_windows", window_pace, queue_window_events)
  end
  function store.on_watch()
    if not self._is_stopped then
      repeat_every(self, "_windows", window_pace, queue_window_events)
    end
  end
end

-- Seconds between looks at the store. A disk that hangs lets no call fail, so nobody else would say it.
local look_pace = 1

-- By the real time: a virtual clock moves no disk. A store of several hosts has a watch of its own.
local function look_repeatedly(self)
  self._look = core.real_timer(look_pace, function()
    self._service.store:look()
    look_repeatedly(self)
  end)
end

---Starts the maintenance of a service.
---@param service cunnekt.service
---@return table maintenance
function maintenance.start(service)
  local self = setmetatable({ _service = service }, maintenance_mt)
  start_windows(self)
  repeat_every(self, "_sweep", sweep_pace, sweep)
  if service.store.is_kept and not service.store.is_shared then
    look_repeatedly(self)
  end
  return self
end

---Stops for good.
function maintenance_methods:stop()
  self._is_stopped = true
  for _, name in ipairs { "_windows", "_sweep", "_look" } do
    if self[name] then
      self[name]:close()
    end
  end
end

return maintenance
