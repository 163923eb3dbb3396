-- SPDX-License-Identifier: MIT
-- `cunnekt sandbox`: runs a sandbox until a signal stops it, and prints the messages both ways. The sandbox itself is in
-- sandbox/, the layout of a printed message in transcript/.

local address = require "cunnekt.base.address"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local sandbox = require "cunnekt.sandbox"
local settings = require "cunnekt.provider.settings"
local signals = require "cunnekt.service.signals"
local state = require "cunnekt.sandbox.state"
local task = require "cunnekt.base.task"
local transcript = require "cunnekt.transcript.line"
local usage = require "cunnekt.cli.usage"

local command = {}

command.help = [[
NAME
       cunnekt sandbox - run a local Cunnekt

SYNOPSIS
       cunnekt sandbox [--listen HOST:PORT] [--webhook URL] [OPTIONS]

DESCRIPTION
       Answers as Cunnekt does under http://HOST:PORT/v1: sendnotification,
       sendreplymessage and getmediafile, with the same checks, message ids and
       the 24-hour window. What customers write, and the statuses of what they
       are sent, goes to the webhook URL of a bot; what the bot refuses is sent
       again. No real customer is reached.

       The customer 919999999999 has just written when it starts, so that the
       provider's examples, sent to that number, are accepted. Other customers
       must write first, see cunnekt trigger.

       The first line on stdout says where it listens; then come the messages.

OPTIONS
       --listen HOST:PORT
              Where to listen (127.0.0.1:8025). Port 0 takes any free one.

       --webhook URL
              The webhook URL of the bot. Without one nothing is posted.

       --open
              The 24-hour window of every customer is open.

       --no-statuses
              Post no statuses.

       --no-read
              Messages are delivered, but never read.

       --delay SECONDS
              Wait before each status (0).

       --history COUNT
              Remember COUNT messages (10000).

       --quiet
              Print no messages.

CONTROL
       JSON under http://HOST:PORT/control, for tests and tools:

       POST messages {type, from, name, text, id, …}  act as a customer
       GET  messages?after=N&to=NUMBER&wait=SECONDS   read messages
       GET  messages?id=ID&status=STATUS&wait=SECONDS wait for a status
       DELETE messages                                forget everything
       POST statuses {id, status, code}               post a status
       POST clock {advance: SECONDS}                  advance its clock
       POST settings {webhook, open, statuses, …}     change the options
       GET  state?contact=NUMBER                      counts; a window
       POST faults {kind, count, after, seconds, …}   break the next sends:
              status delay slow drop reset garbage empty failed reorder
              duplicate

ENVIRONMENT
       CUNNEKT_API_KEY     the only valid key; any key is, when it is not set
       CUNNEKT_APP_SECRET  signs the webhooks, as Meta does

EXIT STATUS
       0      stopped by SIGINT, SIGTERM or SIGHUP
       1      it cannot listen on the address
       2      the command line was not understood

EXAMPLES
       cunnekt sandbox --webhook http://127.0.0.1:8080/webhook
       CUNNEKT_API_KEY=any CUNNEKT_BASE_URL=http://127.0.0.1:8025/v1 \
              cunnekt run bot.lua
       cunnekt trigger text --text hi --sandbox http://127.0.0.1:8025
]]

local function define(parser)
  parser:option("--listen"):default "127.0.0.1:8025"
  parser:option "--webhook"
  parser:flag "--open"
  parser:flag "--no-statuses"
  parser:flag "--no-read"
  parser:option("--delay"):convert(tonumber):default "0"
  parser:option("--history"):convert(math.tointeger):default "10000"
  parser:flag "--quiet"
end

local function usual_look()
  return { columns = core.terminal_columns() }
end

---A function that prints a sandbox's events on stdout, for `on_event` of sandbox.new.
---@param business string|fun(entry: table): string the bot's name
---@param look_of? fun(entry: table): cunnekt.transcript.look
---@param write? fun(text: string, style: string?) prints lines; `style`: "problem" for what went wrong
---@return fun(event: table)
function command.show(business, look_of, write)
  look_of = look_of or usual_look
  write = write or function(text)
    print(text)
  end
  local function problem(sentence, ...)
    write((" "):rep(transcript.right(core.terminal_columns())) .. "\u{2717} " .. sentence:format(...), "problem")
  end
  return function(event)
    if event.kind == "in" or event.kind == "out" then
      local name = type(business) == "function" and business(event.entry) or business
      write(transcript.format(state.view(event.entry), name, look_of(event.entry)))
    elseif event.kind == "status" and event.status == "failed" then
      problem("not delivered (%s)", event.code or "no code")
    elseif event.kind == "refused" then
      problem("refused: %s (code %d)", event.message, event.code)
    elseif event.kind == "webhook_refused" and event.attempts == 1 then
      write(("-- the bot refused a webhook (%s); trying again"):format(event.status or event.error.kind), "problem")
    end
  end
end

local function until_stopped()
  local unwatch
  task.await(function(done)
    unwatch = signals.watch(done)
  end)
  unwatch()
end

local function start(parsed, host, port)
  return sandbox.new {
    host = host,
    port = port,
    api_key = settings.environment "api_key",
    app_secret = settings.environment "app_secret",
    webhook = parsed.webhook,
    open = parsed.open or false,
    statuses = not parsed.no_statuses,
    read = not parsed.no_read,
    delay = parsed.delay,
    history = parsed.history,
    on_event = not parsed.quiet and command.show "bot" or nil,
  }
end

---@param args string[]
---@return integer code
function command.run(args)
  local parsed, code = usage.parse("sandbox", command.help, define, args)
  if not parsed then
    return code
  end
  local host, port = address.parse(parsed.listen)
  if not host then
    return usage.mistake("sandbox", port.message)
  elseif parsed.history < 1 or parsed.delay < 0 then
    return usage.mistake("sandbox", "--history must be at least 1, and --delay at least 0")
  elseif parsed.webhook and not parsed.webhook:find "^https?://[^/%s]" then
    return usage.mistake("sandbox", "--webhook must be a URL such as http://127.0.0.1:8080/webhook")
  end
  io.stdout:setvbuf "line"
  local running, err = start(parsed, host, port)
  if not running then
    io.stderr:write(("cunnekt sandbox: %s\n"):format(err.message))
    return 1
  end
  local keys = settings.environment "api_key" and "the key of CUNNEKT_API_KEY" or "any API key"
  local target = parsed.webhook and "webhooks to " .. http.origin(parsed.webhook) or "no webhooks"
  print(("cunnekt sandbox on %s/v1, %s, %s"):format(running.url, keys, target))
  until_stopped()
  running:close()
  return 0
end

return command
