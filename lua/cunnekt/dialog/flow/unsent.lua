-- SPDX-License-Identifier: MIT
-- Questions whose message was not sent. One that surely was not sent ends its wait with the reason, by an event of our own. One that
-- is held because its delivery is uncertain waits on, for the customer may have it: the log says so, and `cunnekt dialogs` shows it.

local answer = require "cunnekt.provider.answer"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local personal = require "cunnekt.provider.personal"
local record_of = require "cunnekt.engine.record"
local status_names = require "cunnekt.provider.status"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local unsent = {}

---The dialog that waits for the answer to this message, broken or not. Waits.
---@param dialogs cunnekt.dialogs
---@param contact string
---@param id integer the message's in the outbox
---@return cunnekt.store.dialog? stored
function unsent.find(dialogs, contact, id)
  for _, stored in ipairs(stored_dialogs.of(dialogs.store, contact)) do
    local waiting = (dialogs.resident:find(stored.id) or stored).waiting
    if waiting and waiting.question == id then
      return stored
    end
  end
  return nil
end

local function record(contact, id, kind, message, code)
  local err = errors.new(kind, message, { code = code })
  return record_of.own(contact, { status = "dialog_unsent", sent = id, err = err })
end

local warning = "the dialog %d '%s' waits for the answer to message %d, which may not have arrived: it is held, because its delivery is"
  .. " uncertain. `cunnekt outbox retry --yes %d` sends it again; if the customer has it, nothing needs to be done"

-- In a task of its own, because the store is asked.
local function warn_of_held(dialogs, contact, id)
  local ok, stored = pcall(unsent.find, dialogs, contact, id)
  if ok and stored and not stored.error then
    log.error(warning, stored.id, stored.name, id, id)
  end
end

---Called for a message that was not accepted: an event for the dialog whose question it may be; nil for one that is held.
---@param dialogs cunnekt.dialogs
---@param row cunnekt.outbox.row
---@param err cunnekt.error
---@return cunnekt.inbox.record?
function unsent.on_failure(dialogs, row, err)
  if err.kind == "unknown_outcome" and row.unknown == "hold" then
    task.spawn(warn_of_held, dialogs, row.contact, row.id)
    return nil
  end
  return record(row.contact, row.id, err.kind, err.message, err.code)
end

---The event for the dialog whose question was reported as failed; nil when no dialog waits for its answer. Waits.
---@param dialogs cunnekt.dialogs
---@param contact string
---@param status table an event of kind "status"
---@return cunnekt.inbox.record?
function unsent.on_status(dialogs, contact, status)
  local id = dialogs.engine.outbox:id_of(status.id)
  if not id or not unsent.find(dialogs, contact, id) then
    return nil
  end
  local title, code = status_names.reason(status)
  return record(contact, id, answer.kind_of_failure(code), personal.error(title, status), code)
end

return unsent
