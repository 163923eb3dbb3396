-- SPDX-License-Identifier: MIT
-- Lines that look like those of a transcript and are none: what to write in their place. Which lines are those of a transcript is
-- parse.lua's.

local options = require "cunnekt.base.options"

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
  if kind == "customer" and (count == 1 or (count == 2 and is_exact) or about:find "%f[%a]to bot %S+$") then
    return "write 'customer Ravi: TEXT' or 'customer to bot 2: TEXT'; " .. name_form
  elseif kind ~= "customer" and (about:find "^to%s+%S+$" or (is_exact and (count == 1 or about:find "^to%s"))) then
    return ("write '%s to Ravi: TEXT'; %s"):format(kind, name_form)
  end
  return nil
end

local unit_words = { s = true, sec = true, secs = true, min = true, mins = true, h = true, hr = true, hrs = true, d = true }
for unit in ("second minute hour day week"):gmatch "%l+" do
  unit_words[unit], unit_words[unit .. "s"] = true, true
end

-- Time passes: a number and whatever, or a few words of which the last is a unit.
local function near_later(line)
  local span = line:lower():match "^(.*%S)%s+later[.:]?$"
  local words, unit = select(2, (span or ""):gsub("%S+", "")), span and span:match "%a+$"
  if span and (span:find "^%d" or (words <= 3 and unit_words[unit])) then
    return "write a number and seconds, minutes, hours, days or weeks, as in '2 hours later'"
  end
  return nil
end

local http_form = "write 'http GET URL -> 200 BODY'"

local function near_http(line)
  return line:lower():find "^http%s+%a*%s*%S*/" and http_form or nil
end

local function near_name(line)
  local name = line:match "^(%a+)%s*:%f[^:/]" or line:match "^(%a+)%s+%u+%s+%S+%s+%->"
  if name and is_name[name] then
    return name == "http" and http_form or ("write '%s: TEXT'"):format(name)
  end
  local nearest = name and options.suggest(name, names)
  return nearest and ("did you mean '%s'?"):format(nearest) or nil
end

---What to write in place of a line that is no step and looks like one.
---@param line string without its `--`
---@return string? hint
function near.hint(line)
  return near_person(line) or near_later(line) or near_http(line) or near_name(line)
end

return near
