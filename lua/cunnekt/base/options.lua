-- SPDX-License-Identifier: MIT
-- Checks of option tables: an unknown key or a wrong type raises an error that names the function and the option, and
-- suggests the nearest known key. What an option means is the function's own business.

local canonical = require "cunnekt.base.canonical"

local options = {}

-- Whether two names differ by two neighbours that are swapped.
local function is_swapped(a, b)
  for i = 1, #a == #b and #a - 1 or 0 do
    if a:byte(i) ~= b:byte(i) then
      return a:sub(i, i + 1):reverse() == b:sub(i, i + 1) and a:sub(i + 2) == b:sub(i + 2)
    end
  end
  return false
end

-- Levenshtein distance, for short names; may stop beyond `most`. A swap counts as one.
local function distance(a, b, most)
  if math.abs(#a - #b) > most then
    return most + 1
  elseif is_swapped(a, b) then
    return 1
  end
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
    end
  end
  return row[#b]
end

---The nearest of some names to a mistyped one.
---@param name string
---@param candidates string[]
---@return string? nearest nil when none is near
function options.suggest(name, candidates)
  local most = #name <= 3 and 1 or #name <= 6 and 2 or 3
  local best, best_distance
  for _, candidate in ipairs(candidates) do
    local limit = #candidate <= 3 and 1 or most
    local far = distance(name:lower(), candidate:lower(), limit)
    if far <= limit and (not best_distance or far < best_distance) then
      best, best_distance = candidate, far
    end
  end
  return best
end

local articles = { integer = "an integer", boolean = "true or false" }

local function is_of(value, kind)
  if kind == "integer" then
    return math.type(value) == "integer" or (type(value) == "number" and value == math.floor(value))
  end
  return kind == "any" or type(value) == kind
end

local function wanted(kind)
  local words = {}
  for one in kind:gmatch("[^|]+") do
    words[#words + 1] = articles[one] or ("a " .. one)
  end
  return table.concat(words, " or ")
end

-- nil when the value fits, or what it must be. Most kinds are one word, which the first comparison settles.
local function mismatch(value, kind)
  if type(value) == kind or kind == "any" then
    return nil
  end
  if type(kind) == "table" then
    for _, allowed in ipairs(kind) do
      if value == allowed then
        return nil
      end
    end
    return ("one of: %s; got %s"):format(table.concat(kind, ", "), tostring(value))
  end
  for one in kind:gmatch("[^|]+") do
    if is_of(value, one) then
      return nil
    end
  end
  return ("%s, got %s"):format(wanted(kind), type(value))
end

---Checks a table of options against those that a function knows.
---@param where string the function's name, for the message
---@param opts table? nil counts as no options
---@param spec table<string, string|string[]> name → "string", "number", "integer", "boolean", "table", "function", "any", several joined by "|", or a list of the values allowed
---@param level? integer as in `error`; 3 by default: the caller of the function that calls this
---@param known? table<string, {meaning: string?}> name → what to give: "seconds, such as 30"
---@return table opts
function options.check(where, opts, spec, level, known)
  level = level or 3
  if opts == nil then
    return {}
  end
  if type(opts) ~= "table" then
    error(("%s: options must be a table, got %s"):format(where, type(opts)), level)
  end
  for name, value in pairs(opts) do
    local kind = spec[name]
    if not kind then
      local near = type(name) == "string" and options.suggest(name, canonical.keys(spec))
      local hint = near and (" (did you mean '%s'?)"):format(near)
        or (" (known: %s)"):format(table.concat(canonical.keys(spec), ", "))
      error(("%s: unknown option '%s'%s"):format(where, tostring(name), hint), level)
    end
    local problem = mismatch(value, kind)
    if problem then
      local meaning = known and known[name] and known[name].meaning
      error(("%s: option '%s' must be %s%s"):format(where, name, problem, meaning and "; give " .. meaning or ""), level)
    end
  end
  return opts
end

return options
