-- SPDX-License-Identifier: MIT
-- Keyed FIFO queues: the items of a lane run one at a time, in order; lanes run concurrently, up to a maximum. Inbox and
-- outbox use a lane per contact. Nothing here is stored: the owner of an item does that.

local clock = require "cunnekt.time.clock"

local lanes = {}

local lanes_methods = {}
local lanes_mt = { __index = lanes_methods, __name = "cunnekt.lanes" }

---@class cunnekt.lanes
---@field items integer waiting or running
---@param concurrency integer maximum of running items
---@param run? fun(item: any, done: fun(pause?: number)) as in `connect`
---@return cunnekt.lanes
function lanes.new(concurrency, run)
  return setmetatable({
    _concurrency = concurrency,
    _run = run,
    _lanes = {},
    _ready = { first = 1, last = 0 },
    _active = 0,
    items = 0,
    _is_stopped = false,
  }, lanes_mt)
end

---Sets what starts an item.
---@param run fun(item: any, done: fun(pause?: number)) `done()` ends the item, `done(seconds)` retries it after a pause, still at the head of its lane; it may be called before `run` returns
function lanes_methods:connect(run)
  self._run = run
end

---Whether nothing waits or runs in this lane.
---@param key string
---@return boolean
function lanes_methods:is_free(key)
  return self._lanes[key] == nil
end

---The item of a lane that is running or next.
---@param key string
---@return any? item
function lanes_methods:head(key)
  local lane = self._lanes[key]
  return lane and lane[lane.first]
end

---The first item of a lane for which `fits` returns true.
---@param key string
---@param fits fun(item: any): boolean
---@return any? item
---@return boolean is_under_way
function lanes_methods:find(key, fits)
  local lane = self._lanes[key]
  for i = lane and lane.first or 1, lane and lane.last or 0 do
    if fits(lane[i]) then
      return lane[i], i == lane.first and lane.is_under_way == true
    end
  end
  return nil, false
end

---Removes the item behind the head of a lane, if `fits` returns true for it.
---@param key string
---@param fits fun(item: any): boolean
---@return any? item
function lanes_methods:take_second(key, fits)
  local lane = self._lanes[key]
  local second = lane and lane[lane.first + 1]
  if second == nil or not fits(second) then
    return nil
  end
  -- The head takes the second's place, and the lane begins one later.
  lane[lane.first + 1] = lane[lane.first]
  lane[lane.first] = nil
  lane.first = lane.first + 1
  self.items = self.items - 1
  return second
end

---The last item of a lane.
---@param key string
---@return any? item
function lanes_methods:last(key)
  local lane = self._lanes[key]
  return lane and lane[lane.last]
end

---The number of waiting and running items.
function lanes_methods:count()
  return self.items
end

---The number of running items.
function lanes_methods:active()
  return self._active
end

local function push(list, value)
  list.last = list.last + 1
  list[list.last] = value
end

local start_ready

-- Removes the head of a lane and makes the next one ready.
local function advance(self, lane)
  lane[lane.first] = nil
  lane.first = lane.first + 1
  self.items = self.items - 1
  if lane.first <= lane.last then
    push(self._ready, lane)
  else
    self._lanes[lane.key] = nil
  end
end

local function try_later(self, lane, pause)
  if self._is_stopped then
    return
  end
  lane.timer = clock.after(pause, function()
    lane.timer = nil
    push(self._ready, lane)
    start_ready(self)
  end)
end

local function start(self, lane)
  self._active = self._active + 1
  lane.is_under_way = true
  local is_over = false
  self._run(lane[lane.first], function(pause)
    if is_over then
      return
    end
    is_over = true
    lane.is_under_way = false
    self._active = self._active - 1
    if pause then
      try_later(self, lane, pause)
    else
      advance(self, lane)
    end
    start_ready(self)
    if self._on_quiet and self._active == 0 then
      self._on_quiet()
    end
  end)
end

-- An item that ends synchronously calls this again: the outer loop starts the next one, so the stack does not grow.
function start_ready(self)
  if self._is_starting then
    return
  end
  self._is_starting = true
  local ready = self._ready
  while ready.first <= ready.last and self._active < self._concurrency and not self._is_stopped do
    local lane = ready[ready.first]
    ready[ready.first] = nil
    ready.first = ready.first + 1
    start(self, lane)
  end
  self._is_starting = false
end

---Adds an item at the end of its lane.
---@param key string
---@param item any
function lanes_methods:push(key, item)
  local lane = self._lanes[key]
  if not lane then
    lane = { key = key, first = 1, last = 0 }
    self._lanes[key] = lane
    push(self._ready, lane)
  end
  push(lane, item)
  self.items = self.items + 1
  start_ready(self)
end

---Starts the head of a lane now, if it waits for a retry.
---@param key string
function lanes_methods:retry_now(key)
  local lane = self._lanes[key]
  if lane and lane.timer then
    lane.timer:close()
    lane.timer = nil
    push(self._ready, lane)
    start_ready(self)
  end
end

---Adds an item ahead of all others of its lane but the running one; one that waits for a retry comes after it.
---@param key string
---@param item any
function lanes_methods:push_front(key, item)
  local lane = self._lanes[key]
  if not lane then
    return self:push(key, item)
  end
  lane.first = lane.first - 1
  if lane.is_under_way then
    lane[lane.first], lane[lane.first + 1] = lane[lane.first + 1], item
  else
    lane[lane.first] = item
  end
  self.items = self.items + 1
  self:retry_now(key)
end

---Adds an item to a new lane, which starts after a pause.
---@param key string of a free lane
---@param item any
---@param pause number seconds
function lanes_methods:push_later(key, item, pause)
  local lane = { key = key, first = 1, last = 1, item }
  self._lanes[key] = lane
  self.items = self.items + 1
  try_later(self, lane, pause)
end

---Starts no more items; running ones may finish.
function lanes_methods:stop()
  self._is_stopped = true
  for _, lane in pairs(self._lanes) do
    if lane.timer then
      lane.timer:close()
      lane.timer = nil
    end
  end
end

---Calls `fn` whenever the last running item ends, and now if none is running. Items that wait for a retry are not running.
---@param fn fun()
function lanes_methods:when_quiet(fn)
  self._on_quiet = fn
  if self._active == 0 then
    fn()
  end
end

return lanes
