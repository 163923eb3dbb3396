-- SPDX-License-Identifier: MIT
-- What the messages of `cunnekt check` say about names that are not known.

local options = require "cunnekt.base.options"

local words = {}

---The keys of some tables, sorted.
---@param ... table
---@return string[]
function words.names(...)
  local names = {}
  for _, t in ipairs { ... } do
    for name in pairs(t) do
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

---" (did you mean 'x'?)", or nothing. Short names resemble too many others.
---@param name string
---@param candidates string[]
---@return string
function words.hint(name, candidates)
  local near = #name > 2 and options.suggest(name, candidates)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

-- So many names are listed where none is near.
local most_listed = 12

---A hint for a closed set of names: the nearest, those that begin alike, or, where they are few, all.
---@param name string
---@param candidates string[]
---@return string
function words.choice(name, candidates)
  local near = words.hint(name, candidates)
  if near ~= "" then
    return near
  end
  local alike = {}
  for _, candidate in ipairs(candidates) do
    if #name > 2 and (candidate:find("^" .. name:lower() .. "_?%w") or candidate:find("_" .. name:lower(), 1, true)) then
      alike[#alike + 1] = "'" .. candidate .. "'"
    end
  end
  if alike[1] then
    return (" (there is %s)"):format(table.concat(alike, ", ", 1, math.min(3, #alike)))
  elseif #candidates <= most_listed then
    return (" (known: %s)"):format(table.concat(candidates, ", "))
  end
  return ""
end

return words
