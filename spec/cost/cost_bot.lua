-- SPDX-License-Identifier: MIT
-- The bots of `make cost` in valgrind; their stores go into the folder that is named on the command line. At SIGUSR1 it
-- writes down the instructions since the last time and counts from nought. It collects its garbage in between, so that
-- each part that is counted begins with the collector at the same place, and this is no part of any count.

local callgrind = require "callgrind"
local core = require "cunnekt.core"
local script = require "script"

core.signal("SIGUSR1", function()
  callgrind.dump()
  collectgarbage()
  collectgarbage()
  callgrind.zero()
end)

for _, name in ipairs { "answering", "beside", "asking" } do
  local bot = script[name] { store = ("sqlite:%s/%s.db"):format(arg[1], name) }
  assert(bot:listen())
  print(("%s is at %s"):format(name, bot:address()))
end
