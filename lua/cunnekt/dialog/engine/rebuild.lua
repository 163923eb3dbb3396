-- SPDX-License-Identifier: MIT
-- Rebuilds a run that is not in memory by a replay: its function runs again from the beginning and gets the results of its
-- steps from the journal. Decides which code it runs when the script has changed (code.lua compares, old_script.lua loads).

local clock = require "cunnekt.time.clock"
local code = require "cunnekt.dialog.engine.code"
local errors = require "cunnekt.base.errors"
local execute = require "cunnekt.dialog.engine.execute"
local formats = require "cunnekt.store.formats"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local mend = require "cunnekt.dialog.engine.mend"
local old_script = require "cunnekt.dialog.engine.old_script"
local record_of = require "cunnekt.engine.record"
local run = require "cunnekt.dialog.engine.run"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local rebuild = {}

-- ---- the journal ---------------------------------------------------------------------------------------------------

---The subject of a wait, by which a replay compares it. The deadline is not part of it, because it may differ.
---@param waiting table
---@return table
function rebuild.subject_of_wait(waiting)
  return { types = waiting.types, signal = waiting.signal, sent = waiting.sent, reaches = waiting.reaches, from = waiting.from }
end

local function mark_of_wait(waiting)
  return journal.mark("wait", rebuild.subject_of_wait(waiting or {}))
end

-- No step of a script: where the journal lacks one, it is cut.
local missing = { mark = "", result = "" }

-- The steps of a stored run, or nil if some are missing. A run that is mended goes as far as it has them.
local function read_steps(dialogs, stored, is_mended)
  local steps = stored.journal or stored_dialogs.journal(dialogs.store, stored.id)
  stored.journal = nil -- the replay uses it up
  -- The last step is the wait, or the call during which the turn was committed; it may have no row yet.
  for n = 1, stored.steps - 1 do
    if not steps[n] then
      steps[n] = missing
      return is_mended and steps or nil
    end
  end
  return steps
end

-- The answers of a run: for each the first step of its question, and the event.
local function answers_of(dialogs, stored, steps)
  local answers = {}
  for n = 1, #steps do
    if steps[n].mark:sub(1, 5) == "wait " then
      local result = journal.decode(steps[n].result).value
      if result.bodies then
        answers[#answers + 1] = { from = result.from, event = dialogs:read_event(stored.contact, result) }
      end
    end
  end
  return answers
end

-- ---- which code ----------------------------------------------------------------------------------------------------

-- The arguments from `migrate` for a dialog that restarts with a changed script.
local function migrated_args(dialogs, migrate, stored, steps, delivery)
  local answers = {}
  for i, answer in ipairs(answers_of(dialogs, stored, steps)) do
    answers[i] = answer.event
  end
  local args = migrate { name = stored.name, args = stored.args, answers = answers, event = delivery and delivery.event }
  return args ~= nil and json.decode(json.encode(json.array { args }))[1] or nil
end

-- Restarts a dialog with the changed script; the old run ends with this turn.
local function restart(dialogs, stored, steps, delivery, migrate)
  local its_turn = task.running().turn
  dialogs:end_stored(stored, its_turn)
  local it = delivery and delivery.event
  if it and it.kind == "own" and it.status == "dialog_signal" then -- the new run waits for it as well, or will, if it is kept
    table.insert(its_turn:buffer "own_events", { contact = stored.contact, body = record_of.bodies_of(delivery.record)[1], attempts = 0 })
  end
  local args = stored.args
  if migrate then
    its_turn.run, task.running().run = nil, nil
    args = migrated_args(dialogs, migrate, stored, steps, delivery)
  end
  local current = run.new {
    id = dialogs.store:next_id(),
    name = stored.name,
    contact = stored.contact,
    to = stored.to,
    args = args,
    at = clock.now(),
    is_dialog = true,
    script = dialogs.script,
    owner = dialogs,
  }
  execute.call(dialogs, current)
end

---What a run continues with that began with this code.
---@param dialogs cunnekt.dialogs
---@param name string the dialog's or handler's
---@param was string digests, as code.digest returns them
---@return "current"|"restart"|"old" choice "old": the script that it began with, if the store has it
function rebuild.choose(dialogs, name, was)
  local digest, known = dialogs:code_of(name), dialogs.script.known[name]
  if digest and not code.is_changed(was, digest) then
    return "current"
  end
  return known and known.opts.is_dialog and known.opts.on_change ~= "keep" and "restart" or "old"
end

-- The script with which a run continues; true when it must restart; nil and the reason when there is none.
local function script_for(dialogs, stored, is_mended)
  if is_mended then
    local has_code = dialogs.script.known[stored.name] or stored.name:find(formats.handler_pattern)
    return has_code and dialogs.script or nil, not has_code and "it is not in the current script" or nil
  end
  local choice = rebuild.choose(dialogs, stored.name, stored.code)
  if choice ~= "old" then
    return choice == "restart" or dialogs.script
  end
  local old, problem = old_script.of(dialogs, stored.code)
  if old and (old.known[stored.name] or not stored.name:find(formats.handler_pattern)) then
    problem = not old.known[stored.name] and "it is not in the script that it began with" or nil
  end
  return not problem and old or nil, problem
end

-- ---- rebuilding ----------------------------------------------------------------------------------------------------

-- It goes on to belong to the current script.
local function mend_with(dialogs, current, mender)
  current.mender = mender
  current.code, current.source = dialogs:code_of(current.name)
end

---Rebuilds a run from its journal in the running turn, and continues it.
---@param dialogs cunnekt.dialogs
---@param stored cunnekt.store.dialog
---@param delivery table? event and record that end its wait; nil: it waits again, or a crash interrupted it after a commit
---@param mender cunnekt.mender? gives it to the current script; nil: if it is broken, and to be mended with that
function rebuild.rebuild(dialogs, stored, delivery, mender)
  mender = mender or stored.error and stored.error.mend == "new" and mend.mender or nil
  delivery = delivery or stored.waiting and {} or nil
  local is_handler = stored.name:find(formats.handler_pattern) ~= nil
  local current = run.new {
    id = stored.id,
    name = stored.name,
    contact = stored.contact,
    origin = stored.origin,
    to = stored.to,
    args = stored.args,
    code = stored.code,
    seed = stored.seed,
    at = stored.started_at,
    is_dialog = not is_handler,
    is_handler = is_handler,
    owner = dialogs,
    replay = {},
    delivery = delivery,
    expects = delivery and mark_of_wait(stored.waiting),
    resumes_at = not delivery and stored.steps or nil,
  }
  current.stored_n = stored.steps
  if mender then
    mend_with(dialogs, current, mender)
  end
  execute.make_current(current)
  local its_turn = task.running().turn
  its_turn:charge(its_turn.turns.budget.seconds * (stored.steps + 1)) -- at most what the steps were allowed to use
  local steps = read_steps(dialogs, stored, mender == mend.mender)
  local script, problem = script_for(dialogs, stored, mender ~= nil)
  if not steps then
    problem = "its journal is incomplete"
  end
  if problem then
    current:fail(errors.new("diverged", ("the dialog '%s' cannot continue: %s"):format(stored.name, problem)))
  elseif script == true then
    local policy = dialogs.script.known[stored.name].opts.on_change
    return restart(dialogs, stored, steps, delivery, type(policy) == "function" and policy or nil)
  end
  current.script, current.replay = script, steps[1] and steps or nil
  execute.call(dialogs, current)
end

---The step at which chat:back truncates a waiting dialog's journal; nil without a previous question.
---@param dialogs cunnekt.dialogs
---@param stored cunnekt.store.dialog
---@return integer?
function rebuild.place_before(dialogs, stored)
  local answers = answers_of(dialogs, stored, stored_dialogs.journal(dialogs.store, stored.id))
  for i = #answers, 1, -1 do
    local from = answers[i].from
    if from and from ~= stored.waiting.from then
      return from
    end
  end
  return nil
end

return rebuild
