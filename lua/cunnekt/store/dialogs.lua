-- SPDX-License-Identifier: MIT
-- The store's part for dialogs: what each waits for, and the journal from which it is rebuilt.

local json = require "cunnekt.json"

local dialogs = {}

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
    error = row[13],
  }
end

---Appends to a job what keeps a run at its wait, or on its way.
---@param job table[]
---@param run cunnekt.run
---@param now number
function dialogs:add_run(job, run, now)
  local sql = self._sql
  if not run.is_stored then
    local args = run.args ~= nil and json.encode(json.array { run.args }) or nil
    job[#job + 1] = { sql.put_dialog, run.id, run.contact, run.name, run.to, args, run.code, run:find_seed(), run.at, now }
  end
  for _, step in ipairs(run:take_pending()) do
    job[#job + 1] = { sql.put_step, run.id, step.n, step.mark, step.text }
  end
  local waiting = run.waiting
  job[#job + 1] = {
    sql.change_dialog, waiting and json.encode(waiting) or nil, waiting and waiting.due or nil, run.n, now, run.id,
  }
end

---Appends to a job what forgets a run.
---@param job table[]
---@param id integer
function dialogs:add_end(job, id)
  job[#job + 1] = { self._sql.delete_dialog, id }
  job[#job + 1] = { self._sql.delete_steps, id }
end

local function all(results)
  local list = {}
  for i, row in ipairs(results[1]) do
    list[i] = as_record(row)
  end
  return list
end

---The dialogs of a contact, the newest first; those that were set aside are not among them. Waits.
---@param contact string
---@return table[]
function dialogs:dialogs_of(contact)
  return all(assert(self:_run { { self._sql.get_dialogs, contact } }))
end

---One dialog. Waits.
---@param id integer
---@return table?
function dialogs:dialog(id)
  return all(assert(self:_run { { self._sql.get_dialog, id } }))[1]
end

---The journal of a run, by number. Waits.
---@param id integer
---@return table[]
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

---Whether there are dialogs at all, and when the first of them is due. Waits.
---@return boolean is_any
---@return number? due
---@return integer paused conversations that a person has taken over
function dialogs:dialogs_due()
  local results = assert(self:_run { { self._sql.get_next_due } })
  local row = results[1][1]
  return row[1] ~= nil, row[2], row[3]
end

---Stores an event for each wait whose time is up. Waits.
---@param now number
---@param make fun(contact: string, id: integer, n: integer): cunnekt.inbox.record
---@return cunnekt.inbox.record[]
function dialogs:take_due(now, make)
  local records, job = {}, {}
  for i, dialog in ipairs(all(assert(self:_run { { self._sql.get_due, now } }))) do
    records[i] = make(dialog.contact, dialog.id, dialog.waiting and dialog.waiting.n or 0)
    self:add_own(job, records[i])
    job[#job + 1] = { self._sql.clear_due, dialog.id }
  end
  if #job > 0 then
    assert(self:_run(job))
  end
  return records
end

---Sets a dialog aside that cannot go on; `cunnekt dialogs` shows it.
---@param id integer
---@param err cunnekt.error
---@param now number
function dialogs:break_dialog(id, err, now)
  self:_insist { { self._sql.break_dialog, tostring(err.traceback or err), now, id } }
end

---Forgets dialogs for good. Waits.
---@param ids integer[]
function dialogs:end_dialogs(ids)
  local job = {}
  for _, id in ipairs(ids) do
    self:add_end(job, id)
  end
  if #job > 0 then
    assert(self:_run(job))
  end
end

---The source of a script that open dialogs were begun with; nil when it is not kept. Waits.
---@param code string
---@return string? source
---@return string? path
function dialogs:code(code)
  local results = assert(self:_run { { self._sql.get_code, code } })
  local row = results[1][1]
  return row and row[1], row and row[2]
end

---Keeps the source of a script, by the digest of one dialog's code in it. Waits.
---@param code string
---@param source string
---@param path string
function dialogs:keep_code(code, source, path)
  assert(self:_run { { self._sql.put_code, code, source, path } })
end

return dialogs
