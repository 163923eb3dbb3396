-- SPDX-License-Identifier: MIT
-- Calls that come at the moment at which the store's thread is about to do something else.

local process = require "spec.support.process"

-- One call after the other, each when the thread has just become idle and is about to look after its log: its timed wait
-- is over, and it does not have the mutex yet. Says how many were answered.
local script = [[
local core = require "cunnekt.core"
local path = ...
local store = assert(core.store_open("sqlite:" .. path, { wal_pages = 20 }))
local answered = 0

local function wait(seconds, is_over)
  local has_passed = false
  local timer = core.timer(seconds, function()
    has_passed = true
  end)
  while not has_passed and not is_over() do
    core.step(true)
  end
  timer:close()
end

local function never()
  return false
end

local function put(n)
  local is_done = false
  store:commit_turn({ now = n, values = { { key = "v" .. n, value = ("x"):rep(30000) } } }, function(ok, message)
    assert(ok, message)
    answered, is_done = answered + 1, true
  end)
  wait(5, function()
    return is_done
  end)
end

put(0)
for n = 1, 8 do
  put(n)
  wait(0.07, never)
end
print(answered)
os.exit(true, false)
]]

describe("the store's thread", function()
  -- A tick used to take the queue along and to drop it. A call that came between the end of the wait and the mutex was
  -- never answered: its webhook hung, and its conversation stood still until the next start.
  it("loses no call that comes as it becomes idle", function()
    local late_waker = assert(package.searchpath("late_waker", package.cpath), "late_waker.so is not on the path of C modules")
    local folder = process.folder()
    local path = process.write(folder.path .. "/script.lua", script)
    local result = process.run({ process.lua, path, folder.path .. "/spec.db" }, { env = { LD_PRELOAD = late_waker } })
    assert.equal("9\n", result.out, result.err)
  end)
end)
