-- SPDX-License-Identifier: MIT
-- Rules about names that a script gives in one place and uses in another one: dialogs, functions of jobs, jobs, signals. Where
-- a name is computed, or files that are not read may register some, only what is nearly right is reported.

local options = require "cunnekt.base.options"
local typed = require "cunnekt.bot.typed"
local words = require "cunnekt.cli.check.words"

local names = {}

local function text_of(value)
  return value and value.kind == "string" and value.value or nil
end

-- The names that calls of a method give, with the notes and the line of the first one; and whether some are computed.
local function collect(all, method, place)
  local known, is_open = {}, all.has_unread
  for _, notes in ipairs(all) do
    for _, call in ipairs(notes.calls) do
      if (call.member or call.method) == method then
        local name = text_of(call.args[place(call)])
        if name then
          known[name] = known[name] or { notes = notes, line = call.line }
        else
          is_open = true
        end
      end
    end
  end
  return known, is_open
end

local function first()
  return 1
end

-- A job's name stands before its function.
local function job_place(call)
  return #call.args - 1
end

local uses = {
  ["cunnekt.message"] = { start = 1 },
  ["cunnekt.event.message"] = { start = 1 },
  ["cunnekt.event.any"] = { start = 1 },
  ["cunnekt.chat"] = { start = 1, call = 1, cancel = 1 },
  ["cunnekt.bot"] = { start = 2 },
}

local function check_dialogs(notes, all, report)
  local known, is_open = collect(all, "dialog", first)
  local list = words.names(known)
  for _, call in ipairs(notes.calls) do
    local place = uses[call.class] and uses[call.class][call.member]
    local name = place and text_of(call.args[place])
    if name and not known[name] then
      local hint = words.hint(name, list)
      if not is_open or hint ~= "" then
        hint = hint == "" and not list[1] and " (bot:dialog registers one)" or hint
        report(call.line, ("%s: there is no dialog '%s'%s"):format(call.name, name, hint))
      end
    elseif call.class == "cunnekt.bot" and call.member == "dialog" and call.level == 0 then
      local its_name = text_of(call.args[1])
      local before = its_name and known[its_name]
      if before and before.notes == notes and before.line ~= call.line then
        report(call.line, ("bot:dialog: there is a dialog '%s' in line %d already, which this one replaces"):format(its_name, before.line))
      end
    end
  end
end

local plans = { after = true, every = true, daily = true, cron = true }

local function check_jobs(notes, all, report)
  local functions, is_open = collect(all, "job", first)
  local planned = {}
  for method in pairs(plans) do
    for name in pairs((collect(all, method, job_place))) do
      planned[name] = true
    end
  end
  local list = words.names(planned)
  for _, call in ipairs(notes.calls) do
    local fn = call.class == "cunnekt.bot" and plans[call.member] and #call.args >= 3 and text_of(call.args[#call.args])
    if fn and not functions[fn] then
      local hint = words.hint(fn, words.names(functions))
      if not is_open or hint ~= "" then
        report(call.line, ("%s: there is no bot:job '%s'%s"):format(call.name, fn, hint))
      end
    end
    local cancelled = call.class == "cunnekt.bot" and call.member == "cancel_job" and text_of(call.args[1])
    if cancelled and not planned[cancelled] and options.suggest(cancelled, list) then
      report(call.line, ("bot:cancel_job: no job is called '%s'%s"):format(cancelled, words.hint(cancelled, list)))
    end
  end
end

-- The words of a bot:global.
local function words_of(value)
  local found = {}
  for _, one in ipairs(value and value.kind == "table" and value.items or { value }) do
    found[#found + 1] = text_of(one)
  end
  return found
end

-- A command, or a function of jobs, that another one of the same name replaces, where both surely run.
local function check_replaced(notes, report)
  local before = { global = {}, job = {} }
  for _, call in ipairs(notes.calls) do
    local known = call.class == "cunnekt.bot" and call.level == 0 and before[call.member]
    for _, word in ipairs(known and words_of(call.args[1]) or {}) do
      local name = call.member == "global" and typed.plain(word) or word
      if known[name] and known[name] ~= call.line then
        local text = "bot:%s: there is one for '%s' in line %d already, which this one replaces"
        report(call.line, text:format(call.member, word, known[name]))
      end
      known[name] = call.line
    end
  end
end

-- A job that another one of the same name replaces, where both surely run.
local function check_twins(notes, report)
  local before = {}
  for _, call in ipairs(notes.calls) do
    local is_plan = call.class == "cunnekt.bot" and plans[call.member] and call.level == 0 and #call.args >= 3
    local name = is_plan and text_of(call.args[job_place(call)])
    if name and before[name] and before[name] ~= call.line then
      report(call.line, ("%s: there is a job '%s' in line %d already, which this one replaces"):format(call.name, name, before[name]))
    elseif name then
      before[name] = call.line
    elseif call.class == "cunnekt.bot" and call.member == "cancel_job" then
      before = {}
    end
  end
end

local is_customers = {
  ["cunnekt.message"] = true, ["cunnekt.event.message"] = true, ["cunnekt.event.any"] = true, ["cunnekt.chat"] = true,
}

-- Whether a call does something for the customer of a handler around the job, and not for somebody who is named.
local function is_for_customer(call)
  return is_customers[call.class] and call.subject and call.subject ~= "bot:chat" and call.subject ~= "job"
end

-- The fields that say which customer it is.
local says_who = { from = true, to = true, user_id = true, number = true, recipient = true, chat = true }

-- Whether a job is about one customer: by what its function does, or by its args.
local function has_customer(call, notes)
  local fn, opts = call.args[#call.args], call.args[2]
  for at = fn and fn.first_call or 1, fn and fn.last_call or 0 do
    if is_for_customer(notes.calls[at]) then
      return true
    end
  end
  for _, field in ipairs(opts and opts.kind == "table" and opts.fields or {}) do
    local value = field.name == "args" and field.value
    for _, one in ipairs(value and value.kind == "table" and value.fields or { { value = value } }) do
      local name = one.value and one.value.kind == "object" and one.value.name or ""
      local owner, last = name:match "^(%a+)%..-([%a_]+)$"
      if (owner == "msg" or owner == "chat" or owner == "event") and says_who[last] then
        return true
      end
    end
  end
  return false
end

-- Jobs that handlers schedule for their customers, all by one name.
local function check_customers_jobs(notes, report)
  local text = "%s: '%s' is one job for all customers, and the next customer's replaces it; put the customer into the name, as in \"%s \" .. msg.chat.to"
  for _, call in ipairs(notes.calls) do
    local is_plan = call.class == "cunnekt.bot" and plans[call.member] and call.level > 0 and #call.args >= 3
    local name = is_plan and text_of(call.args[job_place(call)])
    if name and has_customer(call, notes) then
      report(call.line, text:format(call.name, name, name))
    end
  end
end

-- The signals that some file waits for.
local function signals_of(all)
  local wanted = {}
  for _, notes in ipairs(all) do
    for _, call in ipairs(notes.calls) do
      local first_arg = call.member == "wait" and call.args[1]
      for _, field in ipairs(first_arg and first_arg.fields or {}) do
        local name = field.name == "signal" and text_of(field.value)
        if name then
          wanted[name] = true
        end
      end
    end
  end
  return wanted
end

local function check_signals(notes, all, report)
  local wanted = signals_of(all)
  local list = words.names(wanted)
  for _, call in ipairs(notes.calls) do
    local name = call.class == "cunnekt.bot" and call.member == "signal" and text_of(call.args[2])
    if name and not wanted[name] and options.suggest(name, list) then
      report(call.line, ("bot:signal: no chat:wait is for the signal '%s'%s"):format(name, words.hint(name, list)))
    end
  end
end

---@param notes cunnekt.check.notes of a file
---@param all {[integer]: cunnekt.check.notes, has_unread: boolean} of all files of the script
---@param report fun(line: integer, message: string)
function names.check(notes, all, report)
  check_dialogs(notes, all, report)
  check_jobs(notes, all, report)
  check_twins(notes, report)
  check_replaced(notes, report)
  check_customers_jobs(notes, report)
  check_signals(notes, all, report)
end

return names
