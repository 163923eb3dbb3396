-- SPDX-License-Identifier: MIT
-- `cunnekt store move`: moves all that a bot knows to another store. What it does is in operate/move.lua; this file reads the
-- arguments and prints.

local clock = require "cunnekt.time.clock"
local move = require "cunnekt.operate.move"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local store = {}

store.help = [[
NAME
       cunnekt store - move the store to another database

SYNOPSIS
       cunnekt store move FROM TO

DESCRIPTION
       Moves all that the bot knows from one store to another, in either
       direction: sqlite:FILE or postgres://USER@HOST/DATABASE. A host that is
       started with TO goes on exactly where the one with FROM has stopped: open
       dialogs continue, queued messages are sent once, and repeated webhooks
       are recognised.

       Stop the host first; the move refuses a store that is in use. TO is made
       where there is none. It must have no content, unless that is a part that
       this move has left when it was interrupted, or a store that was moved to
       FROM before.

       Tables are copied page by page, and their rows counted in both stores at
       the end; a line for each says how many there are. Progress of big ones is
       on standard error.

       Until the move is complete no host starts on TO, and FROM may still be
       used. A move that was interrupted is run again: it begins anew. When it
       is complete no host starts on FROM any more. FROM stays as it is, to be
       kept or removed; to take the store back, move it from TO to FROM.

       Give a password by PGPASSWORD or PGPASSFILE, not in the URL.

EXIT STATUS
       0      the move is complete
       1      it was refused or failed; the reason is on standard error
       2      the command line was not understood

EXAMPLES
       cunnekt store move sqlite:shop/cunnekt.db postgres://shop@db/shop
       cunnekt store move postgres://shop@db/shop sqlite:shop/cunnekt.db
]]

-- Seconds between two lines of progress.
local pause = 2

local function show_progress()
  local next_at = clock.monotonic() + pause
  return function(name, done, total)
    local now = clock.monotonic()
    if now >= next_at and done < total then
      next_at = now + pause
      io.stderr:write(("%s: %d of %d\n"):format(name, done, total))
    end
  end
end

local function run_move(args)
  local parsed, code = usage.parse("store", store.help, function(parser)
    parser:argument "from"
    parser:argument "to"
  end, args)
  if not parsed then
    return code or 2
  end
  local moved, err = move.run(parsed.from, parsed.to, show_progress())
  if not moved and err.kind == "invalid" then
    return usage.mistake("store", err.message)
  elseif not moved then
    return store_command.fail("store", err)
  end
  local rows = {}
  for i, line in ipairs(moved) do
    rows[i] = { line.name, line.rows }
  end
  store_command.print_columns({ "TABLE", "ROWS" }, rows)
  print "The move is complete: start the bot with TO as its store."
  return 0
end

---@param args string[]
---@return integer code
function store.run(args)
  if args[1] ~= "move" then
    local problem = args[1] and ("unknown 'store %s'%s"):format(words.plain(args[1]), usage.hint(args[1], { "move" }))
    return usage.mistake("store", problem or "say what to do: move")
  end
  return run_move { table.unpack(args, 2) }
end

return store
