-- SPDX-License-Identifier: MIT
-- `cunnekt backup`: copies the store as it is at one moment, with or without a host on it. It only reads the options: the
-- copy is an operation (operate/host.lua), made by the store itself.

local core = require "cunnekt.core"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local backup = {}

backup.help = [[
NAME
       cunnekt backup - copy the store while it is in use

SYNOPSIS
       cunnekt backup FILE [OPTIONS]

DESCRIPTION
       Copies the store to FILE as it is at one moment. A running host makes the
       copy itself, page by page between its commits, and keeps serving. FILE
       appears when the copy is complete and on the disk; until then it is
       FILE.part. An older FILE is replaced, but never a store that is in use.

       Use this instead of cp: the database file alone may lack recent commits.
       The copy contains customers' telephone numbers and texts.

       To restore a copy, stop the host, move cunnekt.db and cunnekt.db-wal
       away, and put the copy in the place of cunnekt.db.

OPTIONS
       --json Print the result as JSON: path, bytes.

]] .. store_command.store_help .. [[

EXIT STATUS
       0      the copy is complete
       1      it failed; the reason is on standard error
       2      the command line was not understood

EXAMPLES
       cunnekt backup /var/backups/shop-$(date +%a).db --script shop/bot.lua
       cunnekt doctor --store sqlite:/var/backups/shop-Mon.db
]]

---@param args string[]
---@return integer code
function backup.run(args)
  local parsed, code = usage.parse("backup", backup.help, function(parser)
    parser:argument "file"
    parser:flag "--json"
    store_command.define_store(parser)
  end, args)
  if not parsed then
    return code or 2
  end
  local path = parsed.file
  if not path:find "^/" then
    -- The host may run in another folder.
    path = ("%s/%s"):format(core.folder(), path)
  end
  return store_command.run("backup", parsed, "store.backup", { path = path }, function(result)
    print(("%s: %s"):format(parsed.file, words.count(result.bytes or 0, "byte")))
  end)
end

return backup
