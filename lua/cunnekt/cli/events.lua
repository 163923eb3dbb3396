-- SPDX-License-Identifier: MIT
-- `cunnekt events`: lists dead letters and waiting events, retries and drops them. The operations are in operate/events.lua;
-- this file reads the options and prints.

local format = require "cunnekt.time.format"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local events = {}

events.help = [[
NAME
       cunnekt events - list dead letters and waiting events, retry or drop them

SYNOPSIS
       cunnekt events list [--dead | --pending | --all | --state STATE]
              [FILTERS] [--limit N] [OPTIONS]
       cunnekt events show SEQ [OPTIONS]
       cunnekt events retry (SEQ … | --all [FILTERS]) [--new-script] [OPTIONS]
       cunnekt events drop (SEQ … | --all [FILTERS]) [OPTIONS]

DESCRIPTION
       An event whose handler keeps failing becomes a dead letter: it is stored
       with its traceback until it is retried or dropped. The commands work with
       or without a host on the store; a running host obeys at once.

       list shows events in the order of their arrival: dead letters, with
       --pending those that wait or are being handled, with --all both. --state
       dead, --state pending and --state all are the same.

       show prints one event with its traceback; with --reveal its body too.

       retry makes dead letters wait again, with all their attempts before them
       and ahead of all other events of their contact. Fix the script first. A
       pending event that waits for its next attempt is handled at once. An
       event at which a dialog, or a handler that waits, broke continues it with
       the script that it has; with --new-script with the current one, as
       cunnekt dialogs retry --new-script does. While a person has their
       conversation they stay dead letters: resume it first.

       drop deletes events for good. It prints what it deletes, but does not
       ask.

FILTERS
       --contact NUMBER
              Only events of this customer, by any of their ids; LINE:NUMBER
              for those of one business number.

       --older AGE, --newer AGE
              Only events that became dead letters (pending ones: that were
              accepted) longer ago, or since. An AGE is like 90s, 15m, 2h or 3d.

OPTIONS
       --limit N
              Show at most N events (100).

       --all  With retry and drop: all dead letters that match the filters.

]] .. store_command.shown_help .. "\n" .. store_command.store_help .. [[

EXIT STATUS
       0      done
       1      there is no such event, or the store cannot be opened
       2      the command line was not understood

EXAMPLES
       cunnekt events list --newer 1h
       cunnekt events show 4711 --reveal
       cunnekt events retry --all --newer 1h
       cunnekt events list --json | jq '.events[].error'
]]

-- ---- list, show --------------------------------------------------------------------------------------------------

local longest_error = 70

local function shorten(text)
  if text and utf8.len(text) and utf8.len(text) > longest_error then
    return text:sub(1, utf8.offset(text, longest_error) - 1) .. "…"
  end
  return text
end

local function print_list(result, parsed)
  if #result.events == 0 then
    print "none"
    return
  end
  local headings = { "SEQ", "STATE", "CONTACT", "WHAT", "TRIES", "AGE" }
  headings[#headings + 1] = parsed.reveal and "TEXT" or nil
  headings[#headings + 1] = "ERROR"
  local rows = {}
  for i, event in ipairs(result.events) do
    local row = {
      event.seq, event.state, event.contact, event.what, event.attempts, format.age(event.failed_at or event.accepted_at),
    }
    if parsed.reveal then
      row[7] = shorten(event.text) or "-"
    end
    row[#headings] = shorten(event.error)
    rows[i] = row
  end
  store_command.print_columns(headings, rows)
  if result.has_more then
    print "There are more; --limit N shows more of them."
  end
end

local function list(parsed)
  local state = parsed.state or parsed.pending and "pending" or parsed.all and "all" or "dead"
  local args = {
    state = state, contact = parsed.contact, older = parsed.older, newer = parsed.newer, limit = parsed.limit,
    reveal = parsed.reveal or false,
  }
  return store_command.run("events", parsed, "events.list", args, function(result)
    print_list(result, parsed)
  end)
end

local function show(parsed)
  return store_command.run("events", parsed, "events.show", { seq = parsed.seq, reveal = parsed.reveal or false }, function(event)
    store_command.print_fields {
      { "event", event.seq },
      { "state", event.state },
      { "contact", event.contact },
      { "what", event.what },
      { "tries", event.attempts },
      { "accepted", event.accepted_at and format.local_time(event.accepted_at) },
      { "failed", event.failed_at and format.local_time(event.failed_at) },
      { "body", ("%d bytes%s"):format(event.bytes, event.body and "" or "; --reveal shows them") },
    }
    for _, text in ipairs { event.error or "", event.body or "" } do
      if text ~= "" then
        print("\n" .. (text:gsub("[^%C\n\t]", " ")))
      end
    end
  end)
end

-- ---- retry, drop -------------------------------------------------------------------------------------------------

local function choose(parsed)
  if (#parsed.seq > 0) == (parsed.all or false) then
    return nil, "give the numbers of events, or --all"
  elseif #parsed.seq > 0 and (parsed.contact or parsed.older or parsed.newer) then
    return nil, "filters go with --all"
  end
  return {
    seqs = #parsed.seq > 0 and parsed.seq or nil,
    all = parsed.all,
    new_script = parsed.new_script,
    contact = parsed.contact,
    older = parsed.older,
    newer = parsed.newer,
  }
end

local function code_of(result)
  return #result.missing + #(result.busy or result.paused or {}) > 0 and 1 or 0
end

local function print_retried(result, session)
  if #result.retried > 0 then
    print(("%s will be handled again%s: %s"):format(
      words.count(#result.retried, "event"),
      session.is_running and " now" or " when a host runs",
      words.list(result.retried)
    ))
  elseif code_of(result) == 0 and #result.waiting == 0 then
    print "none"
  end
  if #result.mended > 0 then
    print("dialogs that broke at these go on with the current script: " .. words.list(result.mended))
  end
  store_command.complain("events", "already waiting: %s", result.waiting)
  store_command.complain_of_paused("events", result.paused)
  store_command.complain("events", "there is no event %s", result.missing)
  return code_of(result)
end

local function print_dropped(result)
  if #result.dropped > 0 then
    print(("dropped %s: %s"):format(words.count(#result.dropped, "event"), words.list(result.dropped)))
  elseif #result.missing == 0 and #result.busy == 0 then
    print "none"
  end
  store_command.complain("events", "being handled now, too late to drop: %s", result.busy)
  store_command.complain("events", "there is no event %s", result.missing)
  return code_of(result)
end

local function change(operation, print_result)
  return function(parsed)
    local args, problem = choose(parsed)
    if not args then
      return usage.mistake("events", problem)
    end
    return store_command.run("events", parsed, operation, args, print_result, code_of)
  end
end

-- ---- the command -------------------------------------------------------------------------------------------------

local function define_list(parser)
  local state = parser:option("--state"):choices { "dead", "pending", "all" }
  parser:mutex(parser:flag "--dead", parser:flag "--pending", parser:flag "--all", state)
  parser:option("--limit"):convert(store_command.number)
  store_command.define_filters(parser)
end

local function define_change(parser)
  parser:argument("seq"):args("*"):convert(store_command.number)
  parser:flag "--all"
  store_command.define_filters(parser)
end

local function define_retry(parser)
  define_change(parser)
  parser:flag "--new-script"
end

local verbs = {
  list = { define = define_list, run = list },
  show = {
    define = function(parser)
      parser:argument("seq"):convert(store_command.number)
    end,
    run = show,
  },
  retry = { define = define_retry, run = change("events.retry", print_retried) },
  drop = { define = define_change, run = change("events.drop", print_dropped) },
}

---@param args string[]
---@return integer code
function events.run(args)
  return store_command.run_verb("events", events.help, args, verbs, { "list", "show", "retry", "drop" })
end

return events
