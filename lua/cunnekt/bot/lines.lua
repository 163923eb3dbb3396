-- SPDX-License-Identifier: MIT
-- Whom a bot writes to first, and from which of its business numbers. A business number, here a line, is named by the
-- provider's phone_number_id; conversations, their state and their windows are per line. Which lines there are is known from
-- webhooks (dialog/dispatch.lua notes them) and from the store.

local identity = require "cunnekt.provider.identity"
local log = require "cunnekt.base.log"
local options = require "cunnekt.base.options"
local steps = require "cunnekt.engine.steps"
local task = require "cunnekt.base.task"

local lines = {}

-- So many are kept and named: more than one is too many to choose by itself, and webhooks may hold anything.
local max_lines = 16

---Notes a line.
---@param known table engine.lines: a list of ids, which are keys as well
---@param phone_number_id string
function lines.note(known, phone_number_id)
  if not known[phone_number_id] and #known < max_lines then
    known[#known + 1], known[phone_number_id] = phone_number_id, true
  end
end

-- Those of the store, which earlier processes wrote. Waits, once.
local function read(engine)
  local after = ""
  while #engine.lines < max_lines do
    local row = engine.store:read("next_contact", { after = after })[1]
    if not (row and row.contact) then
      break
    end
    local phone_number_id = identity.parts(row.contact)
    if phone_number_id ~= "" then
      lines.note(engine.lines, phone_number_id)
    end
    after = identity.behind(phone_number_id)
  end
  engine.has_read_lines = true
end

-- The only line that is known; nil when there is none. Raises when there are several.
local function only_line(engine, where, level)
  if not engine.has_read_lines then
    read(engine)
  end
  local choices = {}
  for _, one in ipairs(engine.lines) do
    if one ~= identity.sample_phone_number_id then
      choices[#choices + 1] = one
    end
  end
  if #choices > 1 then
    table.sort(choices)
    local message = "%s: customers write to several business numbers, so say from which one, by { phone_number_id = … } or by "
      .. "the option phone_number_id of cunnekt.bot; one of: %s"
    error(message:format(where, table.concat(choices, ", ")), level + 1)
  end
  return choices[1] or engine.lines[1]
end

local option_types = { phone_number_id = "string|integer" }

-- The line to write from: the one that is asked for, the one that the handler's customer wrote to, the bot's, the only one.
local function line_of(engine, where, opts, level)
  if type(opts) == "string" then
    opts = { phone_number_id = opts }
  end
  local wanted = options.check(where, opts, option_types, level + 2).phone_number_id
  if wanted then
    local id = identity.line(wanted)
    return id or error(where .. ": phone_number_id is not the id of a business number", level + 1)
  end
  local current = steps.current()
  local its_line = current and current.contact and identity.phone_number_id(current.contact)
  return its_line or engine.phone_number_id or only_line(engine, where, level + 1)
end

-- Whether somebody wrote from exactly this number. A step, since an answer may change what a replay would find.
local function has_written(engine, contact)
  return steps.within("known", contact, function()
    local store = engine.store
    return store:conversation(store.persons:conversation_of(contact)).last_inbound ~= nil
  end)
end

-- The recipient that a script means. Digits that the default country claims, or that look like no number, may be those of a
-- customer as a webhook gave them: who wrote from exactly that number is meant.
local function recipient_of(engine, line, to)
  local default_country = engine.client.numbers.default_country
  local number, err = identity.normalise(to, { default_country = default_country })
  if number and not default_country then
    return number
  end
  local written = identity.normalise(to) or identity.as_webhooks(to)
  if written and written ~= number and has_written(engine, identity.key(line, written)) then
    return written
  end
  return number, err
end

-- The conversation that a typed number or user id belongs to: by itself, or by the form in which numbers are compared. In a
-- coroutine of the script nothing can be asked.
local function conversation_of(engine, key)
  local persons, line, customer = engine.store.persons, identity.parts(key)
  local common = identity.key(line, identity.canonical(customer))
  if persons.has_aliases == false or (coroutine.isyieldable() and not task.can_yield()) then
    return common
  end
  local known = persons:conversation_of(key)
  return known ~= key and known or persons:conversation_of(common)
end

---Finds the conversation that a script names. May wait. Raises when the line is not clear.
---@param engine cunnekt.engine
---@param where string the function, for messages
---@param to string|number a number however it is written, or a user id
---@param opts? table|string phone_number_id
---@param level integer as in `error`
---@return string? contact the conversation's key
---@return string|cunnekt.error to as the provider takes it; or why there is none
---@return string? typed the key as the script names it, which does not change
function lines.find(engine, where, to, opts, level)
  local line = line_of(engine, where, opts, level + 1)
  local number, err = recipient_of(engine, line, to)
  if not number then
    return nil, err --[[@as cunnekt.error]]
  end
  local typed = identity.key(line, number)
  return conversation_of(engine, typed), number, typed
end

---Warns once when nobody knows from which line a dialog writes: webhooks will name it, and answers then miss the dialog.
---@param engine cunnekt.engine
---@param contact string
function lines.warn_of_unknown(engine, contact)
  if identity.phone_number_id(contact) or engine.has_warned_of_line then
    return
  end
  engine.has_warned_of_line = true
  log.warn "bot:start before the first webhook: set the option phone_number_id of cunnekt.bot, or answers miss the dialog"
end

return lines
