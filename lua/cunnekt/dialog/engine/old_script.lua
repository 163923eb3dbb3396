-- SPDX-License-Identifier: MIT
-- Scripts that have changed since, for the runs that began with them: loaded from the text in the store. While such a script's top level
-- runs again, it registers what it has, apart from the current script. What it reads there is of now, and no step of the run that is
-- rebuilt; it writes nothing, sends nothing, and starts nothing beside itself.

local errors = require "cunnekt.base.errors"
local route = require "cunnekt.bot.route"
local source = require "cunnekt.dialog.engine.source"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local old_script = {}

-- Names of methods of a bot's store that only read.
local reads = { get = true, each = true, keys = true }

local function sends_nothing()
  return nil, errors.new("cancelled", "a script of before is loaded again for its open dialogs: its top level sends nothing")
end

local function writes_nothing()
  return true
end

-- An object whose methods do nothing while the top level runs, but those in `allowed`.
local function guarded(loading, find, allowed, do_nothing)
  return setmetatable({}, {
    __index = function(_, name)
      local method = find()[name]
      if type(method) ~= "function" then
        return method
      end
      return function(_, ...)
        if loading.is_on and not allowed[name] then
          return do_nothing()
        end
        return method(find(), ...)
      end
    end,
  })
end

-- What a bot of the old script registers, in `its`; its other calls are the present bot's, after the top level.
local function shadow_bot(loading, its)
  local shadow = nil
  local own = {
    client = guarded(loading, function() return its.bot.client end, {}, sends_nothing),
    store = guarded(loading, function() return its.bot.store end, reads, writes_nothing),
  }
  function own.dialog(_, name, fn, opts)
    opts = opts or {}
    its.known[name] = { name = name, fn = fn, opts = { is_dialog = true, unexpected = opts.unexpected, expires = opts.expires } }
    return shadow
  end
  function own.on(_, what, matcher, handler, opts)
    if type(handler) ~= "function" and type(matcher) == "function" and opts == nil then
      matcher, handler, opts = nil, matcher, handler
    end
    its.routes:add(what, matcher, handler, opts, 3)
    return shadow
  end
  function own.use(_, fn)
    its.routes:wrap(fn)
    return shadow
  end
  function own.global(_, words, fn, opts)
    its.routes:add_global(words, fn, opts, 3)
    return shadow
  end
  shadow = setmetatable({}, {
    __index = function(_, name)
      if own[name] ~= nil then
        return own[name]
      end
      local value = its.bot[name]
      if type(value) ~= "function" then
        return value
      end
      return function(_, ...)
        if loading.is_on then
          return shadow
        end
        return its.bot[name](its.bot, ...)
      end
    end,
  })
  return shadow
end

-- `require "cunnekt"` of the old script; its bots come into `list`.
local function public_for(dialogs, loading, list)
  local cunnekt = require "cunnekt"
  local public = {}
  function public.bot(opts)
    local store = type(opts) == "table" and opts.store or nil
    local its = { known = {}, routes = route.new(), is_old = true, store = store, bot = dialogs.find_bot(store) or dialogs.scope.bot }
    list[#list + 1] = its
    return shadow_bot(loading, its)
  end
  function public.client(...)
    local its_client = cunnekt.client(...)
    return guarded(loading, function() return its_client end, {}, sends_nothing)
  end
  public.http = setmetatable({}, {
    __index = function(_, name)
      local fn = cunnekt.http[name]
      if type(fn) ~= "function" or name == "get" then
        return fn
      end
      return function(...)
        if loading.is_on then
          return sends_nothing()
        end
        return fn(...)
      end
    end,
  })
  for _, name in ipairs { "spawn", "sleep" } do
    public[name] = function(...)
      if not loading.is_on then
        return cunnekt[name](...)
      end
    end
  end
  return setmetatable(public, { __index = cunnekt })
end

-- A bot that the script has not any more.
local nobody = setmetatable({}, {
  __index = function()
    return function()
      return nil, errors.new("cancelled", "the script does not make this bot any more")
    end
  end,
})
nobody.client, nobody.store = nobody, nobody

-- Of the bots that the old script made, the one that is this bot now: the only one, also where it has another store by now.
local function choose(dialogs, list)
  local chosen = #list == 1 and list[1] or nil
  for _, its in ipairs(list) do
    its.bot = its == chosen and dialogs.scope.bot or dialogs.find_bot(its.store) or nobody
    if its.bot == dialogs.scope.bot then
      chosen = its
    end
  end
  return chosen
end

-- Runs a script's top level, as no part of the run that is rebuilt.
local function run_apart(chunk)
  local running = task.running()
  local its_run = running and running.run
  if its_run then
    running.run = nil
  end
  local ok, failure = pcall(chunk, table.unpack(arg or {})) -- what the program has been given for its script
  if its_run then
    running.run = its_run
  end
  return ok, failure
end

local function load_old(dialogs, text)
  local loading, list = { is_on = true }, {}
  local chunk, problem = source.load_kept(text, public_for(dialogs, loading, list))
  if not chunk then
    return nil, problem
  end
  local ok, failure = run_apart(chunk)
  loading.is_on = false
  local its = choose(dialogs, list)
  if not ok and not (its and (next(its.known) ~= nil or its.routes:count() > 0)) then
    return nil, tostring(failure)
  end
  return its, not its and "the script that it began with has no bot with this store" or nil
end

---The script with which a run began. Waits.
---@param dialogs cunnekt.dialogs
---@param was string digests, as code.digest gives them
---@return cunnekt.dialog.script? script
---@return string? problem
function old_script.of(dialogs, was)
  local digest = was:match "%.(%x+)$"
  local known = digest and dialogs.old_scripts[digest]
  if not known then
    local text = digest and stored_dialogs.script(dialogs.store, digest)
    if not text then
      return nil, "the store does not have the script that it began with"
    end
    local old, problem = load_old(dialogs, text)
    known = old or { problem = problem }
    dialogs.old_scripts[digest] = known
  end
  return not known.problem and known or nil, known.problem
end

return old_script
