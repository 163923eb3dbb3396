-- SPDX-License-Identifier: MIT
-- After each test: what the test opened on the loop must be closed or collectable. Handles that a describe block opened
-- in `setup` are none of the test's business.

local busted = require "busted"
local core = require "cunnekt.core"

local before

local function describe_growth(now)
  local words = {}
  for name, count in pairs(now) do
    if count > (before[name] or 0) then
      words[#words + 1] = ("%d %s"):format(count - (before[name] or 0), name)
    end
  end
  table.sort(words)
  return #words > 0 and table.concat(words, ", ") or nil
end

busted.subscribe({ "test", "start" }, function()
  before = core.counts()
  return nil, true
end)

-- Collecting everything takes longer than most tests, so it is done only where something looks left open.
busted.after_each(function()
  local growth = describe_growth(core.counts())
  for _ = 1, 50 do
    if not growth then
      return
    end
    collectgarbage()
    collectgarbage()
    core.step(false)
    growth = describe_growth(core.counts())
  end
  if growth then
    error("left open on the loop: " .. growth, 0)
  end
end)
