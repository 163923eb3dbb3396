-- SPDX-License-Identifier: MIT
-- Which handlers of bot:on and bot:global the transcripts have reached, by the place at which they are written.

local bot = require "cunnekt.bot"

local coverage = {}

local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  return info.source:gsub("^@", ""), info.linedefined
end

---@class cunnekt.testing.coverage
---@field by_place table<string, {path: string, line: integer, what: string, count: integer}>

---@return cunnekt.testing.coverage
function coverage.new()
  return { by_place = {} }
end

---Counts what the handlers of bots run.
---@param services cunnekt.service[]
---@param into? cunnekt.testing.coverage nil: nothing is counted
---@return fun() finish
function coverage.watch(services, into)
  if not into then
    return function() end
  end
  local hits, entries = {}, {}
  for _, service in ipairs(services) do
    local found = bot.parts(service.bot).routes:watch(function(entry)
      hits[entry] = (hits[entry] or 0) + 1
    end)
    table.move(found, 1, #found, #entries + 1, entries)
  end
  return function()
    for _, entry in ipairs(entries) do
      local path, line = place_of(entry.fn)
      local key = ("%s:%d %s"):format(path, line, entry.what)
      local known = into.by_place[key] or { path = path, line = line, what = entry.what, count = 0 }
      known.count = known.count + (hits[entry] or 0)
      into.by_place[key] = known
    end
  end
end

---The handlers that no transcript reached, by file and line.
---@param of cunnekt.testing.coverage
---@return {path: string, line: integer, what: string}[] missed
---@return integer total
function coverage.missed(of)
  local missed, total = {}, 0
  for _, entry in pairs(of.by_place) do
    total = total + 1
    if entry.count == 0 then
      missed[#missed + 1] = entry
    end
  end
  table.sort(missed, function(a, b)
    if a.path ~= b.path then
      return a.path < b.path
    end
    return a.line < b.line or (a.line == b.line and a.what < b.what)
  end)
  return missed, total
end

return coverage
