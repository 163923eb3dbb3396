-- SPDX-License-Identifier: MIT
-- `cunnekt dialogs`: lists dialogs and what they wait for, ends them, and pauses conversations for a person. The operations
-- are in operate/dialogs.lua; this file reads the options and prints.

local format = require "cunnekt.time.format"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local dialogs = {}

dialogs.help = [[
NAME
       cunnekt dialogs - list and end dialogs, pause them for a person

SYNOPSIS
       cunnekt dialogs list [--open | --broken] [FILTERS] [--limit N] [OPTIONS]
       cunnekt dialogs show ID [OPTIONS]
       cunnekt dialogs end (ID … | --all [--broken] [FILTERS]) [OPTIONS]
       cunnekt dialogs pause NUMBER [OPTIONS]
       cunnekt dialogs resume NUMBER [OPTIONS]

DESCRIPTION
       A dialog waits for its customer, for a time or for a signal, also across
       restarts. One that failed, or that a changed script would run
       differently, is broken: it is kept with its error and step. The commands
       work with or without a host on the store; a running host obeys at once.

       list shows dialogs in the order of their start: all of them, only those
       that are --open, or only those that are --broken. WAITS FOR says when the
       customer may not have the question: for example "question unknown" for
       one that is held because its delivery is uncertain, see cunnekt outbox.

       show prints one dialog and the steps of its journal; with --reveal also
       what was said, answered and kept.

       end deletes dialogs for good. Their customers are not told.

       pause hands a customer's conversation over to a person: its messages
       reach neither dialogs nor handlers, and its dialogs do not time out.
       resume returns it to the bot; what was due meanwhile is due then.

       A broken dialog resumes when the event at which it broke is retried, with
       cunnekt events retry.

FILTERS
       --contact NUMBER
              Only dialogs with this customer.

       --older AGE, --newer AGE
              Only dialogs whose last step was longer ago, or since. An AGE is
              like 90s, 15m, 2h or 3d.

OPTIONS
       --limit N
              Show at most N dialogs (100).

       --all  With end: all dialogs that match the filters.

]] .. store_command.shown_help .. "\n" .. store_command.store_help .. [[

EXIT STATUS
       0      done
       1      there is no such dialog, or the store cannot be opened
       2      the command line was not understood

EXAMPLES
       cunnekt dialogs list --broken
       cunnekt dialogs show 17 --reveal
       cunnekt dialogs end --all --older 90d
       cunnekt dialogs pause 919999999999
]]

-- ---- list, show --------------------------------------------------------------------------------------------------

local function state_of(parsed)
  return parsed.open and "open" or parsed.broken and "broken" or "all"
end

-- What a dialog waits for, and how far its question is when the customer may not have it.
local function waits_for(dialog)
  local question = dialog.question
  return question and ("%s, question %s"):format(dialog.waits_for, question.state) or dialog.waits_for
end

local function print_list(result)
  if #result.dialogs == 0 then
    print "none"
    return
  end
  local rows = {}
  for i, dialog in ipairs(result.dialogs) do
    rows[i] = {
      dialog.id, dialog.name, dialog.contact, dialog.state, waits_for(dialog), dialog.due and format.local_time(dialog.due),
      dialog.steps, format.age(dialog.changed_at), dialog.error,
    }
  end
  store_command.print_columns({ "ID", "NAME", "CONTACT", "STATE", "WAITS FOR", "UNTIL", "STEPS", "AGE", "ERROR" }, rows)
  if result.has_more then
    print "There are more; --limit N shows more of them."
  end
end

local function list(parsed)
  local args = {
    state = state_of(parsed), contact = parsed.contact, older = parsed.older, newer = parsed.newer, limit = parsed.limit,
    reveal = parsed.reveal or false,
  }
  return store_command.run("dialogs", parsed, "dialogs.list", args, print_list)
end

local function print_dialog(dialog)
  store_command.print_fields {
    { "dialog", dialog.id },
    { "name", dialog.name },
    { "contact", dialog.contact },
    { "state", dialog.state },
    { "waits for", dialog.waits_for },
    { "question", dialog.question and ("message %d is %s"):format(dialog.question.message, dialog.question.state) },
    { "until", dialog.due and format.local_time(dialog.due) },
    { "began", format.local_time(dialog.started_at) },
    { "last step", format.local_time(dialog.changed_at) },
    { "steps", dialog.steps },
    { "broke at", dialog.broke_at and "step " .. dialog.broke_at },
    { "event", dialog.event },
    { "was", dialog.was },
    { "is now", dialog.is_now },
  }
  if dialog.error then
    print("\n" .. (dialog.error:gsub("[^%C\n\t]", " ")))
  end
  local rows = {}
  for i, step in ipairs(dialog.journal) do
    rows[i] = { step.n, step.kind, step.what, step.result }
  end
  if #rows > 0 then
    print ""
    store_command.print_columns(rows[1][3] and { "STEP", "KIND", "WHAT", "RESULT" } or { "STEP", "KIND" }, rows)
  end
end

local function show(parsed)
  return store_command.run("dialogs", parsed, "dialogs.show", { id = parsed.id, reveal = parsed.reveal or false }, print_dialog)
end

-- ---- end, pause, resume ------------------------------------------------------------------------------------------

local function code_of(result)
  return #result.missing > 0 and 1 or 0
end

local function print_ended(result)
  if #result.ended > 0 then
    print(("ended %s: %s"):format(words.count(#result.ended, "dialog"), words.list(result.ended)))
  elseif #result.missing == 0 then
    print "none"
  end
  store_command.complain("dialogs", "there is no dialog %s", result.missing)
  return code_of(result)
end

local function finish(parsed)
  if (#parsed.id > 0) == (parsed.all or false) then
    return usage.mistake("dialogs", "give the numbers of dialogs, or --all")
  elseif #parsed.id > 0 and (parsed.contact or parsed.older or parsed.newer or parsed.broken) then
    return usage.mistake("dialogs", "filters go with --all")
  end
  local args = {
    ids = #parsed.id > 0 and parsed.id or nil, all = parsed.all, state = state_of(parsed), contact = parsed.contact,
    older = parsed.older, newer = parsed.newer,
  }
  return store_command.run("dialogs", parsed, "dialogs.end", args, print_ended, code_of)
end

local function hand_over(operation, sentence)
  return function(parsed)
    local args = { contact = parsed.number, reveal = parsed.reveal or false }
    return store_command.run("dialogs", parsed, operation, args, function(result)
      print(sentence:format(result.contact))
    end)
  end
end

-- ---- the command -------------------------------------------------------------------------------------------------

local function define_list(parser)
  parser:mutex(parser:flag "--open", parser:flag "--broken")
  parser:option("--limit"):convert(store_command.number)
  store_command.define_filters(parser)
end

local function define_end(parser)
  parser:argument("id"):args("*"):convert(store_command.number)
  parser:flag "--all"
  parser:flag "--broken"
  store_command.define_filters(parser)
end

local function define_number(parser)
  parser:argument "number"
end

local verbs = {
  list = { define = define_list, run = list },
  show = {
    define = function(parser)
      parser:argument("id"):convert(store_command.number)
    end,
    run = show,
  },
  ["end"] = { define = define_end, run = finish },
  pause = { define = define_number, run = hand_over("dialogs.pause", "a person has the conversation with %s now") },
  resume = { define = define_number, run = hand_over("dialogs.resume", "the bot has the conversation with %s again") },
}

---@param args string[]
---@return integer code
function dialogs.run(args)
  return store_command.run_verb("dialogs", dialogs.help, args, verbs, { "list", "show", "end", "pause", "resume" })
end

return dialogs
