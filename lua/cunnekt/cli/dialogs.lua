-- SPDX-License-Identifier: MIT
-- `cunnekt dialogs`: lists dialogs and what they wait for, ends and signals them, and pauses conversations for a person. The operations
-- are in operate/dialogs.lua; this file reads the options and prints.

local format = require "cunnekt.time.format"
local json = require "cunnekt.base.json"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local dialogs = {}

dialogs.help = [[
NAME
       cunnekt dialogs - list and end dialogs, pause them for a person

SYNOPSIS
       cunnekt dialogs list [--open | --broken | --paused] [FILTERS]
              [--limit N] [OPTIONS]
       cunnekt dialogs show ID [OPTIONS]
       cunnekt dialogs end (ID … | --all [--broken] [FILTERS]) [OPTIONS]
       cunnekt dialogs retry (ID … | --all [FILTERS]) [--new-script] [OPTIONS]
       cunnekt dialogs pause NUMBER [OPTIONS]
       cunnekt dialogs resume NUMBER [OPTIONS]
       cunnekt dialogs signal NUMBER NAME [VALUE] [--keep AGE] [OPTIONS]

DESCRIPTION
       A dialog waits for its customer, for a time or for a signal, also across
       restarts. One that failed, or that a changed script would run
       differently, is broken: it is kept with its error and step. The commands
       work with or without a host on the store; a running host obeys at once.

       list shows dialogs in the order of their start: all of them, only those
        that are --open, or only those that are --broken. A dialog is waiting;
        held, when the customer may not have got its question, because that
        message's delivery is uncertain (cunnekt outbox list); paused, when a
        person has the conversation; running; or broken. WAITS FOR also says
        when the question has not left yet. Below it shows the conversations
        that a person has, with --paused only those: since when, and how many
        messages have come.

       show prints one dialog and the steps of its journal; with --reveal also
       what was said, answered and kept.

       end deletes dialogs for good. Their customers are not told. Messages that
       a dialog had kept (unexpected = "queue") go to the script's handlers.

       pause hands a customer's conversation over to a person: its messages
       reach neither dialogs nor handlers, and its dialogs do not time out. The
       newest 200 of them are kept; cunnekt contacts show lists them. resume
       returns it to the bot: what was due meanwhile is due then, and what was
       kept is deleted, for a person has read it.

       signal does what bot:signal does: the dialog that waits for the signal
       NAME goes on, with VALUE: JSON, or else a text. With --keep the signal
       waits for a dialog that will ask for it. Where a customer has written to
       several business numbers, NUMBER is PHONE_NUMBER_ID:NUMBER.

       retry lets a broken dialog go on. The event at which it broke is handled
       again; where that is none any more, the dialog waits again for what it
       waited for. Its script is the one that it has: the one with which it
       began, unless bot:dialog says otherwise. With --new-script it goes on
       with the current script. What its journal has is replayed as far as the
       script still does the same. At the first step that differs the journal is
       cut: what was answered after it is discarded, and what the script does
       from there is new, so that a message may be sent a second time. If
       nothing fits, the dialog begins anew with its args. While a person has
       the conversation it stays broken: resume that first.

       A NUMBER is a customer's, however it is written, or their user id. With
       several business numbers it means all conversations; LINE:NUMBER, with
       the id of a business number as contacts list shows it, means one.

FILTERS
       --contact NUMBER
              Only dialogs with this customer.

       --older AGE, --newer AGE
              Only dialogs whose last step was longer ago, or since. An AGE is
              like 90s, 15m, 2h or 3d.

OPTIONS
       --limit N
              Show at most N dialogs (100).

       --all  With end: all dialogs that match the filters. With retry: all
              broken ones that do.

       --new-script
              With retry: go on with the current script.

       --keep AGE
              With signal: how long it waits, in seconds, or as 15m, 2h or 3d.

]] .. store_command.shown_help .. "\n" .. store_command.store_help .. [[

EXIT STATUS
       0      done
       1      there is no such dialog, or the store cannot be opened
       2      the command line was not understood

EXAMPLES
       cunnekt dialogs list --broken
       cunnekt dialogs show 17 --reveal
       cunnekt dialogs end --all --older 90d
       cunnekt dialogs retry 17 --new-script
       cunnekt dialogs pause 919999999999
       cunnekt dialogs signal 919999999999 paid '{"amount": 500}' --keep 1h
]]

-- ---- list, show --------------------------------------------------------------------------------------------------

local function state_of(parsed)
  return parsed.open and "open" or parsed.broken and "broken" or parsed.paused and "paused" or "all"
end

-- What a dialog waits for, and how far its question is when the customer may not have it.
local function waits_for(dialog)
  local question = dialog.question
  return question and ("%s, question %s"):format(dialog.waits_for, question.state) or dialog.waits_for
end

local function print_dialogs(result)
  local rows = {}
  for i, dialog in ipairs(result.dialogs) do
    rows[i] = {
      dialog.id, dialog.name, dialog.contact, dialog.state, waits_for(dialog), dialog.due and format.local_time(dialog.due),
      dialog.steps, format.age(dialog.changed_at), dialog.error,
    }
  end
  store_command.print_columns({ "ID", "NAME", "CONTACT", "STATE", "WAITS FOR", "UNTIL", "STEPS", "AGE", "ERROR" }, rows)
end

local function print_paused(result)
  local rows = {}
  for i, one in ipairs(result.paused) do
    rows[i] = { one.contact, one.paused_at and format.local_time(one.paused_at), one.messages, one.kept }
  end
  store_command.print_columns({ "PAUSED", "SINCE", "MESSAGES", "KEPT" }, rows)
end

local function print_list(result)
  local has_dialogs, has_paused = #result.dialogs > 0, result.paused ~= nil and #result.paused > 0 -- a host of an older version lists none
  if has_dialogs then
    print_dialogs(result)
  end
  if has_dialogs and has_paused then
    print ""
  end
  if has_paused then
    print_paused(result)
  elseif not has_dialogs then
    print "none"
  end
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

-- ---- end -----------------------------------------------------------------------------------------------------------

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

-- ---- retry -------------------------------------------------------------------------------------------------------

local function code_of_retry(result)
  return #result.missing + #result.not_broken + #(result.paused or {}) > 0 and 1 or 0
end

local function print_retried(result, session)
  if #result.retried > 0 then
    local when = session.is_running and "go on now" or "go on when a host runs"
    print(("%s will %s: %s"):format(words.count(#result.retried, "dialog"), when, words.list(result.retried)))
  elseif code_of_retry(result) == 0 then
    print "none"
  end
  store_command.complain("dialogs", "not broken: %s", result.not_broken)
  store_command.complain_of_paused("dialogs", result.paused)
  store_command.complain("dialogs", "there is no dialog %s", result.missing)
  return code_of_retry(result)
end

local function retry(parsed)
  if (#parsed.id > 0) == (parsed.all or false) then
    return usage.mistake("dialogs", "give the numbers of dialogs, or --all")
  elseif #parsed.id > 0 and (parsed.contact or parsed.older or parsed.newer) then
    return usage.mistake("dialogs", "filters go with --all")
  end
  local args = {
    ids = #parsed.id > 0 and parsed.id or nil, all = parsed.all, new_script = parsed.new_script, contact = parsed.contact,
    older = parsed.older, newer = parsed.newer,
  }
  return store_command.run("dialogs", parsed, "dialogs.retry", args, print_retried, code_of_retry)
end

-- ---- pause, resume -------------------------------------------------------------------------------------------------

local function hand_over(operation, sentence)
  return function(parsed)
    local args = { contact = parsed.number, reveal = parsed.reveal or false }
    return store_command.run("dialogs", parsed, operation, args, function(result)
      print(sentence:format(result.contact))
      if operation == "dialogs.resume" and result.messages > 0 then
        print(("%s came meanwhile; the bot does not handle what came then"):format(words.count(result.messages, "message")))
      end
    end)
  end
end

-- ---- signal ------------------------------------------------------------------------------------------------------

-- As JSON; what is not JSON stands for itself.
local function value_of(text)
  local value = text and json.decode(text)
  if value == json.null then
    return nil
  end
  return value == nil and text or value
end

local function print_signal(result, session)
  local sentence
  if result.is_awaited then
    sentence = "sent the signal '%s' to %s, whose dialog waits for it" .. (session.is_running and "" or "; it goes on when a host runs")
  elseif result.expires then
    sentence = "sent the signal '%s' to %s: it waits for a dialog until " .. format.local_time(result.expires)
  else
    sentence = "sent the signal '%s' to %s, but no dialog waits for it: it is dropped if none does when it is handled; --keep AGE keeps it"
  end
  print(sentence:format(words.plain(result.name), result.contact))
end

local function signal(parsed)
  local args = {
    contact = parsed.number, name = parsed.name, value = value_of(parsed.value), keep = parsed.keep, reveal = parsed.reveal or false,
  }
  if args.keep and args.keep <= 0 then
    return usage.mistake("dialogs", "--keep must be more than 0")
  end
  return store_command.run("dialogs", parsed, "dialogs.signal", args, print_signal)
end

-- ---- the command -------------------------------------------------------------------------------------------------

local function define_list(parser)
  parser:mutex(parser:flag "--open", parser:flag "--broken", parser:flag "--paused")
  parser:option("--limit"):convert(store_command.number)
  store_command.define_filters(parser)
end

local function define_end(parser)
  parser:argument("id"):args("*"):convert(store_command.number)
  parser:flag "--all"
  parser:flag "--broken"
  store_command.define_filters(parser)
end

local function define_retry(parser)
  parser:argument("id"):args("*"):convert(store_command.number)
  parser:flag "--all"
  parser:flag "--new-script"
  store_command.define_filters(parser)
end

local function define_number(parser)
  parser:argument "number"
end

local function define_signal(parser)
  parser:argument "number"
  parser:argument "name"
  parser:argument("value"):args "?"
  parser:option("--keep"):convert(format.read_age)
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
  retry = { define = define_retry, run = retry },
  pause = { define = define_number, run = hand_over("dialogs.pause", "a person has the conversation with %s now") },
  resume = { define = define_number, run = hand_over("dialogs.resume", "the bot has the conversation with %s again") },
  signal = { define = define_signal, run = signal },
}

---@param args string[]
---@return integer code
function dialogs.run(args)
  return store_command.run_verb("dialogs", dialogs.help, args, verbs, { "list", "show", "end", "retry", "pause", "resume", "signal" })
end

return dialogs
