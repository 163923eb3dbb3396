-- SPDX-License-Identifier: MIT
-- What the engine asks of dialogs: those of a conversation, their journals, the messages kept for them. Everything here waits,
-- and raises a cunnekt.error of kind store when the store cannot be read. What operators ask is in lists.lua.

local json = require "cunnekt.base.json"
local records = require "cunnekt.store.records"

local dialogs = {}

-- Rows that a page of the longer questions has at most: journal and kept have it in their text.
local page = 1000

-- Calls `on_row` for all rows of a question that is asked in pages; `key` is the column by which they are in order.
local function walk(store, what, parameters, key, on_row)
  parameters.after = 0
  repeat
    local rows = store:read(what, parameters)
    for _, row in ipairs(rows) do
      parameters.after = row[key]
      on_row(row)
    end
  until #rows < page
end

---The dialogs of a contact, the newest first, broken ones included.
---@param store cunnekt.open_store
---@param contact string
---@return cunnekt.store.dialog[]
function dialogs.of(store, contact)
  local list = {}
  for i, row in ipairs(store:read("dialogs_of", { contact = contact })) do
    list[i] = records.dialog(row)
  end
  return list
end

---The same, with the journal of the first one that is not broken in its field `journal`, unless it is long.
---@param store cunnekt.open_store
---@param contact string
---@return cunnekt.store.dialog[]
function dialogs.of_with_journal(store, contact)
  local list, steps, of = {}, {}, nil
  local rows = store:read("dialogs_with_journal", { contact = contact })
  for i = 1, #rows do
    local row = rows[i]
    if row.n then
      steps[row.n], of = { mark = row.mark, result = row.result }, row.id
    else
      list[#list + 1] = records.dialog(row)
    end
  end
  for _, stored in ipairs(list) do
    if stored.id == of and #rows - #list < page then
      stored.journal = steps
    end
  end
  return list
end

---One dialog.
---@param store cunnekt.open_store
---@param id integer
---@return cunnekt.store.dialog?
function dialogs.find(store, id)
  local row = store:read("dialog", { id = id })[1]
  return row and records.dialog(row)
end

---The journal of a run, by number.
---@param store cunnekt.open_store
---@param id integer
---@return table[] steps mark, result
function dialogs.journal(store, id)
  local steps = {}
  walk(store, "journal", { dialog = id }, "n", function(row)
    steps[row.n] = { mark = row.mark, result = row.result }
  end)
  return steps
end

---The messages kept for a dialog, in order.
---@param store cunnekt.open_store
---@param id integer
---@return table[] messages id, bodies
function dialogs.kept(store, id)
  local list = {}
  walk(store, "kept", { dialog = id }, "id", function(row)
    list[#list + 1] = { id = row.id, bodies = json.decode(row.bodies) }
  end)
  return list
end

---Whether there are dialogs, and the earliest due time.
---@param store cunnekt.open_store
---@return boolean is_any
---@return number? due
---@return integer paused number of conversations that a person has taken over
---@return boolean has_kept whether messages are kept for dialogs
function dialogs.overview(store)
  local row = store:read("dialogs_overview")[1]
  return row.is_any == 1, row.due, row.paused, row.has_kept == 1
end

---The messages for whose delivery dialogs wait.
---@param store cunnekt.open_store
---@return table<integer, table> waits message → id and contact of the dialog
function dialogs.sent_waits(store)
  local waits = {}
  walk(store, "sent_waits", { limit = page }, "id", function(row)
    waits[row.sent] = { id = row.id, contact = row.contact }
  end)
  return waits
end

---The number of dialogs, broken ones included.
---@param store cunnekt.open_store
---@return integer
function dialogs.count(store)
  return store:read("count_dialogs")[1].count
end

---The source of a script with which open dialogs began; nil when it is not stored.
---@param store cunnekt.open_store
---@param digest string
---@return string? source
function dialogs.script(store, digest)
  local row = store:read("script", { digest = digest })[1]
  return row and row.source
end

---Adds the events of a message that was kept for a dialog which ends: it is for whoever gets it then.
---@param events cunnekt.inbox.record[]
---@param bodies string[]
---@param contact string
function dialogs.release(events, bodies, contact)
  for _, body in ipairs(bodies) do
    events[#events + 1] = { contact = contact, body = body, attempts = 0, is_tapped = true }
  end
end

---Ends a dialog, however far it is. Waits.
---@param store cunnekt.open_store
---@param id integer
---@return cunnekt.inbox.record[]? released the messages that were kept for it, to be queued
---@return cunnekt.error? err kind store
function dialogs.finish(store, id)
  local ok, err, released
  repeat
    local dialog, taken = dialogs.find(store, id), {}
    released = {}
    for i, message in ipairs(dialog and dialogs.kept(store, id) or {}) do
      dialogs.release(released, message.bodies, dialog.contact)
      taken[i] = message.id
    end
    ok, err = store:commit_turn { ends = { id }, taken = taken, events = released }
  until ok or err.kind ~= "conflict" -- another message was kept for it meanwhile
  return ok and released or nil, err
end

---Marks a dialog as broken; `cunnekt dialogs` shows it. Retried until it is committed.
---@param store cunnekt.open_store
---@param id integer
---@param why table message, step, was, is_now, seq
function dialogs.break_it(store, id, why)
  store:persist("break_dialog", { id = id, error = json.encode(why) })
end

return dialogs
