-- SPDX-License-Identifier: MIT
-- Two rate limits: messages per second of the business number, and to one contact. It only counts; the caller waits. The
-- limits themselves are in limits.lua.
--
-- A bucket is one number: the time at which it will be full again (the "theoretical arrival time" of the generic cell
-- rate algorithm). Full buckets are not stored, so inactive contacts cost nothing; a million active ones are one table
-- entry each, removed again a few at a time.

local clock = require "cunnekt.time.clock"
local limits = require "cunnekt.provider.limits"
local retry = require "cunnekt.provider.retry"
local units = require "cunnekt.time.units"

local limiter = {}

-- ---- a map that forgets ---------------------------------------------------------------------------------------------

-- Old entries that are checked per call: more than the one that a call may add, so the sweep ends.
local SWEPT_AT_ONCE = 4

-- New entries go to `young`. Every `period` seconds, once `old` has been swept, young becomes old. The sweep moves entries
-- that still matter to young and drops the others. Nothing is added to `old`, so `next` may pause in the middle of it.
local aging_methods = {}
local aging_mt = { __index = aging_methods }

local function aging(period, matters)
  local self = { young = {}, old = {}, period = period, matters = matters, turned = clock.monotonic() }
  return setmetatable(self, aging_mt)
end

---@param key string
---@return any?
function aging_methods:get(key)
  local value = self.young[key]
  if value == nil then
    value = self.old[key]
  end
  return value
end

---Sweeps a few entries.
---@param now number seconds of the monotonic clock
function aging_methods:sweep(now)
  for _ = 1, SWEPT_AT_ONCE do
    local key, value = next(self.old, self.cursor)
    self.cursor = key
    if key == nil then
      -- A table whose entries were removed keeps its slots, and `next` would walk them all each time.
      self.old = self.has_gaps and {} or self.old
      self.has_gaps = false
      if now - self.turned >= self.period then
        self.old, self.young, self.turned = self.young, {}, now
      end
      return
    end
    if self.matters(value, now) and self.young[key] == nil then
      self.young[key] = value
    end
    self.old[key], self.has_gaps = nil, true
  end
end

---@param key string
---@param value any
function aging_methods:set(key, value)
  self.young[key] = value
  if self.old[key] ~= nil then
    self.old[key], self.has_gaps = nil, true
  end
end

---@return integer
function aging_methods:count()
  local count = 0
  for _, part in ipairs { self.young, self.old } do
    for _ in pairs(part) do
      count = count + 1
    end
  end
  return count
end

-- ---- the limiter ----------------------------------------------------------------------------------------------------

-- Seconds for which a contact's count of penalties is remembered after the last of them has passed.
local PENALTY_MEMORY = units.hour
-- Shorter waits are rounding errors of floating-point time.
local NOTHING = 1e-9

---@class cunnekt.limiter
---@field has_penalties boolean? whether WhatsApp ever refused a message to a contact
---@field _pairs table contact → time at which its bucket is full
---@field _penalties table contact → {count, over}
local limiter_methods = {}
local limiter_mt = { __index = limiter_methods, __name = "cunnekt.limiter" }

---@class cunnekt.limiter.options
---@field rate? number messages a second for the number; 0: no limit; 80 by default
---@field burst? number how many at once; as many as go in a second by default
---@field pair_rate? number messages a second for one contact; 0: no limit; one in 6 s by default
---@field pair_burst? number how many at once to one contact; 45 by default

---Makes a limiter.
---@param opts? cunnekt.limiter.options
---@return cunnekt.limiter
function limiter.new(opts)
  opts = opts or {}
  local rate = opts.rate or limits.rate
  local pair_rate = opts.pair_rate or limits.pair_rate
  local self = {
    _interval = rate > 0 and 1 / rate or 0,
    _burst = math.max(1, opts.burst or rate),
    _full = 0,
    _pair_interval = pair_rate > 0 and 1 / pair_rate or 0,
    _pair_burst = math.max(1, opts.pair_burst or limits.pair_burst),
  }
  local is_filling = function(full, now)
    return full > now
  end
  local is_counted = function(penalty, now)
    return penalty.over + PENALTY_MEMORY > now
  end
  self._pairs = aging(math.max(60, self._pair_interval * self._pair_burst), is_filling)
  self._penalties = aging(PENALTY_MEMORY, is_counted)
  return setmetatable(self, limiter_mt)
end

-- Seconds until a bucket that is full at `full` has a token.
local function until_token(full, interval, burst, now)
  if interval == 0 then
    return 0
  end
  local wait = (full - now) - interval * (burst - 1)
  return wait > NOTHING and wait or 0
end

-- Penalties are rare: most bots never have one, and then nothing is looked for.
local function penalty_wait(self, contact, now)
  self._penalties:sweep(now)
  local penalty = self._penalties:get(contact)
  return penalty and math.max(0, penalty.over - now) or 0
end

---How long WhatsApp accepts nothing for a contact, after `penalise`.
---@param contact string
---@return number seconds
function limiter_methods:penalty(contact)
  return self.has_penalties and penalty_wait(self, contact, clock.monotonic()) or 0
end

local function pair_wait(self, contact, now)
  local wait, full = 0, now
  if self._pair_interval > 0 then
    self._pairs:sweep(now)
    full = self._pairs:get(contact) or now
    wait = until_token(full, self._pair_interval, self._pair_burst, now)
  end
  if self.has_penalties then
    wait = math.max(wait, penalty_wait(self, contact, now))
  end
  return wait, full
end

local function take_pair(self, contact, full, now)
  if self._pair_interval > 0 then
    self._pairs:set(contact, math.max(full, now) + self._pair_interval)
  end
end

---Takes a token of both buckets, or tells how long there will be none. It reserves nothing: another caller may take the
---next token first.
---@param contact string
---@return number seconds to wait; 0: taken
---@return boolean is_for_all whether it is the number's bucket that is empty
function limiter_methods:delay(contact)
  local now = clock.monotonic()
  local wait, full = pair_wait(self, contact, now)
  if wait > 0 then
    return wait, false
  end
  wait = until_token(self._full, self._interval, self._burst, now)
  if wait > 0 then
    return wait, true
  end
  take_pair(self, contact, full, now)
  self._full = math.max(self._full, now) + self._interval
  return 0, false
end

---Gives back what `delay` took, for a message that was not sent.
---@param contact string
function limiter_methods:give_back(contact)
  self._full = self._full - self._interval
  local full = self._pairs:get(contact)
  if full and self._pair_interval > 0 then
    self._pairs:set(contact, full - self._pair_interval)
  end
end

---Reserves the next token of a contact, which may become available only after the returned time. So callers are served in
---their order, and each waits once.
---@param contact string
---@return number seconds
function limiter_methods:reserve_pair(contact)
  local now = clock.monotonic()
  local wait, full = pair_wait(self, contact, now)
  take_pair(self, contact, full, now)
  return wait
end

---Reserves the next token of the number, as `reserve_pair` does. Call it last, for a message that can be sent then.
---@return number seconds
function limiter_methods:reserve_number()
  local now = clock.monotonic()
  local wait = until_token(self._full, self._interval, self._burst, now)
  self._full = math.max(self._full, now) + self._interval
  return wait
end

---Takes the next tokens for a message: the contact's, and the number's where the contact's is there already.
---@param contact string
---@param longest number seconds
---@return number? seconds to wait for them; nil when WhatsApp accepts nothing for this contact for longer than `longest`
---@return boolean|number is_whole whether the number's token is taken as well; or the seconds until it accepts something
---@return boolean is_penalised whether the contact has penalties to be forgiven
function limiter_methods:reserve(contact, longest)
  local now = clock.monotonic()
  local penalty = self.has_penalties and penalty_wait(self, contact, now) or 0
  if penalty > longest then
    return nil, penalty, true
  end
  local wait, full = pair_wait(self, contact, now)
  take_pair(self, contact, full, now)
  local is_penalised = self._penalties:get(contact) ~= nil
  if wait > 0 then
    return wait, false, is_penalised
  end
  return self:reserve_number(), true, is_penalised
end

---Notes that WhatsApp refused a message because of too many to this contact (131056).
---@param contact string
---@return number seconds until the next one may go
function limiter_methods:penalise(contact)
  local now = clock.monotonic()
  local penalty = self._penalties:get(contact) or { count = 0 }
  local wait = retry.pair(penalty.count)
  self.has_penalties = true
  self._penalties:set(contact, { count = penalty.count + 1, over = now + wait })
  return wait
end

---Notes that a message to this contact was accepted: its penalties end.
---@param contact string
function limiter_methods:forgive(contact)
  if self._penalties:get(contact) then
    self._penalties:set(contact, nil)
  end
end

---How many contacts are stored, for tests and figures.
---@return integer
function limiter_methods:remembered()
  return self._pairs:count() + self._penalties:count()
end

return limiter
