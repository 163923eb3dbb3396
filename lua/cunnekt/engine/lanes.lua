-- SPDX-License-Identifier: MIT
-- Work in lanes: one item of a lane at a time, in order; lanes in parallel, a bounded number at once. A contact is a
-- lane, both for its events (inbox) and for its messages (outbox).

local clock = require "cunnekt.time.clock"

local lanes = {}

local lanes_methods = {}
local lanes_mt = { __index = lanes_methods, __name = "cunnekt.lanes" }

---@class cunnekt.lanes
---@field items integer how many are waiting or under way
---@param concurrency integer items under way at once
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

---Sets what begins an item.
---@param run fun(item: any, done: fun(pause?: number)) `done()` ends the item, `done(seconds)` gives it back to the head of its lane for another try after a pause; it may be called before `run` returns
function lanes_methods:connect(run)
  self._run = run
end

---Whether nothing of this lane is waiting or under way.
---@param key string
---@return boolean
function lanes_methods:is_free(key)
  return self._lanes[key] == nil
end

---The item of a lane that is under way or next.
---@param key string
---@return any? item
function lanes_methods:head(key)
  local lane = self._lanes[key]
  return lane and lane[lane.first]
end

---The first item of a lane that `fits` says yes to.
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

---Takes the item behind the head of a lane out, if `fits` says so.
---@param key string
---@param fits fun(item: any): boolean
---@return any? item
function lanes_methods:take_second(key, fits)
  local lane = self._lanes[key]
  local second = lane and lane[lane.first + 1]
  if second == nil or not fits(second) then
    return nil
  end
  -- The head moves up into the place of the second: the lane begins one later.
  lane[lane.first + 1] = lane[lane.first]
  lane[lane.first] = nil
  lane.first = lane.first + 1
  self.items = self.items - 1
  return second
end

---The item at the end of a lane.
---@param key string
---@return any? item
function lanes_methods:last(key)
  local lane = self._lanes[key]
  return lane and lane[lane.last]
end

---How many items are waiting or under way.
function lanes_methods:count()
  return self.items
end

---How many items are under way now.
function lanes_methods:active()
  return self._active
end

local function push(list, value)
  list.last = list.last + 1
  list[list.last] = value
end

local start_ready

-- The head of a lane is over, so the next of the lane may go.
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

-- Items that end at once come back here; the loop serves them, so that the stack does not grow with the backlog.
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

---Adds an item at the end of its lane, and starts it when its turn has come.
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

---Starts the head of a lane now, if it waits for another try.
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

---Adds an item before all others of its lane but the one under way; one that waits for another try comes after it.
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

---Adds an item to a lane of its own, to be started after a pause.
---@param key string of a lane that is free
---@param item any
---@param pause number seconds
function lanes_methods:push_later(key, item, pause)
  local lane = { key = key, first = 1, last = 1, item }
  self._lanes[key] = lane
  self.items = self.items + 1
  try_later(self, lane, pause)
end

---Starts nothing more; what is under way may end.
function lanes_methods:stop()
  self._is_stopped = true
  for _, lane in pairs(self._lanes) do
    if lane.timer then
      lane.timer:close()
      lane.timer = nil
    end
  end
end

---Calls `fn` each time that nothing is under way any more, and now if that is so. What waits for another try, or behind
---it, is not under way.
---@param fn fun()
function lanes_methods:when_quiet(fn)
  self._on_quiet = fn
  if self._active == 0 then
    fn()
  end
end

return lanes
