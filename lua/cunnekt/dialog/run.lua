-- SPDX-License-Identifier: MIT
-- One run of a handler or dialog, and its journal. Whatever a run learns from outside (an answer, a value, an HTTP
-- response) is a step with a result; a run that is rebuilt after a restart gets the results of its steps again instead of
-- doing them, and so arrives where it stood. The journal of a run that never waits is never written.

local canonical = require "cunnekt.canonical"
local clock = require "cunnekt.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.errors"
local json = require "cunnekt.json"
local task = require "cunnekt.task"

local run = {}

local run_methods = {}
local run_mt = { __index = run_methods, __name = "cunnekt.run" }

---@class cunnekt.run
---@field id integer
---@field name string of the dialog, or of the handler
---@field contact string
---@field to string? the customer's number
---@field args any what the dialog was started with
---@field code string? digest of the code that it runs
---@field n integer steps so far
---@field at number the time of this turn; it stands still until the next
---@field is_dialog boolean false: a handler, which may do what cannot be journaled as long as it does not wait
---@field is_stored boolean the store knows it
---@field pending table[] steps that the store does not know yet
---@field replay table[]? steps of an earlier life, by number
---@field delivery table? what the wait at the end of the replay is given

---@param fields table id, name, contact, to, args, code, at, is_dialog; replay and delivery for one that is rebuilt
---@return cunnekt.run
function run.new(fields)
  fields.n, fields.pending, fields.draws = 0, {}, 0
  fields.is_stored = fields.replay ~= nil
  return setmetatable(fields, run_mt)
end

---The run that this code is part of, if any.
---@return cunnekt.run?
function run.current()
  local running = task.running()
  return running and running.run
end

-- What a step is compared by. Long subjects are told apart by their digest, short ones can be read in a report.
local function mark_of(kind, subject)
  local text = canonical.text(subject)
  if #text > 80 then
    text = text:sub(1, 40) .. "…" .. core.hex(core.sha256():update(text):digest()):sub(1, 16)
  end
  return kind .. " " .. text
end

local function diverged(self, old, mark)
  local message = "the dialog '%s' does not do what it did before: step %d was %s, and is now %s"
  error(errors.new("diverged", message:format(self.name, self.n, old.mark, mark), { step = self.n }), 0)
end

---Whether the run is still going through what it did in an earlier life.
---@return boolean
function run_methods:is_replaying()
  return self.replay ~= nil and self.replay[self.n + 1] ~= nil
end

-- The result of the next step from an earlier life. Raises when the script does something else now.
local function recall(self, kind, subject)
  local old = self.replay[self.n]
  local mark = mark_of(kind, subject)
  if old.mark ~= mark then
    diverged(self, old, mark)
  end
  if not self.replay[self.n + 1] then
    self.replay = nil
  end
  local kept = json.decode(old.result)
  if kept.raised then
    error(kept.raised, 0)
  end
  if kept[1] == json.null then
    return nil
  end
  return kept[1]
end

---Does a step, or recalls it: `fn` is called only the first time.
---@param kind string
---@param subject any what is done, fit for JSON: the step is compared by it
---@param fn fun(): any the result, fit for JSON; nil is
---@return any result raises what `fn` raised, each time
---@return boolean is_recalled
function run_methods:step(kind, subject, fn)
  if self.is_in_step then
    return fn(), false -- part of a larger step, which is recalled as a whole
  end
  local is_recalled = self:is_replaying()
  self.n = self.n + 1
  if is_recalled then
    return recall(self, kind, subject), true
  end
  local step = { n = self.n, kind = kind, subject = subject }
  self.is_in_step = true
  local ok, result = pcall(fn)
  self.is_in_step = false
  if not ok and errors.is(result) then
    error(result, 0) -- the turn cannot go on, and will be tried again: this never happened
  end
  self.pending[#self.pending + 1] = step
  if not ok then
    step.raised = tostring(result)
    error(result, 0)
  end
  step.result = result
  return result, false
end

---Takes the steps that are not stored yet, as the store writes them.
---@return table[] steps n, mark, result
function run_methods:take_pending()
  local steps = self.pending
  self.pending = {}
  for _, step in ipairs(steps) do
    step.mark = mark_of(step.kind, step.subject)
    step.text = step.raised and json.encode { raised = step.raised }
      or json.encode(json.array { step.result == nil and json.null or step.result })
  end
  return steps
end

---The seed of the run's chance, drawn when it is first needed.
---@return string
function run_methods:find_seed()
  self.seed = self.seed or ("%.17g %.17g"):format(clock.random(), self.at)
  return self.seed
end

---A number in [0, 1), the same each time that the run is rebuilt.
---@return number
function run_methods:random()
  self.draws = self.draws + 1
  self:find_seed()
  local bytes = core.sha256():update(("%d %d %s"):format(self.id, self.draws, self.seed)):digest()
  return (string.unpack("<I8", bytes) >> 11) / (1 << 53)
end

---Does a step in the run that is current, or just does it where there is none.
---@param kind string
---@param subject any
---@param fn fun(): any
---@return any result
---@return boolean is_recalled
function run.step(kind, subject, fn)
  local current = run.current()
  if not current then
    return fn(), false
  end
  return current:step(kind, subject, fn)
end

---As run.step, with the result alone.
---@param kind string
---@param subject any
---@param fn fun(): any
---@return any
function run.within(kind, subject, fn)
  return (run.step(kind, subject, fn))
end

return run
