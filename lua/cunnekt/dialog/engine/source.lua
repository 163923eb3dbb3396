-- SPDX-License-Identifier: MIT
-- The source text of scripts: a script and its modules are loaded into an environment of their own, and their text is
-- recorded, so that open dialogs can continue with it when the files have changed. code.lua decides which text a dialog needs.

local canonical = require "cunnekt.base.canonical"
local code = require "cunnekt.base.source.code"
local core = require "cunnekt.core"
local journal = require "cunnekt.engine.journal"
local whole_file = require "cunnekt.base.whole_file"
local world = require "cunnekt.dialog.engine.world"

local source = {}

local dump = string.dump -- scripts cannot

---@class cunnekt.source
---@field main string path
---@field files table<string, string> path → text
---@field modules table<string, string> name for require → path
---@field digest string? of all files
---@field text string? all of it, for the store

-- By environment; and by file, for functions without globals, which refer to no environment, and for scripts that a plain
-- interpreter loaded.
local by_world, by_path = setmetatable({}, { __mode = "k" }), {}

local function compile(text, path, mode, env)
  -- cunnekt's own chunks begin with "@cunnekt/".
  local name = path:find "^cunnekt/" and "./" .. path or path
  return code.compile(text, "@" .. name, mode, env)
end

-- The same, compiled once for each text.
local function compile_once(cache, text, path, mode, env)
  local known = cache and cache[path]
  if known and known.text == text then
    return load(known.binary, "=(compiled before)", "b", env)
  end
  local chunk, problem = compile(text, path, mode, env)
  if chunk and cache then
    cache[path] = { text = text, binary = dump(chunk) }
  end
  return chunk, problem
end

---Loads a script's file into an environment, and records its text.
---@param path string
---@param env table from world.new
---@param cache? table<string, table> keeps what is compiled, for who loads the same files many times
---@return function? chunk
---@return string? problem
function source.load(path, env, cache)
  local text, problem = whole_file.read(path)
  if not text then
    return nil, problem
  end
  local its_source = { main = path, files = { [path] = text }, modules = {} }
  by_world[env], by_path[path] = its_source, its_source
  return compile_once(cache, text, path, "t", env)
end

local function copy_of(list)
  local copy = {}
  for name, value in pairs(list) do
    copy[name] = value
  end
  return copy
end

-- Another source in the place of the one without this module: dialogs may have begun with that.
local function add_module(env, name, path, text)
  local before = by_world[env]
  local now = { main = before.main, files = copy_of(before.files), modules = copy_of(before.modules) }
  now.files[path], now.modules[name] = text, path
  by_world[env] = now
  for file in pairs(now.files) do
    by_path[file] = now
  end
end

---Loads a module of a script into the script's environment, and records its text.
---@param name string
---@param path string
---@param env table
---@param cache? table<string, table> as in `load`
---@return function? chunk
---@return string? problem
function source.load_module(name, path, env, cache)
  local text, problem = whole_file.read(path)
  if not text then
    return nil, problem
  end
  if by_world[env] then
    add_module(env, name, path, text)
  end
  return compile_once(cache, text, path, "bt", env)
end

---The files of a script that were loaded into an environment.
---@param env table from world.new
---@return table<string, string> files path → text
function source.files(env)
  return by_world[env] and by_world[env].files or {}
end

local function env_of(fn)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if not name or name == "_ENV" then
      return value
    end
  end
end

local function find(fn)
  local its_source = by_world[env_of(fn)]
  local path = debug.getinfo(fn, "S").source:match "^@(.*)$"
  if its_source or not path then
    return its_source
  end
  if by_path[path] == nil then
    local text = whole_file.read(path)
    by_path[path] = text and { main = path, files = { [path] = text }, modules = {} } or false
  end
  return by_path[path] or nil
end

---The source of a script's function; nil when it did not come from a file.
---@param fn function
---@return cunnekt.source? with `digest` and `text`
function source.of(fn)
  local its_source = find(fn)
  if its_source and not its_source.digest then
    local hash = core.sha256()
    for _, path in ipairs(canonical.keys(its_source.files)) do
      hash:update(("%d %s%d "):format(#path, path, #its_source.files[path])):update(its_source.files[path])
    end
    its_source.digest = core.hex(hash:digest()):sub(1, 32)
    its_source.text = journal.write { main = its_source.main, files = its_source.files, modules = its_source.modules }
  end
  return its_source
end

---Loads a script and its modules from the text in the store.
---@param text string
---@param public table its `require "cunnekt"`
---@return function? chunk
---@return string? problem
function source.load_kept(text, public)
  local kept = journal.read(text)
  local loaded = {}
  local env
  env = world.new(setmetatable({
    require = function(name)
      local path = kept.modules[name]
      if name == "cunnekt" then
        return public
      elseif not path then
        return require(name)
      elseif loaded[name] == nil then
        local chunk = assert(compile(kept.files[path], path, "bt", env))
        local value = chunk(name, path)
        loaded[name] = value == nil and true or value
      end
      return loaded[name]
    end,
  }, { __index = _G }))
  return compile(kept.files[kept.main], kept.main, "t", env)
end

return source
