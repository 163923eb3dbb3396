-- SPDX-License-Identifier: MIT
-- `cunnekt outbox`: lists messages and their states, sends dead letters again, drops messages. The operations are in
-- operate/messages.lua; this file reads the options and prints.

local format = require "cunnekt.time.format"
local json = require "cunnekt.base.json"
local status = require "cunnekt.provider.status"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local outbox = {}

outbox.help = [[
NAME
       cunnekt outbox - list messages, retry or drop those that failed

SYNOPSIS
       cunnekt outbox list [--state STATE …] [FILTERS] [--limit N] [OPTIONS]
       cunnekt outbox show ID [OPTIONS]
       cunnekt outbox retry [--yes] ID … [OPTIONS]
       cunnekt outbox drop ID … [OPTIONS]

DESCRIPTION
       A message is stored in the outbox until the provider has accepted it. The
       commands work with or without a host on the store; a running host obeys
       at once.

       The states of a message:

       queued    waits to be sent, also after a failed attempt
       sending   is being sent
       unknown   delivery is uncertain: the answer was lost, and the message is
                 not sent again by itself
       rejected  refused by the provider, or invalid
       failed    given up, as its policy says, or reported as failed later
       accepted  accepted by the provider; then sent, delivered, read and
                 played, as its statuses say

       list shows the first five states, which may need attention; --state shows
       others, and --state all shows all. Accepted messages are kept for 8 days,
       and the newest are shown first. EVENT is the event whose handler sent the
       message, NEXT TRY when a queued one is tried again, or due; without both
       it waits for its turn.

       show prints one message, by its number or the provider's id; with
       --reveal its content too, which is kept until the message is delivered.

       retry queues unknown, rejected and failed messages again, ahead of all
       others to their contact, under the same number. An unknown one may have
       arrived, so the customer may get it twice: that needs --yes.

       drop deletes messages that are not being sent, also those that were
       reported as failed. It prints what it deletes, but does not ask.

FILTERS
       --contact NUMBER
              Only messages to this customer, by any of their ids; LINE:NUMBER
              for those of one business number.

       --older AGE, --newer AGE
              Only messages whose state changed longer ago, or since. An AGE is
              like 90s, 15m, 2h or 3d.

OPTIONS
       --limit N
              Show at most N messages (100).

       --yes  Send unknown messages again; customers may get them twice.

]] .. store_command.shown_help .. "\n" .. store_command.store_help .. [[

EXIT STATUS
       0      done
       1      there is no such message, an unknown one was not retried without
              --yes, or the store cannot be opened
       2      the command line was not understood

EXAMPLES
       cunnekt outbox list --state unknown --older 10m
       cunnekt outbox show 4711 --reveal
       cunnekt outbox retry 4711 4712
       cunnekt outbox list --state read --contact 919999999999
]]

local states = status.shown

-- ---- list, show --------------------------------------------------------------------------------------------------

local is_state = status.set(states)

-- The states that were chosen, as a list; false when none was; nil and what is wrong.
local function read_states(wanted)
  local chosen = {}
  for name in (table.concat(wanted, ",") .. ","):gmatch "([^,]*)," do
    if name == "all" then
      return states
    elseif not is_state[name] and #wanted > 0 then
      return nil, ("unknown state '%s'%s"):format(name, usage.hint(name, states))
    end
    chosen[#chosen + 1] = is_state[name] and name or nil
  end
  return #wanted > 0 and chosen
end

local function print_list(result)
  if #result.messages == 0 then
    print "none"
    return
  end
  local rows = {}
  for i, message in ipairs(result.messages) do
    rows[i] = {
      message.id, message.state, message.contact, message.type, message.event, message.attempts, format.age(message.changed_at),
      format.wait(message.next_try), message.error or message.message_id,
    }
  end
  store_command.print_columns({ "ID", "STATE", "CONTACT", "TYPE", "EVENT", "TRIES", "AGE", "NEXT TRY", "ERROR OR ID" }, rows)
  if result.has_more then
    print "There are more; --limit N shows more of them."
  end
end

local function list(parsed)
  local chosen, problem = read_states(parsed.state)
  if problem then
    return usage.mistake("outbox", problem)
  end
  local args = {
    states = chosen or nil, contact = parsed.contact, older = parsed.older, newer = parsed.newer, limit = parsed.limit,
    reveal = parsed.reveal or false,
  }
  return store_command.run("outbox", parsed, "outbox.list", args, print_list)
end

local function show(parsed)
  local id = store_command.number(parsed.id) or parsed.id
  return store_command.run("outbox", parsed, "outbox.show", { id = id, reveal = parsed.reveal or false }, function(message)
    store_command.print_fields {
      { "message", message.id },
      { "state", message.state },
      { "contact", message.contact },
      { "type", message.type },
      { "event", message.event },
      { "tries", message.attempts },
      { "next try", message.next_try and format.local_time(message.next_try) },
      { "changed", message.changed_at and format.local_time(message.changed_at) },
      { "id", message.message_id },
      { "error", message.error },
      { "if unknown", message.unknown },
      { "track", message.track and json.encode(message.track) },
      { "content", message.payload and json.encode(message.payload) },
    }
  end)
end

-- ---- retry, drop -------------------------------------------------------------------------------------------------

local doubt = [[
the answer was lost, so the delivery of %s is uncertain. Sent again, the
customer may get it twice; not sent again, perhaps never. Ask the customer or
the provider, and repeat the command with --yes to send again. Nothing was
retried]]

local forgotten = [[
the content of %s is not stored any more: it was delivered before it was
reported as failed, or accepted by an older version of this program. Send a new
message instead]]

local function code_of(result)
  local count = #result.missing
  for _, name in ipairs { "busy", "doubtful", "forgotten" } do -- a host of an older version has not all of them
    count = count + #(result[name] or {})
  end
  return count > 0 and 1 or 0
end

local function print_retried(result, session)
  if #result.retried > 0 then
    print(("%s will be sent again%s: %s"):format(
      words.count(#result.retried, "message"),
      session.is_running and " now" or " when a host runs",
      words.list(result.retried)
    ))
  end
  store_command.complain("outbox", doubt, result.doubtful)
  store_command.complain("outbox", forgotten, result.forgotten or {})
  store_command.complain("outbox", "already waiting or being sent: %s", result.waiting)
  store_command.complain("outbox", "there is no message %s that could be sent again", result.missing)
  return code_of(result)
end

local function print_dropped(result)
  if #result.dropped > 0 then
    print(("dropped %s: %s"):format(words.count(#result.dropped, "message"), words.list(result.dropped)))
  end
  store_command.complain("outbox", "being sent, or interrupted while being sent, too late to drop: %s", result.busy)
  store_command.complain("outbox", "there is no message %s that could be dropped", result.missing)
  return code_of(result)
end

local function retry(parsed)
  return store_command.run("outbox", parsed, "outbox.retry", { ids = parsed.id, yes = parsed.yes }, print_retried, code_of)
end

local function drop(parsed)
  return store_command.run("outbox", parsed, "outbox.drop", { ids = parsed.id }, print_dropped, code_of)
end

-- ---- the command -------------------------------------------------------------------------------------------------

local function define_ids(parser)
  parser:argument("id"):args("+"):convert(store_command.number)
end

local verbs = {
  list = {
    define = function(parser)
      parser:option("--state"):count "*"
      parser:option("--limit"):convert(store_command.number)
      store_command.define_filters(parser)
    end,
    run = list,
  },
  show = {
    define = function(parser)
      parser:argument "id"
    end,
    run = show,
  },
  retry = {
    define = function(parser)
      define_ids(parser)
      parser:flag "--yes"
    end,
    run = retry,
  },
  drop = { define = define_ids, run = drop },
}

---@param args string[]
---@return integer code
function outbox.run(args)
  return store_command.run_verb("outbox", outbox.help, args, verbs, { "list", "show", "retry", "drop" })
end

return outbox
