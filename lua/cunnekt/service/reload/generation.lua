-- SPDX-License-Identifier: MIT
-- A generation of a script: its file and its own modules, loaded into a world of their own, and the tasks that it has started. Two
-- can be in one process; each has its own globals and its own copies of the modules that lie beside the script. Modules from
-- elsewhere are shared.

local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local script = require "cunnekt.service.script"
local source = require "cunnekt.dialog.engine.source"
local task = require "cunnekt.base.task"
local world = require "cunnekt.dialog.engine.world"

local generation = {}

local generation_methods = {}
local generation_mt = { __index = generation_methods, __name = "cunnekt.generation" }

---@class cunnekt.generation
---@field path string the script's
---@field main cunnekt.task? that runs the script's own code
---@field failure string? what that has raised
---@field missing table<string, boolean> files that `require` has looked for in vain

-- What the script gets for `require "cunnekt"`. Its name tells digests of dialogs that it is no value of the script.
local function public_of(self, new_bot)
  local public_mt = { __index = cunnekt, __name = "cunnekt.public" }
  return setmetatable({
    bot = new_bot,
    spawn = function(...)
      local started = cunnekt.spawn(...)
      self._tasks[started] = true
      return started
    end,
  }, public_mt)
end

---@param path string the script's
---@param new_bot fun(opts: table?): cunnekt.bot what the script calls as cunnekt.bot
---@return cunnekt.generation
function generation.new(path, new_bot)
  local self = setmetatable({
    path = path,
    missing = {},
    _folder = script.folder_of(path) or ".",
    _loaded = {},
    _tasks = setmetatable({}, { __mode = "k" }),
  }, generation_mt)
  self._public = public_of(self, new_bot)
  local base = setmetatable({}, { __index = _G })
  base._G = base
  function base.require(name)
    return self:require(name)
  end
  self._env = world.new(base)
  return self
end

---`require`, for the script.
---@param name string
---@return any value
---@return any where
function generation_methods:require(name)
  if name == "cunnekt" then
    return self._public
  end
  local loaded = self._loaded[name]
  if loaded then
    return loaded.value, loaded.path
  end
  local path = type(name) == "string" and script.module_path(name)
  if not path or not script.is_own(path, self._folder) then
    if not path and type(name) == "string" then
      local file = name:gsub("%.", "/")
      self.missing[("%s/%s.lua"):format(self._folder, file)] = true
      self.missing[("%s/%s/init.lua"):format(self._folder, file)] = true
    end
    return require(name)
  end
  local value = script.load_module(name, path, self._env)(name, path)
  self._loaded[name] = { value = value == nil or value, path = path }
  return self._loaded[name].value, path
end

---Loads the script's file.
---@return function? chunk
---@return string? problem
function generation_methods:load()
  return script.load(self.path, self._env)
end

---The same beside a generation that was loaded so: the paths are set.
---@return function? chunk
---@return string? problem
function generation_methods:load_beside()
  return source.load(self.path, self._env)
end

-- What is wrong with a script that was stopped while it was loaded, whatever it has caught.
local function stop_words(seconds)
  local reason, where = core.stopped(false)
  local place = reason and where ~= "" and where .. ": " or ""
  return reason and ("%sthe script has used %g seconds of CPU time while it was loaded, and was stopped: an endless loop?"):format(place, seconds)
end

---Runs the script's own code in a task.
---@param chunk function
---@param args string[]
---@param bound {meter: userdata?, seconds: number} `meter`: of core.budget, for what is done until `end_load`
---@param on_end fun() when it has ended, or failed
function generation_methods:start(chunk, args, bound, on_end)
  self.main = task.spawn(function()
    self.main = task.running()
    self._charge = bound.meter and bound.meter:enter "load"
    self.main.charge = self._charge
    local ok, failure = xpcall(chunk, script.traceback, table.unpack(args))
    self.failure = stop_words(bound.seconds) or not ok and failure or nil
    on_end()
  end)
end

---The script is loaded: what it has started is charged no more.
function generation_methods:end_load()
  for started in pairs(self._tasks) do
    started.charge = started.charge ~= self._charge and started.charge or nil
  end
  self.main.charge = nil
end

---The texts of its files, by path.
---@return table<string, string>
function generation_methods:files()
  return source.files(self._env)
end

---Ends what it has started: its own code, where it waits, and its tasks.
function generation_methods:close()
  for started in pairs(self._tasks) do
    task.cancel(started)
  end
  if self.main then
    task.cancel(self.main)
  end
end

return generation
