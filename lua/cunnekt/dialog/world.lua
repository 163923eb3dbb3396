-- SPDX-License-Identifier: MIT
-- The global environment of a script: time, chance and the order of tables are the same each time that a run is rebuilt,
-- and what cannot be done again is refused inside dialogs. Outside of runs everything is Lua's own.

local canonical = require "cunnekt.canonical"
local run = require "cunnekt.dialog.run"

local world = {}

-- The environments that were made here, and what each of them stands over.
local is_world, worlds = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- ---- time, chance, order -------------------------------------------------------------------------------------------

-- Time stands still within a turn: it is when the turn's event came.
local function make_os()
  local it = setmetatable({}, { __index = os })
  function it.time(t)
    local current = run.current()
    if t ~= nil or not current then
      return os.time(t)
    end
    return math.floor(current.at)
  end
  function it.date(format, at)
    local current = run.current()
    if at == nil and current then
      at = math.floor(current.at)
    end
    return os.date(format or "%c", at)
  end
  function it.clock()
    local current = run.current()
    return current and current.at or os.clock()
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
    local current = run.current()
    if not current then
      return low == nil and math.random() or high == nil and math.random(low) or math.random(low, high)
    end
    local draw = current:random()
    return low == nil and draw or range(low, high, draw)
  end
  return it
end

local function iterate(state)
  local t, keys = state.t, state.keys
  local key
  repeat
    state.at = state.at + 1
    key = keys[state.at]
  until key == nil or t[key] ~= nil
  return key, t[key]
end

local function ordered_pairs(t)
  local mt = getmetatable(t)
  if not run.current() or type(t) ~= "table" or (mt and mt.__pairs) then
    return pairs(t)
  end
  return iterate, { t = t, keys = canonical.keys(t), at = 0 }, nil
end

local function ordered_next(t, key)
  if not run.current() or type(t) ~= "table" then
    return next(t, key)
  end
  local keys = canonical.keys(t)
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

-- ---- what cannot be done again -------------------------------------------------------------------------------------

-- In a dialog, except in chat:step; a handler may, but then it cannot wait afterwards.
local function guarded(name, fn)
  return function(...)
    local current = run.current()
    if current and not current.is_in_step then
      if current.is_dialog then
        local message = "%s cannot be repeated when the dialog is rebuilt: do it in chat:step(name, function() … end)"
        error(message:format(name), 2)
      end
      current.tainted = current.tainted or name
    end
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

-- What a rebuilt run says again is not printed again.
local function make_print()
  return function(...)
    local current = run.current()
    if not (current and current:is_replaying()) then
      print(...)
    end
  end
end

---Makes an environment over another one, to which new globals of the script go.
---@param base? table the global environment by default
---@return table
function world.new(base)
  base = base or _G
  local env = {
    math = make_math(),
    io = guard("io", io, { "open", "popen", "lines", "read", "tmpfile", "input", "output" }),
    pairs = ordered_pairs,
    next = ordered_next,
    print = make_print(),
  }
  env.os = make_os()
  for _, name in ipairs { "execute", "remove", "rename", "tmpname" } do
    env.os[name] = guarded("os." .. name, os[name])
  end
  is_world[env] = true
  return setmetatable(env, { __index = base, __newindex = base })
end

---Puts a function into such an environment, over the one that it has: for scripts that a plain interpreter loaded. What
---the host loaded is in one already. Other functions of the script keep theirs.
---@param fn function
function world.adopt(fn)
  for i = 1, math.huge do
    local name, env = debug.getupvalue(fn, i)
    if name == "_ENV" and not is_world[env] then
      local its_world = worlds[env] or world.new(env)
      worlds[env] = its_world
      debug.upvaluejoin(fn, i, function()
        return its_world
      end, 1)
      return
    elseif name == "_ENV" or not name then
      return
    end
  end
end

return world
