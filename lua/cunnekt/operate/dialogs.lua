-- SPDX-License-Identifier: MIT
-- The operations on dialogs: list and show them, end them, and pause a conversation so that a person can take it over.
-- A broken dialog resumes by retrying its event, see events.lua.

local canonical = require "cunnekt.base.canonical"
local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local messages = require "cunnekt.store.messages"
local personal = require "cunnekt.provider.personal"
local status_names = require "cunnekt.provider.status"
local stored_dialogs = require "cunnekt.store.dialogs"
local words = require "cunnekt.base.words"

local dialogs = {}

-- ---- list, show ----------------------------------------------------------------------------------------------------

-- What a dialog waits for, in words.
local function describe(waiting)
  if not waiting then
    return nil
  end
  local parts = canonical.keys(waiting.types or {})
  parts[#parts + 1] = waiting.signal and "signal " .. waiting.signal
  parts[#parts + 1] = waiting.sent and ("message %d %s"):format(waiting.sent, waiting.reaches)
  return #parts > 0 and table.concat(parts, ", ") or "time"
end

-- The message whose answer a dialog waits for, as long as the provider has not accepted it.
local function question_of(store, waiting)
  local id = waiting and waiting.question
  local state = id and (messages.state(store, id) or "dropped")
  if not id or status_names.has_reached(state, "accepted") then
    return nil
  end
  return { message = id, state = state }
end

local function error_of(row, has_to_reveal)
  local message = row.error.message
  return has_to_reveal and message or row.error.shown or personal.error(message)
end

local function shown(store, row, has_to_reveal)
  local problem = row.error and words.first_line(error_of(row, has_to_reveal))
  return {
    id = row.id,
    name = row.name,
    contact = personal.contact(row.contact, has_to_reveal),
    state = row.error and "broken" or row.waiting and "waiting" or "running",
    waits_for = describe(row.waiting),
    question = question_of(store, row.waiting),
    due = row.due,
    steps = row.steps,
    started_at = row.started_at,
    changed_at = row.changed_at,
    error = problem,
  }
end

local function list(target, args)
  local rows, err = lists.dialogs(target.store, args.state or "all", filters.of(args))
  if not rows then
    return nil, err
  end
  local views, has_more = filters.page(rows, args, function(row, has_to_reveal)
    return shown(target.store, row, has_to_reveal)
  end)
  return { dialogs = views, has_more = has_more }
end

-- A kind may be two words: "job off".
local function kind_of(mark)
  local two = mark:match "^%a+ %a+"
  return two and formats.step_kinds[two] and two or mark:match "^[^{\" ]+"
end

-- The kind of a step is a word of the script; what was said and answered is the customer's, and shown only if asked for.
local function show_journal(journal, has_to_reveal)
  local steps = {}
  for i, step in ipairs(journal) do
    steps[i] = { n = step.n, kind = kind_of(step.mark) }
    if has_to_reveal then
      steps[i].what, steps[i].result = step.mark:sub(#(steps[i].kind or "") + 2), step.result
    end
  end
  return json.array(steps)
end

local function show(target, args)
  local row = lists.dialog(target.store, args.id)
  if not row then
    return nil, errors.new("not_found", ("there is no dialog %d"):format(args.id))
  end
  local view = shown(target.store, row, args.reveal)
  view.journal = show_journal(row.journal, args.reveal)
  if row.error then
    view.error = error_of(row, args.reveal)
    view.broke_at, view.event = row.error.step, row.error.seq
    view.was, view.is_now = args.reveal and row.error.was or nil, args.reveal and row.error.is_now or nil
  end
  return view
end

-- ---- end -----------------------------------------------------------------------------------------------------------

local function find_ids(store, args)
  local ids, missing = {}, json.array {}
  if args.all then
    local rows, err = lists.dialogs(store, args.state or "all", filters.of(args, true))
    for i, row in ipairs(rows or {}) do
      ids[i] = row.id
    end
    return rows and ids or nil, rows and missing or err
  end
  for _, id in ipairs(args.ids or {}) do
    table.insert(stored_dialogs.find(store, id) and ids or missing, id)
  end
  return ids, missing
end

local function finish(target, args)
  local ids, missing = find_ids(target.store, args)
  if not ids then
    return nil, missing
  end
  local ok, err = stored_dialogs.finish(target.store, ids)
  if not ok then
    return nil, err
  end
  for _, id in ipairs(target.service and ids or {}) do
    target.service.dialogs:evict(id)
  end
  return { ended = json.array(ids), missing = missing }
end

-- ---- pause, resume -------------------------------------------------------------------------------------------------

-- Pauses one conversation, or resumes it: by its chat where a service runs, which has to know, else in the store.
local function set_one(target, contact, is_paused)
  if not target.service then
    return target.store:commit_turn { pauses = { { contact = contact, is_paused = is_paused } } }
  end
  local chat = target.service:chat(contact)
  return (is_paused and chat.pause or chat.resume)(chat)
end

local function set_paused(is_paused)
  return function(target, args)
    local contacts, err = lists.contacts_of(target.store, filters.of(args).contact)
    if not contacts then
      return nil, err
    elseif #contacts == 0 then
      return nil, errors.new("not_found", "nobody with that number has written to this bot")
    end
    for _, contact in ipairs(contacts) do
      local ok
      ok, err = set_one(target, contact, is_paused)
      if not ok then
        return nil, err
      end
    end
    return { contact = personal.contact(contacts[1], args.reveal), conversations = #contacts }
  end
end

local states = { "open", "broken", "all" }
local customer_types = { contact = "string", reveal = "boolean" }

---@type table<string, cunnekt.operate.operation>
dialogs.operations = {
  ["dialogs.list"] = { types = filters.types_with { state = states }, run = list },
  ["dialogs.show"] = { types = { id = "integer", reveal = "boolean" }, run = show },
  ["dialogs.end"] = { types = filters.types_with { ids = "table", all = "boolean", state = states }, run = finish },
  ["dialogs.pause"] = { types = customer_types, run = set_paused(true) },
  ["dialogs.resume"] = { types = customer_types, run = set_paused(false) },
}

return dialogs
