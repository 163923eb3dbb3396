-- SPDX-License-Identifier: MIT
-- Routing: the handlers of bot:on with their matchers, the commands of bot:global, and the middleware of bot:use. It knows no
-- dialogs and no turns: dialog/dispatch.lua decides whether an event gets here.

local formats = require "cunnekt.store.formats"
local options = require "cunnekt.base.options"
local pattern = require "cunnekt.bot.pattern"
local status_names = require "cunnekt.provider.status"
local typed = require "cunnekt.bot.typed"
local webhook = require "cunnekt.provider.webhook"

local route = {}

local message_types = {
  "text", "button", "list", "quick_reply", "form", "image", "video", "audio", "document", "sticker", "location",
  "contacts", "reaction", "order", "system", "edit", "revoke", "request_welcome", "call_permission_reply", "unsupported",
}
---The types of messages that bot:on knows.
route.message_types = message_types
local statuses = status_names.reported
-- Own events: the outcome of a send, and a service window that ends soon.
local own = status_names.own_events
local account_types = webhook.account_types
local groups = {
  "message", "status", "echo", "call", "payment", "user_preferences", "user_id_update", "group", "automatic_event", "history",
  "state_sync", "account", "error", "unknown", "any",
}

-- The names of events within their kind, and the field that has them. Events of other kinds have the name of the kind.
local names_of = {
  message = status_names.set(message_types), status = status_names.set(statuses), account = status_names.set(account_types),
  own = status_names.set(own),
}
names_of.message.unknown, names_of.status.unknown = true, true
local field_of = { message = "type", status = "status", account = "type", own = "status" }

local is_own = names_of.own

local known = {}
for _, list in ipairs { message_types, statuses, account_types, own, groups } do
  table.move(list, 1, #list, #known + 1, known)
end

---All event names of bot:on.
route.names = known

local is_known = {}
for _, name in ipairs(known) do
  is_known[name] = true
end

---Whether bot:on accepts a name.
---@param name string
---@return boolean
function route.is_name(name)
  return is_known[name] == true
end

-- What people and other libraries call some of them.
local elsewhere = {
  photo = "image", picture = "image", img = "image", voice = "audio", voice_note = "audio", flow = "form", nfm_reply = "form",
  contact = "contacts", file = "document", pdf = "document", click = "button", callback = "button", button_reply = "button",
  list_reply = "list", basket = "order", cart = "order", deleted = "revoke", edited = "edit",
}

---The event that was meant by a name that is none.
---@param name string
---@return string? what nil: no name is near
function route.nearest(name)
  return elsewhere[name:lower()] or options.suggest(name, known)
end

---The name by which bot:on knows an event: that within its kind, or else the kind's.
---@param event table
---@return string
function route.name_of(event)
  local kind = event.kind
  local name = field_of[kind] and event[field_of[kind]]
  return name and names_of[kind][name] and name or kind
end

---The kind of the events that a handler for a name gets: "message" for "text". Nil where they are of several kinds.
---@param what string
---@return string?
function route.kind_of(what)
  if what == "any" or what == "unknown" then
    return nil
  end
  for kind, names in pairs(names_of) do
    if names[what] then
      return kind
    end
  end
  return what
end

-- Whether a handler for `what` gets events of this kind and name. A name counts within its kind only: an echo of a text is no
-- text, and a payment that failed no message that did.
local function handles(what, kind, name)
  local is_named = what == name and names_of[kind] and names_of[kind][name]
  return is_named or (kind ~= "own" and (what == "any" or what == kind))
end

-- Kinds whose string matchers are the exact id.
local kind_has_ids = { status = true, call = true, payment = true, group = true }

-- A string matcher is the exact id for replies, statuses and the like, and words or a pattern for what was written.
local function compile_string(wanted)
  local is_found = typed.finder(wanted)
  return function(event)
    local kind = event.type
    if kind_has_ids[event.kind] then
      return event.id == wanted
    elseif kind == "button" or kind == "list" then
      return event.reply ~= nil and event.reply.id == wanted
    elseif kind == "quick_reply" then
      return event.payload == wanted
    end
    return is_found(event)
  end
end

---Whether strings that match the events of a name are exact ids, which need not be valid patterns.
---@param what string
---@return boolean
function route.has_ids(what)
  return what == "button" or what == "list" or what == "quick_reply" or kind_has_ids[what] or names_of.status[what] or false
end

-- Names of events in which something is written.
local has_text = status_names.set { "any", "message", "echo", "unknown", "text", "image", "video", "document", "edit" }

local function check_has_text(what, level)
  if not (has_text[what] or route.has_ids(what)) then
    error(("bot:on: '%s' has neither text nor an id that a string would be compared with; the matcher must be a function"):format(what), level)
  end
end

local function check_pattern(what, wanted, level)
  local problem = not route.has_ids(what) and pattern.problem(wanted)
  if problem then
    error("bot:on: " .. problem, level)
  end
end

---The functions that make filters, by themselves: as a matcher they would take every event.
---@type table<function, string> function → "filter.media"
route.makers = {}

-- A function of the event from one matcher; nil: it is a list, or nothing that a matcher can be.
local function compile_one(what, matcher, level)
  local kind = type(matcher)
  if route.makers[matcher] then
    error(("bot:on: %s makes a filter when it is called; write %s(…)"):format(route.makers[matcher], route.makers[matcher]), level)
  elseif kind == "function" or (kind == "table" and (getmetatable(matcher) or {}).__call) then
    return matcher
  elseif kind == "string" then
    check_has_text(what, level + 1)
    check_pattern(what, matcher, level + 1)
    return compile_string(matcher)
  end
  return nil
end

local function compile_list(what, list, level)
  local tests = {}
  for i = 1, #list do
    local test = compile_one(what, list[i], level + 1)
    if not test then
      error(("bot:on: a list of matchers must hold strings, filters, actions or functions, got %s"):format(type(list[i])), level)
    end
    tests[i] = test
  end
  return function(event)
    for i = 1, #tests do
      if tests[i](event) then
        return true
      end
    end
    return false
  end
end

-- Converts a script's matcher to a function of the event.
local function compile_matcher(what, matcher, level)
  local test = compile_one(what, matcher, level + 1)
  if test then
    return test
  elseif type(matcher) == "table" and #matcher > 0 then
    return compile_list(what, matcher, level + 1)
  end
  error(("bot:on: the matcher must be a string, a filter, an action, a function or a list of these, got %s"):format(type(matcher)), level)
end

local routes_methods = {}
local routes_mt = { __index = routes_methods, __name = "cunnekt.routes" }

---@class cunnekt.routes
---@field has_debounce boolean?
---@field handles_own boolean?
---@field has_wrappers boolean?

---Without handlers.
function route.new()
  -- `_first_globals` has the commands by the words of formats.first_rules.
  return setmetatable({ _handlers = {}, _wrappers = {}, _by_type = {}, _globals = {}, _first_globals = {} }, routes_mt)
end

---Adds a handler.
---@param what string
---@param matcher any nil: every such event
---@param handler function
---@param opts table? debounce: seconds of quiet after which a contact's texts are handled as one
---@param level integer as in `error`
---@return table entry
function routes_methods:add(what, matcher, handler, opts, level)
  if type(what) ~= "string" or not is_known[what] then
    local near = type(what) == "string" and route.nearest(what)
    local hint = near and (" (did you mean '%s'?)"):format(near) or ""
    error(("bot:on: unknown event '%s'%s"):format(tostring(what), hint), level)
  end
  if type(handler) ~= "function" then
    error(("bot:on('%s'): the handler must be a function, got %s"):format(what, type(handler)), level)
  end
  local entry = { what = what, matcher = matcher ~= nil and compile_matcher(what, matcher, level + 1) or nil, run = handler }
  if opts ~= nil then
    options.check("bot:on", opts, { debounce = "number" }, level + 1)
    if opts.debounce and what ~= "text" and what ~= "message" and what ~= "any" then
      error("bot:on: debounce works only with 'text', 'message' and 'any'", level)
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

---Wraps every handler and global command: `fn(event, next)`; without a call of `next` the event ends there. What dialogs get is
---wrapped by dialog/engine/wrapping.lua.
---@param fn fun(event: table, next: fun(): any): any
function routes_methods:wrap(fn)
  table.insert(self._wrappers, fn)
  self.has_wrappers = true
end

---Takes over the handlers, commands and middleware of another one, which is not used afterwards, in the place of its own.
---@param other cunnekt.routes
function routes_methods:replace(other)
  for name in pairs(self) do
    self[name] = nil
  end
  for name, value in pairs(other) do
    self[name] = value
  end
end

---The functions of bot:use.
---@return function[]
function routes_methods:wrappers()
  return self._wrappers
end

---The number of handlers.
---@return integer
function routes_methods:count()
  return #self._handlers
end

-- The words of a global command. Raises for what is none.
local function words_of_global(given, level)
  local words = type(given) == "table" and given or { given }
  for i = 1, given == nil and 1 or #words do
    local word = words[i]
    if type(word) ~= "string" or typed.plain(word) == "" then
      error(("bot:global: expected a word or a list of words, got %s"):format(type(word) == "string" and "an empty one" or type(word)), level)
    end
  end
  if not words[1] then
    error("bot:global: expected a word or a list of words, got an empty list", level)
  end
  return words
end

---Calls `fn` before each run of each handler and global command that there is by now. For `cunnekt test`, which shows those that
---did not run.
---@param fn fun(entry: table)
---@return {what: string, fn: function}[] entries
function routes_methods:watch(fn)
  local entries, seen = {}, {}
  local function watch_entry(entry, what)
    if seen[entry] then
      return
    end
    local run, watched = entry.run, { what = what, fn = entry.run }
    seen[entry], entries[#entries + 1] = true, watched
    function entry.run(event)
      fn(watched)
      local its_function = run -- a local, and no tail call: base/blame.lua finds the function here
      local verdict = its_function(event)
      return verdict
    end
  end
  for _, entry in ipairs(self._handlers) do
    watch_entry(entry, ("bot:on('%s')"):format(entry.what))
  end
  for word, entry in pairs(self._globals) do
    watch_entry(entry, ("bot:global('%s')"):format(entry.words and entry.words[1] or word))
  end
  return entries
end

---Adds a global command.
---@param given string|string[]
---@param fn fun(event: table)
---@param opts? table even_paused: whether it runs while a person has taken over
---@param level? integer as in `error`; 2 by default: the caller of this
---@return table entry its `name` is the same in each process; `words`: the list, if there are several
function routes_methods:add_global(given, fn, opts, level)
  level = level or 2
  local words = words_of_global(given, level + 1)
  opts = options.check("bot:global", opts, { even_paused = "boolean" }, level + 1)
  local entry = { name = formats.global_name:format(words[1]:lower()), run = fn, even_paused = opts.even_paused }
  entry.words = words[2] and words
  for _, word in ipairs(words) do
    self._globals[typed.plain(word)], self._first_globals[word:lower()] = entry, entry
  end
  return entry
end

---The handler of a global command, if the event is a text with one. What is said in a group is said to others, and must not end
---or pause what is between the bot and that person.
---@param event table
---@return table? entry
function routes_methods:global_of(event)
  if event.type ~= "text" or event.kind ~= "message" or next(self._globals) == nil then
    return nil
  end
  local entry
  if typed.is_by_first_rules(event) then
    entry = self._first_globals[typed.ascii(event.text)]
  else
    entry = self._globals[typed.plain(event.text)]
    local bare = not entry and typed.bare(event)
    entry = entry or (bare and self._globals[bare]) or nil
  end
  return entry and not event.group_id and entry or nil
end

-- The handlers for the event's type, in registration order; cached by type.
local function candidates(self, event)
  local kind = event.kind
  local field = field_of[kind]
  local name = field and event[field] or kind
  local by_type = self._by_type[kind]
  local list = by_type and by_type[name]
  if not list then
    list = {}
    for _, entry in ipairs(self._handlers) do
      if handles(entry.what, kind, name) then
        list[#list + 1] = entry
      end
    end
    -- Unknown names are not cached, so that the table stays bounded.
    if name == kind or kind == "own" or names_of[kind][name] then
      by_type = by_type or {}
      by_type[name], self._by_type[kind] = list, by_type
    end
  end
  return list
end

---Whether events such as this one come to a handler, whatever its matcher says.
---@param entry table of `add`
---@param event table
---@return boolean
function routes_methods:fits(entry, event)
  for _, other in ipairs(candidates(self, event)) do
    if other == entry then
      return true
    end
  end
  return false
end

---The debounce time of a text: that of the first handler that matches. A global command is never joined to other texts. The event
---need not be a handler's yet.
---@param event table
---@return number? seconds
function routes_methods:debounce_of(event)
  if not self.has_debounce or event.type ~= "text" or event.kind ~= "message" or self:global_of(event) then
    return nil
  end
  webhook.show_raw(event)
  for _, entry in ipairs(candidates(self, event)) do
    if not entry.matcher or entry.matcher(event) then
      return entry.debounce
    end
  end
  return nil
end

---Whether there is a handler for the event's type, whatever its matcher.
---@param event table
---@return boolean
function routes_methods:has_handler_for(event)
  return #candidates(self, event) > 0
end

local function run_handlers(self, event, running, global)
  if global then
    running.name = global.name
    local verdict = global.run(event) -- no tail call: base/blame.lua finds the function here
    return verdict
  end
  local instead = running.instead
  if instead then
    local before = running.n
    local verdict = instead(event)
    if verdict ~= "next" then
      return verdict
    end
    -- A replay does not call it, so what follows may wait where it has made no step.
    running.instead = running.n > before and instead or nil
  end
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

---Calls functions around something, outermost first.
---@param wrappers fun(event: table, next: fun(): any)[]
---@param event table
---@param inside fun(): any what the last one's `next` calls
---@return any
function route.call_wrapped(wrappers, event, inside)
  local function go(n)
    local wrapper = wrappers[n]
    if not wrapper then
      return inside()
    end
    local verdict = wrapper(event, function()
      return go(n + 1)
    end)
    return verdict
  end
  return go(1)
end

---Runs an event through the middleware to a global command, or to its handler. Raises what they raise.
---@param event table
---@param running? table its `name` is set to the running handler's; its `instead` gets the event before the handlers do
---@return any verdict
function routes_methods:dispatch(event, running)
  running = running or {}
  local global, wrappers = self:global_of(event), self._wrappers
  if #wrappers == 0 or (global and typed.is_by_first_rules(event)) then
    return run_handlers(self, event, running, global)
  end
  return route.call_wrapped(wrappers, event, function()
    return run_handlers(self, event, running, global)
  end)
end

return route
