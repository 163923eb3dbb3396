-- SPDX-License-Identifier: MIT
-- A file that appears complete or not at all: it is written under another name in the same folder, synced, then renamed.
-- Disk operations run on the thread pool; the calls wait as those of base/task.lua do. Readers are not coordinated.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local task = require "cunnekt.base.task"

local atomic_file = {}

---@class cunnekt.atomic_file
local file_methods = {}
local file_mt = { __index = file_methods, __name = "cunnekt.atomic_file" }

-- Waits for `start(done)`. A task that is being cancelled cannot wait: there it only starts.
local function wait_if_possible(start)
  if task.running() and not coroutine.isyieldable() then
    return start(function() end)
  end
  return task.await(function(done)
    start(done)
  end)
end

local function refusal(path, what, message)
  return nil, errors.new("invalid", ("cannot %s %s: %s"):format(what, path, message or "unknown reason"), { field = "path" })
end

local function folder_of(path)
  local folder = path:match "^(.*)/[^/]*$"
  return folder == nil and "." or folder == "" and "/" or folder
end

-- Opens the temporary file; when the task is cancelled meanwhile, the file is removed as soon as it exists.
local function open_partial(path)
  return task.await(function(done)
    local is_cancelled = false
    core.open(path, "wx", function(file, message)
      if is_cancelled and file then
        file:close(function()
          core.unlink(path, function() end)
        end)
      else
        done(file, message)
      end
    end)
    return function()
      is_cancelled = true
    end
  end)
end

---Starts a file. Missing folders are created.
---@param path string
---@return cunnekt.atomic_file? file
---@return cunnekt.error? err kind "invalid"
function atomic_file.open(path)
  local folder = folder_of(path)
  local made, message = wait_if_possible(function(done)
    core.mkdir(folder, done)
  end)
  if not made then
    return refusal(folder, "make the folder", message)
  end
  local partial = ("%s/.%s.part"):format(folder, core.hex(core.random_bytes(8)))
  local file, problem = open_partial(partial)
  if not file then
    return refusal(path, "write", problem)
  end
  return setmetatable({ _path = path, _partial = partial, _file = file }, file_mt)
end

-- Runs an operation on the open file, which allows one at a time: when the task is cancelled meanwhile, `close` must wait.
local function operate(self, start)
  return wait_if_possible(function(done)
    self._is_busy = true
    start(function(...)
      self._is_busy = false
      if self._when_idle then
        self._when_idle()
      end
      done(...)
    end)
  end)
end

---@param data string
---@return true? ok
---@return cunnekt.error? err
function file_methods:write(data)
  local file = self._file
  local ok, message = operate(self, function(done)
    file:write(data, done)
  end)
  if not ok then
    return refusal(self._path, "write", message)
  end
  return true
end

---Syncs the file and renames it to its path.
---@return true? ok
---@return cunnekt.error? err
function file_methods:commit()
  local file = self._file
  local ok, message = operate(self, function(done)
    file:sync(done)
  end)
  if not ok then
    return refusal(self._path, "write", message)
  end
  self._file = nil
  operate(self, function(done)
    file:close(done)
  end)
  ok, message = wait_if_possible(function(done)
    core.rename(self._partial, self._path, done)
  end)
  if not ok then
    return refusal(self._path, "write", message)
  end
  self._partial = nil
  return true
end

---Removes what was written; after `commit` it does nothing.
function file_methods:close()
  local file, partial = self._file, self._partial
  self._file, self._partial = nil, nil
  if not partial then
    return
  end
  wait_if_possible(function(done)
    local function remove()
      core.unlink(partial, done)
    end
    local function finish()
      if file then
        file:close(remove)
      else
        remove()
      end
    end
    if self._is_busy then
      self._when_idle = finish
    else
      finish()
    end
  end)
end

file_mt.__close = file_methods.close

return atomic_file
