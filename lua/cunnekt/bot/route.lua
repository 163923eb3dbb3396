-- SPDX-License-Identifier: MIT
-- Which handler an event goes to: the list that bot:on fills, its matchers, and the chain of bot:use around it.

local formats = require "cunnekt.store.formats"
local options = require "cunnekt.base.options"
local status_names = require "cunnekt.provider.status"
local typed = require "cunnekt.bot.typed"

local route = {}

local message_types = {
  "text", "button", "list", "quick_reply", "form", "image", "video", "audio", "document", "sticker", "location",
  "contacts", "reaction", "order", "system", "unsupported",
}
local statuses = status_names.reported
-- Events of our own: what became of a send, and a service window that ends soon.
local own = status_names.own_events
local groups = { "message", "status", "error", "unknown", "any" }

local known, is_message_type, is_status = {}, {}, {}
for _, name in ipairs(message_types) do
  known[#known + 1], is_message_type[name] = name, true
end
for _, name in ipairs(statuses) do
  known[#known + 1], is_status[name] = name, true
end
table.move(own, 1, #own, #known + 1, known)
table.move(groups, 1, #groups, #known + 1, known)

local is_own = status_names.set(own)

---Every name that bot:on takes.
route.names = known

local is_known = {}
for _, name in ipairs(known) do
  is_known[name] = true
end

---Whether bot:on takes a name.
---@param name string
---@return boolean
function route.is_name(name)
  return is_known[name] == true
end

-- Whether a handler for `what` hears an event of this kind and type.
local function handles(what, kind, type)
  return what == type or (kind ~= "own" and (what == "any" or what == kind))
end

-- What a string matcher is held against: the exact id of a reply, a pattern for everything that has words.
local function matches_string(wanted, event)
  local kind = event.type
  if kind == "button" or kind == "list" then
    return event.reply ~= nil and event.reply.id == wanted
  elseif kind == "quick_reply" then
    return event.payload == wanted
  elseif event.kind == "status" then
    return event.id == wanted
  end
  local words = event.text or (event.media and event.media.caption)
  return words ~= nil and words:find(wanted) ~= nil
end

local function compile_list(list)
  return function(event)
    for _, wanted in ipairs(list) do
      if matches_string(wanted, event) then
        return true
      end
    end
    return false
  end
end

-- Replies and statuses are matched by their exact id, which need not be a pattern.
local has_ids = { button = true, list = true, quick_reply = true, status = true }

local function check_pattern(what, pattern, level)
  if has_ids[what] or is_status[what] then
    return
  end
  local ok, problem = pcall(string.find, "", pattern)
  if not ok then
    error(("bot:on: '%s' is not a Lua pattern: %s"):format(pattern, problem), level)
  end
end

-- Turns what a script gave into a function of the event; `level` blames the script's line.
local function compile_matcher(what, matcher, level)
  local kind = type(matcher)
  if kind == "function" or (kind == "table" and (getmetatable(matcher) or {}).__call) then
    return matcher
  elseif kind == "string" then
    check_pattern(what, matcher, level + 1)
    return function(event)
      return matches_string(matcher, event)
    end
  elseif kind == "table" and #matcher > 0 then
    for _, one in ipairs(matcher) do
      if type(one) ~= "string" then
        error(("bot:on: a list of matchers holds strings, got %s"):format(type(one)), level)
      end
      check_pattern(what, one, level + 1)
    end
    return compile_list(matcher)
  end
  error(("bot:on: a matcher is a string, a list of strings or a function, got %s"):format(kind), level)
end

local routes_methods = {}
local routes_mt = { __index = routes_methods, __name = "cunnekt.routes" }

---@class cunnekt.routes
---An empty list of handlers.
function route.new()
  return setmetatable({ _handlers = {}, _wrappers = {}, _by_type = {}, _globals = {} }, routes_mt)
end

---Adds a handler. `level` says whom a mistake is blamed on, as in `error`.
---@param what string
---@param matcher any nil: every such event
---@param handler function
---@param opts table? debounce: seconds of quiet after which the quick texts of a contact are handled as one
---@param level integer
---@return table entry what was added
function routes_methods:add(what, matcher, handler, opts, level)
  if type(what) ~= "string" or not is_known[what] then
    local near = type(what) == "string" and options.suggest(what, known)
    local hint = near and (" (did you mean '%s'?)"):format(near) or ""
    error(("bot:on: nothing is called '%s'%s"):format(tostring(what), hint), level)
  end
  if type(handler) ~= "function" then
    error(("bot:on('%s'): the handler must be a function, got %s"):format(what, type(handler)), level)
  end
  local entry = { what = what, matcher = matcher ~= nil and compile_matcher(what, matcher, level + 1) or nil, run = handler }
  if opts ~= nil then
    options.check("bot:on", opts, { debounce = "number" }, level + 1)
    if opts.debounce and what ~= "text" and what ~= "message" and what ~= "any" then
      error("bot:on: only texts can be joined, so debounce goes with 'text'", level)
    end
    entry.debounce = opts.debounce
    self.has_debounce = true
  end
  self.handles_own = self.handles_own or is_own[what]
  table.insert(self._handlers, entry)
  -- Stable as long as the script registers its handlers in the same order.
  entry.name = formats.handler_name:format(#self._handlers, what)
  self._by_type = {}
  return entry
end

---Wraps every handler: `fn(event, next)`; what it returns instead of calling `next` ends the event.
---@param fn fun(event: table, next: fun(): any): any
function routes_methods:wrap(fn)
  table.insert(self._wrappers, fn)
end

---The functions of bot:use.
---@return function[]
function routes_methods:wrappers()
  return self._wrappers
end

---How many handlers there are.
---@return integer
function routes_methods:count()
  return #self._handlers
end

---Adds a handler for a word that works everywhere.
---@param word string
---@param fn fun(event: table)
---@return table entry its `name` is the same in each process
function routes_methods:add_global(word, fn)
  local entry = { name = formats.global_name:format(word:lower()), run = fn }
  self._globals[word:lower()] = entry
  return entry
end

---The handler of a word that works everywhere, if the event is a text with one.
---@param event table
---@return table? entry
function routes_methods:global_of(event)
  if event.type ~= "text" or next(self._globals) == nil then
    return nil
  end
  return self._globals[typed.plain(event.text)]
end

-- The handlers that may hear this event, in the order of their registration; found once for each type.
local function candidates(self, event)
  local type = event.kind == "message" and event.type or event.status or event.kind
  local by_type = self._by_type[event.kind]
  local list = by_type and by_type[type]
  if not list then
    list = {}
    for _, entry in ipairs(self._handlers) do
      if handles(entry.what, event.kind, type) then
        list[#list + 1] = entry
      end
    end
    -- A status nobody has heard of must not make this table grow without end.
    if is_message_type[type] or is_status[type] or type == event.kind or type == "unknown" or event.kind == "own" then
      by_type = by_type or {}
      by_type[type], self._by_type[event.kind] = list, by_type
    end
  end
  return list
end

---For how long a text waits for more of its kind: what the first handler that matches it asks for.
---@param event table
---@return number? seconds
function routes_methods:debounce_of(event)
  if not self.has_debounce or event.type ~= "text" then
    return nil
  end
  for _, entry in ipairs(candidates(self, event)) do
    if not entry.matcher or entry.matcher(event) then
      return entry.debounce
    end
  end
  return nil
end

---Whether some handler may hear this event; its matcher is not asked.
---@param event table
---@return boolean
function routes_methods:has_handler_for(event)
  return #candidates(self, event) > 0
end

local function run_handlers(self, event, running)
  for _, entry in ipairs(candidates(self, event)) do
    if not entry.matcher or entry.matcher(event) then
      running.name = entry.name
      local verdict = entry.run(event)
      if verdict ~= "next" then
        return verdict
      end
    end
  end
  return nil
end

---Runs an event through the wrappers to its handler; a word that works everywhere goes to its own. Raises what they raise.
---@param event table
---@param running? table its `name` is set to the name of the handler that runs
---@return any verdict
function routes_methods:dispatch(event, running)
  running = running or {}
  local global, wrappers = self:global_of(event), self._wrappers
  if global then
    running.name = global.name
    return global.run(event)
  elseif #wrappers == 0 then
    return run_handlers(self, event, running)
  end
  local function go(n)
    local wrapper = wrappers[n]
    if not wrapper then
      return run_handlers(self, event, running)
    end
    return wrapper(event, function()
      return go(n + 1)
    end)
  end
  return go(1)
end

return route
