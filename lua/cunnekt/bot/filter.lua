-- SPDX-License-Identifier: MIT
-- Filters: matchers for bot:on that combine. `a & b` requires both, `a | b` either, `~a` negates; plain functions and actions
-- may be operands. They only test events; route.lua calls them.

local identity = require "cunnekt.provider.identity"
local pattern = require "cunnekt.bot.pattern"
local route = require "cunnekt.bot.route"
local typed = require "cunnekt.bot.typed"

---@class cunnekt.filters
local filter = {}

---A matcher that combines with others by &, | and ~.
---@class cunnekt.filter
---@field private _matches fun(event: table): any
---@operator band(any): cunnekt.filter
---@operator bor(any): cunnekt.filter
---@operator bnot: cunnekt.filter
---@operator call(table): boolean
local filter_mt = { __name = "cunnekt.filter" }

-- `about`: what it was made of, by which a changed script is told from the one before (dialog/engine/code.lua).
local function new(matches, about)
  return setmetatable({ _matches = matches, _about = about }, filter_mt)
end

-- Checks an operand.
local function as_function(value)
  if route.makers[value] then
    error(("filter: %s makes a filter when it is called; write %s(…)"):format(route.makers[value], route.makers[value]), 3)
  elseif type(value) == "function" then
    return value
  elseif type(value) == "table" and (getmetatable(value) or {}).__call then
    return value
  end
  error(("filter: expected a filter, an action or a function, got %s"):format(type(value)), 3)
end

function filter_mt:__call(event)
  return self._matches(event) and true or false
end

function filter_mt.__band(a, b)
  local first, second = as_function(a), as_function(b)
  return new(function(event)
    return first(event) and second(event)
  end, { "&", first, second })
end

function filter_mt.__bor(a, b)
  local first, second = as_function(a), as_function(b)
  return new(function(event)
    return first(event) or second(event)
  end, { "|", first, second })
end

function filter_mt.__bnot(a)
  local it = as_function(a)
  return new(function(event)
    return not it(event)
  end, { "~", it })
end

---Adds the operators &, | and ~ to a class of matchers.
---@param metatable table
function filter.lend_operators(metatable)
  for _, name in ipairs { "__band", "__bor", "__bnot" } do
    metatable[name] = filter_mt[name]
  end
end

-- The strings of a list, or of arguments.
local function words_of(where, level, first, ...)
  local words = type(first) == "table" and first or { first, ... }
  for _, word in ipairs(words) do
    if type(word) ~= "string" then
      error(("%s: expected strings, got %s"):format(where, type(word)), level)
    end
  end
  if #words == 0 then
    error(("%s: expected at least one string"):format(where), level)
  end
  return words
end

local function set_of(words)
  local set = {}
  for _, word in ipairs(words) do
    set[word] = true
  end
  return set
end

---Matches what customers wrote, texts, captions and titles that they tapped, where it contains a match of a pattern.
---@param words string words, in whatever case they are typed, or a Lua pattern
---@return cunnekt.filter
function filter.text(words)
  if type(words) ~= "string" then
    error(("filter.text: expected a string, got %s"):format(type(words)), 2)
  end
  local problem = pattern.problem(words)
  if problem then
    error("filter.text: " .. problem, 2)
  end
  local is_found = typed.finder(words)
  return new(function(event)
    return event.kind ~= "echo" and is_found(event)
  end, { "text", words })
end

local function reply_filter(where, kind, ...)
  local wanted = select("#", ...) > 0 and set_of(words_of(where, 4, ...))
  return new(function(event)
    local id = event.type == kind and event.reply and event.reply.id
    return id and (not wanted or wanted[id])
  end, { kind, wanted })
end

---Matches clicks on reply buttons.
---@param ... string|string[] ids; none: any button
---@return cunnekt.filter
function filter.button(...)
  local it = reply_filter("filter.button", "button", ...)
  return it
end

---Matches choices from lists.
---@param ... string|string[] ids; none: any choice
---@return cunnekt.filter
function filter.list(...)
  local it = reply_filter("filter.list", "list", ...)
  return it
end

---Matches clicks on template buttons.
---@param ... string|string[] payloads; none: any such click
---@return cunnekt.filter
function filter.quick_reply(...)
  local wanted = select("#", ...) > 0 and set_of(words_of("filter.quick_reply", 3, ...))
  return new(function(event)
    return event.type == "quick_reply" and (not wanted or wanted[event.payload])
  end, { "quick_reply", wanted })
end

---Matches events from some people, with whichever of their ids and in whichever form they come.
---@param ... string|string[] numbers with their country code, however they are written; user ids
---@return cunnekt.filter
function filter.from(...)
  local words, wanted, has_number, has_user_id = words_of("filter.from", 3, ...), {}, false, false
  for i, word in ipairs(words) do
    local number, err = identity.normalise(word, nil, ("number %d"):format(i))
    if not number then
      -- A filter is of no bot, so the option of one would not help.
      error(("filter.from: %s"):format((err.message:gsub(", or set default_country$", ""))), 2)
    end
    wanted[identity.canonical(number)] = true
    has_number, has_user_id = has_number or number:find "^%d" ~= nil, has_user_id or number:find "^%a" ~= nil
  end
  local function is_wanted(id)
    return id ~= nil and wanted[identity.canonical(id)] ~= nil
  end
  return new(function(event)
    local from, user_id = event.from, event.user_id
    if is_wanted(from) or is_wanted(user_id) then
      return true
    end
    -- WhatsApp leaves out either by turns: then what is known of the person decides.
    local is_other_known = not from and user_id and has_number or not user_id and from and has_user_id
    local chat = is_other_known and event.chat
    return chat and (is_wanted(chat.number) or is_wanted(chat.user_id))
  end, { "from", wanted })
end

---Matches messages with a file: image, video, audio, document, sticker.
---@return cunnekt.filter
function filter.media()
  return new(function(event)
    return event.media ~= nil and event.kind ~= "echo"
  end, { "media" })
end

---Matches events of some types or kinds, named as in bot:on.
---@param ... string|string[] such as "image", "message", "failed"
---@return cunnekt.filter
function filter.type(...)
  local wanted = set_of(words_of("filter.type", 3, ...))
  for name in pairs(wanted) do
    if not route.is_name(name) then
      local near = route.nearest(name)
      error(("filter.type: unknown event '%s'%s"):format(name, near and (" (did you mean '%s'?)"):format(near) or ""), 2)
    end
  end
  return new(function(event)
    return wanted[route.name_of(event)] or wanted[event.kind] or wanted.any
  end, { "type", wanted })
end

---Matches events for which a function returns true.
---@param fn fun(event: table): any
---@return cunnekt.filter
function filter.fn(fn)
  if type(fn) ~= "function" then
    error(("filter.fn: expected a function, got %s"):format(type(fn)), 2)
  end
  return new(fn, { "fn", fn })
end

-- A function in place of what it makes would be a matcher that every event fits.
for _, name in ipairs { "text", "button", "list", "quick_reply", "from", "media", "type", "fn" } do
  route.makers[filter[name]] = "filter." .. name
end

return filter
