-- SPDX-License-Identifier: MIT
-- What an operator does with messages; see control/events.lua for the form.

local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local json = require "cunnekt.base.json"
local veil = require "cunnekt.operate.veil"

local messages = {}

-- What needs somebody's eye, and what moves by itself.
local usual_states = { "queued", "sending", "unknown", "rejected", "failed" }
local ended = { unknown = true, rejected = true, failed = true }

-- ---- how a message is shown --------------------------------------------------------------------------------------

local function kind_of(payload)
  return payload and (payload.type or payload.templateid and "template") or nil
end

local function shown(row, has_to_reveal)
  local id = row.message_id
  return {
    id = row.id,
    state = row.state,
    contact = veil.contact(row.contact, has_to_reveal),
    type = kind_of(row.payload),
    attempts = row.attempts,
    changed_at = row.changed_at,
    error = row.error and (has_to_reveal and row.error or veil.error(row.error)),
    message_id = id and (has_to_reveal and id or veil.id(id)),
  }
end

local function list(target, args)
  local rows, err = target.store:list_messages(args.states or usual_states, filters.of(args))
  if not rows then
    return nil, err
  end
  local cut, has_more = filters.cut(rows, args)
  local views = {}
  for i, row in ipairs(cut) do
    views[i] = shown(row, args.reveal)
  end
  return { messages = json.array(views), has_more = has_more }
end

local function show(target, args)
  local row, err = target.store:find_message(args.id)
  if not row then
    return nil, err or errors.new("not_found", ("there is no message %s"):format(args.id))
  end
  local view = shown(row, args.reveal)
  view.unknown = row.unknown
  if args.reveal then
    view.payload, view.track = row.payload, row.track
  end
  return view
end

-- ---- retry, drop -------------------------------------------------------------------------------------------------

-- Each message that is meant by its number; those that are none, or that the provider took, are missing.
local function find_all(store, args)
  local found, missing = {}, json.array {}
  for _, id in ipairs(args.ids or {}) do
    local row, err = store:find_message(id)
    if err then
      return nil, err
    elseif row and row.payload then
      found[#found + 1] = row
    else
      missing[#missing + 1] = id
    end
  end
  table.sort(found, function(a, b)
    return a.id < b.id
  end)
  return found, missing
end

local function take_up(target, ids)
  -- The last first: each goes before those that are there.
  for i = #ids, 1, -1 do
    local row, err = target.store:queued_message(ids[i])
    if err then
      return nil, err
    elseif row then
      target.service.outbox:retry_first(row)
    end
  end
  return true
end

local function retry(target, args)
  local found, missing = find_all(target.store, args)
  if not found then
    return nil, missing
  end
  local ids, waiting, doubtful = {}, json.array {}, json.array {}
  for _, row in ipairs(found) do
    if row.state == "unknown" and not args.yes then
      doubtful[#doubtful + 1] = row.id
    elseif ended[row.state] then
      ids[#ids + 1] = row.id
    else
      waiting[#waiting + 1] = row.id
    end
  end
  if #doubtful > 0 then
    -- All or nothing: who repeats the command with a yes must not send the others twice.
    return { retried = json.array {}, doubtful = doubtful, waiting = waiting, missing = missing }
  end
  local queued, err = target.store:requeue_messages(ids)
  if queued and target.service then
    local ok
    ok, err = take_up(target, queued)
    queued = ok and queued
  end
  return queued and { retried = json.array(queued), doubtful = doubtful, waiting = waiting, missing = missing } or nil, err
end

local function drop(target, args)
  local found, missing = find_all(target.store, args)
  if not found then
    return nil, missing
  end
  local ids, busy = {}, json.array {}
  for _, row in ipairs(found) do
    local is_free = row.state ~= "sending" and (not target.service or target.service.outbox:drop(row.id, row.contact))
    table.insert(is_free and ids or busy, row.id)
  end
  local dropped, err = target.store:drop_messages(ids)
  return dropped and { dropped = json.array(dropped), busy = busy, missing = missing } or nil, err
end

---@type table<string, {types: table, run: fun(target: cunnekt.control.target, args: table): table?, cunnekt.error?}>
messages.operations = {
  ["outbox.list"] = { types = filters.types_with { states = "table" }, run = list },
  ["outbox.show"] = { types = { id = "integer|string", reveal = "boolean" }, run = show },
  ["outbox.retry"] = { types = { ids = "table", yes = "boolean" }, run = retry },
  ["outbox.drop"] = { types = { ids = "table" }, run = drop },
}

return messages
