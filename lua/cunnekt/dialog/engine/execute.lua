-- SPDX-License-Identifier: MIT
-- Executes a run in the running turn: from its beginning, from a wait, or from an earlier question (chat:back). The script's
-- code runs in a strand (base/task.lua): when the run waits, its turn ends and the strand is suspended. rebuild.lua continues
-- runs that are not in memory.

local attempts = require "cunnekt.engine.attempts"
local chat = require "cunnekt.bot.chat"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local run = require "cunnekt.dialog.engine.run"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local execute = {}

-- Calls the function of a dialog, or the handlers for the event.
local function enter(dialogs, current)
  if not current.is_handler then
    local it = chat.new(dialogs.scope, current.contact, current.to, current.origin)
    local fn = current.script.known[current.name].fn
    local result = fn(it, current.args) -- no tail call: base/blame.lua finds the function here
    return result
  end
  local it, args = current.event, current.args
  current.event = nil
  if not it then
    it = dialogs:read_event(current.contact, args, current.origin)
    it.track, it.stale = journal.snapshot(args.track), args.stale
  end
  return current.script.routes:dispatch(it, current)
end

---Raises where an earlier process could not stop this turn: then no code of the script runs in it.
---@param its_turn cunnekt.turn
function execute.check_noted(its_turn)
  local its_budget = its_turn.turns.budget
  local noted = its_budget.noted and its_turn.record and its_budget:noted_error(its_turn.record.id)
  if noted then
    error(noted, 0)
  end
end

---Makes a run the one that the running turn executes. Raises like `check_noted`.
---@param current cunnekt.run
function execute.make_current(current)
  local running = task.running()
  local its_turn = running.turn
  running.run, its_turn.run = current, current
  if its_turn.turns.budget.noted then
    execute.check_noted(its_turn)
  end
end

local advance

-- Truncates the journal at an earlier question, and returns the run that continues there.
local function go_back(dialogs, current, n)
  local its_turn = task.running().turn
  local old = current.pending
  current.pending, current.fatal, current.waiting = {}, nil, nil
  for _, step in ipairs(old) do
    current.pending[#current.pending + 1] = step.n < n and step or nil
  end
  its_turn:buffer("cuts")[current.id] = { id = current.id, n = n, steps = current.stored_n }
  current.n, current.stored_n = n - 1, n - 1
  its_turn:commit_more()
  local again = run.new {
    id = current.id,
    name = current.name,
    contact = current.contact,
    origin = current.origin,
    to = current.to,
    args = current.args_text and json.decode(current.args_text)[1] or current.args,
    code = current.code,
    script = current.script,
    seed = current.seed,
    at = current.started_at,
    is_dialog = current.is_dialog,
    is_handler = current.is_handler,
    owner = dialogs,
    replay = stored_dialogs.journal(dialogs.store, current.id),
    resumes_at = n - 1, -- what the journal says of states is older than what was saved since
  }
  again.started_at, again.stored_n = current.started_at, current.stored_n
  return again
end

-- The failure that ended a run may be chat:back; raises any other.
local function settle_failure(dialogs, current, failure)
  failure = current.fatal or failure
  if failure.kind ~= "back" then
    error(failure, 0)
  end
  return go_back(dialogs, current, failure.n)
end

-- Goes on with a run that has ended, but for chat:back: another one comes from there. Raises its failure.
local function settle(dialogs, current, ok, failure)
  if ok and not current.fatal then
    if current.replay or current.delivery then
      current:check_end()
    end
    return current, true
  end
  local again = settle_failure(dialogs, current, failure)
  again:go_on()
  again.strand = task.new_strand()
  return advance(dialogs, again, xpcall, enter, attempts.with_traceback, dialogs, again)
end

-- Executes a run until it ends or waits.
function advance(dialogs, current, ...)
  execute.make_current(current)
  local how, ok, failure = task.resume(current.strand, ...)
  if how == "suspended" then
    return current, false
  end
  current.strand = nil
  if how == "failed" then
    return settle(dialogs, current, false, ok)
  end
  return settle(dialogs, current, ok, failure)
end

local function begin_planned(dialogs, its_run, is_over)
  if is_over and its_run.planned then
    dialogs:begin_planned(its_run)
  end
end

-- A handler waits: the coroutine of its task is the strand of its run from now on.
local function become_strand(t, strand)
  t.run.strand, t.run.is_apart = strand, true
  task.go_on(t, attempts.after_suspension, t.turn)
end

-- Executes handlers in the coroutine of the running task: most of them never wait, and need no other one.
local function call_handlers(dialogs, current)
  current.started_at = current.at
  execute.make_current(current)
  local running = task.running()
  running.become_strand = become_strand
  local ok, failure = xpcall(enter, attempts.with_traceback, dialogs, current)
  if current.is_apart then
    task.end_strand(ok, failure)
  end
  running.become_strand = nil
  return settle(dialogs, current, ok, failure)
end

---Makes a run of handlers, which has begun in a bare turn, that of the turn's task.
---@param its_turn cunnekt.turn
---@param current cunnekt.run
---@param thread thread the coroutine of the handlers
---@param charge userdata?
---@return cunnekt.task
function execute.adopt(its_turn, current, thread, charge)
  local t = task.adopt { co = thread, charge = charge, run = current, become_strand = become_strand }
  t.handlers_run, its_turn.run = current, current
  its_turn.turns:adopt(its_turn, t)
  return t
end

-- What follows the handlers of a run.
local function follow_handlers(dialogs, current, ok, failure)
  begin_planned(dialogs, settle(dialogs, current, ok, failure))
end

---Ends handlers that began in a bare turn, in their coroutine.
---@param dialogs cunnekt.dialogs
---@param ok boolean
---@param failure any
function execute.end_adopted(dialogs, ok, failure)
  local running = task.running()
  local current = running.run
  if current.is_apart then
    task.end_strand(ok, failure)
  end
  running.become_strand = nil
  attempts.end_adopted(running.turn, follow_handlers, dialogs, current, ok, failure)
end

---Starts a run. Raises the failure that ended it.
---@param dialogs cunnekt.dialogs
---@param current cunnekt.run
---@return cunnekt.run its_run another one after chat:back
---@return boolean is_over false: it waits
function execute.begin(dialogs, current)
  current.started_at = current.started_at or current.at
  if type(current.args) == "table" then -- the script may change the table that it gets
    current.args_text = json.encode(json.array { current.args })
  end
  current:go_on()
  current.strand = task.new_strand()
  return advance(dialogs, current, xpcall, enter, attempts.with_traceback, dialogs, current)
end

---Starts a run, and when it ends the dialogs that it planned. Raises like `begin`.
---@param dialogs cunnekt.dialogs
---@param current cunnekt.run
function execute.call(dialogs, current)
  if current.is_handler and not current.is_stored then
    begin_planned(dialogs, call_handlers(dialogs, current))
  else
    begin_planned(dialogs, execute.begin(dialogs, current))
  end
end

---Continues a run after its wait, and when it ends starts the dialogs that it planned. Raises like `begin`.
---@param dialogs cunnekt.dialogs
---@param current cunnekt.run
---@param delivery table event and record that ended its wait
function execute.continue(dialogs, current, delivery)
  task.running().turn.is_continued = true
  begin_planned(dialogs, advance(dialogs, current, delivery))
end

return execute
