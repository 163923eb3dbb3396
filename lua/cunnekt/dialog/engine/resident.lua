-- SPDX-License-Identifier: MIT
-- The cache of waiting runs, as suspended coroutines: a bounded number, each for a bounded time. The one that has waited
-- longest is evicted first; it is rebuilt from its journal when an event arrives. Also which conversations have no dialog, so that
-- their events need not ask the store for one.

local clock = require "cunnekt.time.clock"

local resident = {}

-- Maximum of seconds between checks, because the option `parked_seconds` is unlimited.
local max_pause = 3600

-- Maximum of conversations that are known to have no dialog. Then all of them are forgotten: each asks the store once more.
local max_without = 8192

local resident_methods = {}
local resident_mt = { __index = resident_methods, __name = "cunnekt.resident" }

---@class cunnekt.resident
---@field without table<string, true> conversations that have no dialog, as far as this process knows; src/bind/engine/turn.c reads it
---@param max integer runs
---@param seconds number after which a run without events is evicted
---@return cunnekt.resident
function resident.new(max, seconds)
  -- A circular list with `self` as its head: the next one has waited longest.
  local self = setmetatable({
    _max = max, _seconds = seconds, _by_id = {}, _by_contact = {}, _count = 0, without = {}, _without_count = 0,
  }, resident_mt)
  self._next, self._before = self, self
  return self
end

local function unlink(self, run)
  run._before._next, run._next._before = run._next, run._before
  run._next, run._before = nil, nil
  self._by_id[run.id] = nil
  if self._by_contact[run.contact] == run then
    self._by_contact[run.contact] = nil
  end
  self._count = self._count - 1
end

local function evict(self, run)
  unlink(self, run)
  run:drop()
end

-- Checks again when the oldest is to be evicted.
local function check_later(self)
  if self._timer or self._count == 0 then
    return
  end
  local seconds = self._next.resident_since + self._seconds - clock.monotonic()
  self._timer = clock.after(math.max(0, math.min(max_pause, seconds)), function()
    self._timer = nil
    local now = clock.monotonic()
    while self._count > 0 and self._next.resident_since + self._seconds <= now do
      evict(self, self._next)
    end
    check_later(self)
  end)
end

---Adds a waiting run; evicts the oldest when there are too many.
---@param run cunnekt.run
function resident_methods:add(run)
  run.resident_since = clock.monotonic()
  if self.without[run.contact] then
    self:forget_without(run.contact)
  end
  run._before, run._next = self._before, self
  self._before._next, self._before = run, run
  self._by_id[run.id] = run
  local other = self._by_contact[run.contact]
  if other then
    other.is_only, run.is_only = nil, nil
  end
  self._by_contact[run.contact] = run
  self._count = self._count + 1
  if self._count > self._max then
    evict(self, self._next)
  end
  check_later(self)
end

---The run with this id, if it is resident.
---@param id integer
---@return cunnekt.run?
function resident_methods:find(id)
  return self._by_id[id]
end

---Notes that no other dialog of its conversation is stored; `only_of` gives it from now on.
---@param id integer
---@param asked integer? the sequence of the commit with which it asked
function resident_methods:note_only(id, asked)
  local run = self._by_id[id]
  if run and self._by_contact[run.contact] == run then
    run.is_only, run.asked = true, asked
  end
end

---The only dialog of a conversation, if it is resident, as far as this process knows: the commit of its turn must claim it.
---@param contact string
---@return cunnekt.run?
function resident_methods:only_of(contact)
  local run = self._by_contact[contact]
  return run and run.is_only and run or nil
end

---Whether a dialog of a conversation is resident.
---@param contact string
---@return boolean
function resident_methods:has_any_of(contact)
  return self._by_contact[contact] ~= nil
end

---Notes that no dialog of a conversation is stored.
---@param contact string
function resident_methods:note_without(contact)
  if self.without[contact] then
    return
  end
  if self._without_count == max_without then
    self._without_count = 0
    for other in pairs(self.without) do
      self.without[other] = nil
    end
  end
  self.without[contact] = true
  self._without_count = self._without_count + 1
end

---Notes that a conversation has a dialog, or may have one.
---@param contact string
function resident_methods:forget_without(contact)
  if self.without[contact] then
    self.without[contact] = nil
    self._without_count = self._without_count - 1
  end
end

---Notes that a conversation may have more dialogs than were known.
---@param contact string
function resident_methods:forget_only(contact)
  self:forget_without(contact)
  local run = self._by_contact[contact]
  if run then
    run.is_only = nil
  end
end

---Removes a run that continues.
---@param run cunnekt.run
function resident_methods:take(run)
  unlink(self, run)
end

---Evicts a run, if it is resident.
---@param id integer
function resident_methods:evict(id)
  if self._by_id[id] then
    evict(self, self._by_id[id])
  end
end

---Evicts the runs of a conversation.
---@param contact string
function resident_methods:evict_of(contact)
  for _, its_run in pairs(self._by_id) do
    if its_run.contact == contact then
      evict(self, its_run)
    end
  end
end

---Evicts every run.
function resident_methods:evict_all()
  while self._count > 0 do
    evict(self, self._next)
  end
  if self._timer then
    self._timer:close()
    self._timer = nil
  end
end

---The number of resident runs.
---@return integer
function resident_methods:count()
  return self._count
end

return resident
