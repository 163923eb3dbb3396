-- SPDX-License-Identifier: MIT
-- Keyed FIFO queues: the items of a lane run one at a time, in order; lanes run concurrently, up to a maximum, and take turns.
-- Inbox and outbox use a lane per contact. Lanes in the background (bulk messages) let the others pass, but for a least share.
-- A gate may hold items back, one lane or all of them. Nothing here is stored: the owner of an item does that.

local clock = require "cunnekt.time.clock"

local lanes = {}

local lanes_methods = {}
local lanes_mt = { __index = lanes_methods, __name = "cunnekt.lanes" }

-- When both wait, one start in so many is of a lane in the background; and so much of the running items may be.
local background_turn, background_part = 5, 0.75

---@class cunnekt.lanes
---@field items integer waiting or running
---@field background_items integer those of them in background lanes
---@param concurrency integer maximum of running items
---@param run? fun(item: any, done: fun(pause?: number)) as in `connect`
---@param gate? fun(item: any): number?, boolean? asked before an item starts: nothing, or the seconds for which it must wait, and whether all other items must as well
---@return cunnekt.lanes
function lanes.new(concurrency, run, gate)
  return setmetatable({
    _concurrency = concurrency,
    _most_background = math.max(1, math.floor(concurrency * background_part)),
    _run = run,
    _gate = gate,
    _lanes = {},
    _ready = { first = 1, last = 0 },
    _ready_background = { first = 1, last = 0 },
    _since_background = 0,
    _active = 0,
    _active_background = 0,
    items = 0,
    background_items = 0,
    _is_stopped = false,
  }, lanes_mt)
end

---Sets what starts an item.
---@param run fun(item: any, done: fun(pause?: number)) `done()` ends the item, `done(seconds)` retries it after a pause, still at the head of its lane; it may be called before `run` returns
function lanes_methods:connect(run)
  self._run = run
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

local function count_item(self, lane, step)
  self.items = self.items + step
  self.background_items = self.background_items + lane.weight * step
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
  count_item(self, lane, -1)
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

local function make_ready(self, lane)
  push(lane.is_background and self._ready_background or self._ready, lane)
end

-- A lane goes on with its next item. Without one it ends, unless its owner has more for it. The lane that it is part of now,
-- which waits for its end, goes on as well.
local function go_on(self, lane)
  local heir = lane.heir
  if heir then
    lane.heir, heir.held = nil, heir.held - 1
    self:_wake(heir)
  end
  if lane.first <= lane.last then
    make_ready(self, lane)
  elseif lane.has_more then
    self._fill_lane(lane)
  else
    self._lanes[lane.key] = nil
  end
end

-- Removes the head of a lane and makes the next one ready.
local function advance(self, lane)
  lane[lane.first] = nil
  lane.first = lane.first + 1
  self.items = self.items - 1
  self.background_items = self.background_items - lane.weight
  if lane.first > lane.last and not lane.has_more and not lane.heir then
    self._lanes[lane.key] = nil -- the usual case
  else
    go_on(self, lane)
  end
  if self._on_advance then
    self._on_advance()
  end
end

local function try_later(self, lane, pause)
  if self._is_stopped then
    return
  end
  lane.timer = clock.after(pause, function()
    lane.timer = nil
    make_ready(self, lane)
    start_ready(self)
  end)
end

local function tell_quiet(self)
  if self._on_quiet and self._active == 0 then
    self._on_quiet()
  end
  if self._on_empty and self.items == 0 then
    self._on_empty()
  end
end

local function start(self, lane)
  self._active = self._active + 1
  self._active_background = self._active_background + lane.weight
  lane.is_under_way = true
  local is_over = false
  self._run(lane[lane.first], function(pause)
    if is_over then
      return
    end
    is_over = true
    lane.is_under_way = false
    self._active = self._active - 1
    self._active_background = self._active_background - lane.weight
    if pause then
      try_later(self, lane, pause)
    else
      advance(self, lane)
    end
    start_ready(self)
    tell_quiet(self)
  end)
end

-- Where lanes in the background are ready, too: the queue from which the next lane starts; it may be empty.
local function next_queue(self)
  local ready, may_be_background = self._ready, self._active_background < self._most_background
  local is_turn = self._since_background >= background_turn - 1
  if not may_be_background or (ready.first <= ready.last and not is_turn) then
    self._since_background = self._since_background + 1
    return ready
  end
  self._since_background = 0
  return self._ready_background
end

-- All items wait for the gate.
local function wait_for_gate(self, pause)
  if not self._gate_timer then
    self._gate_timer = clock.after(pause, function()
      self._gate_timer = nil
      start_ready(self)
    end)
  end
end

-- Starts the first lane of a queue, or lets it wait as the gate says. False when all must wait.
local function start_first(self, queue)
  local lane = queue[queue.first]
  if lane.held > 0 or lane.first > lane.last then
    queue[queue.first] = nil
    queue.first = queue.first + 1
    lane.is_put_off = lane.held > 0
    return true
  end
  local pause, is_for_all
  if self._gate then
    pause, is_for_all = self._gate(lane[lane.first])
  end
  if pause and is_for_all then
    wait_for_gate(self, pause)
    return false
  end
  queue[queue.first] = nil
  queue.first = queue.first + 1
  if pause then
    try_later(self, lane, pause)
  else
    start(self, lane)
  end
  return true
end

-- An item that ends synchronously calls this again: the outer loop starts the next one, so the stack does not grow.
function start_ready(self)
  if self._is_starting then
    return
  end
  self._is_starting = true
  local may_go, ready, background = not self._gate_timer, self._ready, self._ready_background
  while may_go and self._active < self._concurrency and not self._is_stopped do
    local queue = background.first <= background.last and next_queue(self) or ready
    may_go = queue.first <= queue.last and start_first(self, queue)
  end
  self._is_starting = false
end

local function new_lane(self, key, is_background)
  local lane = { key = key, first = 1, last = 0, is_background = is_background, weight = is_background and 1 or 0, held = 0 }
  self._lanes[key] = lane
  return lane
end

-- Adds an item, whose lane may be new; returns the lane.
local function add(self, key, item, is_background)
  local lane = self._lanes[key] or new_lane(self, key, is_background)
  local last = lane.last + 1
  lane.last, lane[last] = last, item
  self.items = self.items + 1
  self.background_items = self.background_items + lane.weight
  return lane
end

---Adds an item at the end of its lane.
---@param key string
---@param item any
---@param is_background? boolean of the lane
function lanes_methods:push(key, item, is_background)
  local is_new = self._lanes[key] == nil
  local lane = add(self, key, item, is_background)
  if is_new then
    make_ready(self, lane)
  end
  start_ready(self)
end

---Reserves a free lane for an item that may come soon, and a slot to start it at once, where nobody waits for one. What is
---added to the lane meanwhile comes after that item. `start_reserved` or `release` must follow.
---@param key string
---@param is_background? boolean
---@return boolean is_reserved
function lanes_methods:reserve(key, is_background)
  local ready, background = self._ready, self._ready_background
  if self._lanes[key] or ready.first <= ready.last or self._active >= self._concurrency or self._is_stopped then
    return false
  elseif is_background and (background.first <= background.last or self._active_background >= self._most_background) then
    return false
  end
  local lane = new_lane(self, key, is_background)
  lane.is_under_way = true
  self._active = self._active + 1
  self._active_background = self._active_background + lane.weight
  return true
end

-- The slot of a reserved lane is free again.
local function free_slot(self, lane)
  lane.is_under_way = false
  self._active = self._active - 1
  self._active_background = self._active_background - lane.weight
end

---Starts the item of a reserved lane.
---@param key string
---@param item any
function lanes_methods:start_reserved(key, item)
  local lane = self._lanes[key]
  local first = lane.first - 1
  lane.first, lane[first] = first, item
  self.items = self.items + 1
  self.background_items = self.background_items + lane.weight
  free_slot(self, lane)
  start(self, lane)
end

---Gives up a reservation.
---@param key string
function lanes_methods:release(key)
  local lane = self._lanes[key]
  free_slot(self, lane)
  go_on(self, lane)
  start_ready(self)
  tell_quiet(self)
end

-- ---- owners that hold more than a lane does ------------------------------------------------------------------------

---@class cunnekt.lanes.lane
---@field key string
---@field first integer
---@field last integer its items are at `first` to `last`
---@field is_background boolean?
---@field has_more boolean? set by the owner: when the lane is empty, it is given to `fill`
---@field is_gone boolean? it has become part of another one

---Sets what is called with a lane that is empty and `has_more`. `fill_empty` must follow, at any time.
---@param fill fun(lane: cunnekt.lanes.lane)
function lanes_methods:on_empty_lane(fill)
  self._fill_lane = fill
end

---Sets what is called whenever an item has left its lane.
---@param fn fun()? nil: nothing
function lanes_methods:on_advance(fn)
  self._on_advance = fn
end

---A lane as it is; nil when there is none.
---@param key string
---@return cunnekt.lanes.lane?
function lanes_methods:lane(key)
  return self._lanes[key]
end

---Makes a lane without items, and has it filled.
---@param key string of a free lane, not in the background
---@return cunnekt.lanes.lane
function lanes_methods:open_empty(key)
  local lane = new_lane(self, key, false)
  self._fill_lane(lane)
  return lane
end

---Adds items to a lane that was empty; without any it ends.
---@param lane cunnekt.lanes.lane
---@param items any[]
function lanes_methods:fill_empty(lane, items)
  for _, item in ipairs(items) do
    add(self, lane.key, item)
  end
  go_on(self, lane)
  start_ready(self)
  tell_quiet(self)
end

-- A lane without items, to which some come at once; for joins.lua.
function lanes_methods:_new_heir(from, key)
  local heir = new_lane(self, key, from.is_background)
  heir.is_put_off = true
  return heir
end

-- Lets a lane go on, if nothing holds it.
function lanes_methods:_wake(heir)
  if heir.held == 0 and heir.is_put_off then
    heir.is_put_off = false
    go_on(self, heir)
    start_ready(self)
  end
end

---The items that are running.
---@return any[]
function lanes_methods:running()
  local list = {}
  for _, lane in pairs(self._lanes) do
    if lane.is_under_way then
      list[#list + 1] = lane[lane.first]
    end
  end
  return list
end

---Starts the head of a lane now, if it waits for a retry.
---@param key string
function lanes_methods:retry_now(key)
  local lane = self._lanes[key]
  if lane and lane.timer then
    lane.timer:close()
    lane.timer = nil
    make_ready(self, lane)
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
  if lane.first > lane.last then
    add(self, key, item) -- reserved: the item that it is for comes first
    return
  end
  lane.first = lane.first - 1
  if lane.is_under_way then
    lane[lane.first], lane[lane.first + 1] = lane[lane.first + 1], item
  else
    lane[lane.first] = item
  end
  count_item(self, lane, 1)
  self:retry_now(key)
end

---Adds an item to a new lane, which starts after a pause.
---@param key string of a free lane
---@param item any
---@param pause number seconds
function lanes_methods:push_later(key, item, pause)
  local lane = { key = key, first = 1, last = 1, weight = 0, held = 0, item }
  self._lanes[key] = lane
  count_item(self, lane, 1)
  try_later(self, lane, pause)
end

---Starts no more items; running ones may finish.
function lanes_methods:stop()
  self._is_stopped = true
  if self._gate_timer then
    self._gate_timer:close()
    self._gate_timer = nil
  end
  for _, lane in pairs(self._lanes) do
    if lane.timer then
      lane.timer:close()
      lane.timer = nil
    end
  end
end

---Calls `fn` whenever the last item ends, and now if there is none.
---@param fn fun()
function lanes_methods:when_empty(fn)
  self._on_empty = fn
  if self.items == 0 then
    fn()
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
