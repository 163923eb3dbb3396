-- SPDX-License-Identifier: MIT
-- The operations on events: list and show dead letters and waiting events, retry them, drop them. On a store without a
-- host they change rows; a running service is told as well, since it holds the waiting events in memory.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local json = require "cunnekt.base.json"
local kept = require "cunnekt.operate.kept"
local lists = require "cunnekt.store.lists"
local record = require "cunnekt.engine.record"
local route = require "cunnekt.bot.route"
local personal = require "cunnekt.provider.personal"
local words = require "cunnekt.base.words"

local events = {}

-- ---- list, show ----------------------------------------------------------------------------------------------------

-- The event in a stored body; nil when there is no body, or this version cannot read it.
local function parsed(body)
  if not body then
    return nil
  end
  local ok, event = pcall(record.read_body, body)
  return ok and type(event) == "table" and event or nil
end

local function name_of(event)
  if not event then
    return "unknown"
  elseif event.kind == "own" or event.kind == "status" then
    return event.status
  end
  return route.name_of(event)
end

-- What is shown of it, and the event itself, for those who show more.
local function shown(row, has_to_reveal)
  local event = parsed(row.body)
  local view = {
    seq = row.id, -- the public name, of when it ordered
    state = row.state,
    contact = personal.contact(row.contact, has_to_reveal),
    what = row.body and name_of(event) or "large",
    attempts = row.attempts,
    accepted_at = row.accepted_at,
    failed_at = row.failed_at,
    error = row.error and words.first_line(has_to_reveal and row.error or personal.error(row.error, event)),
    text = has_to_reveal and event and event.text or nil,
  }
  return view, event
end

local function by_id(a, b)
  return a.id < b.id
end

local function list(target, args)
  local rows = {}
  for _, state in ipairs { "dead", "pending" } do
    if args.state == "all" or (args.state or "dead") == state then
      local some, err = lists.events(target.store, state, filters.of(args), true)
      if not some then
        return nil, err
      end
      table.move(some, 1, #some, #rows + 1, rows)
    end
  end
  table.sort(rows, by_id)
  local views, has_more = filters.page(rows, args, shown)
  return { events = views, has_more = has_more }
end

local function show(target, args)
  local row, err = lists.event(target.store, args.seq)
  if not row then
    return nil, err or errors.new("not_found", ("there is no event %d"):format(args.seq))
  end
  local view, event = shown(row, args.reveal)
  view.error = row.error and (args.reveal and row.error or personal.error(row.error, event))
  view.bytes = #row.body
  view.body = args.reveal and row.body or nil
  return view
end

-- ---- retry, drop ---------------------------------------------------------------------------------------------------

-- The chosen events by state, and the numbers that no event has.
local function find_all(store, args)
  local found = { dead = {}, pending = {}, missing = json.array {} }
  if args.all then
    local rows, err = lists.events(store, "dead", filters.of(args, true))
    found.dead = rows
    return rows and found or nil, err
  end
  for _, id in ipairs(args.seqs or {}) do
    local row, err = lists.event(store, id)
    if err then
      return nil, err
    elseif row then
      table.insert(found[row.state], row)
    else
      table.insert(found.missing, id)
    end
  end
  return found
end

local function ids_of(rows)
  local ids = {}
  for i, row in ipairs(rows) do
    ids[i] = row.id
  end
  return ids
end

local function set_of(ids)
  local set = {}
  for _, id in ipairs(ids) do
    set[id] = true
  end
  return set
end

-- Queues them in a running inbox. Each goes to the front of its lane, so the last one is queued first.
local function handle_first(service, rows, requeued)
  local is_requeued = set_of(requeued)
  table.sort(rows, by_id)
  for i = #rows, 1, -1 do
    if is_requeued[rows[i].id] then
      service.inbox:retry_first(rows[i].id, rows[i].contact, rows[i].seq)
    end
  end
end

-- A waiting event runs now, even when the pause before its next attempt is not over.
local function retry_now(service, rows)
  for _, row in ipairs(rows) do
    service.inbox:retry_now(row.id, row.contact)
  end
end

---Makes dead letters pending again; a running service handles them first.
---@param target cunnekt.operate.target
---@param rows table[] of lists.event
---@return integer[]? requeued
---@return cunnekt.error? err kind store
function events.requeue(target, rows)
  local requeued, err = target.store:repair("requeue_event", { ids = ids_of(rows) })
  if requeued and target.service then
    handle_first(target.service, rows, requeued)
  end
  return requeued, err
end

-- Lets the dialogs that broke at these events go on with the current script.
local function mend_dialogs(store, rows)
  return store:repair("mend_dialog_of_event", { ids = ids_of(rows), script = "new", now = clock.now() })
end

local function retry(target, args)
  local found, err = find_all(target.store, args)
  local mended, paused = json.array {}, nil
  if found then
    found.dead, paused = kept.without_paused(target.store, found.dead)
  end
  if found and args.new_script then
    mended, err = mend_dialogs(target.store, found.dead)
  end
  local requeued
  if found and mended then
    requeued, err = events.requeue(target, found.dead)
  end
  if not requeued then
    return nil, err
  end
  if target.service then
    retry_now(target.service, found.pending)
  end
  return {
    retried = json.array(requeued), waiting = json.array(ids_of(found.pending)), paused = paused, missing = found.missing,
    mended = json.array(mended),
  }
end

-- Splits waiting events into those that can still be dropped and those that are being handled now.
local function split_waiting(service, rows)
  local waiting, busy = {}, json.array {}
  for _, row in ipairs(rows) do
    if not service or service.inbox:forget(row.id, row.contact) then
      waiting[#waiting + 1] = row
    else
      busy[#busy + 1] = row.id
    end
  end
  return waiting, busy
end

local function drop(target, args)
  local found, err = find_all(target.store, args)
  if not found then
    return nil, err
  end
  local waiting, busy = split_waiting(target.service, found.pending)
  local dropped, others
  dropped, err = target.store:repair("drop_dead_event", { ids = ids_of(found.dead) })
  if dropped then
    others, err = target.store:repair("drop_pending_event", { ids = ids_of(waiting) })
  end
  if not others then
    return nil, err
  end
  if target.service then
    retry_now(target.service, waiting) -- each finds its row deleted, and its lane continues
  end
  table.move(others, 1, #others, #dropped + 1, dropped)
  return { dropped = json.array(dropped), busy = busy, missing = found.missing }
end

local choice = filters.types_with { seqs = "table", all = "boolean" }

---@type table<string, cunnekt.operate.operation>
events.operations = {
  ["events.list"] = { types = filters.types_with { state = { "dead", "pending", "all" } }, run = list },
  ["events.show"] = { types = { seq = "integer", reveal = "boolean" }, run = show },
  ["events.retry"] = { types = filters.types_with { seqs = "table", all = "boolean", new_script = "boolean" }, run = retry },
  ["events.drop"] = { types = choice, run = drop },
}

return events
