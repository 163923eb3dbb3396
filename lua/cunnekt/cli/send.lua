-- SPDX-License-Identifier: MIT
-- `cunnekt send`: sends one message of any kind with a client, not through an outbox, and prints the outcome. How arguments
-- become a message is in send/kinds.lua.

local client = require "cunnekt.provider.client"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local kinds = require "cunnekt.cli.send.kinds"
local usage = require "cunnekt.cli.usage"

local send = {}

send.help = [=[
NAME
       cunnekt send - send one message

SYNOPSIS
       cunnekt send text TO TEXT
       cunnekt send image|video|document|audio TO URL [CAPTION]
       cunnekt send buttons TO --body TEXT --button ID=TITLE … [--header TEXT]
       cunnekt send list TO --body TEXT --list-title LABEL
              --row ID=TITLE[|DESCRIPTION] … [--header TEXT]
       cunnekt send form TO --body TEXT --form-cta LABEL --form-id ID
       cunnekt send cta_url TO --body TEXT --button-text LABEL --button-url URL
       cunnekt send template TO TEMPLATE_ID [--body VALUE …]
              [--header-text TEXT | --header-image URL | --header-video URL |
              --header-document URL [--filename NAME]] [--button TYPE=VALUE …]
              [--override-bot] [--components JSON]
       cunnekt send raw [TO] FILE

DESCRIPTION
       Sends one message to the number TO and prints its id. The message is
       checked against the documented limits first. Anything but a template
       reaches only those who wrote within the last 24 hours.

       A TEXT that is - is read from standard input. The FILE of raw holds a
       payload in the provider's own JSON, - is standard input; TO, when it is
       given, takes the place of its mobile.

OPTIONS
       --json Print the result as JSON: message_id, status, attempts, body, raw;
              or, on failure, error with kind, message, status, code and more.

       --button ID=TITLE
              A reply button; one to three.

       --button url=TEXT, --button quick_reply=PAYLOAD
              Of a template: the variable part of a link, or the reply's
              payload. Its index is its place among these options; 2:url=TEXT
              sets another.

       --row ID=TITLE[|DESCRIPTION]
              A row of the list; one to ten.

       --body VALUE
              Of a template: the values of {{1}}, {{2}} and so on, in order.

       --components JSON
              Of a template: the provider's own form, sent as it is.

       --override-bot
              Of a template: sets overridebot.

       --base-url URL, --timeout S, --connect-timeout S, --retries N,
       --ca-file FILE, --proxy URL, --rate N, --pair-rate N,
       --mobile-format digits|plus, --default-country CODE
              As the options of cunnekt.client.

       --config FILE
              Read these settings from FILE.

ENVIRONMENT
       CUNNEKT_API_KEY   the key; it is never an option
       CUNNEKT_BASE_URL  the API, when it is not https://app2.cunnekt.com/v1

EXIT STATUS
       0      the message was accepted; webhooks tell whether it arrives
       1      it was not, or delivery is uncertain (unknown_outcome); the reason
              is on standard error
       2      the command line was not understood

EXAMPLES
       cunnekt send text 919999999999 "Your order is on its way"
       cunnekt send buttons 919999999999 --body "How was it?" \
              --button good=Good --button "bad=Not good"
       cunnekt send template 919999999999 4711 --body Asha --body "10 am"
       cunnekt send raw message.json --json
]=]

local function print_json(value)
  io.stdout:write(json.encode(value), "\n")
end

-- The fields of a failure, without its metatable, and without the provider's own words: they may repeat the recipient and
-- the text, and what is printed ends up in logs.
local function plain(err)
  local copy = {}
  for name, value in pairs(err) do
    copy[name] = value
  end
  copy.body, copy.raw = nil, nil
  return copy
end

local function report(sent, err, is_json)
  if sent then
    if is_json then
      print_json(sent)
    else
      io.stdout:write(sent.message_id or "accepted, but the answer names no message id", "\n")
    end
    return 0
  end
  if is_json then
    print_json { error = plain(err) }
  end
  io.stderr:write("cunnekt send: ", tostring(err), "\n")
  return 1
end

-- Without the file, line and function, which mean nothing at a terminal.
local function sentence(failure)
  return (tostring(failure):gsub("^[%w_/.]+%.lua:%d+: ", ""):gsub("^cunnekt%.client: ", ""))
end

local function deliver(kind, parsed)
  local ok, sent, err = pcall(function()
    return kind.send(client.new(), parsed)
  end)
  if ok then
    return sent, err
  elseif errors.is(sent) then
    return nil, sent
  end
  return nil, errors.new("invalid", sentence(sent))
end

local function find_kind(name)
  if not name or name:find "^%-" then
    local place = name and (" before '%s'"):format(name) or ""
    return nil, ("a kind of message is missing%s: one of %s"):format(place, table.concat(kinds.names, ", "))
  elseif not kinds[name] then
    return nil, ("unknown kind '%s'%s"):format(name, usage.hint(name, kinds.names))
  end
  return kinds[name]
end

---@param args string[]
---@return integer code
function send.run(args)
  local kind, problem = find_kind(args[1])
  if not kind then
    return usage.mistake("send", problem)
  end
  local settings = usage.setting_names(true)
  local parsed, code = usage.parse("send", send.help, function(parser)
    kind.define(parser)
    parser:flag "--json"
    usage.declare_settings(parser, settings)
  end, { table.unpack(args, 2) })
  if not parsed then
    return code
  end
  code = usage.apply_settings("send", parsed, settings)
  if code then
    return code
  end
  parsed, problem = kind.read(parsed)
  if not parsed then
    return usage.mistake("send", problem)
  end
  local sent, err = deliver(kind, parsed)
  return report(sent, err, parsed.json)
end

return send
