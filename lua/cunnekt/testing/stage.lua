-- SPDX-License-Identifier: MIT
-- What one transcript is played on: a virtual clock, a virtual network, a sandbox, and a script that was just loaded, with an
-- empty store. While a stage stands it has changed things of the whole process (the clock, the network, print, os.exit, the
-- log); `close` puts them back. What is done on it is play.lua's.

local blame = require "cunnekt.base.blame"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local formats = require "cunnekt.store.formats"
local log = require "cunnekt.base.log"
local network = require "cunnekt.base.network"
local personal = require "cunnekt.provider.personal"
local sandbox = require "cunnekt.sandbox"
local service = require "cunnekt.service"
local settings = require "cunnekt.provider.settings"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"
local transcript = require "cunnekt.transcript.line"
local words = require "cunnekt.base.words"

local stage = {}

-- When each transcript begins, in seconds since 1970: within a second, as a real clock is.
local start = 1700000000.5

-- Seconds of real time for what follows one line, and messages of the bot in it: more is a bot that never ends.
local max_seconds, max_messages = 20, 1000

-- A time that passes goes from timer to timer, so many times; the rest of it, where timers lie close together, in as many equal steps.
local max_jumps = 2000

-- Seconds in which a bot must have stopped.
local stop_seconds = 10

-- Nobody sets the clock of a stage, so nobody need ask it again.
local longest_wait = 1e9

-- Beyond all rounding of times since 1970 over so many jumps: what is due at the very end of a time has happened.
local beyond = 0.001

-- Where webhooks are said to go: they are handed over in this process.
local webhook_url = "http://127.0.0.1:39999/webhook"

local sandbox_port = 39998
---Where the sandbox is, as for a program on this machine.
stage.sandbox_url = ("http://127.0.0.1:%d"):format(sandbox_port)

-- The sandbox under a name of its own for each bot, so that it is known who sends.
local bot_url = "http://bot-%d.localhost:%d/v1"

---@class cunnekt.testing.message
---@field id string
---@field to string a number
---@field text string all of it in one line

---@class cunnekt.testing.stage
---@field clock cunnekt.virtual_clock
---@field network cunnekt.virtual_network
---@field sandbox table
---@field services cunnekt.service[] of the script's bots
---@field messages cunnekt.testing.message[] what the bots have sent
---@field logged string[]
---@field printed string[]
---@field failure string? of a task that nobody waits for
local stage_methods = {}
local stage_mt = { __index = stage_methods, __name = "cunnekt.testing.stage" }

-- ---- the process -----------------------------------------------------------------------------------------------------

local function printer(self)
  return function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do
      parts[i] = tostring(parts[i])
    end
    table.insert(self.printed, table.concat(parts, "\t"))
  end
end

local function getenv_without_settings(getenv, variables)
  return function(name)
    if variables[name] ~= nil then
      return variables[name]
    end
    return not name:find "^CUNNEKT_" and getenv(name) or nil
  end
end

-- Whether the script leaves room for its turns takes a full collection of garbage to know: too long for each transcript.
local function has_room()
  return true
end

-- No dialog outlives the script that it began with, so that nobody has to know whether the code is the same.
local same_code = formats.code:format("", "")
local function code_of()
  return same_code
end

-- Gives the function that puts everything back.
local function change_process(self, opts)
  local before = {
    print = print, exit = os.exit, getenv = os.getenv, write = log.write, on_failure = task.on_failure, on_new = service.on_new,
    open_store = store.open, arg = rawget(_G, "arg"), shows_heard_failures = log.shows_heard_failures,
    longest_wait = clock.longest_wait,
    are_made_up = personal.are_made_up,
  }
  rawset(_G, "print", printer(self))
  rawset(_G, "arg", { [0] = opts.script })
  rawset(os, "exit", function()
    error("os.exit was called; a script that is tested goes on", 2)
  end)
  rawset(os, "getenv", getenv_without_settings(before.getenv, opts.environment or {}))
  log.write = function(line)
    table.insert(self.logged, line)
  end
  clock.longest_wait = longest_wait
  log.shows_heard_failures, personal.are_made_up = true, true
  task.on_failure = function(failure)
    self.failure = self.failure or blame.text(failure)
  end
  store.open = function(url) -- without a thread, which costs more than all that a transcript stores
    return before.open_store(url, { in_place = true })
  end
  service.on_new = function(new)
    table.insert(self.services, new)
    new.engine.budget.check_room = has_room
    new.dialogs.code_of = code_of
    self:point_at_sandbox()
    if opts.on_service then
      opts.on_service(new)
    end
  end
  return function()
    rawset(_G, "print", before.print)
    rawset(_G, "arg", before.arg)
    rawset(os, "exit", before.exit)
    rawset(os, "getenv", before.getenv)
    log.write, task.on_failure, service.on_new = before.write, before.on_failure, before.on_new
    store.open, log.shows_heard_failures = before.open_store, before.shows_heard_failures
    clock.longest_wait = before.longest_wait
    personal.are_made_up = before.are_made_up
    settings.set_host()
  end
end

-- ---- the network -----------------------------------------------------------------------------------------------------

---Settings for the next bot, or client, that the script makes.
function stage_methods:point_at_sandbox()
  settings.set_host {
    folder = self.folder,
    overrides = {
      api_key = "test",
      base_url = bot_url:format(#self.services + 1, sandbox_port),
      listen = "127.0.0.1:0",
      store = "memory:",
    },
  }
end

local function on_message(self, entry)
  local from = self.network.serving
  self._bot_of[entry.id] = math.tointeger(tonumber(from and from.url:match "^http://bot%-(%d+)%."))
  local text = table.concat(transcript.describe(entry), " "):gsub("%s+", " ")
  table.insert(self.messages, { id = entry.id, to = entry.contact, text = words.trim(words.plain(text)) })
end

-- A customer's webhook goes to one bot, a status to the bot that has sent the message.
local function addressee(self, entry, is_status)
  local its = self.services[is_status and self._bot_of[entry.id] or self.target]
  return its and not its.is_stopping and its:address() and its or nil
end

-- The bot gets it behind its webhook's address, so that its secrets do not matter.
local function deliver(self, body, entry, is_status)
  local its = addressee(self, entry, is_status)
  if not its then -- as if it were delivered: nobody is there who could wait for it
    return 200
  end
  return task.await(function(done)
    local is_taken, err = its.inbox:accept(body, function(problem)
      done(problem and 503 or 200)
    end)
    if not is_taken then
      done(err.kind == "invalid" and 400 or 503)
    end
  end)
end

-- ---- the stage -------------------------------------------------------------------------------------------------------

---Sets up everything but the script.
---@param opts {on_foreign: (fun(request: table): table), environment: table<string, string>?, script: string, folder: string?, on_service: fun(new: cunnekt.service)?} `on_foreign` as of network.virtual; `folder`: the script's; `on_service`: called with each bot's
---@return cunnekt.testing.stage
function stage.new(opts)
  local self = setmetatable({ services = {}, messages = {}, logged = {}, printed = {}, target = 1, folder = opts.folder, _bot_of = {} }, stage_mt)
  self._put_back = change_process(self, opts)
  self.clock = clock.virtual(start):install()
  self.network = network.virtual(opts.on_foreign):install()
  self.sandbox = assert(sandbox.new {
    port = sandbox_port,
    webhook = webhook_url,
    deliver = function(...)
      return deliver(self, ...)
    end,
    on_event = function(event)
      if event.kind == "out" then
        on_message(self, event.entry)
      end
    end,
  })
  self:point_at_sandbox()
  math.randomseed(1) -- the same in each run
  return self
end

---Lets everything go on that needs no time to pass.
---@return string? problem
function stage_methods:settle()
  local deadline, before = core.real_monotonic() + max_seconds, #self.messages
  while core.step(true) do
    if #self.messages - before > max_messages then
      return ("the bot has sent more than %d messages, and goes on"):format(max_messages)
    elseif core.real_monotonic() > deadline then
      return ("the script is not done after %d seconds of real time"):format(max_seconds)
    end
  end
  return nil
end

---Lets time pass, from one timer to the next, so that what follows from each begins at its own time.
---@param seconds number
---@param is_enough? fun(): boolean ends it earlier
---@return string? problem
function stage_methods:pass(seconds, is_enough)
  local left = seconds + beyond
  local stop, step, jumps = clock.monotonic() + left, left / max_jumps, 0
  local problem
  repeat
    jumps = jumps + 1
    local least = jumps > max_jumps and step or 0
    self.clock:advance(math.min(left, math.max(core.next_timer() or left, least)))
    problem = self:settle()
    left = stop - clock.monotonic()
  until problem or left <= 0 or (is_enough and is_enough())
  return problem
end

---Runs `fn` as a task and lets everything go on.
---@param fn fun()
---@return cunnekt.task
---@return string? problem
function stage_methods:run(fn)
  local t = task.spawn(fn)
  return t, self:settle()
end

local function listen(self)
  for _, one in ipairs(self.services) do
    if not one:address() and not one.is_stopping then
      local ok, err = one:listen()
      if not ok then
        error(err, 0)
      end
    end
  end
end

---Starts the bots that the script has not run itself.
---@return string? problem
function stage_methods:start_bots()
  local t, problem = self:run(function()
    local ok, failure = pcall(listen, self)
    return not ok and tostring(failure) or nil
  end)
  return problem or (t.is_done and t.results and t.results[1]) or nil
end

---Ends it all: bots, timers, requests.
function stage_methods:close()
  for _, one in ipairs(self.services) do
    if not one.is_stopping then
      local t = task.spawn(pcall, one.stop, one, 0)
      self:settle()
      if not t.is_done then
        self:pass(stop_seconds, function()
          return t.is_done
        end)
      end
    end
  end
  self.sandbox:close()
  if self.main and not self.main.is_done then
    pcall(task.cancel, self.main)
  end
  self.network.uninstall()
  self.clock:uninstall()
  self._put_back()
  if self.forget then
    self.forget()
  end
end

return stage
