-- SPDX-License-Identifier: MIT
-- Which handlers of bot:on and bot:global, dialogs and jobs the transcripts have reached, by the place at which they are written.

local bot = require "cunnekt.bot"
local declared = require "cunnekt.dialog.declared"

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

-- A function that handlers make anew for each job has one place, whatever its jobs are called.
local function note(into, what, fn, count)
  local path, line = place_of(fn)
  local kind = what:match "^[%w:]+"
  local key = ("%s:%d %s"):format(path, line, kind == "job" and kind or what)
  local known = into.by_place[key] or { path = path, line = line, what = what, count = 0 }
  known.count = known.count + count
  into.by_place[key] = known
end

---Counts what jobs run, from the moment that a bot is made.
---@param service cunnekt.service
---@param into? cunnekt.testing.coverage nil: nothing is counted
---@return fun() finish
function coverage.watch_jobs(service, into)
  if not into then
    return function() end
  end
  local hits, names = {}, {}
  local entries_of = bot.parts(service.bot).planner:watch(function(fn, name)
    hits[fn], names[fn] = (hits[fn] or 0) + 1, names[fn] or name
  end)
  return function()
    for _, entry in ipairs(entries_of()) do
      note(into, entry.what, entry.fn, hits[entry.fn] or 0)
      hits[entry.fn] = nil
    end
    for fn, count in pairs(hits) do -- those that have ended
      note(into, ("job '%s'"):format(names[fn]), fn, count)
    end
  end
end

---Counts what the handlers and dialogs of bots run.
---@param services cunnekt.service[]
---@param into? cunnekt.testing.coverage nil: nothing is counted
---@return fun() finish
function coverage.watch(services, into)
  if not into then
    return function() end
  end
  local hits, entries = {}, {}
  local function count(entry)
    hits[entry] = (hits[entry] or 0) + 1
  end
  for _, service in ipairs(services) do
    local parts = bot.parts(service.bot)
    for _, found in ipairs { parts.routes:watch(count), declared.watch(parts.dialogs.script.known, count) } do
      table.move(found, 1, #found, #entries + 1, entries)
    end
  end
  return function()
    for _, entry in ipairs(entries) do
      note(into, entry.what, entry.fn, hits[entry] or 0)
    end
  end
end

---The handlers, dialogs and jobs that no transcript reached, by file and line.
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
