-- SPDX-License-Identifier: MIT
-- Runs busted with our settings: in a plain interpreter, `lua5.4 spec/support/busted.lua spec`, and inside our own host,
-- `cunnekt run spec/support/busted.lua spec`, which is how the sanitized build is tested. Arguments are busted's own.

local function run()
  table.insert(arg, 1, "--helper=spec/support/leaks.lua")
  require "busted.runner" { standalone = false, output = "spec/support/output.lua" }
end

-- A collector that never rests finds objects that nobody keeps and that are used all the same. It begins a cycle when the last
-- has ended, and goes through it in small steps, so that the specs run at every point of a cycle; whole cycles at a
-- time take thirty times as long. (For Lua, a pause of 0 says to leave the pause as it is: 200, which rests.)
if os.getenv "CUNNEKT_TEST_GC" then
  collectgarbage("incremental", 100, 20)
end

-- The host loads a script's modules into the script's own world; specs and busted belong into Lua's own, as they do in a
-- plain interpreter.
local function leave_world()
  for i, searcher in ipairs(package.searchers) do
    if debug.getinfo(searcher, "S").source == "@cunnekt/cli/run.lua" then
      table.remove(package.searchers, i)
      return
    end
  end
end

if package.loaded["cunnekt.cli"] then
  leave_world()
  -- The host runs a script inside a task, where everything yields. A timer brings the specs to the main thread of the
  -- state, where a spec stands in a plain interpreter as well.
  require("cunnekt.core").timer(0, function()
    local ok, failure = xpcall(run, debug.traceback)
    if not ok then
      io.stderr:write(tostring(failure), "\n")
      os.exit(1, true)
    end
  end)
else
  run()
end
