-- SPDX-License-Identifier: MIT
-- `cunnekt nodes`: the hosts of a database. What it looks for is in operate/nodes.lua; this file reads the options and prints.

local format = require "cunnekt.time.format"
local json = require "cunnekt.base.json"
local nodes = require "cunnekt.operate.nodes"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local command = {}

command.help = [[
NAME
       cunnekt nodes - list the hosts of a database of PostgreSQL

SYNOPSIS
       cunnekt nodes [OPTIONS]

DESCRIPTION
       Any number of hosts with the same script may have one database of
       PostgreSQL as their store. One of them has it, and handles what comes.
       The others stand by: they take webhooks for it, and one of them takes
       over when it ends or is silent.

       The list shows them as the database sees them: the machine and the
       process, what each does, how long it has been connected, and how long ago
       it gave the last sign of life. Below is what waits: webhooks that other
       hosts have taken, events, and messages.

OPTIONS
       --json Print JSON, for other programs.

]] .. store_command.store_help .. [[

EXIT STATUS
       0      a host has the database
       1      none has it, or it could not be read
       2      the command line was not understood

EXAMPLES
       cunnekt nodes --store postgres://bot@db1/shop
]]

local function print_nodes(found)
  local rows = {}
  for i, node in ipairs(found.nodes) do
    local name = node.name:gsub("^cunnekt on ", "")
    rows[i] = { name, node.address, node.has_store and "has the database" or "stands by", format.age(node.since), format.age(node.beat) }
  end
  if rows[1] then
    store_command.print_columns({ "HOST", "ADDRESS", "ROLE", "SINCE", "SIGN OF LIFE" }, rows)
  else
    print "no host is connected"
  end
  print(("waiting: %s, %s, %s"):format(words.count(found.webhooks, "webhook"), words.count(found.events, "event"),
    words.count(found.messages, "message")))
end

---@param args string[]
---@return integer code
function command.run(args)
  local parsed, code = usage.parse("nodes", command.help, function(parser)
    parser:flag "--json"
    store_command.define_store(parser)
  end, args)
  if not parsed then
    return code or 2
  end
  local url
  url, code = store_command.find_store("nodes", parsed)
  if not url then
    return code or 2
  end
  local found, err = nodes.list(url)
  if not found then
    return err.kind == "invalid" and usage.mistake("nodes", err.message) or store_command.fail("nodes", err)
  elseif parsed.json then
    io.stdout:write(json.encode(found), "\n")
  else
    print_nodes(found)
  end
  return found.nodes[1] and found.nodes[1].has_store and 0 or 1
end

return command
