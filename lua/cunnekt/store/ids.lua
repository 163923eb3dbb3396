-- SPDX-License-Identifier: MIT
-- Ids of messages and dialogs, from blocks that the store has reserved: so one is there at once, and none is given
-- twice, by this process or another. They name and do not order. Those of a block that is not used up are never used.

local task = require "cunnekt.base.task"

local ids = {}

local ids_methods = {}
local ids_mt = { __index = ids_methods, __name = "cunnekt.store.ids" }

-- Ids of a block, and the number of those left at which the next block is reserved.
local block, few = 1000, 500

---With more of them left than so many, `_next` can be taken as it is.
ids.few = few

---@class cunnekt.store.ids
---@field first integer? the first id that this process has reserved: all that it gives are at least that
---@param reserve fun(count: integer, done: fun(first: integer?, err: cunnekt.error?)) reserves a block
---@return cunnekt.store.ids
function ids.new(reserve)
  return setmetatable({
    _reserve = reserve,
    _next = 1, -- the block in use: its next id, and its last one
    _last = 0,
    _spare = nil, -- the block after it: first and last
    _waiting = {},
    _is_reserving = false,
  }, ids_mt)
end

local reserve

-- Takes ids that follow each other; nil when neither block has as many. Reserves the next block in time.
local function take(self, count)
  local first, spare = self._next, self._spare
  if first + count - 1 > self._last then
    if not spare or spare.first + count - 1 > spare.last then
      return nil
    end
    first, self._last, self._spare, spare = spare.first, spare.last, nil, nil
  end
  self._next = first + count
  if not spare and self._last - self._next < few then
    reserve(self, block)
  end
  return first
end

local function add_block(self, first, count)
  local spare = self._spare
  if spare then
    self._next, self._last = spare.first, spare.last
  end
  self._spare = { first = first, last = first + count - 1 }
end

-- Serves those that wait, in the order in which they came.
local function serve(self)
  local waiting = self._waiting
  while waiting[1] do
    local first = take(self, waiting[1].count)
    if not first then
      return reserve(self, waiting[1].count)
    end
    table.remove(waiting, 1).done(first)
  end
end

function reserve(self, count)
  if self._is_reserving then
    return
  end
  count = math.max(block, count)
  local is_answered = false
  self._reserve(count, function(first, err)
    is_answered, self._is_reserving = true, false
    if first then
      self.first = self.first or first
      add_block(self, first, count)
      return serve(self)
    end
    -- Nobody waits for an early reservation: the next taker tries again.
    local waiting = self._waiting
    self._waiting = {}
    for _, one in ipairs(waiting) do
      one.done(nil, err)
    end
  end)
  -- Not before: where the call could not be begun, because memory is short, the next taker begins one.
  self._is_reserving = self._is_reserving or not is_answered
end

---Takes ids that follow each other.
---@param count integer
---@param done fun(first: integer?, err: cunnekt.error?) called at once when there are as many
function ids_methods:take(count, done)
  local first = not self._waiting[1] and take(self, count)
  if first then
    return done(first)
  end
  table.insert(self._waiting, { count = count, done = done })
  reserve(self, count)
end

---One id, if there is one at once.
---@return integer? id
function ids_methods:take_one()
  return not self._waiting[1] and take(self, 1) or nil
end

---One id. Waits when a block has to be reserved first.
---@return integer? id
---@return cunnekt.error? err kind store
function ids_methods:next()
  local id = self:take_one()
  if id then
    return id
  end
  return task.await(function(done)
    self:take(1, done)
  end)
end

return ids
