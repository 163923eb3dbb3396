-- SPDX-License-Identifier: MIT
-- The global environment of scripts: in a run, time, random numbers and the order of `pairs` are the same at every replay, and
-- functions that cannot be replayed raise in dialogs. Outside runs these are Lua's own functions, but for the time, which is that of
-- the clock: tests and `cunnekt dev` move it.

local canonical = require "cunnekt.base.canonical"
local clock = require "cunnekt.time.clock"
local steps = require "cunnekt.engine.steps"

local world = {}

-- Environment → the names of the globals that the script set; base environment → environment.
local is_world, worlds = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- The current run, but not inside a step: its result is recorded as a whole, so it may use Lua's own functions.
local function current_run()
  local current = steps.current()
  return current and not current.is_in_step and current or nil
end

-- ---- time, random numbers, order -----------------------------------------------------------------------------------

-- Time is constant within a turn: that of the turn's event.
local function make_os()
  local it = setmetatable({}, { __index = os })
  function it.time(t)
    local current = current_run()
    if t ~= nil then
      return os.time(t)
    end
    return math.floor(current and current.at or clock.now())
  end
  function it.date(format, at)
    local current = current_run()
    return os.date(format or "%c", at or math.floor(current and current.at or clock.now()))
  end
  function it.clock()
    local current = current_run()
    return current and current.at or os.clock()
  end
  function it.getenv(name)
    return steps.within("getenv", name, function()
      return os.getenv(name)
    end)
  end
  return it
end

local function range(low, high, draw)
  if high == nil then
    low, high = 1, low
  end
  low, high = math.tointeger(low), math.tointeger(high)
  if not low or not high then
    error("bad argument to 'random' (number has no integer representation)", 3)
  elseif low > high then
    error("bad argument to 'random' (interval is empty)", 3)
  end
  return low + math.floor(draw * (high - low + 1))
end

local function make_math()
  local it = setmetatable({}, { __index = math })
  function it.random(low, high)
    local current = current_run()
    if not current then
      return low == nil and math.random() or high == nil and math.random(low) or math.random(low, high)
    end
    local draw = current:random()
    return low == nil and draw or range(low, high, draw)
  end
  function it.randomseed(...)
    if not current_run() then
      return math.randomseed(...)
    end
  end
  return it
end

local has_order = { number = true, string = true, boolean = true }

-- Keys that are tables or functions are ordered by their addresses, which differ at a replay.
local function check_keys(keys)
  local count = 0
  for _, key in ipairs(keys) do
    count = count + (has_order[type(key)] and 0 or 1)
  end
  if count > 1 then
    steps.refuse("iterating over a table with keys that are tables or functions", 3)
  end
end

local function iterate(state)
  local t, keys = state.t, state.keys
  while true do
    state.at = state.at + 1
    local key = keys[state.at]
    if key == nil then
      return nil
    elseif t[key] ~= nil then
      return key, t[key]
    end
  end
end

local function ordered_pairs(t)
  local mt = getmetatable(t)
  if not current_run() or type(t) ~= "table" or (type(mt) == "table" and mt.__pairs) then
    return pairs(t)
  end
  local keys = canonical.keys(t)
  check_keys(keys)
  return iterate, { t = t, keys = keys, at = 0 }, nil
end

local function ordered_next(t, key)
  if not current_run() or type(t) ~= "table" or next(t) == nil then
    return next(t, key)
  end
  local keys = canonical.keys(t)
  check_keys(keys)
  if key == nil then
    return keys[1], t[keys[1]]
  end
  for i, other in ipairs(keys) do
    if other == key then
      return keys[i + 1], t[keys[i + 1]]
    end
  end
  error("invalid key to 'next'", 2)
end

-- ---- functions that cannot be replayed -----------------------------------------------------------------------------

local function guarded(name, fn)
  return function(...)
    steps.refuse(name, 2)
    return fn(...)
  end
end

local function guard(name, library, functions)
  local it = setmetatable({}, { __index = library })
  for _, fn in ipairs(functions) do
    it[fn] = guarded(name .. "." .. fn, library[fn])
  end
  return it
end

-- A replay prints nothing.
local function make_print()
  return function(...)
    local current = steps.current()
    if not (current and current:is_rebuilding()) then
      print(...)
    end
  end
end

-- Sets a global in the base environment, where other modules find it, and records its name.
local function set_global(names, base)
  return function(_, name, value)
    names[name] = true
    base[name] = value
  end
end

---An environment on top of a base, which gets the script's new globals.
---@param base? table the global environment by default
---@return table
function world.new(base)
  base = base or _G
  local names, env = {}, {
    math = make_math(),
    io = guard("io", io, { "open", "popen", "lines", "read", "tmpfile", "input", "output" }),
    dofile = guarded("dofile", dofile),
    loadfile = guarded("loadfile", loadfile),
    pairs = ordered_pairs,
    next = ordered_next,
    print = make_print(),
  }
  env.os = make_os()
  for _, name in ipairs { "execute", "remove", "rename", "tmpname" } do
    env.os[name] = guarded("os." .. name, os[name])
  end
  function env.io.write(...)
    local current = steps.current()
    return current and current:is_rebuilding() and io.stdout or io.write(...)
  end
  is_world[env] = names
  return setmetatable(env, { __index = base, __newindex = set_global(names, base) })
end

---The names of the globals that a script set in such an environment; nil for any other table.
---@param env any
---@return table<string, boolean>?
function world.globals_of(env)
  return is_world[env]
end

local lua_libraries = {
  _G = true, coroutine = true, debug = true, io = true, math = true, os = true, package = true, string = true,
  table = true, utf8 = true,
}

-- Chunk names of cunnekt's files begin with this: "@cunnekt/" in the host, a folder in a plain interpreter.
local own_sources = debug.getinfo(1, "S").source:match "^(.*cunnekt/)dialog/"

---Whether a function is the script's: not cunnekt's, not C.
---@param fn function
---@return boolean
function world.is_of_script(fn)
  local info = debug.getinfo(fn, "S")
  return info.what ~= "C" and info.source:sub(1, #own_sources) ~= own_sources
end

local function join_world(fn, place, env)
  local its_world = worlds[env] or world.new(env)
  worlds[env] = its_world
  debug.upvaluejoin(fn, place, function()
    return its_world
  end, 1)
end

-- Maximum of functions and tables that are visited for one function: a script may hold a large catalogue.
local max_values = 10000

local adopt

local function adopt_function(fn, walk)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if not name then
      return
    elseif name ~= "_ENV" then
      adopt(value, walk)
    elseif type(value) == "table" and not is_world[value] then
      join_world(fn, i, value)
    end
  end
end

function adopt(value, walk)
  local kind = type(value)
  if kind == "table" and not walk.knows_libraries then -- most functions refer to none
    walk.knows_libraries = true
    world.mark_libraries(walk.seen)
  end
  if (kind ~= "function" and kind ~= "table") or walk.seen[value] or walk.count >= max_values then
    return
  end
  walk.seen[value], walk.count = true, walk.count + 1
  local mt = kind == "table" and getmetatable(value)
  if kind == "function" and world.is_of_script(value) then
    adopt_function(value, walk)
  elseif kind == "table" and not (type(mt) == "table" and tostring(mt.__name):find "^cunnekt") then
    for _, item in next, value do
      adopt(item, walk)
    end
  end
end

-- The libraries of Lua and of cunnekt, as keys, while so many modules are loaded.
local libraries, count_of_modules = {}, 0

local function count_modules()
  local count = 0
  for _ in next, package.loaded do
    count = count + 1
  end
  return count
end

---Marks the libraries of Lua and of cunnekt as seen, because they are not the script's.
---@param seen table gets a metatable
---@return table seen
function world.mark_libraries(seen)
  local count = count_modules()
  if count ~= count_of_modules then
    libraries, count_of_modules = {}, count
    for name, value in pairs(package.loaded) do
      if lua_libraries[name] or name:find "^cunnekt%f[.%z]" then
        libraries[value] = true
      end
    end
  end
  return setmetatable(seen, { __index = libraries })
end

---Moves a function, and the script's functions that it uses, into such an environment on top of their own: for scripts that
---a plain interpreter loaded. The host loads scripts into one.
---@param fn function
function world.adopt(fn)
  for i = 1, math.huge do
    local name, env = debug.getupvalue(fn, i)
    if not name then
      break
    elseif name == "_ENV" and is_world[env] then
      return
    end
  end
  adopt(fn, { seen = {}, count = 0 })
end

return world
