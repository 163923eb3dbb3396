-- SPDX-License-Identifier: MIT
-- The hosts of a database, as the database knows them: who has it, who stands by, and what waits.

local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local location = require "cunnekt.store.location"
local mail = require "cunnekt.store.mail"
local store = require "cunnekt.store"

local nodes = {}

---@class cunnekt.operate.node
---@field name string the machine and the process
---@field address string? of its connection; nil: this machine's
---@field has_store boolean otherwise it stands by
---@field since number when it connected
---@field beat number its last sign of life

local function read(opened)
  local rows, err = lists.nodes(opened)
  local waiting, letters
  if rows then
    waiting, err = lists.count_waiting(opened)
  end
  if waiting then
    letters, err = mail.count(opened)
  end
  if not letters then
    return nil, err
  end
  local list = json.array {}
  for i, row in ipairs(rows) do
    list[i] = {
      name = row.name, address = row.address ~= "" and row.address or nil, has_store = row.has_store == 1, since = row.since,
      beat = row.beat,
    }
  end
  return { nodes = list, webhooks = letters, events = waiting.pending, messages = waiting.queued }
end

---The hosts, the one that has the database first, and how much waits. Waits.
---@param url string of a database
---@return {nodes: cunnekt.operate.node[], webhooks: integer, events: integer, messages: integer}? found
---@return cunnekt.error? err kind store, or invalid: the store is a file
function nodes.list(url)
  if not location.is_postgres(url) then
    return nil, errors.new("invalid", "the store is a file, which one host has: cunnekt doctor tells whether it runs. Several hosts need a database of PostgreSQL")
  end
  local opened, err = store.open_read_only(url)
  if not opened then
    return nil, err
  elseif opened.version < formats.schema_version then
    opened:close()
    return nil, errors.new("store", opened.version == 0 and "there is nothing in the store yet; the first run fills it"
      or "the hosts are of an older version")
  end
  local found
  found, err = read(opened)
  opened:close()
  return found, err
end

return nodes
