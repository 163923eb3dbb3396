-- SPDX-License-Identifier: MIT
-- Instructions that a text takes which a script sends with `client:send_text`: those of a script that sends many, less those of one that
-- sends few. The provider is this process.
-- Usage: lua5.4 spec/cost/messages.lua HOST, run from the project's folder.

package.path = "spec/cost/?.lua;" .. package.path
local bounds = require "bounds"
local checks = require "checks"
local child = require "child"
local core = require "cunnekt.core"
local counted = require "counted"
local traffic = require "traffic"

local host = assert(arg[1], "the host's path is missing")
local FEW, MANY, MOST_SECONDS = 640, 3200, 120

local root = counted.capture "pwd"
local folder, _ <close> = counted.folder()

-- So that the loop is left from time to time.
local function tick()
  core.timer(0.05, tick)
end
tick()

local function count(messages)
  local provider = traffic.provider(false)
  local pid = counted.start(folder, "", ("%s run %s/spec/cost/sender.lua %d"):format(host, root, messages), { "CUNNEKT_BASE_URL=" .. provider.url })
  local deadline, how, code = core.monotonic() + MOST_SECONDS
  repeat
    core.step(true)
    how, code = child.wait(pid, false)
  until how or core.monotonic() > deadline
  local said = counted.read(folder .. "/log")
  os.remove(folder .. "/log")
  assert(how and code == 0 and provider.taken == messages, said)
  return tonumber(said:match "Collected : (%d+)")
end

local each = (count(MANY) - count(FEW)) // (MANY - FEW)
checks.at_most("cost: message of a client", each, "instructions", bounds.cost.message)
os.exit(checks.finish(), true)
