-- SPDX-License-Identifier: MIT
-- Writes down every call of a Lua function of cunnekt, in all coroutines, between `begin` and `take`. A tail call is a call,
-- and so is what C calls: a callback, a comparison, the body of a coroutine. Calls of C functions are none, nor are returns
-- and a coroutine that goes on.
--
-- A move is a call into another file than the call before it, wherever that one returned to. The script's handler is
-- no call and no file of cunnekt, but the way to it and away from it are two moves.

local task = require "cunnekt.base.task"

local coroutine, debug = package.loaded.coroutine, package.loaded.debug
local create, wrap = coroutine.create, coroutine.wrap

local way = {}

-- More than an event takes at once.
local TASKS = 16

---@class way.call
---@field file string below lua/cunnekt, or the script's
---@field name string
---@field is_of_script boolean

---@type way.call[]?
local calls
local script

-- Modules are embedded as @cunnekt/…, and lie in lua/cunnekt/… or a module tree elsewhere.
local function file_of(source)
  return source:match "^@cunnekt/(.+)$" or source:match "/lua/cunnekt/(.+)$" or source:match "^@lua/cunnekt/(.+)$"
end

local function on_call()
  local info = calls and debug.getinfo(2, "nS")
  if not info or info.what == "C" then
    return
  end
  local file = file_of(info.source)
  local is_of_script = not file and info.source == script
  if file or is_of_script then
    table.insert(calls, {
      file = file or "the script",
      name = info.name or ("line %d"):format(info.linedefined),
      is_of_script = is_of_script,
    })
  end
end

---Watches what runs now, and every coroutine that is made from now on.
---@param source string the script's chunk name
function way.watch(source)
  script = source
  function coroutine.create(fn)
    local co = create(fn)
    debug.sethook(co, on_call, "c")
    return co
  end
  function coroutine.wrap(fn)
    return wrap(function(...)
      debug.sethook(on_call, "c")
      return fn(...)
    end)
  end
  debug.sethook(debug.getregistry()[1], on_call, "c") -- the main thread, on which callbacks run
  debug.sethook(on_call, "c")
end

-- The coroutines of tasks are made in C, and reused: the last ones first. Each watches itself, one within the other.
local function watch_tasks(count)
  task.spawn(function()
    debug.sethook(on_call, "c")
    if count > 1 then
      watch_tasks(count - 1)
    end
  end)
end

---Begins anew.
function way.begin()
  watch_tasks(TASKS)
  calls = {}
end

---Gives what was called since, and writes down no more.
---@return way.call[]
function way.take()
  local taken = calls
  calls = nil
  return taken
end

---@param list way.call[]
---@return {calls: integer, files: integer, moves: integer}
---@return table<string, integer> calls_of_file
function way.figures(list)
  local figures, calls_of, before = { calls = 0, files = 0, moves = 0 }, {}, nil
  for _, call in ipairs(list) do
    if call.file ~= before then
      figures.moves = figures.moves + 1
    end
    before = call.file
    if not call.is_of_script then
      figures.calls = figures.calls + 1
      figures.files = figures.files + (calls_of[call.file] and 0 or 1)
      calls_of[call.file] = (calls_of[call.file] or 0) + 1
    end
  end
  return figures, calls_of
end

return way
