-- SPDX-License-Identifier: MIT
-- Instructions that an event costs the whole process, and a step of a dialog: counted by callgrind, all threads together,
-- in lock-step rounds. An event is a webhook in, stored, its 200, the handler, its reply sent, and the answer to that stored;
-- a step is the same with a dialog that goes on, replies and asks again. An event beside dialogs is one of a bot that has a dialog, and
-- of a contact who has none open: most events of most bots are such.
-- Usage: lua5.4 spec/cost/cost.lua HOST, run from the project's folder.
--
-- What makes the counts the same from run to run: in a round 64 contacts write at once, while the process is stopped; the
-- provider answers when all their messages are there; and each step waits until all threads sleep. So a commit takes in the
-- same events whatever else the machine does. Addresses are not random, and the collector begins at the same place.

package.path = "spec/cost/?.lua;" .. package.path
local bounds = require "bounds"
local checks = require "checks"
local child = require "child"
local core = require "cunnekt.core"
local counted = require "counted"
local traffic = require "traffic"

local host = assert(arg[1], "the host's path is missing")
local AT_ONCE, MOST_SECONDS = 64, 240
local WARM_UP, EVENTS, STEPS_BEFORE, STEPS = 6, 32, 3, 27
local SIGKILL, SIGUSR1, SIGCONT, SIGSTOP = 9, 10, 18, 19

local capture, read = counted.capture, counted.read
local root = capture "pwd"
local folder, _ <close> = counted.folder()
local deadline = core.monotonic() + MOST_SECONDS

local function pause(seconds)
  local is_over = false
  core.timer(seconds, function()
    is_over = true
  end)
  while not is_over do
    core.step(true)
  end
end

local function wait_until(what, test)
  while not test() do
    assert(core.monotonic() < deadline, what)
    pause(0.002)
  end
end

-- ---- the bot -------------------------------------------------------------------------------------------------------

local provider = traffic.provider(true)
local pid
local urls = {}

-- What still moves the counts: Lua seeds its hashes with the time, and valgrind lets the threads take turns as it
-- likes; together that is less than 1 %. Other compilers, libraries and architectures
-- count differently: the bounds are for one of each.
local function start()
  -- A container may forbid to fix addresses; valgrind itself places most of them.
  local fixed = os.execute "setarch -R true 2>/dev/null" and "setarch -R" or ""
  local arguments = ("%s run %s/spec/cost/cost_bot.lua %s"):format(host, root, folder)
  pid = counted.start(folder, fixed, arguments, { "CUNNEKT_BASE_URL=" .. provider.url, "CUNNEKT_LISTEN=127.0.0.1:0" })
  wait_until("the host does not start", function()
    for name, address in read(folder .. "/log"):gmatch "(%w+) is at (%S+)\n" do
      urls[name] = ("http://%s/webhook"):format(address)
    end
    assert(not child.wait(pid, false), read(folder .. "/log"))
    return urls.answering and urls.beside and urls.asking
  end)
end

local function all_sleep(threads)
  for _, thread in ipairs(threads) do
    local state = read(("/proc/%d/task/%s/stat"):format(pid, thread)):match "%) (%S)"
    if state and state ~= "S" then
      return false
    end
  end
  return true
end

-- Waits until the bot has nothing to do: its threads sleep at several looks, for between two of them one wakes another.
local function wait_until_quiet()
  local threads, looks = {}, 0
  for thread in capture(("ls /proc/%d/task"):format(pid)):gmatch "%d+" do
    threads[#threads + 1] = thread
  end
  wait_until("the host is never quiet", function()
    looks = all_sleep(threads) and looks + 1 or 0
    return looks == 5
  end)
end

-- Does something while the bot is stopped, so that it finds all of it at once.
local function at_once(fn)
  child.kill(pid, SIGSTOP)
  fn()
  -- What was handed to curl leaves in a few steps; the sockets of all connections take it meanwhile.
  pause(0.03)
  child.kill(pid, SIGCONT)
end

-- ---- the load ------------------------------------------------------------------------------------------------------

-- All contacts write to a bot once, and each is answered with so many messages, one after the other.
local function round(url, messages)
  local accepted = 0
  at_once(function()
    for contact = 1, AT_ONCE do
      traffic.send(url, contact, "How many of them are there?", function()
        accepted = accepted + 1
      end)
    end
  end)
  for _ = 1, messages do
    wait_until("a message never comes", function()
      return #provider.held == AT_ONCE
    end)
    wait_until_quiet()
    at_once(function()
      provider:answer_held()
    end)
  end
  wait_until_quiet()
  assert(accepted == AT_ONCE, "a webhook was not answered")
end

local function rounds(times, ...)
  for _ = 1, times do
    round(...)
  end
end

local dumps = 0

-- The instructions since the last call.
local function count()
  dumps = dumps + 1
  child.kill(pid, SIGUSR1)
  local total
  wait_until("the counts are never written", function()
    total = read(("%s/out.%d"):format(folder, dumps)):match "\ntotals: (%d+)"
    return total
  end)
  wait_until_quiet()
  return tonumber(total)
end

-- What one costs. A figure above its bound is counted once more, and the lower one holds: the collector's work and valgrind's turns of the
-- threads only ever add to it, by up to 4 %, and a change that costs more does so each time.
local function cost_of(bound, times, ...)
  local lowest = math.huge
  for _ = 1, 2 do
    count()
    rounds(times, ...)
    lowest = math.min(lowest, count() // (times * AT_ONCE))
    if lowest <= bound then
      break
    end
  end
  return lowest
end

local function main()
  start()
  rounds(WARM_UP, urls.answering, 1)
  local event = cost_of(bounds.cost.event, EVENTS, urls.answering, 1)
  rounds(WARM_UP, urls.beside, 1)
  local beside = cost_of(bounds.cost.beside, EVENTS, urls.beside, 1)
  round(urls.asking, 1) -- begins the dialogs: they ask
  rounds(STEPS_BEFORE, urls.asking, 2)
  local step = cost_of(bounds.cost.step, STEPS, urls.asking, 2)
  child.kill(pid, SIGKILL) -- it ends without writing down the rest
  child.wait(pid, true)
  checks.at_most("cost: event", event, "instructions", bounds.cost.event)
  checks.at_most("cost: event beside dialogs", beside, "instructions", bounds.cost.beside)
  checks.at_most("cost: dialog step", step, "instructions", bounds.cost.step)
  return checks.finish()
end

local code = main()
os.exit(code, true)
