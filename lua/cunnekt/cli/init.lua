-- SPDX-License-Identifier: MIT
-- The command line: finds the command, and runs it with its arguments. A command is a module `cunnekt.cli.<name>` with
-- `help`, a page like those of man, and `run(args)`, which returns the exit code: 0 done, 1 failed, 2 misused. Commands
-- only read options and print; what they do is in the folders below.

local usage = require "cunnekt.cli.usage"

local cli = {}

-- In the order of the help.
local commands = {
  { "new", "make a folder with a bot to begin with" },
  { "run", "run a script" },
  { "dev", "run a script against a local Cunnekt, without an account" },
  { "sandbox", "run a local Cunnekt" },
  { "send", "send one message" },
  { "trigger", "act as a customer: post an event to a sandbox or a webhook" },
  { "check", "find mistakes in a script without running it" },
  { "test", "play transcripts against a script, and show what differs" },
  { "events", "list dead letters and waiting events, retry or drop them" },
  { "outbox", "list messages, retry or drop those that failed" },
  { "dialogs", "list and end dialogs, pause them for a person" },
  { "contacts", "list persons, export or forget what is stored of one" },
  { "values", "list, read and set the values of bot.store" },
  { "backup", "copy the store while it is in use" },
  { "store", "move the store to another database" },
  { "nodes", "list the hosts of a database of PostgreSQL" },
  { "doctor", "check settings, store and host, and say what is wrong" },
}

local HEAD = [[
NAME
       cunnekt - WhatsApp automation in Lua, through Cunnekt

SYNOPSIS
       cunnekt COMMAND [ARGUMENTS]
       cunnekt -h | -V

COMMANDS
]]

local TAIL = [[

       cunnekt COMMAND -h explains a command.

OPTIONS
       -h, --help
              Print this page.

       -V, --version
              Print the version.

ENVIRONMENT
       Settings come from a command's options, then from the environment, then
       from the file cunnekt.conf.lua; cunnekt run -h names them.

EXIT STATUS
       0      done
       1      failed: the script raised an error, a message was refused, or
              what is printed could not be written
       2      the command line was not understood

EXAMPLES
       cunnekt new shop && cunnekt dev shop/bot.lua
       CUNNEKT_API_KEY=… cunnekt run bot.lua
       CUNNEKT_API_KEY=… cunnekt send text 919999999999 "Your order is on its way"
]]

---The commands' names, in the order of the help.
---@return string[]
function cli.names()
  local list = {}
  for i, command in ipairs(commands) do
    list[i] = command[1]
  end
  return list
end

local function main_page()
  local lines = {}
  for i, command in ipairs(commands) do
    lines[i] = ("       %-9s %s\n"):format(command[1], command[2])
  end
  return HEAD .. table.concat(lines) .. TAIL
end

local function version()
  return ("cunnekt %s (%s)\n"):format(require("cunnekt").version, _VERSION)
end

local function find(name)
  for _, command in ipairs(commands) do
    if command[1] == name then
      return require("cunnekt.cli." .. name)
    end
  end
  return nil
end

-- `cunnekt bot.lua` most likely lacks its `run`.
local function unknown(name)
  if name:find "%.lua$" then
    return usage.mistake(nil, ("unknown command '%s' (did you mean 'run %s'?)"):format(name, name))
  end
  return usage.mistake(nil, ("unknown command '%s'%s"):format(name, usage.hint(name, cli.names())))
end

---A help page; man pages and completions are made from them.
---@param name? string a command's; nil: the main page
---@return string? page nil: there is no such command
function cli.page(name)
  if not name then
    return main_page()
  end
  local command = find(name)
  return command and command.help
end

local function help(name)
  local page = cli.page(name)
  if not page then
    return unknown(name)
  end
  io.stdout:write(page)
  return 0
end

-- An option before any command.
local function option(name)
  if name == "-h" or name == "--help" then
    return help()
  elseif name == "-V" or name == "--version" then
    io.stdout:write(version())
    return 0
  end
  return usage.mistake(nil, ("unknown option '%s'%s"):format(name, usage.hint(name, { "--help", "--version" })))
end

---Runs a command line.
---@param argv string[] as the global `arg`: [0] is the program
---@return integer code the process's exit code
function cli.main(argv)
  local name = argv[1]
  if not name then
    return usage.mistake(nil, "a command is missing: one of " .. table.concat(cli.names(), ", "))
  elseif name == "help" then
    return help(argv[2])
  elseif name:find "^%-" then
    return option(name)
  end
  local command = find(name)
  if not command then
    return unknown(name)
  elseif argv[2] == "-h" or argv[2] == "--help" then
    return help(name)
  end
  return command.run { table.unpack(argv, 2) }
end

return cli
