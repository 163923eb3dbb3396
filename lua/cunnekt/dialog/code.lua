-- SPDX-License-Identifier: MIT
-- Which code a dialog runs: a digest of its function and of the script's functions that it uses; and the old code, for
-- dialogs that were begun before the script changed.

local core = require "cunnekt.core"
local world = require "cunnekt.dialog.world"

local code = {}

-- Functions reached through others, at most; a script has hundreds, not more.
local most_functions = 2000

local function collect(fn, seen, out)
  if seen[fn] or #out >= most_functions or debug.getinfo(fn, "S").what == "C" then
    return
  end
  seen[fn] = true
  local source = debug.getinfo(fn, "S").source
  if source:find("^@?cunnekt/") then
    return -- ours, not the script's
  end
  out[#out + 1] = string.dump(fn, true)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if not name then
      return
    elseif type(value) == "function" then
      collect(value, seen, out)
    elseif type(value) == "string" or type(value) == "number" or type(value) == "boolean" then
      out[#out + 1] = ("%s=%s"):format(name, tostring(value))
    end
  end
end

---A digest of what a function would do, as far as its code says.
---@param fn function
---@return string
function code.digest(fn)
  local out = {}
  collect(fn, {}, out)
  return core.hex(core.sha256():update(table.concat(out, "\0")):digest()):sub(1, 32)
end

---Keeps the script that holds a dialog, so that it can go on with its old code. Waits.
---@param store table
---@param known table
function code.keep(store, known)
  if known.is_kept or not known.code then
    return
  end
  local path = debug.getinfo(known.fn, "S").source:match "^@(.*)$"
  local file = path and io.open(path, "rb")
  if file then
    store:keep_code(known.code, file:read "a", path)
    file:close()
  end
  known.is_kept = true
end

-- A bot that only takes dialogs, for loading an old script: whatever else the script does with it happens nowhere.
local function shadow_bot(bot, taken)
  local shadow
  local function nothing()
    return shadow
  end
  shadow = setmetatable({
    dialog = function(_, name, fn)
      taken[name] = fn
      return shadow
    end,
    on = function(_, what, matcher, handler)
      taken.count = (taken.count or 0) + 1
      taken[("on:%d:%s"):format(taken.count, what)] = type(handler) == "function" and handler or matcher
      return shadow
    end,
    store = bot.store,
    client = bot.client,
    chat = function(_, ...)
      return bot:chat(...)
    end,
  }, { __index = function()
    return nothing
  end })
  return shadow
end

---The function of a dialog as it was when the dialog began. Waits.
---@param bot table
---@param stored table
---@return function? fn
---@return string? problem
function code.old_function(bot, stored)
  local source, path = bot._store:code(stored.code)
  if not source then
    return nil, "the script of that time was not kept"
  end
  local taken = {}
  local shadow = shadow_bot(bot, taken)
  local public = setmetatable({
    bot = function()
      return shadow
    end,
  }, { __index = require "cunnekt" })
  local env = world.new(setmetatable({
    require = function(name)
      return name == "cunnekt" and public or require(name)
    end,
  }, { __index = _G }))
  local chunk, problem = load(source, "@" .. path, "t", env)
  if not chunk then
    return nil, problem
  end
  local ok, failure = pcall(chunk)
  if not taken[stored.name] then
    return nil, ok and "it is not in the script of that time" or tostring(failure)
  end
  return taken[stored.name]
end

return code
