-- SPDX-License-Identifier: MIT
-- A run that left memory is rebuilt from its journal: its function runs again from the beginning, and is given what its
-- steps gave then. Which code it runs, when the script has changed, and going back to an earlier question belong here.
-- The methods are those of cunnekt.dialogs; see dialog/init.lua.

local clock = require "cunnekt.time.clock"
local code = require "cunnekt.dialog.engine.code"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.dialog.engine.journal"
local json = require "cunnekt.base.json"
local run = require "cunnekt.dialog.engine.run"
local task = require "cunnekt.base.task"
local turn = require "cunnekt.engine.turn"

local methods = {}

-- ---- the journal ---------------------------------------------------------------------------------------------------

---By what a wait is told from others: its time may change, for the clock does not stand still.
---@param waiting table
---@return table
function methods.subject_of_wait(waiting)
  return { types = waiting.types, signal = waiting.signal, sent = waiting.sent, reaches = waiting.reaches, from = waiting.from }
end

local function mark_of_wait(waiting)
  return run.mark("wait", methods.subject_of_wait(waiting or {}))
end

-- The steps of a stored run, or nil where some are missing.
local function read_steps(self, stored)
  local steps = self._bot._store:steps_of(stored.id)
  -- The last number was given to the wait, or to the call during which the turn was committed; it may have no row yet.
  for n = 1, stored.steps - 1 do
    if not steps[n] then
      return nil
    end
  end
  return steps
end

-- The answers that a run got: the number of the step with which each question began, and the event.
local function answers_of(self, stored, steps)
  local answers = {}
  for n = 1, #steps do
    if steps[n].mark:sub(1, 5) == "wait " then
      local result = journal.decode(steps[n].result).value
      if result.bodies then
        answers[#answers + 1] = { from = result.from, event = self._bot:_read_event(stored.contact, result.bodies) }
      end
    end
  end
  return answers
end

-- ---- running -------------------------------------------------------------------------------------------------------

-- Runs the function of a dialog, or the handlers that the event went to.
local function enter(self, current)
  local bot = self._bot
  if not current.is_handler then
    local it = require("cunnekt.bot.chat").new(bot, current.contact, current.to)
    return current.script.known[current.name].fn(it, current.args)
  end
  local it = current.event or bot:_read_event(current.contact, current.args.bodies)
  it.track, current.event = it.track or current.args.track, nil
  return bot:_run_event(it, current)
end

local function make_current(current)
  local running = task.running()
  running.run, running.turn.run = current, current
end

-- Cuts the journal off where an earlier question began, and gives the run that stands there.
local function go_back(self, current, n)
  local its_turn = task.running().turn
  local old = current.pending
  current.pending, current.doom, current.waiting = {}, nil, nil
  for _, step in ipairs(old) do
    current.pending[#current.pending + 1] = step.n < n and step or nil
  end
  its_turn:gather("cuts")[current.id] = { n = n, steps = current.stored_n }
  current.n, current.stored_n = n - 1, n - 1
  its_turn:commit_more()
  local again = run.new {
    id = current.id,
    name = current.name,
    contact = current.contact,
    to = current.to,
    args = current.args,
    code = current.code,
    script = current.script,
    seed = current.seed,
    at = current.started_at,
    is_dialog = current.is_dialog,
    is_handler = current.is_handler,
    replay = self._bot._store:steps_of(current.id),
  }
  again.started_at, again.stored_n = current.started_at, current.stored_n
  return again
end

-- Raises what ended a run, but for its wish to go back to an earlier question, which it does.
local function settle_failure(self, current, failure)
  failure = current.doom or failure
  if failure.kind ~= "back" then
    error(failure, 0)
  end
  return go_back(self, current, failure.n)
end

-- Runs a run in the running turn until it has ended or waits.
local function advance(self, current, ...)
  make_current(current)
  local how, ok, failure = task.go_on(current.strand, ...)
  if how == "parked" then
    return current, false
  end
  current.strand = nil
  if how == "ended" and ok and not current.doom then
    current:check_end()
    return current, true
  end
  if how == "failed" then
    failure = ok
  end
  local again = settle_failure(self, current, failure)
  again.strand = task.new_strand()
  return advance(self, again, xpcall, enter, turn.with_traceback, self, again)
end

---Begins a run in the running turn. Raises what ended it otherwise than well.
---@param current cunnekt.run
---@return cunnekt.run its_run another one where it went back to an earlier question
---@return boolean is_over false: it waits
function methods:begin(current)
  current.started_at = current.started_at or current.at
  current.strand = task.new_strand()
  return advance(self, current, xpcall, enter, turn.with_traceback, self, current)
end

local function begin_what_it_planned(self, its_run, is_over)
  if is_over and its_run.planned then
    self:begin_planned(its_run)
  end
end

---Begins a run, and what it has planned when it is over. Raises as `begin` does.
---@param current cunnekt.run
function methods:call(current)
  begin_what_it_planned(self, self:begin(current))
end

---Goes on with a run that waited, in the running turn, and with what it has planned. Raises as `begin` does.
---@param current cunnekt.run
---@param delivery table event and record that end its wait
function methods:go_on(current, delivery)
  task.running().turn.is_continued = true
  begin_what_it_planned(self, advance(self, current, delivery))
end

-- ---- which code ----------------------------------------------------------------------------------------------------

-- What a dialog begins again with whose script has changed: what its `migrate` makes of what it was.
local function migrated_args(self, migrate, stored, steps, delivery)
  local answers = {}
  for i, answer in ipairs(answers_of(self, stored, steps)) do
    answers[i] = answer.event
  end
  local args = migrate { name = stored.name, args = stored.args, answers = answers, event = delivery and delivery.event }
  return args ~= nil and json.decode(json.encode(json.array { args }))[1] or nil
end

-- Begins a dialog again that was begun with a script that has changed; the old one ends with this turn.
local function begin_again(self, stored, steps, delivery, migrate)
  local its_turn = task.running().turn
  table.insert(its_turn:gather "ends", stored.id)
  local args = stored.args
  if migrate then
    its_turn.run, task.running().run = nil, nil
    args = migrated_args(self, migrate, stored, steps, delivery)
  end
  local current = run.new {
    id = self._bot._store:next_dialog_id(),
    name = stored.name,
    contact = stored.contact,
    to = stored.to,
    args = args,
    at = clock.now(),
    is_dialog = true,
    script = self.script,
  }
  self:call(current)
end

-- The script that a run goes on with; true when it has to begin again; nil and why when there is none.
local function script_for(self, stored)
  local digest = self:code_of(stored.name)
  local known = self.script.known[stored.name]
  if digest and not code.is_changed(stored.code, digest) then
    return self.script
  elseif known and known.opts.is_dialog and known.opts.on_change ~= "keep" then
    return true
  end
  local old, problem = code.old_script(self._bot, stored.code)
  if old and (old.known[stored.name] or not stored.name:find "^%a+:") then
    problem = not old.known[stored.name] and "it is not in the script of that time" or nil
  end
  return not problem and old or nil, problem
end

-- ---- rebuilding ----------------------------------------------------------------------------------------------------

---Rebuilds a run from its journal in the running turn, and goes on with it.
---@param stored cunnekt.store.dialog
---@param delivery table? event and record that end its wait; none where it was cut off in the middle of a turn
function methods:rebuild(stored, delivery)
  local is_handler = stored.name:find "^%a+:" ~= nil
  local current = run.new {
    id = stored.id,
    name = stored.name,
    contact = stored.contact,
    to = stored.to,
    args = stored.args,
    code = stored.code,
    seed = stored.seed,
    at = stored.started_at,
    is_dialog = not is_handler,
    is_handler = is_handler,
    replay = {},
    delivery = delivery,
    expects = delivery and mark_of_wait(stored.waiting),
  }
  current.stored_n = stored.steps
  make_current(current)
  local steps = read_steps(self, stored)
  local script, problem = script_for(self, stored)
  if not steps then
    problem = "a part of its journal is missing"
  end
  if problem then
    current:fail(errors.new("diverged", ("the dialog '%s' cannot go on: %s"):format(stored.name, problem)))
  elseif script == true then
    local policy = self.script.known[stored.name].opts.on_change
    return begin_again(self, stored, steps, delivery, type(policy) == "function" and policy or nil)
  end
  current.script, current.replay = script, steps[1] and steps or nil
  self:call(current)
end

---The step at which a waiting dialog's journal is cut when it goes back to the question before; nil where there is none.
---@param stored cunnekt.store.dialog
---@return integer?
function methods:place_before(stored)
  local answers = answers_of(self, stored, self._bot._store:steps_of(stored.id))
  for i = #answers, 1, -1 do
    local from = answers[i].from
    if from and from ~= stored.waiting.from then
      return from
    end
  end
  return nil
end

return { methods = methods }
