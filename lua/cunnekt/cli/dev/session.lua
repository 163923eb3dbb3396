-- SPDX-License-Identifier: MIT
-- A session of `cunnekt dev`: the sandbox, the script and the person at the terminal, from the first line to the end of all three. What
-- a line means is in commands.lua and transcript/typed.lua; screen.lua prints and reads.

local choices = require "cunnekt.cli.dev.choices"
local clock = require "cunnekt.time.clock"
local commands = require "cunnekt.cli.dev.commands"
local core = require "cunnekt.core"
local screen = require "cunnekt.cli.dev.screen"
local show = require("cunnekt.cli.sandbox").show
local task = require "cunnekt.base.task"
local typed = require "cunnekt.transcript.typed"
local usage = require "cunnekt.cli.usage"
local why = require "cunnekt.cli.dev.why"

local session = {}

local session_methods = {}
local session_mt = { __index = session_methods, __name = "cunnekt.dev.session" }

-- Seconds: for a script to end after its bots, as the default grace of bots; and for its bot to listen after the end of the input.
local longest_end, longest_start = 10, 3

-- Seconds for what falls due together, and between two looks at it; and how many looks find nothing.
local longest_step, pace, calm_enough = 2, 0.001, 3

local function is_serving()
  local bot = package.loaded["cunnekt.service"]
  return bot ~= nil and bot.is_serving()
end

---@class cunnekt.dev.session
---@field person {from: string, name: string} the customer who is typed for
---@field box cunnekt.sandbox? set by the caller, as are reload and bots
---@field bots cunnekt.dev.bots?
---@field reload cunnekt.reload?
---@field script table what run.script gets as its host
---@field screen cunnekt.dev.screen
---@param person {from: string, name: string}
---@return cunnekt.dev.session
function session.new(person)
  local self = setmetatable({ person = person, names = {}, timers = {}, lines = {} }, session_mt)
  self.script = {
    goes_on = function()
      return self:goes_on()
    end,
  }
  self.screen = screen.new(function(line)
    self.lines[#self.lines + 1] = line
    self:take_lines()
  end, function()
    self.has_ended = true
    self:take_lines()
  end, function(before)
    return self:complete(before)
  end)
  self.why = why.new(function(to)
    self.screen:note(to .. "; /why says more")
  end)
  local show_event = show(function(entry)
    return self.bots:name_of(entry)
  end, function(entry)
    return {
      columns = self.screen:columns(),
      first = self.choices:note(entry),
      paint = function(style, text)
        return self.screen:paint(style, text)
      end,
    }
  end, function(text, style)
    self.screen:print(text, style)
  end)
  function self.on_event(event)
    -- The terminal has shown what was typed there.
    if event.kind == "in" and self.is_echoed then
      self.choices:note(event.entry)
    else
      show_event(event)
    end
    local sentence = event.kind == "in" and self.why:note_written(event.entry)
    if sentence then
      self.screen:note(sentence, "warning")
    end
  end
  return self
end

---Connects it with the sandbox.
---@param box cunnekt.sandbox
function session_methods:use(box)
  self.box, self.choices = box, choices.new(box.state)
end

-- ---- time ----------------------------------------------------------------------------------------------------------

function session_methods:after(seconds, fn)
  local timer
  timer = clock.after(seconds, function()
    self.timers[timer] = nil
    fn()
  end)
  self.timers[timer] = true
end

-- Whether every message is answered, or waits for the next try of one that has failed: that may be far away.
local function is_answered(self)
  local bot = package.loaded["cunnekt.service"]
  if self.box:is_busy() then
    return false
  elseif not bot or bot.is_idle() then
    return true, true
  end
  for _, one in ipairs(self:services()) do
    if one.schedule:active() + one.inbox:active() + one.outbox:count() > 0 then
      return false
    end
  end
  return self.why:has_retries()
end

-- Calls `fn` when every message is answered that does not wait for a next try. Waits 10 seconds at most, for a bot that accepts
-- nothing.
function session_methods:when_idle(fn, tries, calm)
  tries = tries or 500
  local is_done, is_sure = is_answered(self)
  calm = is_done and (calm or 0) + 1 or 0
  if tries == 0 or is_sure or calm == calm_enough then
    return fn()
  end
  self:after(0.02, function()
    self:when_idle(fn, tries - 1, calm)
  end)
end

-- Whether nothing is under way. What only waits for a time does not count.
local function is_quiet(self)
  local active = self.box:is_busy() and 1 or 0
  for _, one in ipairs(self:services()) do
    active = active + one.inbox:active() + one.outbox:active() + one.schedule:active() + one.engine.turns:count()
  end
  return active == 0
end

---Waits until what is due is done. What a timer begins may ask the store first, which answers in order: so the store is asked, too, and
---all must be quiet several times in a row.
function session_methods:settle()
  local deadline, calm = clock.monotonic() + longest_step, 0
  repeat
    task.sleep(calm > 0 and 0 or pace)
    for _, one in ipairs(self:services()) do
      one.store:query "has_unknown"
    end
    calm = is_quiet(self) and calm + 1 or 0
  until calm == calm_enough or clock.monotonic() > deadline
end

-- ---- the script ----------------------------------------------------------------------------------------------------

---@return cunnekt.service[]
function session_methods:services()
  return self.reload:services()
end

function session_methods:pause_reload()
  self.reload:pause()
end

function session_methods:resume_reload()
  if is_serving() then
    self.reload:resume()
  end
end

-- Watches the script as soon as a bot of it serves.
function session_methods:watch_script()
  if self.is_watching then
    return
  elseif is_serving() then
    self.is_watching = true
    self:show_prompt()
    self.why:attach(self:services())
    self.reload.on_swap = function()
      self.why:attach(self:services())
    end
    return self.reload:start(self.script)
  elseif not self.is_stopping then
    self:after(0.02, function()
      self:watch_script()
    end)
  end
end

-- ---- the end -------------------------------------------------------------------------------------------------------

function session_methods:close()
  self.screen:close()
  self.reload:stop()
  for timer in pairs(self.timers) do
    timer:close()
  end
  self.timers = {}
  self.box:close()
  self.is_closed = true
end

-- Bots need time to stop, and still talk to the sandbox; and the script may have something to do after them.
function session_methods:close_after_bots(is_late)
  local main = self.script.main
  local is_over = not main or main.is_done or not self.had_bot or is_late
  if is_serving() or not is_over then
    return self:after(0.05, function()
      self:close_after_bots(is_late)
    end)
  end
  self:close()
  if main and not main.is_done then
    task.cancel(main)
    if not main.is_done then -- it waits where no task can be cancelled
      os.exit(0, false)
    end
  end
end

---Stops orderly. A second signal ends the process at once, see service/signals.lua.
function session_methods:stop()
  if self.is_stopping then
    return
  end
  self.is_stopping, self.had_bot = true, is_serving()
  self.screen:close()
  self.reload:stop()
  if self.had_bot then
    package.loaded["cunnekt.service"].stop_all()
    self:after(longest_end, function()
      self:close_after_bots(true)
    end)
  end
  self:close_after_bots()
end

---Whether what the script has begun may still come to something. What the session itself waits for does not count.
---@return boolean
function session_methods:goes_on()
  if self.is_stopping or is_serving() then
    return not self.is_closed
  elseif self.is_watching then
    self.reload:stop() -- its bot has stopped by itself
  end
  local own = 0
  for _ in pairs(self.timers) do
    own = own + 1
  end
  local now = core.counts()
  return now.timers > own or now.listeners > 1 or now.requests + now.exchanges + now.files > 0
end

function session_methods:quit()
  self.screen:close()
  self:when_idle(function()
    local left = self.why:left(self:services())
    if left then
      self.screen:note(left, "warning")
    end
    self:stop()
  end)
end

-- ---- lines ---------------------------------------------------------------------------------------------------------

---Writes as somebody else from now on.
---@param number string
---@param name string?
function session_methods:become(number, name)
  self.names[self.person.from] = self.person.name
  self.person = { from = number, name = name or self.names[number] or number }
  self:show_prompt()
end

function session_methods:show_prompt()
  local to = self.bots and self.bots:count() > 1 and (" to bot %d"):format(self.bots.target) or ""
  self.screen:set_prompt(("%s%s> "):format(self.person.name, to))
end

function session_methods:say(message)
  local contact = self.person.from
  local resolved, problem = self.choices:resolve(contact, message)
  if not resolved then
    return problem
  elseif problem then
    self.screen:note(problem)
  end
  resolved.from, resolved.name = contact, self.person.name
  self.is_echoed = self.screen.is_terminal
  local said, err = self.box:say(resolved)
  self.is_echoed = false
  return not said and err.message or nil
end

-- What a command gives, or what is wrong.
local function report(self, text, problem)
  if problem then
    self.screen:note(problem, "warning")
  elseif text then
    self.screen:note(text)
  end
end

-- A command that may wait.
function session_methods:run_command(run)
  self.is_taking = true
  task.spawn(function()
    local ok, text, problem = pcall(run, self)
    report(self, ok and text or nil, not ok and tostring(text) or problem)
    self.is_taking = false
    self:take_lines()
  end)
end

function session_methods:take_line(line)
  local run = commands.find(line)
  if run then
    return self:run_command(run)
  end
  local message, problem = typed.read(line)
  if message == "quit" then
    return self:quit()
  elseif message == "help" then
    return self.screen:print((commands.help:gsub("\n$", "")))
  elseif message then
    problem = self:say(message)
  elseif problem and problem:find "^there is no /" then
    problem = problem .. usage.hint(line:match "^/(%a+)", commands.names())
  end
  report(self, nil, problem)
end

-- Waits for the script's bot to listen: a webhook posted earlier would be refused. At the end of the input a script that has no
-- bot is not waited for.
function session_methods:wait_for_bot()
  if self.is_waiting then
    return
  end
  self.is_waiting = true
  self:after(0.02, function()
    self.is_waiting = false
    self.waited = (self.waited or 0) + (self.has_ended and 0.02 or 0)
    if self.waited > longest_start or typed.read(self.lines[1] or "") == "quit" then
      return self:quit()
    end
    self:take_lines()
  end)
end

---A person reads an answer before writing the next line; lines from a pipe wait for it too.
function session_methods:take_lines()
  if self.is_taking or self.is_stopping then
    return
  elseif not is_serving() or not self.bots:are_ready() then
    return self:wait_for_bot()
  end
  self:watch_script() -- before the first line, so that /why knows of it
  local line = table.remove(self.lines, 1)
  if line then
    self:take_line(line)
    if self.is_taking then
      return
    elseif self.screen.is_terminal then
      return self:take_lines()
    end
    self.is_taking = true
    self:when_idle(function()
      self.is_taking = false
      self:take_lines()
    end)
  elseif self.has_ended then
    self:quit()
  end
end

-- ---- completion ----------------------------------------------------------------------------------------------------

local function add_files(found, head, path)
  local folder, base = path:match "^(.*/)([^/]*)$"
  folder, base = folder or "", base or path
  for _, name in ipairs(core.names(folder == "" and "." or folder) or {}) do
    if name:sub(1, #base) == base and (base ~= "" or name:sub(1, 1) ~= ".") then
      found[#found + 1] = head .. folder .. name
    end
  end
end

---What a line may be that begins so.
---@param before string
---@return string[] lines
function session_methods:complete(before)
  local found = {}
  local head, kind, rest = before:match "^(/(%a+)%s+)(.*)$"
  local tapped = typed.choices[kind]
  if tapped then
    for _, id in ipairs(self.choices:ids(self.person.from, tapped)) do
      found[#found + 1] = id:sub(1, #rest) == rest and head .. id or nil
    end
  elseif kind == "image" or kind == "document" or kind == "audio" or kind == "video" or kind == "sticker" then
    add_files(found, head, rest)
  elseif before:find "^/%a*$" then
    for _, name in ipairs(commands.names()) do
      found[#found + 1] = ("/" .. name):sub(1, #before) == before and "/" .. name or nil
    end
  end
  table.sort(found)
  return found
end

---Begins to read the person's lines.
function session_methods:listen_to_person()
  self:show_prompt()
  self.screen:start()
end

return session
