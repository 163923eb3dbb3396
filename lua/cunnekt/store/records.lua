-- SPDX-License-Identifier: MIT
-- Between the store's rows, which hold bytes and numbers, and the values of the engine: dialogs, messages, outcomes. The forms
-- themselves are in formats.lua; the states and ranks are provider/status.lua's.

local json = require "cunnekt.base.json"
local status_names = require "cunnekt.provider.status"

local records = {}

local state_names = {}
for name, number in pairs(status_names.outbox_numbers) do
  state_names[number] = name
end

local function decoded(text)
  return text and json.decode(text) or nil
end

-- ---- dialogs ---------------------------------------------------------------------------------------------------------

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
---@field asked integer? the sequence of the commit with which it asked; nil where it never did, or an older version asked
---@field journal table<integer, table>? its steps, where they were read with it: mark, result
---@field error table? why it is broken: message, and step, was, is_now, seq (the event's id) if known

---A dialog from its row; the row of a list lacks some of the fields.
---@param row table
---@return cunnekt.store.dialog
function records.dialog(row)
  return {
    id = row.id,
    contact = row.contact,
    origin = row.origin,
    name = row.name,
    to = row.recipient,
    args = row.args and json.decode(row.args)[1],
    code = row.code,
    seed = row.seed,
    started_at = row.started_at,
    changed_at = row.changed_at,
    waiting = decoded(row.waiting),
    due = row.due,
    steps = row.steps,
    asked = row.asked,
    error = decoded(row.error),
  }
end

---A run that waits or continues, for the commit of its turn. Takes the steps that are not stored yet.
---@param its_run cunnekt.run
---@return table change struct cnk_dialog_change
function records.dialog_change(its_run)
  local waiting, source = its_run.waiting, its_run.source
  local before = its_run.stored_n or 0
  local change = {
    id = its_run.id,
    contact = its_run.contact,
    waiting = waiting and json.encode(waiting),
    asks = waiting and waiting.from and waiting.from > before or nil, -- the question's first step is not stored yet
    before = before,
    after = its_run.n,
    steps = its_run:take_pending(),
  }
  if waiting then
    change.due, change.sent, change.signal = waiting.due, waiting.sent, waiting.signal
  end
  if not its_run.is_stored then
    change.is_new, change.name, change.to = true, its_run.name, its_run.to
    change.args = its_run.args_text or its_run.args ~= nil and json.encode(json.array { its_run.args }) or nil
    change.code, change.seed, change.started_at = its_run.code, its_run:find_seed(), its_run.started_at or its_run.at
    change.digest, change.source = source and source.digest, source and source.text
  elseif its_run.mender then
    change.code, change.digest, change.source = its_run.code, source and source.digest, source and source.text
  end
  return change
end

---A message that waits for later questions of a dialog, for the commit of its turn.
---@param dialog integer
---@param bodies string[] as journals hold them
---@return table kept struct cnk_kept
function records.kept(dialog, bodies)
  return { dialog = dialog, bodies = json.encode(json.array(bodies)) }
end

-- ---- messages --------------------------------------------------------------------------------------------------------

---A buffered message, for the commit of its turn.
---@param row cunnekt.outbox.row
---@return table message struct cnk_message
function records.message(row)
  local message = {
    id = row.id,
    contact = row.contact,
    payload = row.text or json.encode(row.payload),
    state = row.is_marked and "sending" or "queued",
    unknown = row.unknown,
    track = row.track and json.encode(row.track) or nil,
    follows = row.after,
    fallback = row.fallback and json.encode(row.fallback) or nil,
  }
  if row.is_parked or row.is_bulk or row.expires or row.hours then
    message.is_parked, message.is_bulk, message.due, message.expires = row.is_parked, row.is_bulk, row.due, row.expires
    message.hours = row.hours and json.encode(row.hours) or nil
  end
  return message
end

---A queued message as a row for the outbox.
---@param row table
---@return cunnekt.outbox.row row its `state` is "queued" or "sending"
function records.outgoing(row)
  return {
    id = row.id,
    seq = row.seq,
    contact = row.contact,
    event = row.event,
    payload = json.decode(row.payload),
    state = state_names[row.state],
    unknown = row.unknown,
    track = decoded(row.track),
    attempts = row.attempts,
    after = row.follows,
    fallback = decoded(row.fallback),
    changed_at = row.changed_at,
    is_bulk = row.is_bulk == 1 or nil,
    due = row.due,
    expires = row.expires,
    hours = decoded(row.hours),
  }
end

---What became of a message that stays in the outbox.
---@param row cunnekt.outbox.row
---@param state "queued"|"sending"|"rejected"|"failed"|"unknown"|"expired"
---@param err cunnekt.error?
---@param due number? of one that is queued: when it is tried again
---@return table outcome struct cnk_outcome
function records.outcome(row, state, err, due)
  -- After a crash the time of the send is kept, because a status is compared with it.
  return { id = row.id, state = state, attempts = row.attempts, error = err and tostring(err), at = row.lost_at, due = due }
end

---An accepted message.
---@param row {id: integer, contact: string, track: table?}
---@param message_id string? the provider's
---@param statuses table[]? that arrived before its response
---@return table outcome struct cnk_outcome
function records.accepted(row, message_id, statuses)
  local rank, why = status_names.ranks.accepted, nil
  for i = 1, statuses and #statuses or 0 do
    local its_rank, its_why = status_names.rank_of(statuses[i])
    if its_rank and its_rank > rank then
      rank, why = its_rank, its_why
    end
  end
  return {
    id = row.id,
    state = "accepted",
    message_id = message_id,
    contact = row.contact,
    track = row.track and json.encode(row.track) or nil,
    rank = rank,
    reason = why,
  }
end

---The state of a message by its row, in the outbox or accepted.
---@param row {state: integer?, rank: integer?}
---@return string
function records.state_of(row)
  return row.state and state_names[row.state] or status_names.state_of_rank(row.rank)
end

---A message as operators see it.
---@param row table
---@return table message id, contact, state, attempts, changed_at, error, payload, track, unknown, event; next_try of a queued one, message_id of an accepted one
function records.listed_message(row)
  return {
    id = row.id,
    contact = row.contact,
    state = records.state_of(row),
    attempts = row.attempts,
    changed_at = row.changed_at,
    error = row.error,
    payload = decoded(row.payload),
    message_id = row.message_id,
    track = decoded(row.track),
    unknown = row.unknown,
    event = row.event,
    next_try = row.next_try,
  }
end

return records
