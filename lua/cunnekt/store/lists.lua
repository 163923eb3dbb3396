-- SPDX-License-Identifier: MIT
-- What operators ask: lists and counts of events, messages and dialogs. A list is read in small steps, each a question of its
-- own, so that commits never wait long behind one. Nothing is changed here: that is `repair` of the store.

local core = require "cunnekt.core"
local dialogs = require "cunnekt.store.dialogs"
local formats = require "cunnekt.store.formats"
local identity = require "cunnekt.provider.identity"
local records = require "cunnekt.store.records"
local status_names = require "cunnekt.provider.status"

local lists = {}

-- ---- steps -----------------------------------------------------------------------------------------------------------

---@class cunnekt.store.filter
---@field contact? string a customer's number or user id, or the whole key of a conversation
---@field before? number only those that failed, were accepted or changed before that time
---@field after? number and not before that time
---@field limit? integer rows; all by default

-- A customer or key, with its number in the form in which numbers are compared.
local function common_form(who)
  local line, customer = core.contact_parts(who)
  return customer and identity.key(line, identity.canonical(customer)) or identity.canonical(who)
end

-- The parameters of a list: the filter's, and more.
local function parameters_of(filter, more)
  local parameters = {
    at = math.mininteger,
    contact = filter.contact,
    common = filter.contact and common_form(filter.contact),
    before = filter.before or math.huge,
    after = filter.after or -math.huge,
  }
  for name, value in pairs(more or {}) do
    parameters[name] = value
  end
  return parameters
end

-- Reads a list step by step; `on_row` returns true when there are enough.
local function walk(store, what, parameters, on_row)
  repeat
    local rows, err = store:query(what, parameters)
    if not rows then
      return nil, err
    end
    for _, row in ipairs(rows) do
      if row.contact ~= nil and on_row(row) then
        return true
      end
    end
    parameters.at = rows[1] and rows[1].next
  until not parameters.at
  return true
end

-- Appends to a list up to a limit.
local function append_to(list, limit, shape)
  return function(row)
    if #list < limit then
      list[#list + 1] = shape(row)
    end
    return #list >= limit
  end
end

-- ---- events ----------------------------------------------------------------------------------------------------------

local event_lists = { pending = "pending_events", dead = "dead_events" }

local function event_of(row)
  return {
    id = row.id,
    seq = row.seq,
    contact = row.contact,
    state = row.failed_at and "dead" or "pending",
    attempts = row.attempts,
    accepted_at = row.accepted_at,
    failed_at = row.failed_at,
    error = row.error,
    body = row.body,
  }
end

---The events of a state, on the whole in the order of acceptance. Waits.
---@param store cunnekt.open_store
---@param state "pending"|"dead"
---@param filter cunnekt.store.filter
---@param has_bodies? boolean
---@return table[]? events id, seq (of one, and of dead ones), contact, state, attempts, accepted_at, failed_at, error (truncated), body (nil for a large one)
---@return cunnekt.error? err kind store
function lists.events(store, state, filter, has_bodies)
  local list = {}
  local parameters = parameters_of(filter, { has_bodies = has_bodies and 1 or 0 })
  local ok, err = walk(store, event_lists[state], parameters, append_to(list, filter.limit or math.huge, event_of))
  return ok and list or nil, err
end

---One event, whatever its state. Waits.
---@param store cunnekt.open_store
---@param id integer
---@return table? event as in `events`, with the whole error and body; nil when there is none
---@return cunnekt.error? err kind store
function lists.event(store, id)
  local rows, err = store:query("event", { id = id })
  if not rows then
    return nil, err
  end
  return rows[1] and event_of(rows[1])
end

-- ---- messages --------------------------------------------------------------------------------------------------------

-- A bit for each of the named states that has a number; nil when none has.
local function bits_of(wanted, numbers)
  local bits
  for _, name in ipairs(wanted) do
    if numbers[name] then
      bits = (bits or 0) | 1 << numbers[name]
    end
  end
  return bits
end

-- Keeps the newest messages; they are read in no order.
local function keep_newest(list, limit)
  table.sort(list, function(a, b)
    return (a.changed_at or 0) > (b.changed_at or 0)
  end)
  for i = #list, limit + 1, -1 do
    list[i] = nil
  end
end

-- The newest accepted messages with these ranks.
local function accepted_messages(store, ranks, filter, limit)
  local list = {}
  local ok, err = walk(store, "accepted_messages", parameters_of(filter, { ranks = ranks }), function(row)
    list[#list + 1] = records.listed_message(row)
    if #list > 2 * limit + 1000 then
      keep_newest(list, limit)
    end
  end)
  keep_newest(list, limit)
  return ok and list or nil, err
end

---The messages of some states: first those in the outbox, on the whole in the order of the script's calls, then the newest
---accepted ones. Waits.
---@param store cunnekt.open_store
---@param wanted string[] queued sending unknown rejected failed accepted sent delivered read played
---@param filter cunnekt.store.filter
---@return table[]? messages id, contact, state, attempts, changed_at, error, payload, track, unknown, event, next_try; message_id
---@return cunnekt.error? err kind store
function lists.messages(store, wanted, filter)
  local list, limit = {}, filter.limit or math.huge
  local states, ranks = bits_of(wanted, status_names.outbox_numbers), bits_of(wanted, status_names.ranks)
  if states then
    local append = append_to(list, limit, records.listed_message)
    local ok, err = walk(store, "outbox_messages", parameters_of(filter, { states = states }), append)
    if not ok then
      return nil, err
    end
  end
  if ranks and #list < limit then
    local accepted, err = accepted_messages(store, ranks, filter, limit - #list)
    if not accepted then
      return nil, err
    end
    table.move(accepted, 1, #accepted, #list + 1, list)
  end
  return list
end

---One message, by its id or by the provider's. Waits.
---@param store cunnekt.open_store
---@param id integer|string
---@return table? message as in `messages`; nil when there is none
---@return cunnekt.error? err kind store
function lists.message(store, id)
  local rows, err
  if type(id) == "string" then
    rows, err = store:query("accepted_message_details", { message_id = id })
  else
    rows, err = store:query("message_details", { id = id })
  end
  if not rows then
    return nil, err
  end
  return rows[1] and records.listed_message(rows[1])
end

---A queued message as a row for the outbox. Waits.
---@param store cunnekt.open_store
---@param id integer
---@return cunnekt.outbox.row? row nil when it is not queued
---@return cunnekt.error? err kind store
function lists.queued_message(store, id)
  local rows, err = store:query("queued_message", { id = id })
  if not rows then
    return nil, err
  end
  return rows[1] and records.outgoing(rows[1])
end

-- ---- dialogs ---------------------------------------------------------------------------------------------------------

local is_broken = { open = 0, broken = 1 }

local function started_before(a, b)
  if a.started_at ~= b.started_at then
    return a.started_at < b.started_at
  end
  return a.id < b.id
end

---Dialogs, in the order of their start. Waits.
---@param store cunnekt.open_store
---@param state "open"|"broken"|"all"
---@param filter cunnekt.store.filter
---@return table[]? dialogs id, contact, name, steps, started_at, changed_at, waiting, due, error
---@return cunnekt.error? err kind store
function lists.dialogs(store, state, filter)
  local list = {}
  local parameters = parameters_of(filter, { is_broken = is_broken[state] })
  local ok, err = walk(store, "dialogs", parameters, append_to(list, filter.limit or math.huge, records.dialog))
  table.sort(list, started_before)
  return ok and list or nil, err
end

---One dialog with its journal. Waits; raises when the store cannot be read.
---@param store cunnekt.open_store
---@param id integer
---@return table? dialog with journal: n, mark, result; nil when there is none
function lists.dialog(store, id)
  local dialog = dialogs.find(store, id)
  if not dialog then
    return nil
  end
  dialog.journal = {}
  for n, step in pairs(dialogs.journal(store, id)) do
    table.insert(dialog.journal, { n = n, mark = step.mark, result = step.result })
  end
  table.sort(dialog.journal, function(a, b)
    return a.n < b.n
  end)
  return dialog
end

---Conversations that a person has, those of the longest pause first. Waits.
---@param store cunnekt.open_store
---@param filter cunnekt.store.filter before, after: of the pause's begin
---@return table[]? conversations contact, paused_at (nil for a pause of an older version), messages (that came since), kept (of them)
---@return cunnekt.error? err kind store
function lists.paused(store, filter)
  return store:query("paused", parameters_of(filter, { limit = filter.limit or math.maxinteger }))
end

---How many conversations a person has. Waits.
---@param store cunnekt.open_store
---@return {conversations: integer, since: number?, messages: integer}? paused since: the oldest pause; messages: that came meanwhile
---@return cunnekt.error? err kind store
function lists.count_paused(store)
  local rows, err = store:query "count_paused"
  return rows and rows[1] or nil, err
end

---What open dialogs began with. Waits.
---@param store cunnekt.open_store
---@return {name: string, code: string?, dialogs: integer}[]? list a row for each name and code, in no order
---@return cunnekt.error? err kind store
function lists.dialog_scripts(store)
  local parameters, list, by_key = { at = math.mininteger }, {}, {}
  repeat
    local rows, err = store:query("dialog_scripts", parameters)
    if not rows then
      return nil, err
    end
    for _, row in ipairs(rows) do
      local key = row.name and ("%d %s%s"):format(#row.name, row.name, row.code or "")
      local known = key and by_key[key]
      if known then
        known.dialogs = known.dialogs + row.dialogs
      elseif key then
        by_key[key] = { name = row.name, code = row.code, dialogs = row.dialogs }
        list[#list + 1] = by_key[key]
      end
    end
    parameters.at = rows[1] and rows[1].next
  until not parameters.at
  return list
end

-- ---- persons ---------------------------------------------------------------------------------------------------------

---Persons, in the order of their conversations' keys. Waits.
---@param store cunnekt.open_store
---@param filter cunnekt.store.filter before, after: of when they last wrote
---@return table[]? contacts contact, last_inbound, paused, number, user_id, name, username
---@return cunnekt.error? err kind store
function lists.contacts(store, filter)
  local list = {}
  local ok, err = walk(store, "contacts", parameters_of(filter), append_to(list, filter.limit or math.huge, function(row)
    return row
  end))
  return ok and list or nil, err
end

-- The questions that find who has written; and whomever there is anything of, which scan all messages.
local who_wrote = { has = "has_conversation", next = "next_contact" }
local who_is_known = { has = "has_contact", next = "next_known_contact" }

-- The first of these ids, in the form of keys, that leads to somebody; nil when none does.
local function first_of(store, keys, questions)
  for _, key in ipairs(keys) do
    local contact = store.persons:conversation_of(key)
    local rows, err = store:query(questions.has, { contact = contact })
    if not rows then
      return nil, err
    elseif rows[1] then
      return contact
    end
  end
  return nil
end

---A customer's conversations: one for each business number that they wrote to, or the one that is named. Waits.
---@param store cunnekt.open_store
---@param who string a number in any of its forms or a user id, or the key of a conversation
---@param with_silent? boolean also those in which only the bot wrote; slow, for all messages are looked at
---@return string[]? contacts
---@return cunnekt.error? err kind store
function lists.contacts_of(store, who, with_silent)
  local questions = with_silent and who_is_known or who_wrote
  local common, _, customer = common_form(who), core.contact_parts(who)
  if customer then
    local contact, problem = first_of(store, { who, common }, questions)
    return not problem and { contact } or nil, problem
  end
  local contacts, after = {}, ""
  while true do
    local rows, err = store:query(questions.next, { after = after })
    local first = rows and rows[1] and rows[1].contact
    if not first then
      return rows and contacts or nil, err
    end
    local line = identity.parts(first)
    local contact
    contact, err = first_of(store, { identity.key(line, who), identity.key(line, common) }, questions)
    if err then
      return nil, err
    end
    contacts[#contacts + 1] = contact
    after = core.contact_behind(line)
  end
end

-- ---- the whole -------------------------------------------------------------------------------------------------------

-- The only row of a question.
local function one(store, what)
  local rows, err = store:query(what)
  return rows and rows[1] or nil, err
end

---The numbers of dead letters and undelivered messages. Cheap, because there are few. Waits.
---@param store cunnekt.open_store
---@return {dead: integer, unknown: integer, rejected: integer, failed: integer}? counts
---@return cunnekt.error? err kind store
function lists.count_dead_letters(store)
  local is_older = store.version and store.version < formats.schema_version -- and only read
  return one(store, is_older and "scan_dead_letters" or "count_dead_letters")
end

---The numbers of waiting events and messages. Scans both, so not for a running host, which has counters. Waits.
---@param store cunnekt.open_store
---@return {pending: integer, queued: integer}? counts
---@return cunnekt.error? err kind store
function lists.count_waiting(store)
  return one(store, "count_waiting")
end

---The hosts that are connected to a database, the one that has it first. Waits.
---@param store cunnekt.open_store
---@return {name: string, address: string, has_store: integer, since: number, beat: number}[]? rows
---@return cunnekt.error? err kind store
function lists.nodes(store)
  return store:query "nodes"
end

---The latest time in the store. Waits.
---@param store cunnekt.open_store
---@return number? seconds since 1970; nil when there is none
---@return cunnekt.error? err kind store
function lists.latest_time(store)
  local row, err = one(store, "latest_time")
  local latest = row and row.latest
  return latest and latest > 0 and latest or nil, err
end

---Checks the integrity of the whole store. Waits, and blocks everything else.
---@param store cunnekt.open_store
---@return string[]? problems empty when there are none
---@return cunnekt.error? err kind store
function lists.check_integrity(store)
  local rows, err = store:query "check"
  if not rows then
    return nil, err
  end
  local problems = {}
  for _, row in ipairs(rows) do
    local _, text = next(row)
    if text ~= "ok" then
      problems[#problems + 1] = text
    end
  end
  return problems
end

---What the store is made with, and its size. Waits.
---@param store cunnekt.open_store
---@return {engine: string, bytes: integer}? facts engine: such as "SQLite 3.40.1"
---@return cunnekt.error? err kind store
function lists.facts(store)
  return one(store, "facts")
end

return lists
