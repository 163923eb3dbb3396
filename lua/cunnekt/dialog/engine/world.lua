-- SPDX-License-Identifier: MIT
-- The global environment of scripts: in a run, time, random numbers and the order of `pairs` are the same at every replay, and
-- functions that cannot be replayed raise in dialogs. Outside runs these are Lua's own functions, but for the time, which is that of
-- the clock: tests and `cunnekt dev` move it.

local clock = require "cunnekt.time.clock"
local order = require "cunnekt.dialog.engine.order"
local steps = require "cunnekt.engine.steps"

local world = {}

-- Environment → the names of the globals that the script set; base environment → environment.
local is_world, worlds = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- ---- time, random numbers ------------------------------------------------------------------------------------------

-- Time is constant within a turn: that of the turn's event.
local function make_os()
  local it = setmetatable({}, { __index = os })
  function it.time(t)
    local current = steps.outside_step()
    if t ~= nil then
      return os.time(t)
    end
    return math.floor(current and current.at or clock.now())
  end
  function it.date(format, at)
    local current = steps.outside_step()
    return os.date(format or "%c", at or math.floor(current and current.at or clock.now()))
  end
  function it.clock()
    local current = steps.outside_step()
    return current and current.at or os.clock()
  end
  function it.getenv(name)
    return steps.within("getenv", name, function()
      return os.getenv(name)
    end)
  end
  return it
end

-- A draw of a run has 53 bits at most.
local small_span = 1 << 53

local function draw_bits(current)
  return math.floor(current:random() * (1 << 32)) << 32 | math.floor(current:random() * (1 << 32))
end

-- The mask of all bits that a number without a sign has or that are below one.
local function mask_of(span)
  for shift = 0, 5 do
    span = span | span >> (1 << shift)
  end
  return span
end

-- A number from 0 to `span`, which has no sign.
local function draw_to(current, span)
  if math.ult(span, small_span) then
    return math.floor(current:random() * (span + 1))
  end
  local drawn = draw_bits(current) & mask_of(span)
  while math.ult(span, drawn) do
    drawn = draw_bits(current) & mask_of(span)
  end
  return drawn
end

local function draw_between(current, low, high)
  low, high = math.tointeger(low), math.tointeger(high)
  if not low or not high then
    error("bad argument to 'random' (number has no integer representation)", 3)
  elseif low > high then
    error("bad argument to 'random' (interval is empty)", 3)
  end
  return low + draw_to(current, high - low)
end

local function make_math()
  local it = setmetatable({}, { __index = math })
  function it.random(low, high)
    local current = steps.outside_step()
    if not current then
      return low == nil and math.random() or high == nil and math.random(low) or math.random(low, high)
    end
    if low == nil then
      return current:random()
    elseif high == nil and low == 0 then
      return draw_bits(current)
    end
    return (draw_between(current, high == nil and 1 or low, high == nil and low or high))
  end
  function it.randomseed(...)
    if not steps.outside_step() then
      return math.randomseed(...)
    end
  end
  return it
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
    pairs = order.pairs,
    next = order.next,
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
