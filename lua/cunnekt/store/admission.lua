-- SPDX-License-Identifier: MIT
-- Which files may be opened as a store: new ones and those that this program made. Another program's database is refused
-- before anything is written.

local core = require "cunnekt.core"
local schema = require "cunnekt.store.schema"

local admission = {}

-- The tables that databases had before they were marked.
local own_tables, own_count = {}, 0
for _, statement in ipairs(schema.migrations[1]) do
  local name = statement:match "^CREATE TABLE (%w+)"
  if name then
    own_tables[name], own_count = true, own_count + 1
  end
end

-- Whether tables are those of a store: "none", "own", "some" of them, or "foreign" where one is another program's.
local function whose(tables)
  local count = 0
  for name in tables:gmatch "[^\n]+" do
    if not own_tables[name] then
      return "foreign"
    end
    count = count + 1
  end
  return count == 0 and "none" or count == own_count and "own" or "some"
end

local foreign = "the store %s is another program's database: choose another file with --store or CUNNEKT_STORE"

---Judges a database by what it says of itself.
---@param path string for the sentence
---@param found {application_id: integer, user_version: integer, tables: string?} see core.store_peek
---@return integer? version 0: there is nothing in it yet
---@return string? problem
function admission.judge(path, found)
  local id, version, tables = found.application_id, found.user_version, found.tables and whose(found.tables)
  if id ~= 0 and id ~= schema.application_id or tables == "foreign" then
    return nil, foreign:format(path)
  elseif id == 0 and tables == "none" and version ~= 0 then
    return nil, foreign:format(path)
  elseif version < 0 then
    return nil, ("the store is of version %d, which there never was: %s is damaged; restore a backup"):format(version, path)
  elseif version > schema.version then
    local sentence = "the store is of version %d, and this program knows only %d: the program is too old"
    return nil, sentence:format(version, schema.version)
  elseif version == 0 and tables and tables ~= "none" then
    return nil, ("the store has tables and no version: %s is damaged; restore a backup"):format(path)
  elseif id == 0 and version > 0 and tables ~= "own" then
    return nil, foreign:format(path)
  end
  return version
end

---Looks at a file before it is opened. Waits for the disk.
---@param path string
---@return integer? version nil when it must not be opened; 0: there is nothing in it yet
---@return string? problem
function admission.look(path)
  local found, problem = core.store_peek(path)
  if not found then
    return nil, problem
  elseif found.is_new then
    return 0
  end
  return admission.judge(path, found)
end

return admission
