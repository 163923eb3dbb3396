-- SPDX-License-Identifier: MIT
-- A bounded cache. It keeps two generations: reading an entry moves it to the young one; when that is full, the old one is
-- dropped and they swap. So the least recently used entries are evicted, roughly, without a list.

local cache = {}

local cache_methods = {}
local cache_mt = { __index = cache_methods, __name = "cunnekt.cache" }

---@class cunnekt.cache
---@field is_empty boolean nothing was ever put into it

---An empty cache.
---@param capacity integer entries at most
---@return cunnekt.cache
function cache.new(capacity)
  return setmetatable({ is_empty = true, _half = math.max(1, capacity // 2), _young = {}, _old = {}, _count = 0 }, cache_mt)
end

---The value of a key.
---@param key any
---@return any value nil when it is not in the cache
function cache_methods:get(key)
  local value = self._young[key]
  if value == nil then
    value = self._old[key]
    if value ~= nil then
      self:put(key, value)
    end
  end
  return value
end

---Sets the value of a key.
---@param key any
---@param value any not nil
function cache_methods:put(key, value)
  if self._young[key] == nil then
    self._count = self._count + 1
  end
  self._young[key], self.is_empty = value, false
  if self._count >= self._half then
    self._old, self._young, self._count = self._young, {}, 0
  end
end

---Removes a key, if it is in the cache.
---@param key any
function cache_methods:remove(key)
  if self._young[key] ~= nil then
    self._count = self._count - 1
  end
  self._young[key], self._old[key] = nil, nil
end

return cache
