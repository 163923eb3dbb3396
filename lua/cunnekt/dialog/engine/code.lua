-- SPDX-License-Identifier: MIT
-- Detects changes of a dialog's code by a digest, and loads old scripts from the store for the runs that began with them.
-- rebuild.lua decides which code a run continues with; source.lua has the text of scripts.

local canonical = require "cunnekt.base.canonical"
local core = require "cunnekt.core"
local formats = require "cunnekt.store.formats"
local route = require "cunnekt.bot.route"
local source = require "cunnekt.dialog.engine.source"
local stored_dialogs = require "cunnekt.store.dialogs"
local world = require "cunnekt.dialog.engine.world"

local code = {}

-- Maximum of functions and values in a digest; a script has hundreds.
local max_values = 20000

-- ---- the digest ----------------------------------------------------------------------------------------------------

-- A digest covers a function's bytecode, the script's functions and values that it refers to, and theirs.
local add_value

local function new_collector(script)
  return { script = script, seen = world.mark_libraries {}, out = {} }
end

local function add(self, text)
  self.out[#self.out + 1] = text
end

-- Dialogs whose names occur in the bytecode belong to it: chat:call may run them.
local function add_called(self, dump)
  for _, name in ipairs(canonical.keys(self.script.known)) do
    if #name > 1 and dump:find(name, 1, true) then
      add_value(self, self.script.known[name].fn)
    end
  end
end

local function add_globals(self, env)
  for _, name in ipairs(canonical.keys(world.globals_of(env) or {})) do
    add(self, name)
    add_value(self, env[name])
  end
end

local function add_function(self, fn)
  if self.seen[fn] or not world.is_of_script(fn) then
    return
  end
  self.seen[fn] = true
  local dump = string.dump(fn, true)
  add(self, dump)
  add_called(self, dump)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if not name then
      return
    elseif name == "_ENV" and not self.seen[value] then
      self.seen[value] = true
      add_globals(self, value)
    elseif name ~= "_ENV" then
      add_value(self, value)
    end
  end
end

local function add_table(self, t)
  local mt = getmetatable(t)
  if self.seen[t] or (type(mt) == "table" and tostring(mt.__name):find "^cunnekt") then
    return
  end
  self.seen[t] = true
  for _, key in ipairs(canonical.keys(t)) do
    if type(key) == "string" or type(key) == "number" then
      add(self, tostring(key))
      add_value(self, rawget(t, key))
    end
  end
end

function add_value(self, value)
  local kind = type(value)
  if #self.out >= max_values then
    return
  elseif kind == "function" then
    add_function(self, value)
  elseif kind == "table" then
    add_table(self, value)
  elseif kind == "string" or kind == "number" or kind == "boolean" then
    add(self, tostring(value))
  else
    add(self, kind)
  end
end

local function finish(collector, its_source)
  local digest = core.hex(core.sha256():update(table.concat(collector.out, "\0")):digest()):sub(1, 32)
  return formats.code:format(digest, its_source and its_source.digest or ""), its_source
end

---The digest of a dialog's code, and its source.
---@param script cunnekt.dialog.script
---@param known table
---@return string digest
---@return cunnekt.source? source
function code.digest(script, known)
  local collector = new_collector(script)
  add_value(collector, known.fn)
  return finish(collector, source.of(known.fn))
end

---The digest of all handlers: an event may go through several, and through the middleware.
---@param script cunnekt.dialog.script
---@return string digest
---@return cunnekt.source? source
function code.digest_handlers(script)
  local collector, its_source = new_collector(script), nil
  for _, name in ipairs(canonical.keys(script.known)) do
    local known = script.known[name]
    if not known.opts.is_dialog then
      add(collector, name)
      add_value(collector, known.matcher)
      add_value(collector, known.fn)
      its_source = its_source or source.of(known.fn)
    end
  end
  for _, wrapper in ipairs(script.routes:wrappers()) do
    add_value(collector, wrapper)
  end
  return finish(collector, its_source)
end

---Whether a run's code has changed: neither the digest of the dialog nor that of the script's text is the same.
---@param was string digests, as code.digest returns them
---@param is_now string
---@return boolean
function code.is_changed(was, is_now)
  local did, text = was:match "^(%x*)%.(%x*)$"
  local does, text_now = is_now:match "^(%x*)%.(%x*)$"
  return did ~= does and (text ~= text_now or text == "")
end

-- ---- old scripts ---------------------------------------------------------------------------------------------------

-- bot.store for an old script: while its top level runs again, it changes nothing.
local function shadow_store(store, old)
  local function is_reading(name)
    return name == "get"
  end
  return setmetatable({}, {
    __index = function(_, name)
      local method = store[name]
      return type(method) == "function" and function(_, ...)
        if old.is_loading and not is_reading(name) then
          return true
        end
        return method(store, ...)
      end or method
    end,
  })
end

-- The bot for an old script: its dialogs and handlers are registered separately, and other calls have an effect only after
-- the top level.
local function shadow_bot(bot, old)
  local shadow, own = nil, { client = bot.client, store = shadow_store(bot.store, old) }
  function own.dialog(_, name, fn, opts)
    old.known[name] = { name = name, fn = fn, opts = { is_dialog = true, unexpected = opts and opts.unexpected } }
    return shadow
  end
  function own.on(_, what, matcher, handler, opts)
    if type(handler) ~= "function" and type(matcher) == "function" and opts == nil then
      matcher, handler, opts = nil, matcher, handler
    end
    old.routes:add(what, matcher, handler, opts, 3)
    return shadow
  end
  function own.use(_, fn)
    old.routes:wrap(fn)
    return shadow
  end
  function own.global(_, words, fn, opts)
    old.routes:add_global(words, fn, opts, 3)
    return shadow
  end
  shadow = setmetatable({}, {
    __index = function(_, name)
      local value = own[name]
      if value ~= nil or type(bot[name]) ~= "function" then
        return value == nil and bot[name] or value
      end
      return function(_, ...)
        if old.is_loading then
          return shadow
        end
        return bot[name](bot, ...)
      end
    end,
  })
  return shadow
end

local function load_old(bot, text)
  local old = { known = {}, routes = route.new(), is_loading = true, is_old = true }
  local shadow = shadow_bot(bot, old)
  local public = setmetatable({
    bot = function()
      return shadow
    end,
  }, { __index = require "cunnekt" })
  local chunk, problem = source.load_kept(text, public)
  if not chunk then
    return nil, problem
  end
  local ok, failure = pcall(chunk)
  old.is_loading = false
  if not ok and next(old.known) == nil and old.routes:count() == 0 then
    return nil, tostring(failure)
  end
  return old
end

---The script with which a run began. Waits.
---@param dialogs cunnekt.dialogs
---@param was string digests
---@return cunnekt.dialog.script? script
---@return string? problem
function code.old_script(dialogs, was)
  local digest = was:match "%.(%x+)$"
  local text = digest and stored_dialogs.script(dialogs.store, digest)
  if not text then
    return nil, "the store does not have the script that it began with"
  end
  local old, problem = dialogs.old_scripts[digest], nil
  if not old then
    old, problem = load_old(dialogs.scope.bot, text)
    dialogs.old_scripts[digest] = old
  end
  return old, problem
end

return code
