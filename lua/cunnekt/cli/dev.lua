-- SPDX-License-Identifier: MIT
-- `cunnekt dev`: runs a script and a sandbox in one process, and shows their chat in the terminal, where the user writes as
-- the customer. What happens then is in dev/; service/reload loads the script again when it changes.

local address = require "cunnekt.base.address"
local bots = require "cunnekt.cli.dev.bots"
local core = require "cunnekt.core"
local identity = require "cunnekt.provider.identity"
local log = require "cunnekt.base.log"
local personal = require "cunnekt.provider.personal"
local run = require "cunnekt.cli.run"
local samples = require "cunnekt.sandbox.samples"
local sandbox = require "cunnekt.sandbox"
local service = require "cunnekt.service"
local session = require "cunnekt.cli.dev.session"
local settings = require "cunnekt.provider.settings"
local signals = require "cunnekt.service.signals"
local usage = require "cunnekt.cli.usage"

local dev = {}

dev.help = [[
NAME
       cunnekt dev - run a script against a local Cunnekt, without an account

SYNOPSIS
       cunnekt dev [OPTIONS] SCRIPT [ARGUMENTS]

DESCRIPTION
       Runs SCRIPT as cunnekt run does, together with a sandbox: what the script
       sends comes here instead of to WhatsApp, and what you type goes to the
       script as if a customer had written it. The conversation is shown as a
       chat. No key is needed, and nobody is reached.

       A line that you type is a text. The number of a button or a row taps it,
       as long as some are offered. /help lists what else a customer can send,
       and:

       /from NUMBER NAME   write as another customer
       /bot 2              write to the script's second bot
       /clock +2h          let time pass: reminders, deadlines and jobs come due
       /state              what is kept of you: chat.state, dialogs, values
       /why                which handlers your last message met, and why it went
                           where it went
       /end [ID]           end your open dialogs, or one of them
       /text TEXT          a text, whatever it looks like

       /quit, the end of the input, Ctrl-D or Ctrl-C ends both, and so does the
       end of a script that has no bot.

       When SCRIPT, or a module beside it, changes, it is checked and loaded
       again, and takes over between two turns. A script that is broken is
       refused, and the code from before goes on. Open dialogs go on with the
       new code where their steps so far fit it; where not, it says so. An event
       at which a handler has failed is tried again at once.

       On a terminal lines can be edited and completed where libedit is
       installed.

       Another terminal can act as the customer too: cunnekt trigger … --sandbox
       URL, with the URL that is printed.

       The script's store is in memory and lost at the end, unless CUNNEKT_STORE
       names one.

OPTIONS
       --sandbox HOST:PORT
              Where the sandbox listens (127.0.0.1:8025; any free port when that
              is taken).

       --from NUMBER
              The customer you are (919999999999).

       --name NAME
              The customer's name (Asha).

       --verbose
              Log each event, where it goes, each reply and each send, with
              times and ids; customers' numbers are shortened.

       --log text|json
              How lines of the log look: text (default), or one object each.

ENVIRONMENT
       NO_COLOR
              No colours, if it is not empty. There are none either when the
              output is no terminal.

EXIT STATUS
       0      ended by /quit, the end of the input, or a signal
       1      the script raised an error: a traceback is on standard error
       2      the command line was not understood, or SCRIPT cannot be read

EXAMPLES
       cunnekt dev bot.lua
       printf 'hi\n2\n/why\n' | cunnekt dev bot.lua
]]

local FLAGS = { "--sandbox", "--from", "--name", "--log" }
local OPTIONS = { "--sandbox", "--from", "--name" }

local function define(parser)
  for _, flag in ipairs(OPTIONS) do
    parser:option(flag)
  end
  usage.declare_log(parser)
end

-- The wanted address or, when it is taken and was not asked for, any other on that host; with its port.
local function free_address(wanted, is_asked_for)
  local host, port = address.parse(wanted)
  if not host or is_asked_for and port ~= 0 then
    return wanted
  end
  for _, one in ipairs { port, 0 } do
    local probe = core.listen({ host = host, port = one }, function() end)
    if probe then
      local found = probe:port()
      probe:close()
      return address.format(host, found)
    end
  end
  return wanted
end

local function open_sandbox(parsed, options)
  local host, port = address.parse(parsed.sandbox or "127.0.0.1:8025")
  if not host then
    return nil, port
  end
  options.host, options.port = host, port
  local opened, err = sandbox.new(options)
  if not opened and not parsed.sandbox then
    options.port = 0
    opened, err = sandbox.new(options)
  end
  return opened, err
end

-- Points the script's bots at the sandbox and the sandbox at them. All settings but those of the API stay.
local function connect(its_session, box, values, sources, folder)
  local listen = free_address(values.listen, sources.listen ~= "default")
  its_session.bots = bots.new {
    state = box.state,
    folder = folder,
    overrides = {
      base_url = box.url .. "/v1",
      listen = listen,
      store = sources.store == "default" and "memory:" or nil,
    },
  }
  local path = values.webhook_secret and "/webhook/" .. values.webhook_secret or values.webhook_path
  box:aim(("http://%s%s"):format(listen, path))
  return ("http://%s%s"):format(listen, values.webhook_secret and "/webhook/…" or path)
end

-- The script is loaded, and loaded again, by this.
local function new_reload(its_session, path, args)
  local known = {}
  local function check(checked)
    return run.check(checked, known)
  end
  its_session.script.check = check
  local reload = require("cunnekt.service.reload").new {
    path = path,
    args = args,
    check = check,
    say = function(text)
      its_session.screen:note(text)
    end,
  }
  function reload.on_failure(...)
    its_session.why:note_failure(...)
  end
  service.on_new = function(new)
    reload:note(new)
    its_session.bots:note(new)
  end
  function its_session.script.load()
    return reload:load()
  end
  return reload
end

local function start(parsed, path, rest)
  local from, refusal = identity.normalise(parsed.from or samples.NUMBER, nil, "--from")
  if not from then
    return usage.mistake("dev", refusal.message)
  end
  local folder = run.folder_of(path)
  settings.set_host { folder = folder }
  local ok, values, sources = pcall(settings.load)
  if not ok then
    return usage.mistake("dev", values)
  end
  log.is_shown, log.shows_heard_failures, personal.are_made_up = true, true, true
  local its_session = session.new { from = from, name = parsed.name or "Asha" }
  local box, err = open_sandbox(parsed, { app_secret = values.app_secret, on_event = its_session.on_event, url_of = function(entry)
    return its_session.bots:url_of(entry)
  end })
  if not box then
    return usage.mistake("dev", err.message)
  end
  its_session:use(box)
  local webhook = connect(its_session, box, values, sources, folder)
  io.stdout:setvbuf "line"
  print(("sandbox on %s, webhooks to %s\nType as the customer; /help, /quit."):format(box.url, webhook))
  its_session.reload = new_reload(its_session, path, rest)
  its_session:listen_to_person()
  its_session:watch_script()
  signals.watch(function()
    its_session:stop()
  end)
  local code = run.script(path, rest, its_session.script)
  its_session:close()
  return code
end

---@param args string[]
---@return integer code
function dev.run(args)
  local before, at = run.split(args, FLAGS)
  local parsed, code = usage.parse("dev", dev.help, define, before)
  code = parsed and usage.apply_log("dev", parsed) or code
  if code then
    return code
  end
  local path, rest = args[at], { table.unpack(args, at + 1) }
  if not path then
    return usage.mistake("dev", "a script is missing")
  end
  local problem = usage.unreadable(path)
  if problem then
    return usage.mistake("dev", problem)
  end
  run.set_arg("dev", before, path, rest)
  run.warn_of_misplaced(rest, FLAGS)
  return start(parsed, path, rest)
end

return dev
