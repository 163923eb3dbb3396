-- SPDX-License-Identifier: MIT
-- Plays the Lua blocks of a Markdown page against an in-process sandbox. A block says itself what is to happen, in
-- comments that readers profit from as well:
--
--   -- customer: TEXT       the customer writes; a line as `cunnekt dev` takes it: /button ID, /document, …
--   -- bot: TEXT            the next message to the customer holds these words
--   -- staff: TEXT          staff write to the customer in WhatsApp's own app
--   -- status: failed       a status of the last message
--   -- 60 seconds later     time passes
--   -- log: TEXT            the log holds this; otherwise nothing may be logged as an error
--   print(x) --> TEXT       what is printed holds this
--
-- A block that begins with `-- in a handler` is the body of a handler of every message, `-- cunnekt.conf.lua` is that
-- file, and `-- not run: WHY` is only compiled. `cunnekt`, `client` and `bot` are there for blocks that don't make them.

local inside = require("cunnekt.service").of
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local lfs = require "lfs"
local log = require "cunnekt.base.log"
local sandbox = require "cunnekt.sandbox"
local server = require "spec.support.server"
local settings = require "cunnekt.provider.settings"
local task = require "cunnekt.base.task"
local transcript = require "cunnekt.transcript.line"
local typed = require "cunnekt.transcript.typed"
local world = require "cunnekt.dialog.engine.world"

local manual = {}

-- Seconds of real time for anything that is waited for, and of virtual time for each millisecond of it.
local patience, pace = 30, 0.02

-- ---- reading ---------------------------------------------------------------------------------------------------------

local function is_directive(line)
  return line:match "^%s*%-%- (customer): (.+)$" or line:match "^%s*%-%- (bot): (.+)$" or line:match "^%s*%-%- (staff): (.+)$"
    or line:match "^%s*%-%- (status): (.+)$" or line:match "^%s*%-%- (log): (.+)$"
end

local function read_steps(block)
  for line in (block.code .. "\n"):gmatch "(.-)\n" do
    local name = is_directive(line)
    local later = line:match "^%s*%-%- (%d+) seconds later$"
    local printed = line:match "%-%->%s*(.-)%s*$"
    if name then
      table.insert(block.steps, { name, (line:match "^%s*%-%- %a+: (.-)%s*$") })
    elseif later then
      table.insert(block.steps, { "later", tonumber(later) })
    elseif printed then
      table.insert(block.prints, printed)
    end
  end
end

---The Lua blocks of a page.
---@param path string
---@return table[] blocks code, line, path, steps, prints, kind: "script", "handler", "conf" or "compiled"
function manual.blocks(path)
  local blocks, block, number = {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    local fence = line:match "^%s*```(.*)$"
    if fence and block then
      block.code = table.concat(block, "\n") .. "\n"
      if block.is_lua then
        read_steps(block)
        blocks[#blocks + 1] = block
      end
      block = nil
    elseif fence then
      block = { path = path, line = number, is_lua = fence:lower():find "^%s*lua" ~= nil, steps = {}, prints = {} }
    elseif block then
      if #block == 0 then
        block.kind = line:find "^%-%- in a handler" and "handler" or line:find "^%-%- cunnekt%.conf%.lua" and "conf"
          or line:find "^%-%- not run: %S" and "compiled" or "script"
      end
      block[#block + 1] = line
    end
  end
  assert(not block, path .. ": a block is not closed")
  return blocks
end

---A script with the transcript in its comments.
---@param path string
---@return table block as of a page
function manual.script(path)
  local file <close> = assert(io.open(path))
  local block = { path = path, line = 0, kind = "script", code = file:read "a", steps = {}, prints = {} }
  read_steps(block)
  return block
end

---Compiles a block. Messages name the page and its line.
---@param block table
---@param env table?
---@return function
function manual.compile(block, env)
  local code = block.code
  if block.kind == "handler" then
    code = ("bot:on('message', function(msg) %s\nend)"):format(code)
  end
  return assert(load(("\n"):rep(block.line) .. code, "@" .. block.path, "t", env or {}))
end

-- ---- a stage for one block -------------------------------------------------------------------------------------------

local stage_methods = {}
local stage_mt = { __index = stage_methods }

-- What examples ask over HTTP: the shop's own order book, and a language model.
local function answer_for_shop(request)
  if request.path == "/chat/completions" then
    return 200, '{"choices":[{"message":{"content":"We have 12 sorts of tea."}}]}', { ["Content-Type"] = "application/json" }
  end
  if request.path == "/orders/4711" then
    return 200, '{"id":4711,"state":"packed"}', { ["Content-Type"] = "application/json" }
  end
  return 404, '{"error":"no such order"}', { ["Content-Type"] = "application/json" }
end

-- What a block sees is what a script in the host sees, over globals that are changed while the stage stands: bots are
-- noted, prints are kept, and the environment has the URLs of the stage.
local function change_globals(self)
  local noted = setmetatable({
    bot = function(opts)
      local bot = cunnekt.bot(opts)
      table.insert(self.bots, bot)
      return bot
    end,
  }, { __index = cunnekt })
  local makers = { cunnekt = function() return noted end, client = cunnekt.client, bot = noted.bot }
  local variables = { CRM_URL = self.shop.url, ORDER_API = self.shop.url, CHAT_URL = self.shop.url, SANDBOX = self.sandbox.url }
  local before = { print = print, getenv = os.getenv, metatable = getmetatable(_G) }
  package.loaded.cunnekt = noted
  rawset(os, "getenv", function(name)
    return variables[name]
  end)
  rawset(_G, "print", function(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i])
    end
    table.insert(self.printed, table.concat(words, " "))
  end)
  setmetatable(_G, {
    __index = function(t, name)
      if makers[name] then
        rawset(t, name, makers[name]())
        return rawget(t, name)
      end
    end,
  })
  return function()
    package.loaded.cunnekt = cunnekt
    rawset(os, "getenv", before.getenv)
    rawset(_G, "print", before.print)
    setmetatable(_G, before.metatable)
    for name in pairs(makers) do
      rawset(_G, name, nil)
    end
  end
end

---Sets up a sandbox, a clock, a folder and a web server for one block.
function manual.stage()
  local self = setmetatable({ bots = {}, printed = {}, logged = {}, seen = 0 }, stage_mt)
  self.folder, self.home = os.tmpname(), lfs.currentdir()
  os.remove(self.folder)
  assert(lfs.mkdir(self.folder) and lfs.chdir(self.folder))
  self.clock = clock.virtual():install()
  self.sandbox = assert(sandbox.new())
  self.shop = server.new(answer_for_shop)
  self.write, self.on_failure = log.write, task.on_failure
  log.write = function(line)
    table.insert(self.logged, line)
  end
  task.on_failure = function(failure)
    self.failure = self.failure or failure
  end
  self.restore_globals = change_globals(self)
  settings.set_host {
    overrides = { api_key = "key", base_url = self.sandbox.url .. "/v1", listen = "127.0.0.1:0", store = "memory:" },
  }
  return self
end

-- Lets everything go on until `fn` gives something.
function stage_methods:wait_for(fn, what)
  local deadline = core.real_monotonic() + patience
  while true do
    if self.failure then
      error(tostring(self.failure), 0)
    end
    local value = fn()
    if value then
      return value
    elseif core.real_monotonic() > deadline then
      error(("waited in vain for %s; the log: %s"):format(what, table.concat(self.logged, "\n")), 0)
    end
    self.clock:advance(pace)
    core.real_timer(0.001, function() end)
    core.step(true)
  end
end

-- Runs `fn` as a task to its end.
function stage_methods:run(fn, what)
  local t = task.spawn(fn)
  self:wait_for(function()
    return t.is_done
  end, what)
end

function stage_methods:is_idle()
  local serving = 0
  for _, bot in ipairs(self.bots) do
    if not inside(bot).is_stopping then
      serving = serving + 1
      if inside(bot).inbox:active() > 0 or inside(bot).outbox:count() > 0 then
        return false
      end
    end
  end
  -- A sandbox goes on trying to reach a bot that has stopped.
  return serving == 0 or not self.sandbox:is_busy()
end

function stage_methods:next_message()
  for _, entry in ipairs(self.sandbox.state:since(self.seen, nil, math.huge)) do
    self.seen = entry.n
    if entry.direction == "out" then
      self.last = entry
      return entry
    end
  end
end

-- ---- what the directives do --------------------------------------------------------------------------------------------

local steps = {}

function steps.customer(self, line)
  assert(self.sandbox:say((assert(typed.read(line)))))
end

function steps.staff(self, words)
  self:run(function()
    local body = { type = "echo", text = words, wait = true }
    local answer = assert(cunnekt.http.request { method = "POST", url = self.sandbox.url .. "/control/events", json = body })
    assert(answer.status == 200, answer.body)
  end, "the sandbox to take an echo")
end

function steps.bot(self, words)
  local entry = self:wait_for(function()
    return self:next_message()
  end, "the bot to say: " .. words)
  local said = table.concat(transcript.describe(entry), " "):gsub("%s+", " ")
  if not said:find(words, 1, true) then
    error(("the bot was to say: %s\nit said: %s"):format(words, said), 0)
  end
end

function steps.status(self, status)
  local id = assert(self.last, "no message was sent before").id
  self:run(function()
    local body = { id = id, status = status, wait = true }
    local answer = assert(cunnekt.http.request { method = "POST", url = self.sandbox.url .. "/control/statuses", json = body })
    assert(answer.status == 200, answer.body)
  end, "the sandbox to take a status")
end

function steps.later(self, seconds)
  self:wait_for(function()
    return self:is_idle()
  end, "a quiet moment")
  self.clock:advance(seconds)
end

function steps.log(self, words)
  self:wait_for(function()
    for i, line in ipairs(self.logged) do
      if line:find(words, 1, true) then
        return table.remove(self.logged, i)
      end
    end
  end, "the log to say: " .. words)
end

local function check_prints(self, wanted)
  local rest = { table.unpack(self.printed) }
  for _, words in ipairs(wanted) do
    local found
    for i, line in ipairs(rest) do
      if not found and line:find(words, 1, true) then
        found = table.remove(rest, i)
      end
    end
    if not found then
      error(("'%s' was to be printed; printed was:\n%s"):format(words, table.concat(self.printed, "\n")), 0)
    end
  end
end

function stage_methods:start_bots()
  for _, bot in ipairs(self.bots) do
    if not bot:address() then
      self:run(function()
        assert(bot:listen())
      end, "the bot to start")
    end
    self.sandbox:aim("http://" .. bot:address() .. "/webhook")
  end
end

---Plays a block, and raises what did not come as it says.
---@param block table
function stage_methods:play(block)
  local chunk = manual.compile(block, world.new())
  local t = task.spawn(chunk)
  self:wait_for(function()
    return t.is_done or (self.bots[1] and self.bots[1]:address())
  end, "the block to end, or to serve")
  self:start_bots()
  for _, step in ipairs(block.steps) do
    steps[step[1]](self, step[2])
  end
  self:wait_for(function()
    return self:is_idle() and #self.printed >= #block.prints
  end, "the rest; printed was: " .. table.concat(self.printed, "\n"))
  check_prints(self, block.prints)
  local more = self:next_message()
  if more and #block.steps > 0 then
    error("the bot said more: " .. table.concat(transcript.describe(more), " "), 0)
  end
  for _, line in ipairs(self.logged) do
    if line:find "error:" then
      error("logged: " .. line, 0)
    end
  end
end

---Reads a block as cunnekt.conf.lua.
---@param block table
function stage_methods:read_conf(block)
  local file <close> = assert(io.open("cunnekt.conf.lua", "w"))
  file:write(block.code)
  file:flush()
  settings.set_host()
  return (settings.load { getenv = function() end })
end

---Ends it all.
function stage_methods:close()
  self.failure = nil
  for _, bot in ipairs(self.bots) do
    pcall(self.run, self, function()
      bot:stop(1)
    end, "the bot to stop")
  end
  self.restore_globals()
  self.sandbox:close()
  self.shop:close()
  self.clock:uninstall()
  settings.set_host()
  log.write, task.on_failure = self.write, self.on_failure
  lfs.chdir(self.home)
  os.execute(("rm -rf '%s'"):format(self.folder))
end

return manual
