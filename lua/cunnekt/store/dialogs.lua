-- SPDX-License-Identifier: MIT
-- The store's part for dialogs: what each waits for, its journal, and the messages kept for it. Operators' queries are in
-- dialog_queries.lua; the forms of steps are engine/journal.lua's.

local json = require "cunnekt.base.json"

local dialogs = {}

---@class cunnekt.store.dialog
---@field id integer
---@field contact string
---@field name string
---@field to string?
---@field args any
---@field code string
---@field seed string unique across all dialogs
---@field started_at number
---@field changed_at number
---@field waiting table? what it waits for; nil in the middle of a turn
---@field due number?
---@field steps integer
---@field error table? why it is broken: message, and step, was, is_now, seq if known

local function as_record(row)
  return {
    id = row[1],
    contact = row[2],
    name = row[3],
    to = row[4],
    args = row[5] and json.decode(row[5])[1],
    code = row[6],
    seed = row[7],
    started_at = row[8],
    changed_at = row[9],
    waiting = row[10] and json.decode(row[10]) or nil,
    due = row[11],
    steps = row[12],
    error = row[13] and json.decode(row[13]) or nil,
  }
end

local function all(results)
  local list = {}
  for i, row in ipairs(results[1]) do
    list[i] = as_record(row)
  end
  return list
end

-- ---- with a turn ---------------------------------------------------------------------------------------------------

-- Appends the statements that store a run and its new steps.
local function add_run(self, request, run, now)
  local sql = self._sql
  if not run.is_stored then
    local args = run.args ~= nil and json.encode(json.array { run.args }) or nil
    request[#request + 1] = { sql.put_dialog, run.id, run.contact, run.name, run.to, args, run.code, run:find_seed(), run.at, now }
    if run.source then
      request[#request + 1] = { sql.put_code, run.source.digest, run.source.text }
    end
  end
  local waiting, n = run.waiting or {}, run.stored_n or 0
  local text = run.waiting and json.encode(waiting)
  request[#request + 1] = { sql.change_dialog, text, waiting.due, waiting.sent, run.n, now, run.id, n }
  for _, step in ipairs(run:take_pending()) do
    request[#request + 1] = { sql.put_step, run.id, step.n, step.mark, step.result }
  end
end

local function add_end(self, request, id)
  request[#request + 1] = { self._sql.delete_dialog, id }
  request[#request + 1] = { self._sql.delete_steps, id, 0 }
  request[#request + 1] = { self._sql.delete_all_kept, id }
end

---Appends a turn's changes of dialogs to a request.
---@param request table[]
---@param change table cuts, run, ends, ended, kept, taken, pauses; see engine/turn.lua
---@param now number
function dialogs:add_dialogs(request, change, now)
  local sql = self._sql
  for id, cut in pairs(change.cuts) do
    request[#request + 1] = { sql.cut_dialog, cut.n - 1, now, id, cut.steps }
    request[#request + 1] = { sql.delete_steps, id, cut.n }
  end
  if change.run then
    add_run(self, request, change.run, now)
  end
  for _, id in ipairs(change.taken) do
    request[#request + 1] = { sql.delete_kept, id }
  end
  for _, message in ipairs(change.kept) do
    request[#request + 1] = { sql.put_kept, message.dialog, json.encode(json.array(message.bodies)) }
  end
  for _, id in ipairs(change.ends) do
    add_end(self, request, id)
  end
  if change.ended then
    request[#request + 1] = { sql.end_dialog, change.ended.id, change.ended.stored_n }
    add_end(self, request, change.ended.id)
  end
  for contact, is_paused in pairs(change.pauses) do
    request[#request + 1] = { sql.pause, contact, is_paused and 1 or nil }
    if not is_paused then
      request[#request + 1] = { sql.resume_dues, contact }
    end
  end
end

-- ---- queries -------------------------------------------------------------------------------------------------------

---The dialogs of a contact, the newest first, broken ones included. Waits.
---@param contact string
---@return cunnekt.store.dialog[]
function dialogs:dialogs_of(contact)
  return all(assert(self:_run { { self._sql.get_dialogs, contact } }))
end

---One dialog. Waits.
---@param id integer
---@return cunnekt.store.dialog?
function dialogs:dialog(id)
  return all(assert(self:_run { { self._sql.get_dialog, id } }))[1]
end

---The journal of a run, by number. Waits.
---@param id integer
---@return table[] steps mark, result
function dialogs:steps_of(id)
  local steps, after = {}, 0
  repeat
    local results = assert(self:_run { { self._sql.get_steps, id, after } })
    for _, row in ipairs(results[1]) do
      after = row[1]
      steps[after] = { mark = row[2], result = row[3] }
    end
  until #results[1] < 1000
  return steps
end

---The messages kept for a dialog, in order. Waits.
---@param id integer
---@return table[] messages id, bodies
function dialogs:kept_for(id)
  local list = {}
  for i, row in ipairs(assert(self:_run { { self._sql.get_kept, id } })[1]) do
    list[i] = { id = row[1], bodies = json.decode(row[2]) }
  end
  return list
end

---Whether there are dialogs, and the earliest due time. Waits.
---@return boolean is_any
---@return number? due
---@return integer paused number of conversations that a person has taken over
function dialogs:dialogs_due()
  local results = assert(self:_run { { self._sql.get_next_due } })
  local row = results[1][1]
  return row[1] ~= nil, row[2], row[3]
end

---The messages for whose delivery dialogs wait. Waits.
---@return table<integer, table> waits outbox id → id and contact of the dialog
function dialogs:sent_waits()
  local waits = {}
  for _, row in ipairs(assert(self:_run { { self._sql.get_sent_waits } })[1]) do
    waits[row[2]] = { id = row[1], contact = row[3] }
  end
  return waits
end

---An arbitrary conversation, if there is any. Waits.
---@return string? contact
function dialogs:any_contact()
  local row = assert(self:_run { { self._sql.get_any_contact } })[1][1]
  return row and row[1]
end

---The number of dialogs, broken ones included. Waits.
---@return integer
function dialogs:count_dialogs()
  return assert(self:_run { { self._sql.count_dialogs } })[1][1][1]
end

---The source of a script with which open dialogs began; nil when it is not stored. Waits.
---@param digest string
---@return string? source
function dialogs:code(digest)
  local row = assert(self:_run { { self._sql.get_code, digest } })[1][1]
  return row and row[1]
end

-- ---- outside turns -------------------------------------------------------------------------------------------------

---Stores an event for each wait that has timed out, unless its dialog has continued meanwhile. Waits.
---@param now number
---@param make fun(dialog: table): cunnekt.inbox.record from its id, contact, seed and waiting
---@return cunnekt.inbox.record[] records those that were stored
function dialogs:take_due(now, make)
  local records, result_at, request = {}, {}, {}
  for _, row in ipairs(assert(self:_run { { self._sql.get_due, now } })[1]) do
    local id, contact, seed, waiting, due, steps, is_paused = table.unpack(row, 1, 7)
    request[#request + 1] = { self._sql.clear_due, id, due, steps }
    if is_paused == 0 and waiting then
      local record = make { id = id, contact = contact, seed = seed, waiting = json.decode(waiting) }
      result_at[#records + 1] = self:add_own(request, record, true)
      records[#records + 1] = record
    end
  end
  local results, fresh = #request > 0 and assert(self:_run(request)), {}
  for i, record in ipairs(records) do
    if results[result_at[i]] and results[result_at[i]] > 0 then
      fresh[#fresh + 1] = record
    end
  end
  return fresh
end

---Marks a dialog as broken; `cunnekt dialogs` shows it.
---@param id integer
---@param why table message, step, was, is_now, seq
---@param now number
function dialogs:break_dialog(id, why, now)
  self:_run_until_committed { { self._sql.break_dialog, json.encode(why), now, id } }
end

---Deletes dialogs. Waits.
---@param ids integer[]
---@return boolean|table|nil ok
---@return cunnekt.error? err kind store
function dialogs:end_dialogs(ids)
  local request = {}
  for _, id in ipairs(ids) do
    add_end(self, request, id)
  end
  if #request == 0 then
    return true
  end
  return self:_run(request)
end

return dialogs
