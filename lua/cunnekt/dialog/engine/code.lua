-- SPDX-License-Identifier: MIT
-- Detects changes of a dialog's code by a digest. rebuild.lua decides which code a run continues with; source.lua has the text of scripts,
-- old_script.lua loads that of runs that began with another one.

local canonical = require "cunnekt.base.canonical"
local core = require "cunnekt.core"
local formats = require "cunnekt.store.formats"
local source = require "cunnekt.dialog.engine.source"
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

-- The constant "call" in bytecode, with its size before it.
local call_constant = string.dump(function(chat) chat:call() end, true):match ".call"

-- chat:call may run any dialog: its name need not be in the bytecode.
local function add_called(self, dump)
  if not dump:find(call_constant, 1, true) then
    return
  end
  for _, name in ipairs(canonical.keys(self.script.known)) do
    if self.script.known[name].opts.is_dialog then
      add(self, name)
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

-- Whether a function or table is in the digest already, or a library: then only which one it is.
local function is_seen(self, value)
  local place = self.seen[value]
  if place then
    add(self, tostring(place))
    return true
  end
  self.seen[value] = #self.out
  return false
end

-- The names of the functions of Lua's libraries.
local name_of = {}
for library, functions in pairs { string = string, table = table, math = math, utf8 = utf8, os = os, _G = _G } do
  for name, fn in pairs(functions) do
    name_of[fn] = library .. "." .. name
  end
end

local function add_function(self, fn)
  if not world.is_of_script(fn) then
    return add(self, name_of[fn] or "function")
  elseif is_seen(self, fn) then
    return
  end
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

-- Of our own objects those whose content is the script's.
local is_of_values = { ["cunnekt.filter"] = true, ["cunnekt.action"] = true }

local function add_table(self, t)
  local mt = debug.getmetatable(t)
  local class = mt and tostring(rawget(mt, "__name"))
  local is_ours = class and class:find "^cunnekt"
  if (is_ours and not is_of_values[class]) or is_seen(self, t) then
    return
  end
  if mt and not is_ours then
    add_table(self, mt) -- a class of the script
  end
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
---@return function? fn one of them, which the source is of
function code.digest_handlers(script)
  local collector, its_source, its_fn = new_collector(script), nil, nil
  for _, name in ipairs(canonical.keys(script.known)) do
    local known = script.known[name]
    if not known.opts.is_dialog then
      add(collector, name)
      add_value(collector, known.matcher)
      add_value(collector, known.fn)
      if not its_source then
        its_source, its_fn = source.of(known.fn), known.fn
      end
    end
  end
  for _, wrapper in ipairs(script.routes:wrappers()) do
    add_value(collector, wrapper)
  end
  local digest = finish(collector, its_source)
  return digest, its_source, its_fn
end

-- The script may have loaded another module since the digest was made, and so have another text.
local function renew(known)
  local now = known.source and source.of(known.source_fn)
  if now ~= known.source then
    known.code, known.source = formats.code:format(known.code:match "^%x*", now.digest), now
  end
  return known.code, known.source
end

---The digest of a run's code, and its source. A method of cunnekt.dialogs.
---@param dialogs cunnekt.dialogs
---@param name string
---@return string? digest nil when the script has no such dialog
---@return cunnekt.source? source
function code.of(dialogs, name)
  local script = dialogs.script
  local known = script.known[name]
  if name:find(formats.handler_pattern) then
    known = dialogs.handlers_code or {}
    if not known.code then
      known.code, known.source, known.source_fn = code.digest_handlers(script)
      dialogs.handlers_code = known
    end
  elseif not known then
    return nil
  elseif not known.code then
    known.code, known.source = code.digest(script, known)
    known.source_fn = known.fn
  end
  return renew(known)
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

return code
