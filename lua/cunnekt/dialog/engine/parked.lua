-- SPDX-License-Identifier: MIT
-- The runs that wait in memory, as coroutines: so many at most, and each for so long. The one that has waited longest is
-- let go first; its journal has it all.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local task = require "cunnekt.base.task"

local parked = {}

-- Seconds between looks at most, for any number may be given for how long runs stay.
local longest_look = 3600

local parked_methods = {}
local parked_mt = { __index = parked_methods, __name = "cunnekt.parked" }

---@class cunnekt.parked
---@param most integer runs at once
---@param seconds number after which a run that nothing happened to is let go
function parked.new(most, seconds)
  -- A ring: what follows the ring's own place has waited longest.
  local self = setmetatable({ _most = most, _seconds = seconds, _by_id = {}, _count = 0 }, parked_mt)
  self._next, self._before = self, self
  return self
end

local function unlink(self, run)
  run._before._next, run._next._before = run._next, run._before
  run._next, run._before = nil, nil
  self._by_id[run.id] = nil
  self._count = self._count - 1
end

---Drops a run's coroutine. Variables of the script that are to be closed then are, and must not do anything more.
---@param run cunnekt.run
function parked.drop(run)
  local strand = run.strand
  if strand then
    run.doom = run.doom or errors.new("evicted", "the dialog left memory")
    run.strand = nil
    task.discard(strand, run)
  end
end

local function let_go(self, run)
  unlink(self, run)
  parked.drop(run)
end

-- Looks when the oldest has been here long enough.
local function look_later(self)
  if self._timer or self._count == 0 then
    return
  end
  local seconds = self._next.parked_at + self._seconds - clock.monotonic()
  self._timer = clock.after(math.max(0, math.min(longest_look, seconds)), function()
    self._timer = nil
    local now = clock.monotonic()
    while self._count > 0 and self._next.parked_at + self._seconds <= now do
      let_go(self, self._next)
    end
    look_later(self)
  end)
end

---Keeps a run that waits; the oldest goes when there are too many.
---@param run cunnekt.run
function parked_methods:add(run)
  run.parked_at = clock.monotonic()
  run._before, run._next = self._before, self
  self._before._next, self._before = run, run
  self._by_id[run.id] = run
  self._count = self._count + 1
  if self._count > self._most then
    let_go(self, self._next)
  end
  look_later(self)
end

---@param id integer
---@return cunnekt.run?
function parked_methods:find(id)
  return self._by_id[id]
end

---Takes a run out that goes on.
---@param run cunnekt.run
function parked_methods:take(run)
  unlink(self, run)
end

---Lets one run go, if it is here.
---@param id integer
function parked_methods:evict(id)
  if self._by_id[id] then
    let_go(self, self._by_id[id])
  end
end

---Lets every run go.
function parked_methods:evict_all()
  while self._count > 0 do
    let_go(self, self._next)
  end
  if self._timer then
    self._timer:close()
    self._timer = nil
  end
end

---@return integer
function parked_methods:count()
  return self._count
end

return parked
