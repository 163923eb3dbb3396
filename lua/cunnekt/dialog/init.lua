-- SPDX-License-Identifier: MIT
-- Dialogs: handlers that wait. In memory a run is a suspended coroutine; in the store it is a journal, from which it is
-- rebuilt after an eviction or a restart. This file registers, starts and ends dialogs. dispatch.lua dispatches events,
-- engine/execute.lua runs the script's code, engine/rebuild.lua replays it from the journal, flow/ is what a chat can ask and
-- wait for.

local blame = require "cunnekt.base.blame"
local clock = require "cunnekt.time.clock"
local code = require "cunnekt.dialog.engine.code"
local declared = require "cunnekt.dialog.declared"
local due = require "cunnekt.dialog.engine.due"
local errors = require "cunnekt.base.errors"
local event = require "cunnekt.bot.event"
local execute = require "cunnekt.dialog.engine.execute"
local formats = require "cunnekt.store.formats"
local kept_events = require "cunnekt.dialog.flow.kept_events"
local log = require "cunnekt.base.log"
local messages = require "cunnekt.store.messages"
local offer = require "cunnekt.dialog.flow.offer"
local options = require "cunnekt.base.options"
local record_of = require "cunnekt.engine.record"
local personal = require "cunnekt.provider.personal"
local resident = require "cunnekt.dialog.engine.resident"
local run = require "cunnekt.dialog.engine.run"
local status_names = require "cunnekt.provider.status"
local steps = require "cunnekt.engine.steps"
local storable = require "cunnekt.base.storable"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"
local unsent = require "cunnekt.dialog.flow.unsent"

local dialog = {}

local dialogs_methods = {}
local dialogs_mt = { __index = dialogs_methods, __name = "cunnekt.dialogs" }

---@class cunnekt.dialogs
---@field engine cunnekt.engine
---@field store table the engine's
---@field scope cunnekt.scope
---@field script cunnekt.dialog.script the current one
---@field old_scripts table<string, cunnekt.dialog.script> digest → a loaded old script
---@field handlers_code table? one for all handlers: an event may go through several
---@field find_bot fun(store: string?): cunnekt.bot?
---@field resident cunnekt.resident
---@field due cunnekt.dialog_due
---@field sent_waits table<integer, table> message → the dialog that waits for its delivery
---@field is_used boolean whether a dialog may be waiting for events
---@field has_paused boolean whether a person may have taken over a conversation

---A script: the current one, or an old one with which its open dialogs continue.
---@class cunnekt.dialog.script
---@field known table<string, table> name → name, fn, opts, matcher
---@field routes cunnekt.routes

local function do_nothing() end

---@param parts {engine: cunnekt.engine, scope: cunnekt.scope, routes: cunnekt.routes, resident: integer, resident_seconds: number, find_bot: (fun(store: string?): cunnekt.bot?)} `resident`: maximum of runs in memory, each for `resident_seconds`; `find_bot`: the script's bot with this option `store`
---@return cunnekt.dialogs
function dialog.new(parts)
  return setmetatable({
    engine = parts.engine,
    store = parts.engine.store,
    scope = parts.scope,
    find_bot = parts.find_bot or do_nothing,
    script = { known = {}, routes = parts.routes },
    old_scripts = {},
    resident = resident.new(parts.resident, parts.resident_seconds),
    due = due.new(parts.engine),
    sent_waits = {},
    is_used = false,
    has_paused = false,
    has_kept = false,
    _kept_sources = {},
  }, dialogs_mt)
end

-- ---- what a script registers ---------------------------------------------------------------------------------------

---Adds a dialog to the current script, or a handler under the name with which its runs are stored.
---@param name string
---@param fn function
---@param opts table
---@param matcher any
function dialogs_methods:register(name, fn, opts, matcher)
  declared.add(self.script.known, name, fn, opts, matcher)
  self.handlers_code = nil
  self.is_used = self.is_used or opts.is_dialog or false
end

dialogs_methods.code_of = code.of

---An event from a journal, with its methods.
---@param contact string
---@param kept {bodies: string[], rules: integer?} `rules`: of formats.rules
---@param origin? string the contact that its run began with, if that has become part of another one since
---@return table
function dialogs_methods:read_event(contact, kept, origin)
  local it = event.bind(self.scope, contact, record_of.read_bodies(kept.bodies), origin)
  it._rules = kept.rules or formats.first_rules
  return it
end

-- ---- commits -------------------------------------------------------------------------------------------------------

---Fills in what the first commit of a run stores.
---@param current cunnekt.run
function dialogs_methods:describe(current)
  if current.record and not current.args then
    local bodies = record_of.bodies_of(current.record)
    current.args = { bodies = bodies, track = current.track, stale = current.is_stale, rules = formats.rules }
    current.record = nil
  end
  if not current.is_stored and not current.code then
    current.code, current.source = self:code_of(current.name)
    if current.source and self._kept_sources[current.source.digest] then
      current.source = nil
    end
  end
end

---Adds a committed run that waits to the resident ones.
---@param its_run cunnekt.run
function dialogs_methods:on_committed(its_run)
  if its_run.source then
    self._kept_sources[its_run.source.digest], its_run.source = true, nil
  end
  if its_run.waiting then
    self.is_used = true
    self.resident:add(its_run)
    self.due:check_at(its_run.waiting.due)
  end
end

---Called when one conversation has become part of another: its dialogs are rebuilt as the other's.
---@param from string
---@param to string
function dialogs_methods:on_join(from, to)
  self:evict_of(from)
  self.resident:forget_only(to)
  for _, wait in pairs(self.sent_waits) do
    wait.contact = wait.contact == from and to or wait.contact
  end
  kept_events.deliver(self)
end

---Called for committed changes of human handover.
---@param pauses table<string, boolean> contact → whether a person has it
function dialogs_methods:on_pauses(pauses)
  for _, is_paused in pairs(pauses) do
    self.has_paused = self.has_paused or is_paused
    self.is_used = self.is_used or is_paused
    if not is_paused then
      self.due:check_at(clock.now())
    end
  end
end

-- ---- waits for deliveries ------------------------------------------------------------------------------------------

---The state of a message that ends a wait for its delivery; nil while the wait continues.
---@param id integer the message's id in the outbox
---@param reaches string
---@return string? state
---@return string? message_id
function dialogs_methods:delivery_of(id, reaches)
  local state, message_id = messages.state(self.store, id)
  state = state or "dropped"
  if status_names.has_failed(state) or status_names.has_reached(state, reaches) then
    return state, message_id
  end
  return nil
end

---The event for the dialog that waits for a message's delivery, if there is one.
---@param id integer? the message's id in the outbox
---@return cunnekt.inbox.record?
function dialogs_methods:sent_record(id)
  local wait = id and self.sent_waits[id]
  return wait and record_of.own(wait.contact, { status = "dialog_sent", run = wait.id, sent = id })
end

---Queues the event for the dialog that waits for a status's message, with the running turn.
---@param status table
---@param its_turn cunnekt.turn
function dialogs_methods:on_status(status, its_turn)
  if status.status == "failed" and status.id and self.is_used then
    local record = unsent.on_status(self, its_turn.record.contact, status)
    if record then
      table.insert(its_turn:buffer "own_events", record)
    end
  end
  if next(self.sent_waits) and status.id then
    local record = self:sent_record(self.engine.outbox:id_of(status.id))
    if record then
      table.insert(its_turn:buffer "own_events", record)
    end
  end
end

local function has(list, wanted)
  for _, item in ipairs(list) do
    if item == wanted then
      return true
    end
  end
  return false
end

-- ---- start and end of dialogs --------------------------------------------------------------------------------------

-- What is wrong with the name of a dialog; nil: nothing.
local function problem_of(self, where, name)
  local known = self.script.known
  if known[name] and known[name].opts.is_dialog then
    return nil
  elseif type(name) ~= "string" then
    return ('%s: expected the name of a dialog, got %s; write %s("order", args)'):format(where, type(name), where)
  end
  local names = {}
  for other, one in pairs(known) do
    names[#names + 1] = one.opts.is_dialog and other or nil
  end
  local near = options.suggest(name, names)
  local hint = near and (" (did you mean '%s'?)"):format(near) or ""
  return ("%s: there is no dialog '%s'%s"):format(where, name, hint)
end

---Raises, blaming the script's line, for a dialog that there is not. A part of the step that starts it: a replay does what was done
---before, also when the script has lost the dialog since, or has it by now.
---@param where string
---@param name string
function dialogs_methods:refuse_unknown(where, name)
  local problem = problem_of(self, where, name)
  if problem then
    local place = blame.place(2)
    error(place and place .. ": " .. problem or problem, 0)
  end
end

-- An event with which a dialog starts in a later turn.
local function start_record(plan)
  local start = { status = "dialog_start", name = plan.name, to = plan.to, args = plan.args, replace = plan.replace }
  return record_of.own(plan.contact, start)
end

---Plans a dialog to start in the running turn, when its handler returns; by a function of bot:use around an answer, in the next
---one.
---@param where string
---@param plan {name: string, contact: string, to: string?, args: any, is_remark: boolean?} `is_remark`: a waiting dialog asks nothing again
---@param opts? cunnekt.start_options
function dialogs_methods:plan(where, plan, opts)
  local current = steps.current()
  local problem = not (current and current.replay) and problem_of(self, where, plan.name) -- a replay is of the script that it began with
  if problem then
    error(problem, 3)
  end
  plan.args = storable.copy(where, "the dialog's args", plan.args, 3) -- now: when the dialog begins, the script's line is no longer known
  plan.replace = options.check(where, opts, { replace = "boolean" }, 4).replace
  if steps.is_wrapping() then
    -- The turn may have another dialog's run already.
    return table.insert(task.running().turn:buffer "own_events", start_record(plan))
  elseif not current then
    error(("%s: only works in a handler or a dialog; elsewhere use bot:start"):format(where), 3)
  end
  if not self.script.known[plan.name] then
    plan.script, plan.code = current.script, current.code -- of an old script, which goes on
  end
  current.planned = current.planned or {}
  table.insert(current.planned, plan)
end

-- Whether a dialog of a plan's name is there already, which then goes on. One that has asked asks again, in a turn of its own.
local function goes_on(self, plan)
  local its_turn, mine = task.running().turn, steps.current()
  for _, stored in ipairs(plan.replace and {} or stored_dialogs.of(self.store, plan.contact)) do
    local is_over = stored.error or (mine and mine.id == stored.id) or has(its_turn.ends, stored.id)
    if stored.name == plan.name and not is_over then
      local from = stored.waiting and stored.waiting.from
      if from and not plan.is_remark then
        local again = { status = "dialog_again", run = stored.id, seed = stored.seed, from = from }
        table.insert(its_turn:buffer "own_events", record_of.own(stored.contact, again))
      end
      return true
    end
  end
  return false
end

-- The run of a dialog that starts in the running turn, where it replaces the previous run.
local function new_run(self, plan)
  local its_turn = task.running().turn
  local before = its_turn.run
  if before and before.is_stored then
    self:end_stored(before, its_turn)
  end
  if plan.replace then
    self:cancel(plan.contact, plan.name)
  end
  return run.new {
    id = self.store:next_id(),
    name = plan.name,
    contact = plan.contact,
    to = plan.to,
    args = plan.args,
    at = clock.now(),
    is_dialog = true,
    script = plan.script or self.script,
    code = plan.code,
    owner = self,
    claim = before and before.claim,
  }
end

-- Appends the dialogs that a finished run has planned.
local function add_plans(plans, its_run)
  for _, plan in ipairs(its_run.planned or {}) do
    plans[#plans + 1] = plan
  end
end

---Starts the dialogs that a finished run has planned, one after the other in this turn. When one waits, the others start in
---later turns.
---@param its_run cunnekt.run
function dialogs_methods:begin_planned(its_run)
  local plans, is_over = {}, true
  add_plans(plans, its_run)
  while is_over and plans[1] do
    local plan = table.remove(plans, 1)
    if not goes_on(self, plan) then
      its_run, is_over = execute.begin(self, new_run(self, plan))
      if is_over then
        add_plans(plans, its_run)
      end
    end
  end
  for _, plan in ipairs(plans) do
    table.insert(task.running().turn:buffer "own_events", start_record(plan))
  end
end

---Starts a dialog for the event of bot:start.
---@param it table
---@param record cunnekt.inbox.record
---@param on_end fun(err: cunnekt.error?, record: table?)
function dialogs_methods:start_stored(it, record, on_end)
  self.engine.turns:run(record, function()
    if not self.script.known[it.name] then
      error(("there is no longer a dialog '%s'"):format(it.name), 0)
    end
    local plan = { name = it.name, contact = record.contact, to = it.to, args = it.args, replace = it.replace }
    if not goes_on(self, plan) then
      execute.call(self, new_run(self, plan))
    end
  end, on_end)
end

-- Where a function of bot:use ends the dialog that has continued in its turn: it is not to be stored as one that waits.
local function drop_run(its_turn, id, mine)
  local its_run = its_turn and its_turn.run
  if its_run and its_run ~= mine and its_run.id == id then
    its_run:drop()
    its_turn.run = nil
  end
end

-- Gives how many there were.
local function cancel_in(self, its_turn, contact, name)
  local mine, count = steps.current(), 0
  for _, stored in ipairs(stored_dialogs.of(self.store, contact)) do
    local is_meant = (not name or stored.name == name) and not stored.error
    if is_meant and not (mine and mine.id == stored.id) then
      count = count + 1
      self.resident:evict(stored.id)
      drop_run(its_turn, stored.id, mine)
      self:end_stored(stored, its_turn)
    end
  end
  return count
end

---Ends the waiting dialogs of a contact with the running turn or one of its own, or only those with a name. Waits.
---@param contact string
---@param name? string
---@return integer? count
---@return cunnekt.error? err kind store
function dialogs_methods:cancel(contact, name)
  return self.engine.turns:within(function(its_turn)
    return cancel_in(self, its_turn, contact, name)
  end)
end

---Marks a dialog as broken: it cannot continue. `cunnekt dialogs` shows it.
---@param its_run cunnekt.run
---@param err cunnekt.error
---@param record cunnekt.inbox.record? the event at which it broke; a retry of the event continues the dialog
function dialogs_methods:break_run(its_run, err, record)
  local its_event = record and record.body and record_of.read_bodies(record_of.bodies_of(record)) or record and record.event
  local message = errors.kept(err)
  log.error("dialog %d is broken: %s", its_run.id, personal.logged(err.message, its_event))
  self.resident:evict(its_run.id)
  stored_dialogs.break_it(self.store, its_run.id, {
    message = message,
    shown = personal.error(message, its_event), -- without asking to see more
    step = err.step or its_run.n,
    was = err.was,
    is_now = err.is_now,
    seq = record and record.id,
  })
end

-- ---- events --------------------------------------------------------------------------------------------------------

---Gives an event to the dialog that waits for it, if there is one.
---@param it table the bound event
---@param record cunnekt.inbox.record
---@param on_end function as cunnekt.turns.new takes it
---@param context any
---@return cunnekt.turn? its_turn that gives it: to be run
---@return function? instead what gets the message in the place of the handlers
function dialogs_methods:offer(it, record, on_end, context)
  return offer.offer(self, it, record, on_end, context)
end

---Ends a stored dialog with the running turn, for another one or none. Waits.
---@param ending {id: integer, contact: string}
---@param its_turn cunnekt.turn
function dialogs_methods:end_stored(ending, its_turn)
  if not has(its_turn.ends, ending.id) then
    table.insert(its_turn:buffer "ends", ending.id)
    self:release_kept(ending, its_turn)
  end
end

dialogs_methods.release_kept = offer.release_kept
---Evicts a dialog from memory, if it is resident; it is rebuilt from its journal.
---@param id integer
function dialogs_methods:evict(id)
  self.resident:evict(id)
end

---Evicts the dialogs of a conversation from memory.
---@param contact string
function dialogs_methods:evict_of(contact)
  self.resident:evict_of(contact)
end

-- ---- start and stop ------------------------------------------------------------------------------------------------

---Reads what an earlier process left of dialogs; none of them continues before `start`. Waits.
function dialogs_methods:load()
  -- Digests are computed before any handler runs, while the script's values are the initial ones.
  for name in pairs(self.script.known) do
    self:code_of(name)
  end
  local is_any, at, paused, has_kept = stored_dialogs.overview(self.store)
  self.has_paused, self.has_kept = paused > 0, has_kept
  self.is_used = self.is_used or is_any or self.has_paused
  self.sent_waits = is_any and stored_dialogs.sent_waits(self.store) or {}
  self._first_due = at
end

---Starts the timers of the loaded dialogs.
function dialogs_methods:start()
  self.due:check_at(self._first_due)
  if self.is_used then
    kept_events.deliver(self)
  end
end

---Stops timers, and evicts all dialogs.
function dialogs_methods:stop()
  self.due:stop()
  self.resident:evict_all()
end

---Sets the current script.
---@param script cunnekt.dialog.script
function dialogs_methods:use_script(script)
  self.script, self.handlers_code = script, nil
end

---Evicts every dialog from memory.
function dialogs_methods:evict_all()
  self.resident:evict_all()
end

return dialog
