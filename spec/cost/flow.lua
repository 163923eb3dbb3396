-- SPDX-License-Identifier: MIT
-- How an event travels through the Lua files, and a step of a dialog: calls of Lua functions, the files that these are in,
-- and moves from file to file; way.lua says what exactly is counted. An event begins with its webhook and ends when the
-- answer to its reply is stored. The host runs this script: its bots take webhooks over HTTP and send to a provider in the
-- same process. Events are warm, and of some the middle one counts, for what the host does now and then may fall into others.
-- Usage: build/bin/cunnekt run spec/cost/flow.lua [all]; with `all` it lists the files, and the moves one after the other.

local bounds = require "bounds"
local checks = require "checks"
local core = require "cunnekt.core"
local traffic = require "traffic"
local way = require "way"

local WARM_UP, LOOKS = 6, 5
-- Seconds after the last message within which its answer is stored, and in which nothing else comes.
local SETTLED, MOST_SECONDS = 0.15, 20

local pipe = assert(io.popen "mktemp -d")
local folder = pipe:read "l"
pipe:close()

local function leave(code)
  os.execute("rm -rf " .. folder)
  os.exit(code, false)
end

core.timer(MOST_SECONDS, function()
  io.stderr:write "flow: a message never came\n"
  leave(1)
end)

local script = require "script"
way.watch(debug.getinfo(script.answering, "S").source)
local provider = traffic.provider(false)

-- Where the webhooks of a new bot go.
local function listen(name)
  local bot = script[name] {
    api_key = "flow",
    base_url = provider.url,
    listen = "127.0.0.1:0",
    store = ("sqlite:%s/%s.db"):format(folder, name),
    rate = 0,
    pair_rate = 0,
    budget = false, -- of scripts with a budget no function may set a hook, as way.lua does
  }
  assert(bot:listen())
  return ("http://%s/webhook"):format(bot:address())
end

-- ---- the load ------------------------------------------------------------------------------------------------------

-- It runs in callbacks alone: a coroutine that they resume.
local load_runs

local function pause(seconds)
  core.timer(seconds, function()
    local ok, problem = coroutine.resume(load_runs)
    if not ok then
      io.stderr:write("flow: ", tostring(problem), "\n")
      leave(1)
    end
  end)
  coroutine.yield()
end

local function say(url, messages)
  local wanted = provider.taken + messages
  way.begin()
  traffic.send(url, 1, "How many of them are there?", function() end)
  while provider.taken < wanted do
    pause(0.01)
  end
  pause(SETTLED)
  return way.take()
end

local function middle(url, messages)
  local lists = {}
  for _ = 1, WARM_UP do
    say(url, messages)
  end
  for i = 1, LOOKS do
    lists[i] = say(url, messages)
  end
  table.sort(lists, function(a, b)
    return #a < #b
  end)
  return lists[LOOKS // 2 + 1]
end

-- ---- what is said of it --------------------------------------------------------------------------------------------

local function list_files(calls_of)
  local names = {}
  for name in pairs(calls_of) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    if calls_of[a] ~= calls_of[b] then
      return calls_of[a] > calls_of[b]
    end
    return a < b
  end)
  for _, name in ipairs(names) do
    print(("  %4d  %s"):format(calls_of[name], name))
  end
end

-- A line a move: the file, and what is called there.
local function list_moves(list)
  local moves = {}
  local before
  for _, call in ipairs(list) do
    if call.file ~= before then
      moves[#moves + 1] = { ("  %s:"):format(call.file) }
    end
    before = call.file
    table.insert(moves[#moves], call.name)
  end
  for _, words in ipairs(moves) do
    print(table.concat(words, " "))
  end
end

local function report(what, list, bound)
  local figures, calls_of = way.figures(list)
  if arg[1] == "all" then
    print(what .. ": calls of each file")
    list_files(calls_of)
    print(what .. ": moves")
    list_moves(list)
  end
  checks.at_most(what, figures.calls, "Lua calls", bound.calls)
  checks.at_most(what, figures.files, "files", bound.files)
  checks.at_most(what, figures.moves, "moves between files", bound.moves)
end

local answering, asking = listen "answering", listen "asking"

load_runs = coroutine.create(function()
  local event = middle(answering, 1)
  say(asking, 1) -- begins the dialog: it asks
  local step = middle(asking, 2)
  report("flow: event", event, bounds.flow.event)
  report("flow: dialog step", step, bounds.flow.step)
  leave(checks.finish())
end)
coroutine.resume(load_runs)
