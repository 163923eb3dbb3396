-- SPDX-License-Identifier: MIT
-- `cunnekt dev`: a script and a sandbox in one process, and a chat with the script in the terminal.

local clock = require "cunnekt.clock"
local core = require "cunnekt.core"
local run = require "cunnekt.cli.run"
local sandbox = require "cunnekt.sandbox"
local server = require "cunnekt.server"
local settings = require "cunnekt.settings"
local show = require("cunnekt.cli.sandbox").show
local typed = require "cunnekt.cli.typed"
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
       send; /quit, the end of the input, or Ctrl-C ends both.

       Other terminals can act too: cunnekt trigger … --sandbox URL, with the
       URL that is printed.

       What the script stores is forgotten at the end, unless CUNNEKT_STORE
       names a store.

OPTIONS
       --sandbox HOST:PORT
              Where the sandbox listens (127.0.0.1:8025; any free port when that
              is taken).

       --from NUMBER
              The customer you are (919999999999).

       --name NAME
              The customer's name (Asha).

EXAMPLES
       cunnekt dev bot.lua
       printf 'hi\n/button bad\n' | cunnekt dev bot.lua
]]

local FLAGS = { "--sandbox", "--from", "--name" }

local function define(parser)
  for _, flag in ipairs(FLAGS) do
    parser:option(flag)
  end
end

-- An address that can be listened on: this one, or, when it was nobody's wish, any.
local function free_address(address, is_wish)
  local host, port = server.parse_address(address)
  if is_wish or not host then
    return address
  end
  for _, wanted in ipairs { port, 0 } do
    local probe = core.listen({ host = host, port = wanted }, function() end)
    if probe then
      local found = probe:port()
      probe:close()
      return ("%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, found)
    end
  end
  return address
end

local function open_sandbox(parsed, options)
  local host, port = server.parse_address(parsed.sandbox or "127.0.0.1:8025")
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

-- Points the script at the sandbox and the sandbox at the script. What the user set stays, but for the API itself.
local function connect(box, values, sources)
  local listen = free_address(values.listen, sources.listen ~= "default")
  settings.set_host {
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

-- Bots end in their own time; the sandbox stays until no listener but its own is left, for they still answer it.
local function close_after_bots(box)
  if core.counts().listeners > 1 then
    clock.after(0.05, function()
      close_after_bots(box)
    end)
  else
    box:close()
  end
end

-- Lets the bot take what was said before it is stopped; one that takes nothing is not waited for long.
local function quit(box, input, patience)
  patience = patience or 100
  input:close()
  if box:is_busy() and patience > 0 then
    return clock.after(0.05, function()
      quit(box, input, patience - 1)
    end)
  end
  local bot = package.loaded["cunnekt.bot"]
  if bot then
    bot.stop_all()
  end
  close_after_bots(box)
end

-- What is typed goes to the script, as a customer's.
local function listen_to_person(box, parsed, chat)
  local has_spoken, is_terminal, input = false, false, nil
  local split = typed.splitter(function(line)
    local message, problem = typed.read(line)
    if message == "quit" then
      return quit(box, input)
    elseif message == "help" then
      return print(typed.help)
    elseif message then
      message.from, message.name, has_spoken = parsed.from, parsed.name, true
      chat.is_echoed = is_terminal
      local said, err = box:say(message)
      chat.is_echoed = false
      problem = not said and err.message or nil
    end
    if problem then
      print(problem)
    end
  end)
  input = core.stdin(function(chunk)
    split(chunk)
    -- An input that is empty from the start (a service, `</dev/null`) is nobody's wish to end.
    if chunk == nil and (has_spoken or is_terminal) then
      quit(box, input)
    end
  end)
  is_terminal = input:is_terminal()
  return input
end

local function watch_signals(box, input)
  for _, name in ipairs { "SIGINT", "SIGTERM" } do
    core.signal(name, function()
      input:close()
      close_after_bots(box)
    end)
  end
end

-- Shows the chat; a terminal shows by itself what was typed there.
local function make_chat()
  local chat = { is_echoed = false }
  local show_event = show "bot"
  function chat.on_event(event)
    if not (event.kind == "in" and chat.is_echoed) then
      show_event(event)
    end
  end
  return chat
end

local function start(parsed, path, rest)
  local ok, values, sources = pcall(settings.load)
  if not ok then
    return usage.mistake("dev", values)
  end
  local chat = make_chat()
  local box, err = open_sandbox(parsed, { app_secret = values.app_secret, on_event = chat.on_event })
  if not box then
    return usage.mistake("dev", err.message)
  end
  local webhook = connect(box, values, sources)
  io.stdout:setvbuf "line"
  print(("sandbox on %s, webhooks to %s\nType as the customer; /help, /quit."):format(box.url, webhook))
  local input = listen_to_person(box, parsed, chat)
  watch_signals(box, input)
  local code = run.script(path, rest)
  input:close()
  box:close()
  return code
end

---@param args string[]
---@return integer code
function dev.run(args)
  local before, at = run.split(args, FLAGS)
  local parsed, code = usage.parse("dev", dev.help, define, before)
  if not parsed then
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
