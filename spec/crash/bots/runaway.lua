-- SPDX-License-Identifier: MIT
-- The bot of runaway.lua: a customer's text names what its handler does without end. RUNAWAY_SECONDS and RUNAWAY_MEMORY are the
-- budget; RUNAWAY_BREAK names how it is broken for a negative control.

local cunnekt = require "cunnekt"

local broken = os.getenv "RUNAWAY_BREAK"
local bot = cunnekt.bot {
  attempts = 1,
  budget = broken ~= "no_budget" and {
    seconds = tonumber(os.getenv "RUNAWAY_SECONDS"),
    memory = os.getenv "RUNAWAY_MEMORY",
  } or false,
}

local runaway = {}

-- ---- loops ---------------------------------------------------------------------------------------------------------

local function spin()
  while true do
  end
end

runaway.loop = spin

function runaway.loop_in_pcall()
  while true do
    pcall(spin)
  end
end

function runaway.loop_in_xpcall()
  while true do
    xpcall(spin, spin)
  end
end

function runaway.loop_in_error_handler()
  xpcall(error, spin, "on purpose")
end

function runaway.nested_pcall()
  local function again()
    pcall(again)
    pcall(again)
  end
  again()
end

function runaway.loop_in_coroutine()
  while true do
    coroutine.resume(coroutine.create(spin))
  end
end

function runaway.loop_in_wrap()
  while true do
    pcall(coroutine.wrap(spin))
  end
end

function runaway.loop_of_yields()
  local co = coroutine.wrap(function()
    while true do
      coroutine.yield()
    end
  end)
  while true do
    co()
  end
end

local closing = { __close = spin }

function runaway.loop_in_close()
  local _ <close> = setmetatable({}, closing)
end

function runaway.loop_in_close_of_a_stop()
  local _ <close> = setmetatable({}, closing)
  spin()
end

function runaway.loop_in_closed_coroutine()
  local co = coroutine.create(function()
    local _ <close> = setmetatable({}, closing)
    coroutine.yield()
  end)
  coroutine.resume(co)
  coroutine.close(co)
end

function runaway.loop_in_dead_coroutine()
  local co = coroutine.create(function()
    local _ <close> = setmetatable({}, closing)
    spin()
  end)
  while true do
    coroutine.resume(co)
    coroutine.close(co)
  end
end

function runaway.loop_in_sort()
  local list = {}
  for i = 1, 100 do
    list[i] = i
  end
  table.sort(list, spin)
end

function runaway.loop_in_metamethod()
  return setmetatable({}, { __index = spin }).field
end

function runaway.loop_in_tostring()
  error(setmetatable({}, { __tostring = spin }))
end

function runaway.loop_in_gsub()
  return (("x"):rep(10)):gsub(".", spin)
end

function runaway.loop_of_changes(msg)
  while true do
    msg.chat.state.count = (msg.chat.state.count or 0) + 1
  end
end

function runaway.loop_in_step(msg)
  msg.chat:step("forever", spin)
end

-- ---- inside C functions --------------------------------------------------------------------------------------------

local long = ("a"):rep(100)
local bomb = ("a*"):rep(60) .. "b"

function runaway.bomb_in_find()
  return long:find(bomb)
end

function runaway.bomb_in_match()
  while true do
    pcall(string.match, long, bomb)
  end
end

function runaway.bomb_in_gmatch()
  for _ in long:gmatch(bomb) do
  end
end

function runaway.bomb_in_gsub()
  return long:gsub(bomb, "")
end

-- ---- memory --------------------------------------------------------------------------------------------------------

function runaway.doubling_string()
  local text = "x"
  while true do
    text = text .. text
  end
end

function runaway.doubling_in_pcall()
  local text = "x"
  while true do
    pcall(function()
      text = text .. text
    end)
  end
end

function runaway.huge_rep()
  return ("x"):rep(1 << 30)
end

function runaway.large_reps()
  local list = {}
  while true do
    list[#list + 1] = ("x"):rep(10000000)
  end
end

function runaway.concat()
  local list = {}
  for i = 1, 100 do
    list[i] = ("x"):rep(1000000)
  end
  while true do
    list[#list + 1] = table.concat(list)
  end
end

function runaway.tables()
  local list = {} -- luacheck: ignore 241
  while true do
    list[#list + 1] = { {}, {} }
  end
end

local kept = {}

-- What the turn has made outlives it.
function runaway.tables_in_a_global()
  while true do
    kept[#kept + 1] = { {}, {} }
  end
end

function runaway.closures()
  local list
  while true do
    local before = list
    list = function()
      return before
    end
  end
end

function runaway.coroutines()
  local list = {}
  while true do
    list[#list + 1] = coroutine.create(spin)
  end
end

function runaway.json()
  local list = {}
  for i = 1, 100 do
    list[i] = ("x"):rep(1000000)
  end
  local texts = {}
  while true do
    texts[#texts + 1] = cunnekt.json.encode(list)
  end
end

-- ---- depth ---------------------------------------------------------------------------------------------------------

function runaway.recursion()
  local function deeper(n)
    return 1 + deeper(n + 1)
  end
  return deeper(1)
end

function runaway.recursion_in_c()
  local function deeper()
    return (("x"):gsub(".", deeper))
  end
  return deeper()
end

-- ---- what is refused -----------------------------------------------------------------------------------------------

local refused = {}

function refused.os_exit()
  os.exit(0)
end

function refused.finalizer()
  setmetatable({}, { __gc = spin })
end

function refused.finalizer_by_debug()
  debug.setmetatable({}, { __gc = spin })
end

function refused.sethook()
  debug.sethook()
end

function refused.registry()
  return debug.getregistry()
end

function refused.bytecode()
  return string.dump(spin)
end

function refused.load()
  return assert(load "\27Lua")
end

function refused.own_name()
  return load("while true do end", "@cunnekt/own.lua")
end

-- ---- the handlers --------------------------------------------------------------------------------------------------

-- When a turn began that runs away.
local function begin(name)
  io.stderr:write("begun ", name, "\n")
  return runaway[name] or refused[name]
end

bot:dialog("runaway", function(chat)
  local answer = chat:ask "what?"
  chat:reply_text "never sent"
  begin(answer.text:match "^in_dialog_(%S+)")(answer)
end)

-- Uses this part of the budget: by counting, for in a dialog the time stands still.
local a_million = os.clock()
for _ = 1, 1000000 do
end
a_million = os.clock() - a_million

local function burn(part)
  for _ = 1, 1000000 * part * tonumber(os.getenv "RUNAWAY_SECONDS") / a_million do
  end
end

-- A dialog of which no turn uses up its budget, but a replay would.
bot:dialog("burn", function(chat)
  for i = 1, 4 do
    burn(0.5)
    chat:ask("question " .. i)
  end
  chat:reply_text "burnt"
end)

bot:on("text", "^burn", function(msg)
  msg:start "burn"
end)

-- The customers of load.lua, as in counter.lua.
bot:on("text", "^%d", function(msg)
  local state = msg.chat.state
  state.count = (state.count or 0) + 1
  local first = ("%s #%d"):format(msg.text, state.count)
  msg:reply_text(first)
  if state.count % 3 == 0 then
    msg:reply_text(first .. " and more")
  end
end)

bot:on("text", "^hello", function(msg)
  msg:reply_text("answer to " .. msg.text)
end)

bot:on("text", "^ask", function(msg)
  msg:start "runaway"
end)

bot:job("in_job", function(job)
  begin(job.args)()
end)

bot:on("text", "^in_job_", function(msg)
  bot:after(0, { args = msg.text:match "^in_job_(%S+)" }, "runaway " .. msg.id, "in_job")
end)

local fails_listener = false

bot:on("text", "^in_listener_", function(msg)
  fails_listener = msg.text:match "^in_listener_(%S+)"
  error("for the listener", 0)
end)

bot:use(function(msg, next)
  local name = msg.text and msg.text:match "^in_use_(%S+)"
  if name then
    begin(name)()
  end
  return next()
end)

bot:on("text", "^%l", function(msg)
  local name = msg.text:match "^(%S+)"
  msg:reply_text "never sent"
  begin(name)(msg)
end)

bot:on_error(function(err, about)
  if err.kind == "unknown_outcome" then
    io.stderr:write("held ", about.payload.text, "\n")
    return
  end
  io.stderr:write(("stopped %s: %s %s\n"):format(about and about.text or "job", err.kind, err.message))
  local name = fails_listener
  fails_listener = false
  if name then
    begin(name)()
  end
end)

bot:run()
