-- SPDX-License-Identifier: MIT
-- `cunnekt contacts`: lists persons, shows one by any of their ids, exports and forgets what is stored of one. The operations are
-- in operate/contacts.lua; this file reads the options and prints.

local format = require "cunnekt.time.format"
local json = require "cunnekt.base.json"
local store_command = require "cunnekt.cli.store_command"
local words = require "cunnekt.base.words"

local contacts = {}

contacts.help = [[
NAME
       cunnekt contacts - list persons, export or forget what is stored of one

SYNOPSIS
       cunnekt contacts list [--older AGE] [--newer AGE] [--limit N] [OPTIONS]
       cunnekt contacts show ID [OPTIONS]
       cunnekt contacts export ID [OPTIONS]
       cunnekt contacts forget ID --yes [OPTIONS]

DESCRIPTION
       A person is one conversation, whatever ids they come with: a number, a
       user id, a number in another form, an earlier number. An ID is any of
       them, and means their conversations with all of the business's numbers;
       LINE:ID, with a LINE that list shows, means one. The commands work with
       or without a host on the store.

       list shows who wrote, and when they last did.

       show prints what is known of a person, their other ids, and how much is
       stored of them; and what is kept for their conversation: messages that
       came while a person has it, and signals that no dialog has asked for yet.

       export prints all that is stored of a person as JSON, numbers and texts
       included: state, events, messages and dialogs.

       forget deletes all of that, and says what it was. It needs --yes, for it
       cannot be undone. Messages that are being sent stay until they are
       answered; run it again then. What the script keeps elsewhere, in
       bot.store, jobs or files, is the script's to delete.

FILTERS
       --older AGE, --newer AGE
              Only persons who last wrote longer ago, or since. An AGE is like
              90s, 15m, 2h or 3d.

OPTIONS
       --limit N
              Show at most N persons (100).

       --yes  Forget.

]] .. store_command.shown_help .. "\n" .. store_command.store_help .. [[

EXIT STATUS
       0      done
       1      there is no such person, or the store cannot be used
       2      the command line was not understood

EXAMPLES
       cunnekt contacts list --newer 1d
       cunnekt contacts show 919999999999
       cunnekt contacts export 919999999999 > export.json
       cunnekt contacts forget IN.1349120865530274 --yes
]]

local function print_list(result)
  if #result.contacts == 0 then
    print "none"
    return
  end
  local rows = {}
  for i, contact in ipairs(result.contacts) do
    rows[i] = {
      contact.contact, contact.user_id, contact.name, contact.phone_number_id, format.age(contact.last_inbound),
      contact.window > 0 and "open" or "closed", contact.is_paused and "paused" or "",
    }
  end
  store_command.print_columns({ "CONTACT", "USER ID", "NAME", "LINE", "LAST WROTE", "WINDOW", "" }, rows)
  if result.has_more then
    print "There are more; --limit N shows more of them."
  end
end

local function list(parsed)
  local args = { older = parsed.older, newer = parsed.newer, limit = parsed.limit, reveal = parsed.reveal or false }
  return store_command.run("contacts", parsed, "contacts.list", args, print_list)
end

-- How much there is of a person, in words.
local function amount(counts)
  local kept = counts.kept > 0 and ", " .. words.count(counts.kept, "kept event") or ""
  return ("%s, %s, %s%s"):format(words.count(counts.messages, "message"), words.count(counts.events, "event"),
    words.count(counts.dialogs, "dialog"), kept)
end

local function paused(pause)
  if not pause then
    return nil
  end
  local since = pause.paused_at and " since " .. format.local_time(pause.paused_at) or ""
  local missing = pause.not_kept > 0 and (", of which the %d oldest are not kept"):format(pause.not_kept) or ""
  return ("a person has the conversation%s; %s came%s"):format(since, words.count(pause.messages, "message"), missing)
end

local function print_kept(contact)
  local rows = {}
  for i, message in ipairs(contact.messages) do
    rows[i] = { format.local_time(message.kept_at), message.what, message.text }
  end
  if #rows > 0 then
    print ""
    store_command.print_columns({ "CAME", "MESSAGE", "TEXT" }, rows)
  end
  rows = {}
  for i, signal in ipairs(contact.signals) do
    rows[i] = { format.local_time(signal.kept_at), signal.name, format.local_time(signal.expires), signal.value and json.encode(signal.value) }
  end
  if #rows > 0 then
    print ""
    store_command.print_columns({ "CAME", "SIGNAL", "UNTIL", "VALUE" }, rows)
  end
end

local function print_one(contact)
  store_command.print_fields {
    { "contact", contact.contact },
    { "line", contact.phone_number_id },
    { "number", contact.number },
    { "user id", contact.user_id },
    { "other ids", #contact.other_ids > 0 and table.concat(contact.other_ids, ", ") or nil },
    { "name", contact.name },
    { "username", contact.username },
    { "last wrote", contact.last_inbound and format.local_time(contact.last_inbound) },
    { "window", contact.window > 0 and ("open for %d minutes"):format(contact.window // 60) or "closed" },
    { "paused", paused(contact.pause) },
    { "stored", amount(contact.counts) },
  }
  print_kept(contact)
end

local function show(parsed)
  local args = { contact = parsed.id, reveal = parsed.reveal or false }
  return store_command.run("contacts", parsed, "contacts.show", args, function(result)
    for i, contact in ipairs(result.contacts) do
      if i > 1 then
        print()
      end
      print_one(contact)
    end
  end)
end

local function export(parsed)
  return store_command.run("contacts", parsed, "contacts.export", { contact = parsed.id }, function(result)
    io.stdout:write(json.encode(result), "\n")
  end)
end

local function forget(parsed)
  if not parsed.yes then
    io.stderr:write("cunnekt contacts: forget deletes all that is stored of a person, for ever; repeat it with --yes\n")
    return 1
  end
  local function code_of(result)
    local sending = 0
    for _, contact in ipairs(result.contacts) do
      sending = sending + contact.counts.sending
    end
    return sending > 0 and 1 or 0
  end
  return store_command.run("contacts", parsed, "contacts.forget", { contact = parsed.id, reveal = parsed.reveal }, function(result)
    for _, contact in ipairs(result.contacts) do
      print(("forgot %s: %s"):format(contact.contact, amount(contact.counts)))
    end
    local code = code_of(result)
    if code > 0 then
      io.stderr:write("cunnekt contacts: a message is being sent; run this again when it is answered\n")
    end
    return code
  end, code_of)
end

-- ---- the command -------------------------------------------------------------------------------------------------------

local function define_id(parser)
  parser:argument "id"
end

local verbs = {
  list = {
    define = function(parser)
      parser:option("--older"):convert(format.read_age)
      parser:option("--newer"):convert(format.read_age)
      parser:option("--limit"):convert(store_command.number)
    end,
    run = list,
  },
  show = { define = define_id, run = show },
  export = { define = define_id, run = export },
  forget = {
    define = function(parser)
      define_id(parser)
      parser:flag "--yes"
    end,
    run = forget,
  },
}

---@param args string[]
---@return integer code
function contacts.run(args)
  return store_command.run_verb("contacts", contacts.help, args, verbs, { "list", "show", "export", "forget" })
end

return contacts
