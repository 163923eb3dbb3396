-- SPDX-License-Identifier: MIT
-- `cunnekt dev`: runs a script and a sandbox in one process, and shows their chat in the terminal, where the user writes as
-- the customer. What a typed line means is in typed.lua.

local address = require "cunnekt.base.address"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local identity = require "cunnekt.provider.identity"
local log = require "cunnekt.base.log"
local run = require "cunnekt.cli.run"
local samples = require "cunnekt.sandbox.samples"
local sandbox = require "cunnekt.sandbox"
local settings = require "cunnekt.provider.settings"
local show = require("cunnekt.cli.sandbox").show
local signals = require "cunnekt.service.signals"
local task = require "cunnekt.base.task"
local typed = require "cunnekt.transcript.typed"
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

       A line that you type is a text; /help lists what else a customer can
       send; /quit, the end of the input, or Ctrl-C ends both, and so does the
       end of a script that has no bot.

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

       --log FORMAT
              text (default), or json: one object a line.

EXIT STATUS
       0      ended by /quit, the end of the input, or a signal
       1      the script raised an error: a traceback is on standard error
       2      the command line was not understood, or SCRIPT cannot be read

EXAMPLES
       cunnekt dev bot.lua
       printf 'hi\n/button bad\n' | cunnekt dev bot.lua
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

-- Points the script at the sandbox and the sandbox at the script. All settings but those of the API stay.
local function connect(box, values, sources, folder)
  local listen = free_address(values.listen, sources.listen ~= "default")
  settings.set_host {
    folder = folder,
    overrides = {
      api_key = "sandbox",
      base_url = box.url .. "/v1",
      listen = listen,
      store = sources.store == "default" and "memory:" or nil,
    },
  }
  local path = values.webhook_secret and "/webhook/" .. values.webhook_secret or values.webhook_path
  box:aim(("http://%s%s"):format(listen, path))
  return ("http://%s%s"):format(listen, values.webhook_secret and "/webhook/…" or path)
end

-- ---- the session ---------------------------------------------------------------------------------------------------

local session_methods = {}
local session_mt = { __index = session_methods }

local show_event = show "bot"

-- Seconds: for a script to end after its bots, as the default grace of bots; and for its bot to listen after the end of the input.
local LONGEST_END, LONGEST_START = 10, 3

local function is_serving()
  local bot = package.loaded["cunnekt.service"]
  return bot ~= nil and bot.is_serving()
end

local function new_session(parsed)
  local self = setmetatable({ person = parsed, timers = {}, lines = {} }, session_mt)
  self.script = {
    goes_on = function()
      return self:goes_on()
    end,
  }
  function self.on_event(event)
    -- The terminal has shown what was typed there.
    if not (event.kind == "in" and self.is_echoed) then
      show_event(event)
    end
  end
  return self
end

function session_methods:after(seconds, fn)
  local timer
  timer = clock.after(seconds, function()
    self.timers[timer] = nil
    fn()
  end)
  self.timers[timer] = true
end

function session_methods:close_input()
  if self.input then
    self.input:close()
  end
end

function session_methods:close()
  self:close_input()
  for timer in pairs(self.timers) do
    timer:close()
  end
  self.timers = {}
  self.box:close()
  self.is_closed = true
end

-- Bots need time to stop, and still talk to the sandbox; and the script may have something to do after them.
function session_methods:close_after_bots(is_late)
  local main = self.script.main
  local is_over = not main or main.is_done or not self.had_bot or is_late
  if is_serving() or not is_over then
    return self:after(0.05, function()
      self:close_after_bots(is_late)
    end)
  end
  self:close()
  if main and not main.is_done then
    task.cancel(main)
    if not main.is_done then -- it waits where no task can be cancelled
      os.exit(0, false)
    end
  end
end

-- Stops orderly. A second signal ends the process at once, see service/signals.lua.
function session_methods:stop()
  if self.is_stopping then
    return
  end
  self.is_stopping, self.had_bot = true, is_serving()
  self:close_input()
  if self.had_bot then
    package.loaded["cunnekt.service"].stop_all()
    self:after(LONGEST_END, function()
      self:close_after_bots(true)
    end)
  end
  self:close_after_bots()
end

-- Whether what the script has begun may still come to something. What the session itself waits for does not count.
function session_methods:goes_on()
  if self.is_stopping or is_serving() then
    return not self.is_closed
  end
  local own = 0
  for _ in pairs(self.timers) do
    own = own + 1
  end
  local now = core.counts()
  return now.timers > own or now.listeners > 1 or now.requests + now.exchanges + now.files > 0
end

-- Calls `fn` when every message is answered. Waits 10 seconds at most, for a bot that accepts nothing.
function session_methods:when_idle(fn, tries)
  tries = tries or 500
  local bot = package.loaded["cunnekt.service"]
  if tries == 0 or not self.box:is_busy() and (not bot or bot.is_idle()) then
    return fn()
  end
  self:after(0.02, function()
    self:when_idle(fn, tries - 1)
  end)
end

function session_methods:quit()
  self:close_input()
  self:when_idle(function()
    self:stop()
  end)
end

function session_methods:say(message)
  message.from, message.name = self.person.from, self.person.name
  self.is_echoed = self.is_terminal
  local said, err = self.box:say(message)
  self.is_echoed = false
  return not said and err.message or nil
end

function session_methods:take_line(line)
  local message, problem = typed.read(line)
  if message == "quit" then
    return self:quit()
  elseif message == "help" then
    return print(typed.help)
  elseif message then
    problem = self:say(message)
  end
  if problem then
    print(problem)
  end
end

-- Waits for the script's bot to listen: a webhook posted earlier would be refused. At the end of the input a script that has no
-- bot is not waited for.
function session_methods:wait_for_bot()
  if self.is_waiting then
    return
  end
  self.is_waiting = true
  self:after(0.02, function()
    self.is_waiting = false
    self.waited = (self.waited or 0) + (self.has_ended and 0.02 or 0)
    if self.waited > LONGEST_START or typed.read(self.lines[1] or "") == "quit" then
      return self:quit()
    end
    self:take_lines()
  end)
end

-- A person reads an answer before writing the next line; lines from a pipe wait for it too.
function session_methods:take_lines()
  if self.is_taking then
    return
  elseif not is_serving() then
    return self:wait_for_bot()
  end
  local line = table.remove(self.lines, 1)
  if line then
    self:take_line(line)
    self.is_taking = not self.is_terminal
    if self.is_terminal then
      return self:take_lines()
    end
    self:when_idle(function()
      self.is_taking = false
      self:take_lines()
    end)
  elseif self.has_ended then
    self:quit()
  end
end

function session_methods:listen_to_person()
  local split = typed.splitter(function(line)
    self.lines[#self.lines + 1] = line
    self.has_spoken = true
  end)
  self.input = core.stdin(function(chunk)
    split(chunk)
    -- An input that is empty from the start (a service, `</dev/null`) does not mean that the user wants to quit.
    self.has_ended = chunk == nil and (self.has_spoken or self.is_terminal)
    self:take_lines()
  end)
  self.is_terminal = self.input:is_terminal()
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
  log.is_shown = true
  local session = new_session(parsed)
  local box, err = open_sandbox(parsed, { app_secret = values.app_secret, on_event = session.on_event })
  if not box then
    return usage.mistake("dev", err.message)
  end
  session.box = box
  local webhook = connect(box, values, sources, folder)
  io.stdout:setvbuf "line"
  print(("sandbox on %s, webhooks to %s\nType as the customer; /help, /quit."):format(box.url, webhook))
  session:listen_to_person()
  signals.watch(function()
    session:stop()
  end)
  local code = run.script(path, rest, session.script)
  session:close()
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
  return start(parsed, path, rest)
end

return dev
