-- SPDX-License-Identifier: MIT
-- A priority queue of entries by their field `at`, the earliest first: a binary heap. Entries cannot be removed from the
-- middle; the owner marks those that no longer count, and skips them when they come out.

local heap = {}

local heap_methods = {}
local heap_mt = { __index = heap_methods, __name = "cunnekt.heap" }

---@class cunnekt.heap
---An empty queue.
---@return cunnekt.heap
function heap.new()
  return setmetatable({ _count = 0 }, heap_mt)
end

---@param entry {at: number}
function heap_methods:push(entry)
  local at = self._count + 1
  self._count = at
  while at > 1 and self[at // 2].at > entry.at do
    self[at] = self[at // 2]
    at = at // 2
  end
  self[at] = entry
end

---The earliest entry.
---@return {at: number}? entry nil when there is none
function heap_methods:first()
  return self[1]
end

---Removes the earliest entry.
---@return {at: number}? entry nil when there is none
function heap_methods:pop()
  local first, count = self[1], self._count
  if not first then
    return nil
  end
  local last = self[count]
  self[count], self._count = nil, count - 1
  local at = 1
  while true do
    local child = at * 2
    if child + 1 < count and self[child + 1].at < self[child].at then
      child = child + 1
    end
    if child >= count or self[child].at >= last.at then
      break
    end
    self[at] = self[child]
    at = child
  end
  if count > 1 then
    self[at] = last
  end
  return first
end

return heap
