-- SPDX-License-Identifier: MIT
-- Loads a script as the host does: the script and the modules that it requires have an environment of their own, so that
-- dialogs can be rebuilt in it. What is loaded for a test can be forgotten again.

local blame = require "cunnekt.base.blame"
local code = require "cunnekt.base.source.code"
local errors = require "cunnekt.base.errors"
local source = require "cunnekt.dialog.engine.source"
local world = require "cunnekt.dialog.engine.world"

local script = {}

---The folder of a script.
---@param path string
---@return string? folder nil: the working folder
function script.folder_of(path)
  local folder = path:match "^(.*)/[^/]*$"
  return folder == "" and "/" or folder
end

-- Where `require` searches for a script in a folder: on the user's own path, and then beside it.
local function search_path(folder)
  return ("%s;%s/?.lua;%s/?/init.lua"):format(package.path, folder, folder)
end

---The file of a module in Lua that is not ours.
---@param name string for require
---@param folder? string of a script that is not loaded
---@return string? path
function script.module_path(name, folder)
  local where = folder and search_path(folder) or package.path
  return not name:find "^cunnekt%f[.%z]" and package.searchpath(name, where) or nil
end

---Whether a file is the script's own: beside it or below, or found from the working folder.
---@param path string
---@param folder string of the script
---@return boolean
function script.is_own(path, folder)
  return path:sub(1, #folder + 1) == folder .. "/" or path:sub(1, 1) ~= "/"
end

---Loads a module into the environment of a script. Raises what require does.
---@param name string
---@param path string
---@param env table
---@param cache? table<string, table> as in source.load
---@return function chunk
function script.load_module(name, path, env, cache)
  local chunk, failure = source.load_module(name, path, env, cache)
  if not chunk then
    error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, failure), 0)
  end
  return chunk
end

-- What finds the modules of the script that is loaded into `env`.
local function searcher(env, cache)
  return function(name)
    local path = script.module_path(name)
    if not path then
      return nil -- the next searcher reports where it searched
    end
    return script.load_module(name, path, env, cache), path
  end
end

-- A function that undoes what loading and running a script has changed for the whole process.
local function undoer(env, search)
  local path, loaded = package.path, {}
  for name in pairs(package.loaded) do
    loaded[name] = true
  end
  return function()
    package.path = path
    for i, one in ipairs(package.searchers) do
      if one == search then
        table.remove(package.searchers, i)
        break
      end
    end
    for name in pairs(package.loaded) do
      if not loaded[name] and not name:find "^cunnekt%f[.%z]" then
        package.loaded[name] = nil
      end
    end
    for name in pairs(world.globals_of(env)) do
      _G[name] = nil
    end
  end
end

---Loads a script. `require` finds files beside it, after those on the user's own path.
---@param path string "-" for standard input
---@param env? table from world.new
---@param cache? table<string, table> as in source.load
---@return function? chunk
---@return string? problem
---@return fun() forget takes its modules and globals out of the process again
function script.load(path, env, cache)
  env = env or world.new()
  local search = searcher(env, cache)
  local forget = undoer(env, search)
  table.insert(package.searchers, 2, search)
  local chunk, problem
  if path == "-" then
    chunk, problem = code.compile(io.read "a", "=stdin", "t", env)
  else
    local folder = script.folder_of(path) or "."
    package.path = search_path(folder)
    chunk, problem = source.load(path, env, cache)
  end
  return chunk, problem, forget
end

---For xpcall: what a script has raised, with a traceback of its own lines. What our functions refused is one sentence.
---@param failure any
---@return string
function script.traceback(failure)
  if errors.is(failure) then
    local place = blame.place(2)
    failure = place and ("%s: %s"):format(place, tostring(failure)) or tostring(failure)
  end
  local text, traced, is_enough = blame.describe(failure, 2)
  return is_enough and text or traced
end

return script
