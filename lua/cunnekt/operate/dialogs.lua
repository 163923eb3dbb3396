-- SPDX-License-Identifier: MIT
-- What an operator does with dialogs, and with conversations that a person takes over; see control/events.lua for the
-- form.

local errors = require "cunnekt.base.errors"
local filters = require "cunnekt.operate.filters"
local json = require "cunnekt.base.json"
local veil = require "cunnekt.operate.veil"

local dialogs = {}

-- ---- how a dialog is shown ---------------------------------------------------------------------------------------

local function names_of(set)
  local names = {}
  for name in pairs(set or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- What a dialog waits for, in words.
local function describe(waiting)
  if not waiting then
    return nil
  end
  local words = names_of(waiting.types)
  words[#words + 1] = waiting.signal and "signal " .. waiting.signal
  words[#words + 1] = waiting.sent and ("message %d %s"):format(waiting.sent, waiting.reaches)
  return #words > 0 and table.concat(words, ", ") or "time"
end

local function first_line(text)
  return text:match "^[^\n]*"
end

local function shown(row, has_to_reveal)
  local problem = row.error and first_line(row.error.message)
  return {
    id = row.id,
    name = row.name,
    contact = veil.contact(row.contact, has_to_reveal),
    state = row.error and "broken" or row.waiting and "waiting" or "running",
    waits_for = describe(row.waiting),
    due = row.due,
    steps = row.steps,
    started_at = row.started_at,
    changed_at = row.changed_at,
    error = problem and (has_to_reveal and problem or veil.error(problem)),
  }
end

local function list(target, args)
  local rows, err = target.store:list_dialogs(args.state or "all", filters.of(args))
  if not rows then
    return nil, err
  end
  local cut, has_more = filters.cut(rows, args)
  local views = {}
  for i, row in ipairs(cut) do
    views[i] = shown(row, args.reveal)
  end
  return { dialogs = json.array(views), has_more = has_more }
end

-- The kinds of its steps are the script's; what was said and answered is the customer's.
local function show_journal(journal, has_to_reveal)
  local steps = {}
  for i, step in ipairs(journal) do
    steps[i] = { n = step.n, kind = step.mark:match "^[^{\" ]+" }
    if has_to_reveal then
      steps[i].what, steps[i].result = step.mark:match "^%S+ (.*)$", step.result
    end
  end
  return json.array(steps)
end

local function show(target, args)
  local row, err = target.store:find_dialog(args.id)
  if not row then
    return nil, err or errors.new("not_found", ("there is no dialog %d"):format(args.id))
  end
  local view = shown(row, args.reveal)
  view.journal = show_journal(row.journal, args.reveal)
  if row.error then
    view.error = args.reveal and row.error.message or veil.error(row.error.message)
    view.broke_at, view.event = row.error.step, row.error.seq
    view.was, view.is_now = args.reveal and row.error.was or nil, args.reveal and row.error.is_now or nil
  end
  return view
end

-- ---- ending ------------------------------------------------------------------------------------------------------

local function find_ids(store, args)
  local ids, missing = {}, json.array {}
  if args.all then
    local rows, err = store:list_dialogs(args.state or "all", filters.of(args, true))
    for i, row in ipairs(rows or {}) do
      ids[i] = row.id
    end
    return rows and ids or nil, rows and missing or err
  end
  for _, id in ipairs(args.ids or {}) do
    local row, err = store:dialog(id)
    if err then
      return nil, err
    end
    table.insert(row and ids or missing, id)
  end
  return ids, missing
end

local function finish(target, args)
  local ids, missing = find_ids(target.store, args)
  if not ids then
    return nil, missing
  end
  local ok, err = target.store:end_dialogs(ids)
  if not ok then
    return nil, err
  end
  for _, id in ipairs(target.service and ids or {}) do
    target.service.dialogs:evict(id)
  end
  return { ended = json.array(ids), missing = missing }
end

-- ---- handing over ------------------------------------------------------------------------------------------------

local function set_paused(is_paused)
  return function(target, args)
    local customer = filters.of(args).contact
    local contacts, err = target.store:contacts_of(customer)
    if not contacts then
      return nil, err
    elseif #contacts == 0 then
      return nil, errors.new("not_found", "nobody with that number has written to this bot")
    end
    for _, contact in ipairs(contacts) do
      local ok
      if target.service then
        local number = contact:match "^([^:]*):"
        local chat = target.service:chat(customer, number)
        ok, err = (is_paused and chat.pause or chat.resume)(chat)
      else
        ok, err = target.store:set_paused(contact, is_paused)
      end
      if not ok then
        return nil, err
      end
    end
    return { contact = veil.contact(contacts[1], args.reveal), conversations = #contacts }
  end
end

local states = { "open", "broken", "all" }
local customer_types = { contact = "string", reveal = "boolean" }

---@type table<string, {types: table, run: fun(target: cunnekt.control.target, args: table): table?, cunnekt.error?}>
dialogs.operations = {
  ["dialogs.list"] = { types = filters.types_with { state = states }, run = list },
  ["dialogs.show"] = { types = { id = "integer", reveal = "boolean" }, run = show },
  ["dialogs.end"] = { types = filters.types_with { ids = "table", all = "boolean", state = states }, run = finish },
  ["dialogs.pause"] = { types = customer_types, run = set_paused(true) },
  ["dialogs.resume"] = { types = customer_types, run = set_paused(false) },
}

return dialogs
