-- SPDX-License-Identifier: MIT
-- Lines that look like those of a transcript and are none: what to write in their place. Which lines are those of a transcript is
-- parse.lua's.

local options = require "cunnekt.base.options"
local status = require "cunnekt.provider.status"

local near = {}

local names = { "customer", "bot", "staff", "status", "log", "http", "transcript", "script" }
local is_name = {}
for _, name in ipairs(names) do
  is_name[name] = true
end

local persons = { "customer", "bot", "staff" }
local name_form = "a name is one word that begins with a capital, or a number"

-- The name of who is meant is none, or the word before it is misspelt.
local function near_person(line)
  local word, about = line:match "^(%a+)%s+([^%s:][^:]-)%s*:"
  local kind = word and options.suggest(word, persons)
  if not kind then
    return nil
  end
  local count, is_exact = select(2, about:gsub("%S+", "")), word:lower() == kind
  if kind == "customer" and (count == 1 or (count == 2 and is_exact) or about:find "^%+%d" or about:find "%f[%a]to bot %S+$") then
    return "write 'customer Ravi: TEXT' or 'customer to bot 2: TEXT'; " .. name_form
  elseif kind ~= "customer" and (about:find "^to%s+%S+$" or (is_exact and (count == 1 or about:find "^to%s"))) then
    return ("write '%s to Ravi: TEXT'; %s"):format(kind, name_form)
  end
  return nil
end

-- ---- time --------------------------------------------------------------------------------------------------------------

local function set(list)
  local found = {}
  for item in list:gmatch "[^|]+" do
    found[item] = true
  end
  return found
end

local is_unit = set("s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days|w|week|weeks|month|months|year|years|"
  .. "sekunde|sekunden|minuten|stunde|stunden|tag|tage|tagen|woche|wochen|segundo|segundos|minuto|minutos|hora|horas|día|días|dia|dias|"
  .. "semana|semanas|seconde|secondes|heure|heures|jour|jours|semaine|semaines")

-- What people write before a span of time and behind it, also in other languages.
local is_before = set "after|in|wait|sleep|clock|time|later|then|nach|warte|en|dans|après"
local is_behind = set("later|after|afterwards|pass|passes|passed|go by|goes by|have passed|später|spaeter|danach|vergehen|después|despues|"
  .. "más tarde|mas tarde|plus tard|après|mais tarde|depois")
is_behind[""] = true

local later_form = "write a number and seconds, minutes, hours, days or weeks, as in '2 hours later'"

-- What is behind numbers with their units: "" of "1 hour and 30 minutes"; nil where there is none.
local function behind_span(text)
  local rest
  while true do
    local unit, behind = text:match "^%d[%d.,]*%s*([%a\x80-\xff]+)%s*(.*)$"
    if not is_unit[unit] then
      return rest
    end
    rest, text = behind, behind:gsub("^and%s+", "")
  end
end

-- Time passes: a number, or a few words of which the last is a unit, and "later"; or a number and a unit, with what is usual around them.
local function near_later(line)
  if line:find "^[\"'>]" then
    return nil -- a quotation
  end
  local text = line:lower():match "^[%p%s]*(.-)[%p%s]*$"
  local span = text:match "^(.*%S)%s+later$"
  local words, unit = select(2, (span or ""):gsub("%S+", "")), span and span:match "%a+$"
  if span and (span:find "^%d" or (words <= 3 and is_unit[unit])) then
    return later_form
  end
  local lead, at = text:match "^([%a\x80-\xff]+)[%s%p]+()%d"
  local rest = behind_span(is_before[lead] and text:sub(at) or text)
  if rest and rest:find "^later%f[%W]" and rest ~= "later" then
    return later_form .. ", in a line of its own"
  end
  return rest and is_behind[rest] and later_form or nil
end

-- ---- the rest ----------------------------------------------------------------------------------------------------------

local http_form = "write 'http GET URL -> 200 BODY'"

local function near_http(line)
  return line:lower():find "^http%s+%a*%s*%S*/" and http_form or nil
end

-- What is behind the name of a line, where that is not any text.
local forms = { http = http_form, status = ("write 'status: failed'; possible: %s"):format(table.concat(status.reported, ", ")) }

local function form_of(name)
  return forms[name] or ("write '%s: %s'"):format(name, name == "transcript" and "NAME" or "TEXT")
end

local function near_name(line)
  local name = line:match "^(%a+)%s*:%f[^:/]" or line:match "^(%a+)%s+%u+%s+%S+%s+%->"
  if name and is_name[name] then
    return form_of(name)
  end
  local nearest = name and options.suggest(name, names)
  return nearest and ("did you mean '%s'?"):format(nearest) or nil
end

local is_dash = set "-|--|–|—|>|->|=>|→|="

-- A dash or the like in place of the colon, with blanks around it: not "customer-facing".
local function near_colon(line)
  local word, rest = line:match "^(%a+)%s+(.*)$"
  local name = word and word:lower()
  if not is_name[name] then
    return nil
  end
  local sign = rest:gsub("^to%s+", ""):gsub("^%u%S*%s+", ""):match "^(%S+)%s+%S"
  return is_dash[sign] and form_of(name) or nil
end

local signs = { [">"] = "customer", ["<"] = "bot" }

---Who speaks in a line, also where it is written in another way: "Customer: hi", "> hi".
---@param line string without its `--`
---@return "customer"|"bot"|nil
function near.speaker(line)
  if not line:find "^[CcBb<>]" then
    return nil -- as most comments of a script
  end
  local word, about = line:match "^(%a+)([^:]*):%s*%S"
  local is_person = word and (about == "" or about:find "^%s+[%u%d+\x80-\xff]%S*$" or about:find "^%s+to%s+%S+$")
  word = is_person and word:lower() or signs[line:match "^([<>])%s+%S"]
  return (word == "customer" or word == "bot") and word or nil
end

local function near_sign(line)
  local kind = signs[line:match "^([<>])%s+%S"]
  return kind and form_of(kind) or nil
end

---What to write in place of a line that is no step and looks like one.
---@param line string without its `--`
---@return string? hint
function near.hint(line)
  return near_person(line) or near_later(line) or near_http(line) or near_name(line) or near_colon(line) or near_sign(line)
end

---What to write in place of a line that begins with the name of a step, and goes on without a colon, as a sentence may.
---@param line string
---@return string? hint
function near.without_colon(line)
  local name = line:match "^%a+%f[%s%z]"
  return name and is_name[name:lower()] and form_of(name:lower()) or nil
end

return near
