-- SPDX-License-Identifier: MIT
-- The runs that wait in memory, as coroutines: so many at most. The one that has waited longest is let go first; its
-- journal has it all.

local errors = require "cunnekt.errors"
local task = require "cunnekt.task"

local parked = {}

local parked_methods = {}
local parked_mt = { __index = parked_methods, __name = "cunnekt.parked" }

---@class cunnekt.parked
---@param most integer runs at once
function parked.new(most)
  -- A ring: what follows the ring's own node has waited longest.
  local self = setmetatable({ _most = most, _by_id = {}, _count = 0 }, parked_mt)
  self._next, self._before = self, self
  return self
end

local function unlink(self, node)
  node._before._next, node._next._before = node._next, node._before
  self._by_id[node.run.id] = nil
  self._count = self._count - 1
end

-- The coroutine is closed: variables of the script that are to be closed then are, and must not do anything more.
local function let_go(self, node)
  unlink(self, node)
  node.run.doom = errors.new("evicted", "the dialog left memory")
  task.cancel(node.task)
end

---Keeps the run of the running task.
---@param run cunnekt.run
---@param deliver fun(delivery: table) goes on with it
function parked_methods:add(run, deliver)
  local node = { run = run, deliver = deliver, task = task.running(), _before = self._before, _next = self }
  self._before._next, self._before = node, node
  self._by_id[run.id] = node
  self._count = self._count + 1
end

---Lets the oldest go until there are not too many.
function parked_methods:shrink()
  while self._count > self._most do
    let_go(self, self._next)
  end
end

---@param id integer
---@return table? node run, deliver
function parked_methods:find(id)
  return self._by_id[id]
end

---Takes a run out that goes on.
---@param node table
function parked_methods:take(node)
  unlink(self, node)
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
end

---@return integer
function parked_methods:count()
  return self._count
end

return parked
