-- SPDX-License-Identifier: MIT
-- `cunnekt backup`: copies the store as it is at one moment, with or without a host on it. It only reads the options: the
-- copy is an operation (operate/host.lua), made by the store itself.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local signals = require "cunnekt.service.signals"
local store_command = require "cunnekt.cli.store_command"
local task = require "cunnekt.base.task"
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
       FILE.part. An older copy is replaced, but no other file, and never a
       store that is in use or what belongs to one. A copy is checked first:
       that of a damaged store is not kept.
       A FILE.part that a killed process left is removed by the next backup into
       its folder.

       A running host needs the right to write to the folder of FILE. Where it
       has none, as under systemd, name a file beside its store, and move that.

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

-- Where a running bot can certainly write.
local function advice(session)
  local folder = session.path:match "^(.*)/[^/]*$" or core.folder()
  return ("name a file in its own folder, %s, and move it from there"):format(folder == "" and "/" or folder)
end

-- The bot's user may write to few places, and those of the operator are others.
local function with_advice(err, session)
  local message = err.message
  if session.is_running and (message:find "Permission denied" or message:find "Read%-only" or message:find "No such file") then
    message = ("%s; the running bot writes the copy: %s"):format(message, advice(session))
  end
  return errors.new(err.kind, message)
end

-- Without a host this process makes the copy: interrupted, it removes what there is of it.
local function close_on_signal(session)
  return signals.watch(function()
    task.spawn(session.close, session)
  end)
end

local function show(parsed, result)
  if parsed.json then
    io.stdout:write(json.encode { path = result.path, bytes = result.bytes }, "\n")
  else
    print(("%s: %s"):format(parsed.file, words.count(result.bytes or 0, "byte")))
  end
end

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
  local session
  session, code = store_command.open("backup", parsed, true) -- before an upgrade the copy is for the older program, too
  if not session then
    return code or 1
  elseif session.version == 0 then
    session:close()
    return store_command.fail("backup", errors.new("not_found", "there is nothing in the store yet; the first run fills it"))
  end
  local unwatch = session.is_running and function() end or close_on_signal(session)
  local result, err = session:call("store.backup", { path = path })
  unwatch()
  session:close()
  local inode = core.inode(path)
  if not result then
    return store_command.fail("backup", with_advice(err, session))
  elseif not inode or inode ~= (result.inode or inode) then
    local sentence = "the running bot wrote %s where only it can see it (systemd's PrivateTmp does so); %s"
    return store_command.fail("backup", errors.new("store", sentence:format(path, advice(session))))
  end
  show(parsed, result)
  return 0
end

return backup
