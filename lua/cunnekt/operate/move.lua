-- SPDX-License-Identifier: MIT
-- Moves all that a bot knows from one store to another, while no host has either of them. What is copied, and how, the databases say
-- themselves (src/store/sql/moves.sql).
--
-- Both stores note the move, by a pair of theirs: a target that is not complete, and an origin that is complete elsewhere, are refused to
-- hosts. The origin is given up before the target may be used, so never both can be. A move that was interrupted begins anew: the target's
-- note says that what it holds is a part of the origin.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local location = require "cunnekt.store.location"
local settings = require "cunnekt.provider.settings"
local store = require "cunnekt.store"
local words = require "cunnekt.base.words"

local move = {}

-- The same as in src/store/sql/move.h.
local going, has_come, coming, gone = 1, 2, 3, 4

---@class cunnekt.moved_table
---@field name string
---@field rows integer

-- ---- the two stores --------------------------------------------------------------------------------------------------

local function refuse(sentence, ...)
  error(errors.new("store", sentence:format(...)), 0)
end

-- The file of a store, absolute and as far as it exists; nil: it is in no file.
local function file_of(url)
  local path = url:match "^sqlite:(.+)$"
  return path and (path:find "^/" and path or core.folder() .. "/" .. path)
end

-- How a store is called in sentences and notes, fit for a command, and without a password. libpq reads the URL of one that is `opened`.
local function name_of(url, opened)
  local file = file_of(url)
  local name = file and "sqlite:" .. file or opened and opened:face():name() or settings.shown("store", url)
  name = words.plain(name)
  return name:find "[^%w:/._@%%,=?-]" and "'" .. name:gsub("'", "'\\''") .. "'" or name
end

local function check_url(url)
  local path, err = location.path(url)
  if not path then
    error(err, 0)
  elseif path == ":memory:" then
    error(errors.new("invalid", "a store memory: lives and ends with its host; only a file or a database can be moved"), 0)
  end
end

local same = "FROM and TO are the same store: name another one to move to"

-- `is_read_only`: it is only looked at. A store that is open here already has other names, too: links, and other forms of a URL.
local function open(role, url, is_read_only)
  local opened, err = store.open(url, { moving = true, read_only = is_read_only })
  if opened then
    opened.version = opened:face():version()
    return opened
  end
  local message = err.message
  if message:find("open already in this process", 1, true) or message:find(("process %d;"):format(core.pid()), 1, true) then
    refuse(same)
  elseif message:find("in use", 1, true) then
    message = message .. "; stop the host, then run the move again"
  end
  error(errors.new(err.kind, ("%s: %s"):format(role, message)), 0)
end

-- Opened to write, a store would be made where there is none.
local function open_origin(url)
  local file = file_of(url)
  local is_there = not file or core.inode(file) ~= nil
  if is_there then
    local opened = open("FROM", url, true)
    is_there = opened.version > 0
    opened:close()
  end
  if not is_there then
    refuse("FROM: there is nothing in %s: name the store that the bot uses now", name_of(url))
  end
  return open("FROM", url)
end

-- ---- what they say of a move -------------------------------------------------------------------------------------------

local function must(ok, err)
  return ok or error(err, 0)
end

local function note_of(opened)
  return opened:read("move")[1] or {}
end

local function note(opened, state, pair)
  must(opened:repair("note_move", { ids = { 1 }, state = state, pair = pair.key, origin = pair.origin, target = pair.target }))
end

local function count_rows(opened, name)
  local request = { table = name }
  must(opened:call("count_rows", request))
  return request.rows
end

local function is_empty(opened)
  for _, found in ipairs(opened:read "tables") do
    if count_rows(opened, found.name) > 0 then
      return false
    end
  end
  return true
end

-- What the two stores are to each other; raises where this move may not be.
local function pair_of(from, to, names)
  local its_note, target_note = note_of(from), note_of(to)
  local is_pair = its_note.pair ~= nil and its_note.pair == target_note.pair
  if its_note.state == coming then
    refuse("FROM is not complete: a move into it was interrupted; run that again: cunnekt store move %s %s", its_note.origin, its_note.target)
  elseif its_note.state == gone and not (is_pair and target_note.state == coming) then
    refuse("FROM was moved to %s already: move that one, or take it back with: cunnekt store move %s %s", its_note.target, its_note.target, its_note.origin)
  end
  local is_ours = is_pair and (target_note.state == coming or target_note.state == gone)
  if not is_ours and not is_empty(to) then
    local part = target_note.state == coming and (", a part of %s"):format(target_note.origin) or ""
    refuse("TO has content of its own%s: name an empty file, schema or database, or remove what %s holds", part, names.target)
  end
  names.key = is_ours and its_note.pair or core.random_bytes(16)
  names.is_given_up = its_note.state == gone
  return names
end

-- ---- the copy ----------------------------------------------------------------------------------------------------------

local function check_tables(from, to)
  local tables, others = from:read "tables", to:read "tables"
  for i = 1, math.max(#tables, #others) do
    local one, other = tables[i] or {}, others[i] or {}
    if one.name ~= other.name or one.columns ~= other.columns then
      refuse("the stores have different tables (%s): one of them was changed by hand", tostring(one.name or other.name))
    end
  end
  return tables
end

local function copy_table(from, to, name, report)
  local total, done, is_first = count_rows(from, name), 0, true
  local page = { table = name }
  repeat
    page.page, page.rows = nil, nil
    must(from:call("unload", page))
    must(to:call("load", { table = name, page = page.page, is_first = is_first }))
    is_first, done = false, done + page.rows
    report(name, done, total)
  until page.rows == 0
  local there = count_rows(to, name)
  if done ~= total or there ~= total then
    refuse("%s has %d rows in FROM and %d in TO: run the move again", name, total, there)
  end
  return total
end

-- The target goes on above all that the origin gave out.
local function copy_counters(from, to)
  for _, counter in ipairs(from:read "counters") do
    must(to:repair("raise_counter", { ids = { counter.next }, name = counter.name }))
  end
  must(to:repair("raise_kept", { ids = { 1 } }))
  must(to:repair("raise_mail", { ids = { 1 } }))
end

local function copy(from, to, pair, report)
  local moved = {}
  local tables = check_tables(from, to)
  if not pair.is_given_up then
    note(from, going, pair)
  end
  note(to, coming, pair)
  for i, found in ipairs(tables) do
    moved[i] = { name = found.name, rows = copy_table(from, to, found.name, report) }
  end
  copy_counters(from, to)
  note(from, gone, pair)
  note(to, has_come, pair)
  return moved
end

-- ---- the move ------------------------------------------------------------------------------------------------------------

local function closing(opened)
  return setmetatable({}, {
    __close = function()
      opened:close()
    end,
  })
end

local function run(from_url, to_url, report)
  check_url(from_url)
  check_url(to_url)
  local from = open_origin(from_url)
  local _ <close> = closing(from)
  local to = open("TO", to_url)
  local _ <close> = closing(to)
  local names = { origin = name_of(from_url, from), target = name_of(to_url, to) }
  return copy(from, to, pair_of(from, to, names), report)
end

---Moves a store. Waits.
---@param from_url string "sqlite:FILE" or "postgres://…"
---@param to_url string
---@param report fun(name: string, done: integer, total: integer) hears how far each table is
---@return cunnekt.moved_table[]? moved
---@return cunnekt.error? err kind invalid or store
function move.run(from_url, to_url, report)
  local ok, moved = pcall(run, from_url, to_url, report)
  if ok then
    return moved
  elseif not errors.is(moved) then
    error(moved, 0)
  end
  return nil, moved
end

return move
