-- SPDX-License-Identifier: MIT
-- Watches files by reading them, on the loop's clock: they are a script and its modules, and few. So it does not matter how an editor
-- writes them, and a file counts as changed when its text has changed. A change is told when it has settled: the files are the same as
-- when they were read before.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"

local watch = {}

-- Seconds between two readings.
local pace = 0.1

local watch_methods = {}
local watch_mt = { __index = watch_methods, __name = "cunnekt.watch" }

-- The text of a file; false when there is none that can be read.
local function read(path)
  local found = core.stat(path)
  local file = found and found.kind == "file" and io.open(path, "rb")
  if not file then
    return false
  end
  local text = file:read "a"
  file:close()
  return text or false
end

local function is_same(a, b)
  for path, text in pairs(a) do
    if b[path] ~= text then
      return false
    end
  end
  for path in pairs(b) do
    if a[path] == nil then
      return false
    end
  end
  return true
end

---@class cunnekt.watch
---@param files fun(): table<string, string|boolean> the paths to watch, with what they held when they were loaded: false if there was nothing, true if that is not known
---@param on_change fun(texts: table<string, string|false>) gets what they hold now
---@return cunnekt.watch
function watch.new(files, on_change)
  return setmetatable({ _files = files, _on_change = on_change, _told = {}, _last = {} }, watch_mt)
end

-- Reads the files. Those that are watched since the last time count as told of as they were loaded.
local function read_all(self)
  local texts, told = {}, {}
  for path, loaded in pairs(self._files()) do
    texts[path] = read(path)
    told[path] = self._told[path]
    if told[path] == nil then
      told[path] = loaded == true and texts[path] or loaded
    end
  end
  self._told = told
  return texts
end

---Reads the files, and tells of a change that has settled.
function watch_methods:look()
  local now = read_all(self)
  local is_settled = is_same(now, self._last)
  self._last = now
  if is_settled and not is_same(now, self._told) then
    self._told = now
    self._on_change(now)
  end
end

-- Again and again.
local function go_on(self)
  self._timer = clock.after(pace, function()
    self:look()
    if self._timer then
      go_on(self)
    end
  end)
end

---Begins to watch, or goes on after `stop`.
function watch_methods:start()
  if not self._timer then
    go_on(self)
  end
end

---Does not watch until `start`.
function watch_methods:stop()
  if self._timer then
    self._timer:close()
    self._timer = nil
  end
end

return watch
