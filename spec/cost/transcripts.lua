-- SPDX-License-Identifier: MIT
-- Instructions that `cunnekt test` takes for a transcript: those of a script with thirty of them, less those of one with ten.
-- A transcript is the conversation of the script that `cunnekt new` writes, six lines of the bot with a dialog.
-- Usage: lua5.4 spec/cost/transcripts.lua HOST, run from the project's folder.

package.path = "spec/cost/?.lua;" .. package.path
local bounds = require "bounds"
local checks = require "checks"
local counted = require "counted"

local host = assert(arg[1], "the host's path is missing")
local FEW, MANY = 10, 30

local folder, _ <close> = counted.folder()

-- The script of `cunnekt new`, with its conversation so many times.
local function write(times)
  local file <close> = assert(io.open(folder .. "/bot/bot.lua"))
  local code, lines = file:read("a"):match "^(.-)(%-%- customer: .*)$"
  local path = ("%s/%d.lua"):format(folder, times)
  local out <close> = assert(io.open(path, "w"))
  out:write(code)
  for i = 1, times do
    out:write("-- transcript: ", i, "\n", lines, "\n")
  end
  return path
end

local function count(times)
  local path = write(times)
  local command = "%s valgrind --tool=callgrind --callgrind-out-file=%s/out '%s' test %s 2>&1"
  local said = counted.capture(command:format(table.concat(counted.plain_code, " "), folder, host, path))
  assert(said:find("all passed", 1, true), said)
  return tonumber(said:match "Collected : (%d+)")
end

assert(os.execute(("'%s' new %s/bot > %s/log"):format(host, folder, folder)))
local each = (count(MANY) - count(FEW)) // (MANY - FEW)
checks.at_most("cost: transcript", each, "instructions", bounds.cost.transcript)
os.exit(checks.finish(), true)
