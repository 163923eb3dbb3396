-- SPDX-License-Identifier: MIT
-- The store's queries on dialogs for operators, and human handover. Tables are scanned in small steps, as in queries.lua;
-- what turns need of dialogs is in dialogs.lua.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"

local dialog_queries = {}

local columns = "id, contact, name, steps, started_at, changed_at, waiting, due, error"

local function dialog_of(row)
  return {
    id = row[1],
    contact = row[2],
    name = row[3],
    steps = row[4],
    started_at = row[5],
    changed_at = row[6],
    waiting = row[7] and json.decode(row[7]) or nil,
    due = row[8],
    error = row[9] and json.decode(row[9]) or nil,
  }
end

-- State → condition.
local of_state = { open = "error IS NULL", broken = "error IS NOT NULL", all = "1" }

---Dialogs, in the order of their start. Waits.
---@param state "open"|"broken"|"all"
---@param filter cunnekt.store.filter
---@return table[]? dialogs id, contact, name, steps, started_at, changed_at, waiting, due, error
---@return cunnekt.error? err kind store
function dialog_queries:list_dialogs(state, filter)
  local filters, list, limit = self._filters, {}, filter.limit or math.huge
  local where = ("%s AND %s AND %s"):format(of_state[state], filters.contact, filters.time "changed_at")
  local values = table.pack(filters.values(filter))
  local ok, err = self:_walk("dialog", "id", columns, where, values, function(rows)
    for _, row in ipairs(rows) do
      list[#list + 1] = #list < limit and dialog_of(row) or nil
    end
    return #list >= limit
  end)
  return ok and list or nil, err
end

---One dialog with its journal. Waits.
---@param id integer
---@return table? dialog as in list_dialogs, with journal: n, mark, result; nil when there is none
---@return cunnekt.error? err kind store
function dialog_queries:find_dialog(id)
  local results, err = self:_run { { "SELECT " .. columns .. " FROM dialog WHERE id = ?", id, want = "rows" } }
  local row = results and results[1][1]
  if not row then
    return nil, err
  end
  local dialog = dialog_of(row)
  dialog.journal = {}
  for n, step in pairs(self:steps_of(id)) do
    table.insert(dialog.journal, { n = n, mark = step.mark, result = step.result })
  end
  table.sort(dialog.journal, function(a, b)
    return a.n < b.n
  end)
  return dialog
end

---A customer's conversations: one for each business number that they wrote to. Waits.
---@param customer string
---@return string[]? contacts
---@return cunnekt.error? err kind store
function dialog_queries:contacts_of(customer)
  local contacts, after = {}, ""
  while true do
    local results, err = self:_run { { "SELECT min(contact) FROM conversation WHERE contact > ?", after, want = "rows" } }
    if not results then
      return nil, err
    end
    local first = results[1][1][1]
    if not first then
      return contacts
    end
    local number = identity.parts(first)
    local contact = identity.key(number, customer)
    results, err = self:_run { { "SELECT 1 FROM conversation WHERE contact = ?", contact, want = "rows" } }
    if not results then
      return nil, err
    elseif results[1][1] then
      contacts[#contacts + 1] = contact
    end
    after = core.contact_behind(number)
  end
end

---Starts or ends the human handover of a conversation. Waits.
---@param contact string
---@param is_paused boolean
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function dialog_queries:set_paused(contact, is_paused)
  local request = {}
  self:add_dialogs(request, { cuts = {}, ends = {}, kept = {}, taken = {}, pauses = { [contact] = is_paused } }, clock.now())
  return self:_run(request)
end

return dialog_queries
