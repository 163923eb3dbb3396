-- SPDX-License-Identifier: MIT
-- The operations on messages: list and show them, send dead letters again, drop them. A message is one by its number in
-- the outbox; the provider's id finds it too. What is sent when is the outbox's business.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local personal = require "cunnekt.provider.personal"
local redact = require "cunnekt.base.redact"
local status = require "cunnekt.provider.status"

local messages = {}

-- ---- list, show ----------------------------------------------------------------------------------------------------

local function type_of(payload)
  return payload and (payload.type or payload.templateid and "template") or nil
end

local function shown(row, has_to_reveal)
  local id = row.message_id
  return {
    id = row.id,
    state = row.state,
    contact = personal.contact(row.contact, has_to_reveal),
    type = type_of(row.payload),
    event = row.event,
    attempts = row.attempts,
    next_try = row.next_try,
    changed_at = row.changed_at,
    error = row.error and (has_to_reveal and row.error or personal.error(row.error, row.payload)),
    message_id = id and (has_to_reveal and id or redact.id(id)),
  }
end

local function list(target, args)
  local rows, err = lists.messages(target.store, args.states or status.in_outbox, filters.of(args))
  if not rows then
    return nil, err
  end
  local views, has_more = filters.page(rows, args, shown)
  return { messages = views, has_more = has_more }
end

local function show(target, args)
  local row, err = lists.message(target.store, args.id)
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

-- ---- retry, drop ---------------------------------------------------------------------------------------------------

-- The messages with these numbers, in the order in which they were said. A number without a message is missing, and so is
-- one whose message the provider has accepted, unless it was reported as failed later.
local function find_all(store, args)
  local found, missing = {}, json.array {}
  for _, id in ipairs(args.ids or {}) do
    local row, err = lists.message(store, id)
    if err then
      return nil, err
    elseif row and (not row.message_id or row.state == "failed") then
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

-- Gives messages to a running outbox. Each goes to the front of its queue, so the last is the first to be given.
local function send_first(target, ids)
  for i = #ids, 1, -1 do
    local row, err = lists.queued_message(target.store, ids[i])
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
  local ids, waiting, doubtful, forgotten = {}, json.array {}, json.array {}, json.array {}
  for _, row in ipairs(found) do
    if row.state == "unknown" and not args.yes then
      doubtful[#doubtful + 1] = row.id
    elseif not row.payload then
      forgotten[#forgotten + 1] = row.id
    elseif row.state == "queued" or row.state == "sending" then
      waiting[#waiting + 1] = row.id
    else
      ids[#ids + 1] = row.id
    end
  end
  if #doubtful > 0 then
    -- All or nothing: the operator repeats the command with --yes, and the others must not be sent twice.
    ids = {}
  end
  local result = { doubtful = doubtful, waiting = waiting, missing = missing, forgotten = forgotten }
  local queued, err = target.store:repair("requeue_message", { ids = ids, now = clock.now() })
  if queued and target.service then
    local ok
    ok, err = send_first(target, queued)
    queued = ok and queued
  end
  result.retried = queued and json.array(queued)
  return queued and result or nil, err
end

local function drop(target, args)
  local found, missing = find_all(target.store, args)
  if not found then
    return nil, missing
  end
  local ids, busy = {}, json.array {}
  for _, row in ipairs(found) do
    local can_drop = row.state ~= "sending" and (not target.service or target.service.outbox:drop(row.id, row.contact))
    table.insert(can_drop and ids or busy, row.id)
  end
  local dropped, err = target.store:repair("drop_message", { ids = ids })
  return dropped and { dropped = json.array(dropped), busy = busy, missing = missing } or nil, err
end

---@type table<string, cunnekt.operate.operation>
messages.operations = {
  ["outbox.list"] = { types = filters.types_with { states = "table" }, run = list },
  ["outbox.show"] = { types = { id = "integer|string", reveal = "boolean" }, run = show },
  ["outbox.retry"] = { types = { ids = "table", yes = "boolean" }, run = retry },
  ["outbox.drop"] = { types = { ids = "table" }, run = drop },
}

return messages
