-- SPDX-License-Identifier: MIT
-- The operations on dialogs: list and show them, end them, retry broken ones, send them signals, and pause a conversation so
-- that a person can take it over.

local canonical = require "cunnekt.base.canonical"
local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local events = require "cunnekt.operate.events"
local filters = require "cunnekt.operate.filters"
local formats = require "cunnekt.store.formats"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local kept = require "cunnekt.operate.kept"
local lists = require "cunnekt.store.lists"
local messages = require "cunnekt.store.messages"
local personal = require "cunnekt.provider.personal"
local record = require "cunnekt.engine.record"
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

local function state_of(store, row, question)
  if row.error then
    return row.error.mend and "retrying" or "broken"
  elseif not row.waiting then
    return "running"
  elseif store:conversation(row.contact).is_paused then
    return "paused"
  end
  return question and question.state == "unknown" and "held" or "waiting"
end

local function shown(store, row, has_to_reveal)
  local problem = row.error and words.first_line(error_of(row, has_to_reveal))
  local question = question_of(store, row.waiting)
  return {
    id = row.id,
    name = row.name,
    contact = personal.contact(row.contact, has_to_reveal),
    state = state_of(store, row, question),
    waits_for = describe(row.waiting),
    question = question,
    due = row.due,
    steps = row.steps,
    started_at = row.started_at,
    changed_at = row.changed_at,
    error = problem,
  }
end

-- The conversations that a person has; their dialogs are in the other list.
local function list_paused(target, args)
  local rows, err = lists.paused(target.store, filters.of(args))
  if not rows then
    return nil, err
  end
  return filters.page(rows, args, kept.shown_pause)
end

local function list_dialogs(target, args)
  local rows, err = lists.dialogs(target.store, args.state or "all", filters.of(args))
  if not rows then
    return nil, err
  end
  return filters.page(rows, args, function(row, has_to_reveal)
    return shown(target.store, row, has_to_reveal)
  end)
end

local function list(target, args)
  local state, result = args.state or "all", { dialogs = json.array {}, paused = json.array {} }
  local has_more, has_more_paused = false, false
  if state ~= "paused" then
    local views, more = list_dialogs(target, args)
    if not views then
      return nil, more
    end
    result.dialogs, has_more = views, more
  end
  if state == "all" or state == "paused" then
    local views, more = list_paused(target, args)
    if not views then
      return nil, more
    end
    result.paused, has_more_paused = views, more
  end
  result.has_more = has_more or has_more_paused
  return result
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

local function find_ids(store, args, state)
  local ids, missing = {}, json.array {}
  if args.all then
    local rows, err = lists.dialogs(store, state or "all", filters.of(args, true))
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
  local ids, missing = find_ids(target.store, args, args.state)
  if not ids then
    return nil, missing
  end
  for _, id in ipairs(ids) do
    local released, err = stored_dialogs.finish(target.store, id)
    if not released then
      return nil, err
    elseif target.service then
      target.service.dialogs:evict(id)
      target.service.inbox:enqueue(released)
    end
  end
  return { ended = json.array(ids), missing = missing }
end

-- ---- retry ---------------------------------------------------------------------------------------------------------

-- Lets a dialog go on that is noted to: by the event at which it broke, if that is a dead letter, else by one of our own.
local function continue(target, dialog)
  local event = dialog.error.seq and lists.event(target.store, dialog.error.seq)
  if event and event.state == "dead" then
    return events.requeue(target, { event })
  elseif event then
    return true -- its next attempt does it
  end
  local putter = target.service and target.service.engine or target.store
  return putter:put_own(record.own(dialog.contact, { status = "dialog_retry", run = dialog.id, seed = dialog.seed }))
end

-- The broken ones of some dialogs, and the ids of the others.
local function broken_of(store, ids)
  local broken, others = {}, json.array {}
  for _, id in ipairs(ids) do
    local dialog = stored_dialogs.find(store, id)
    if dialog and dialog.error then
      broken[#broken + 1] = dialog
    else
      others[#others + 1] = id
    end
  end
  return broken, others
end

local function retry(target, args)
  local ids, missing = find_ids(target.store, args, "broken")
  if not ids then
    return nil, missing
  end
  local broken, others = broken_of(target.store, ids)
  local paused
  broken, paused = kept.without_paused(target.store, broken)
  local retried, script = json.array {}, args.new_script and "new" or "own"
  for i, dialog in ipairs(broken) do
    local noted, err = target.store:repair("mend_dialog", { ids = { dialog.id }, script = script, now = clock.now() })
    local ok = noted and continue(target, dialog)
    if not ok then
      return nil, err or errors.new("store", ("dialog %d could not be retried"):format(dialog.id))
    end
    retried[i] = dialog.id
  end
  return { retried = retried, not_broken = others, paused = paused, missing = missing }
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
    local contacts, err = lists.contacts_of(target.store, args.contact)
    if not contacts then
      return nil, err
    elseif #contacts == 0 then
      return nil, errors.new("not_found", "nobody with that number has written to this bot")
    end
    local came = 0
    for _, contact in ipairs(contacts) do
      local pause = kept.pause_of(target.store, contact)
      came = came + (pause and pause.messages or 0)
      local ok
      ok, err = set_one(target, contact, is_paused)
      if not ok then
        return nil, err
      end
    end
    return { contact = personal.contact(contacts[1], args.reveal), conversations = #contacts, messages = came }
  end
end

-- ---- signal --------------------------------------------------------------------------------------------------------

-- Whether a dialog of a conversation waits for a signal.
local function awaits(store, contact, name)
  for _, dialog in ipairs(stored_dialogs.of(store, contact)) do
    if dialog.waiting and dialog.waiting.signal == name and not dialog.error then
      return true
    end
  end
  return false
end

-- The conversations of a customer: where they wrote, and those with a dialog, which may have been started for somebody who never
-- wrote. A whole key is its own.
local function conversations_of(store, customer)
  if identity.phone_number_id(customer) then
    return { store.persons:conversation_of(customer) }
  end
  local contacts, err = lists.contacts_of(store, customer)
  local open = contacts and lists.dialogs(store, "all", { contact = customer })
  if not open then
    return nil, err
  end
  local is_known = {}
  for _, contact in ipairs(contacts) do
    is_known[contact] = true
  end
  for _, dialog in ipairs(open) do
    if not is_known[dialog.contact] then
      is_known[dialog.contact], contacts[#contacts + 1] = true, dialog.contact
    end
  end
  return contacts
end

-- The conversation that a signal is for: the only one, or the only one with a dialog that waits for it.
local function find_conversation(store, args)
  local contacts, err = conversations_of(store, args.contact)
  if not contacts then
    return nil, err
  elseif #contacts == 0 then
    return nil, errors.new("not_found", "nobody with that number has written to this bot, or has a dialog; name the business number, "
      .. "as PHONE_NUMBER_ID:NUMBER, to signal them all the same")
  end
  local waiting = {}
  for _, contact in ipairs(contacts) do
    waiting[#waiting + 1] = awaits(store, contact, args.name) and contact or nil
  end
  local choices = #waiting > 0 and waiting or contacts
  if #choices > 1 then
    local message = "the customer has conversations with %d business numbers: name one, as PHONE_NUMBER_ID:NUMBER"
    return nil, errors.new("invalid", message:format(#choices))
  end
  return choices[1], #waiting == 1
end

local function signal(target, args)
  local contact, is_awaited = find_conversation(target.store, args)
  if not contact then
    return nil, is_awaited
  end
  local expires = args.keep and clock.now() + args.keep
  local own = record.own(contact, { status = "dialog_signal", name = args.name, value = args.value, expires = expires })
  local putter = target.service and target.service.engine or target.store
  local ok, err = putter:put_own(own)
  if not ok then
    return nil, err
  end
  return { contact = personal.contact(contact, args.reveal), name = args.name, is_awaited = is_awaited, expires = expires }
end

local states = { "open", "broken", "all" }
local customer_types = { contact = "string", reveal = "boolean" }

---@type table<string, cunnekt.operate.operation>
dialogs.operations = {
  ["dialogs.list"] = { types = filters.types_with { state = { "open", "broken", "paused", "all" } }, run = list },
  ["dialogs.show"] = { types = { id = "integer", reveal = "boolean" }, run = show },
  ["dialogs.end"] = { types = filters.types_with { ids = "table", all = "boolean", state = states }, run = finish },
  ["dialogs.retry"] = { types = filters.types_with { ids = "table", all = "boolean", new_script = "boolean" }, run = retry },
  ["dialogs.pause"] = { types = customer_types, run = set_paused(true) },
  ["dialogs.resume"] = { types = customer_types, run = set_paused(false) },
  ["dialogs.signal"] = {
    types = { contact = "string", name = "string", value = "any", keep = "number", reveal = "boolean" },
    run = signal,
  },
}

return dialogs
