-- SPDX-License-Identifier: MIT
-- Several lives of one bot, one after the other over the same store on disk, under a virtual clock; and what its jobs did.

local inside = require("cunnekt.service").of
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local log = require "cunnekt.base.log"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"

local lives = {}

---When the clock begins: 2023-11-14 22:13:20 UTC, a Tuesday. Times that are noted count from here.
lives.start = 1700000000

-- Seconds of real time for anything that is waited for.
local patience = 20

local lives_methods = {}
local lives_mt = { __index = lives_methods }

---Installs the clock and listens to the log; `close` undoes that.
function lives.new()
  local self = setmetatable({
    folder = process.folder(),
    clock = clock.virtual(lives.start):install(),
    ran = {},
    errs = {},
    lines = {},
    write = log.write,
  }, lives_mt)
  log.write = function(line)
    self.lines[#self.lines + 1] = line
  end
  -- A job that notes when it ran, and for which due time.
  self.note = function(job)
    local last = job.last and job.last - lives.start
    table.insert(self.ran, { name = job.name, at = clock.now() - lives.start, due = job.due - lives.start, last = last })
  end
  return self
end

-- Lets the loop go on until `is_over` says so.
local function go_on(self, is_over, what)
  local deadline = core.real_monotonic() + patience
  while not is_over() do
    assert(core.real_monotonic() < deadline, what)
    self.clock:advance(0)
    core.real_timer(0.0005, function() end)
    core.step(true)
  end
end

---Lets what is under way end, while the clock stands still.
function lives_methods:settle()
  local bot, last, rounds = self.bot, -1, 0
  go_on(self, function()
    rounds = rounds + 1
    if rounds % 3 > 0 then
      return false
    end
    bot.store:get "anything" -- the store works in order: what was to be written before this is written now
    local is_same = last == #self.ran
    last = #self.ran
    return is_same and (inside(bot).schedule:active() == 0 or self.has_hung)
  end, "something never ends")
end

---Lets time pass, a bit at a time.
function lives_methods:pass(seconds, step)
  step = step or 30
  while seconds > 0 do
    self.clock:advance(math.min(step, seconds))
    seconds = seconds - step
    self:settle()
  end
end

---Begins a life; `script` plans its jobs.
function lives_methods:live(script, opts)
  local all = {
    api_key = "key",
    base_url = "http://127.0.0.1:9/v1",
    listen = "127.0.0.1:0",
    store = "sqlite:" .. self.folder.path .. "/jobs.db",
  }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  self.bot, self.has_hung = cunnekt.bot(all), false
  self.bot:on_error(function(err)
    table.insert(self.errs, err)
  end)
  script(self.bot)
  assert(self.bot:listen())
  self:settle()
end

---Ends it, at once. What is under way never ends.
function lives_methods:die()
  if self.bot then
    local stopping = task.spawn(self.bot.stop, self.bot, 0.001)
    go_on(self, function()
      self.clock:advance(0.01)
      return stopping.is_done
    end, "the bot does not stop")
    self.bot = nil
  end
end

---Waits until the bot has stopped by itself.
function lives_methods:wait_for_end(begin)
  local has_stopped = false
  inside(self.bot).on_stopped = function()
    has_stopped = true
  end
  begin()
  go_on(self, function()
    self.clock:advance(0.01)
    return has_stopped
  end, "the bot does not stop")
  self.bot = nil
end

---The jobs that ran, and when: "name seconds".
function lives_methods:times()
  local list = {}
  for i, one in ipairs(self.ran) do
    list[i] = ("%s %d"):format(one.name, math.floor(one.at))
  end
  return list
end

---How often a job ran.
function lives_methods:count(name)
  local count = 0
  for _, one in ipairs(self.ran) do
    count = count + (one.name == name and 1 or 0)
  end
  return count
end

function lives_methods:close()
  self:die()
  self.clock:uninstall()
  log.write = self.write
end

return lives
