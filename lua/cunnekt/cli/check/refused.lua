-- SPDX-License-Identifier: MIT
-- Rules about literal arguments that our functions refuse as soon as they are called: times, time zones, patterns, names of
-- events, fields of actions. The functions themselves say what is wrong. And patterns in the place of ids and words, and the other way.

local action = require "cunnekt.bot.action"
local cron = require "cunnekt.time.cron"
local filter = require "cunnekt.bot.filter"
local identity = require "cunnekt.provider.identity"
local pattern = require "cunnekt.bot.pattern"
local patterns = require "cunnekt.cli.check.patterns"
local route = require "cunnekt.bot.route"
local send_times = require "cunnekt.engine.send_times"
local zone = require "cunnekt.time.zone"

local refused = {}

-- The value of a literal, also of a list of strings; nil: it is not written out.
local function value_of(literal)
  local kind = literal and literal.kind
  if kind == "string" or kind == "number" then
    return literal.value
  elseif kind ~= "table" or literal.is_open or literal.is_shared or literal.fields[1] then
    return nil
  end
  local list = {}
  for i, item in ipairs(literal.items) do
    list[i] = value_of(item)
    if type(list[i]) ~= "string" then
      return nil
    end
  end
  return list
end

-- The values of all arguments; nil: one is not written out.
local function values_of(args)
  local values = {}
  for i, arg in ipairs(args) do
    values[i] = value_of(arg)
    if values[i] == nil then
      return nil
    end
  end
  return values
end

-- What a function raises for these arguments, without the place, which is in our files.
local function raised_by(fn, ...)
  local ok, problem = pcall(fn, ...)
  return not ok and tostring(problem):gsub("^[^:\n]+:%d+: ", "") or nil
end

local checks = {}

local function check_time(read)
  return function(call)
    local text = value_of(call.args[1])
    local ok, err
    if type(text) == "string" then
      ok, err = read(text)
      return not ok and ("%s: %s"):format(call.name, err.message) or nil
    end
  end
end

-- Where this machine has no zones, nothing is known of them.
local function check_zone(call)
  local opts = call.args[2]
  for _, field in ipairs(opts and opts.kind == "table" and opts.fields or {}) do
    local name = field.name == "tz" and value_of(field.value)
    local found, err = true, nil
    if type(name) == "string" and zone.load "Etc/UTC" then
      found, err = zone.load(name)
    end
    if not found then
      return ("%s: %s"):format(call.name, err.message), field.line
    end
  end
end

local function check_daily(read)
  local time = check_time(read)
  return function(call)
    local problem = time(call)
    if problem then
      return problem
    end
    return check_zone(call)
  end
end

local function check_every(call)
  local seconds = value_of(call.args[1])
  if type(seconds) == "number" and seconds <= 0 then
    return call.name .. ": seconds must be a number of more than 0"
  end
end

local function nothing() end

local id_of = { button = "msg.reply.id", list = "msg.reply.id", quick_reply = "msg.payload" }

-- No id begins so.
local function check_id(what, matcher)
  for _, id in ipairs(type(matcher) == "table" and matcher or { matcher }) do
    if id_of[what] and id:sub(1, 1) == "^" then
      return ("bot:on: '%s' is compared with the exact id; for a pattern write function(msg) return %s:find '%s' end"):format(id, id_of[what], id)
    end
  end
end

-- A text, or a caption, is compared with a pattern. With "message" a string may be meant for the ids of buttons.
local function check_pattern(what, matcher)
  local is_written = what ~= "message" and what ~= "any" and not route.has_ids(what)
  for _, text in ipairs(is_written and (type(matcher) == "table" and matcher or { matcher }) or {}) do
    local doubt = patterns.doubt(text)
    if doubt then
      return "bot:on: " .. doubt
    end
  end
end

-- A function of cunnekt.filter as it is, where what it makes belongs.
local function check_maker(second)
  for _, item in ipairs(second and second.kind == "table" and second.items or {}) do
    local problem = check_maker(item)
    if problem then
      return problem
    end
  end
  local name = second and second.kind == "object" and second.type.kind == "fun" and second.name:match "^cunnekt%.(filter%.[%w_]+)$"
  return name and ("bot:on: %s makes a filter when it is called; write %s(…)"):format(name, name) or nil
end

local function check_matcher(call)
  local what, matcher = value_of(call.args[1]), value_of(call.args[2])
  local is_matcher = (type(matcher) == "string" or (type(matcher) == "table" and matcher[1])) and #call.args >= 3
  if type(what) == "string" and route.is_name(what) and is_matcher then
    local routes = route.new()
    return raised_by(routes.add, routes, what, matcher, nothing, nil, 1) or check_id(what, matcher) or check_pattern(what, matcher)
  end
  return check_maker(call.args[2])
end

-- A command is compared word by word; none begins so.
local function check_words(call)
  local words = value_of(call.args[1])
  for _, word in ipairs(type(words) == "table" and words or { words }) do
    if type(word) == "string" and word:sub(1, 1) == "^" then
      return ("bot:global: '%s' is compared as a word, and is no pattern; write '%s'"):format(word, (word:gsub("^%^", ""):gsub("%$$", "")))
    end
  end
end

-- Letters where the customer's number belongs: the name of a dialog, or a text. Other numbers a setting may make certain.
local function check_number(call)
  local number = value_of(call.args[1])
  local ok, err = true, nil
  if type(number) == "string" then
    ok, err = identity.normalise(number, nil, ("'%s'"):format(number))
  end
  if not ok and err.message:find("it has letters", 1, true) then
    return ("%s: %s"):format(call.name, err.message)
  end
end

checks["cunnekt.bot"] = {
  daily = check_daily(cron.daily), cron = check_daily(cron.parse), every = check_every, on = check_matcher,
  chat = check_number, start = check_number, signal = check_number, global = check_words,
}
checks["cunnekt.client"] = {}
for name in ("text buttons list form cta_url image video document audio template"):gmatch "%S+" do
  checks["cunnekt.client"]["send_" .. name] = check_number
end

local function check_all(owner, name)
  return function(call)
    local values = values_of(call.args)
    return values and values[1] and raised_by(owner[name], table.unpack(values))
  end
end

local check_filter_text = check_all(filter, "text")

local function check_text(call)
  local text = value_of(call.args[1])
  local doubt = type(text) == "string" and not pattern.problem(text) and patterns.doubt(text)
  return check_filter_text(call) or (doubt and "filter.text: " .. doubt) or nil
end

checks["cunnekt.filters"] = { type = check_all(filter, "type"), text = check_text, from = check_all(filter, "from") }
checks.cunnekt = { action = check_all(action, "new") }

-- The hours of a message, in whatever table of options they are written out.
local function check_hours(call, report)
  for _, arg in ipairs(call.fun and call.is_typed and call.args or {}) do
    for _, field in ipairs(arg and arg.kind == "table" and arg.fields or {}) do
      local given, hours = field.name == "send_between" and field.value, {}
      for _, one in ipairs(given and given.kind == "table" and not given.is_open and given.fields or {}) do
        hours[one.name] = value_of(one.value)
      end
      local _, err = nil, nil
      if hours.from and hours.to and zone.load "Etc/UTC" then
        _, err = send_times.read { send_between = hours }
      end
      if err then
        report(field.line, ("%s: %s"):format(call.name, err.message))
      end
    end
  end
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function refused.check(notes, report)
  for _, call in ipairs(notes.calls) do
    check_hours(call, report)
    local check = checks[call.class] and checks[call.class][call.member]
    if check and not call.has_problem and call.shift == 0 then
      local problem, line = check(call)
      if problem then
        report(line or call.line, problem)
      end
    end
  end
end

return refused
