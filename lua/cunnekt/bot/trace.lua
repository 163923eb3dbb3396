-- SPDX-License-Identifier: MIT
-- Notes what middleware, commands and handlers an event meets, and what their matchers say: for `cunnekt dev`, which explains why an
-- event went where it went. It is put around what a script has registered by then; without it nothing is noted, and nothing costs.

local trace = {}

---What an event met.
---@class cunnekt.trace.note
---@field asked? boolean whether the matcher was asked
---@field matched? boolean what it said; nil: it raised
---@field ran? boolean
---@field returned? boolean nil: it waits, or has raised
---@field verdict? any what the handler returned
---@field passed? boolean of middleware: it called `next`

---@class cunnekt.trace.entry
---@field kind "use"|"global"|"on"
---@field what string the event of bot:on, or the words of bot:global
---@field place string "bot.lua:12"
---@field has_matcher boolean?
---@field fits fun(event: table): boolean whether such events come to it

local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  return ("%s:%d"):format(info.short_src, info.linedefined)
end

-- Errors pass through, with their traceback.
local function on_return(note, ...)
  note.returned, note.verdict = true, (...)
  return ...
end

local function watched_run(note_of, entry, run)
  return function(event)
    local note, fn = note_of(entry, event), run -- a local: base/blame.lua finds it
    note.ran = true
    return on_return(note, fn(event))
  end
end

local function watched_matcher(note_of, entry, matcher)
  return function(event)
    local note, fn = note_of(entry, event), matcher
    note.asked = true
    local matched = fn(event)
    note.matched = matched and true or false
    return matched
  end
end

local function watched_wrapper(note_of, entry, wrapper)
  return function(event, following)
    local note, fn = note_of(entry, event), wrapper
    note.ran = true
    return on_return(note, fn(event, function()
      note.passed = true
      return following()
    end))
  end
end

---Notes what events meet from now on.
---@param routes cunnekt.routes
---@param on_event fun(event: table) called for each event that is looked at, more than once
---@param note_of fun(entry: cunnekt.trace.entry, event: table): cunnekt.trace.note
---@return cunnekt.trace.entry[] entries in the order in which events meet them
function trace.attach(routes, on_event, note_of)
  local entries, seen = {}, {}
  local find_global = routes.global_of
  function routes.global_of(self, event)
    on_event(event)
    return find_global(self, event)
  end
  for i, wrapper in ipairs(routes._wrappers) do
    local entry = { kind = "use", what = "", place = place_of(wrapper) }
    entries[#entries + 1] = entry
    routes._wrappers[i] = watched_wrapper(note_of, entry, wrapper)
  end
  for word, global in pairs(routes._globals) do
    if not seen[global] then
      local entry = { kind = "global", what = global.words and table.concat(global.words, ", ") or word, place = place_of(global.run) }
      seen[global], entries[#entries + 1] = true, entry
      global.run = watched_run(note_of, entry, global.run)
    end
  end
  for _, handler in ipairs(routes._handlers) do
    local entry = { kind = "on", what = handler.what, place = place_of(handler.run), has_matcher = handler.matcher ~= nil }
    function entry.fits(event)
      return routes:fits(handler, event)
    end
    entries[#entries + 1] = entry
    handler.run = watched_run(note_of, entry, handler.run)
    handler.matcher = handler.matcher and watched_matcher(note_of, entry, handler.matcher)
  end
  return entries
end

return trace
