-- SPDX-License-Identifier: MIT
-- A run of a handler or dialog, and its journal. Every input of a run (an answer, a value, an HTTP response) is a step with a
-- result; a rebuilt run gets the recorded results instead of repeating the steps, and so reaches the wait where it was. The
-- journal of a run that never waits is never written.

local attempts = require "cunnekt.engine.attempts"
local chance = require "cunnekt.dialog.engine.chance"
local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local held = require "cunnekt.dialog.engine.held"
local journal = require "cunnekt.engine.journal"
local outer = require "cunnekt.engine.outer"
local record = require "cunnekt.engine.record"
local records = require "cunnekt.store.records"
local storable = require "cunnekt.base.storable"
local task = require "cunnekt.base.task"

local run = {}

local run_methods = {}
local run_mt = { __index = run_methods, __name = "cunnekt.run" }

-- Errors that a script cannot catch: the turn cannot continue, and is retried or fails as a whole.
local is_fatal = { store = true, conflict = true, diverged = true, back = true, evicted = true, budget = true }

---@class cunnekt.run
---@field id integer? nil until find_id gives one
---@field name string of the dialog, or of the handler
---@field contact string
---@field origin string? the contact that it began with, if that has become part of another one since
---@field to string? the customer's number
---@field args any what the dialog was started with
---@field args_text string? the same as JSON, in a list, before the script had it; of a table
---@field code string? digest of the code that it runs
---@field n integer steps so far
---@field at number the time of this turn; constant but for steps that take time
---@field is_dialog boolean false: a handler, which may make calls that cannot be journaled, if it does not wait afterwards
---@field is_stored boolean
---@field waiting table? what it waits for
---@field asked integer? the sequence of the commit with which it asked that
---@field is_only boolean? while it is resident: its conversation has no other dialog, as far as is known
---@field claim table? it got its event by that: struct cnk_only_dialog, for the next commit
---@field pending table[] steps that are not stored yet
---@field replay table[]? steps to replay, by number
---@field delivery table? ends the wait after the replay: event and record; empty: it waits again
---@field expects string? the mark of that wait
---@field mender cunnekt.mender? it goes on with a new script: cuts the journal where that differs, if it is broken
---@field resumes_at integer? the step in which the turn was committed before a crash; a rebuilt run without a delivery
---@field epoch integer changes with each commit: what was read before it may have changed since
---@field asks integer[]? the first steps of the questions that were answered
---@field asked_last integer? that of the last question, answered or not
---@field states cunnekt.state[]? that the script may hold
---@field instead function? what gets the message of a handler's run in the place of the handlers
---@field fatal cunnekt.error? why it cannot continue
---@field is_blameless boolean? its turn failed, but not by it
---@field owner cunnekt.dialogs

-- Unique across all runs.
local last_epoch = 0

local function next_epoch()
  last_epoch = last_epoch + 1
  return last_epoch
end

-- As a run begins.
run_methods.n, run_methods.draws = 0, 0

---@param fields table becomes the run: id, name, contact, to, args, code, at, is_dialog; replay, delivery and expects for a rebuilt one
---@return cunnekt.run
function run.new(fields)
  last_epoch = last_epoch + 1
  fields.pending, fields.epoch = {}, last_epoch
  fields.is_stored = fields.replay ~= nil
  if fields.replay and not fields.replay[1] then
    fields.replay = nil
  end
  return setmetatable(fields, run_mt)
end

-- ---- ends ----------------------------------------------------------------------------------------------------------

---Ends the run: even if the script catches the error, its next step raises it again.
---@param err cunnekt.error
function run_methods:fail(err)
  self.fatal = self.fatal or err
  error(err, 0)
end

-- Marks contain numbers and texts of customers, so the message has only their kinds; `cunnekt dialogs` shows all.
local function diverged(self, was, is_now)
  local message = "the dialog '%s' differs from its journal: step %d was '%s', and is now '%s'"
  local before, after = was:match "^[^{ ]+", is_now:match "^[^{ ]+"
  if before == after then
    message = "the dialog '%s' differs from its journal at step %d, '%s'"
  end
  self:fail(errors.new("diverged", message:format(self.name, self.n, before, after), {
    step = self.n,
    was = was,
    is_now = is_now,
  }))
end

-- The script makes another step than the journal has: raises, or the journal is cut before it.
local function differ(self, was, is_now)
  if not (self.mender and self.mender.cut) then
    diverged(self, was, is_now)
  end
  self.mender:cut(self)
end

---Whether the run has not yet reached the wait where it was.
---@return boolean
function run_methods:is_rebuilding()
  return self.replay ~= nil or self.delivery ~= nil
end

---Raises when the script ended before it reached that wait.
function run_methods:check_end()
  if self.fatal then
    error(self.fatal, 0)
  elseif self:is_rebuilding() then
    self.n = self.n + 1
    differ(self, self.replay and self.replay[self.n].mark or self.expects or "wait", "end")
  end
end

run_methods.hold = held.add

-- ---- steps ---------------------------------------------------------------------------------------------------------

-- What was read before a commit may change after it, so the states that the script holds are loaded again.
local function begin_epoch(self)
  self.epoch = next_epoch()
  local its_turn = task.running().turn
  its_turn:clear_reads() -- of the turn that ended, perhaps in an earlier process
  if its_turn.outer and not self:is_rebuilding() then
    outer.restore(its_turn)
  end
  if self.states then
    for _, state in ipairs(self.states) do
      state:load()
    end
  end
end

---Begins an epoch where the journal was cut for a new script: the states are loaded again, with what the script has changed in
---them since they were loaded.
---@param outcome cunnekt.dialog.outcome of the cut
function run_methods:begin_anew(outcome)
  self.at, self.epoch = outcome.at, next_epoch()
  task.running().turn:clear_reads()
  for _, state in ipairs(self.states or {}) do
    state:rebase()
  end
end

---Where a rebuilt run goes on in the middle of a turn, or waits again, what came before was committed, states too: they are not
---written again, over what other turns have changed since.
function run_methods:skip_saved()
  self.resumes_at = nil
  held.mark_saved(self)
  task.running().turn:charge()
  task.running().turn:clear_reads()
end

-- What the store has of an outcome. One that is damaged is as one that differs: no script may go on without it. Nil where the
-- journal is cut instead.
local function read_outcome(self, text)
  local ok, outcome = pcall(journal.decode, text)
  if ok then
    return outcome
  elseif not errors.is(outcome) then
    error(outcome, 0)
  elseif self.mender and self.mender.cut then
    return nil
  end
  local message = "the dialog '%s' cannot continue at step %d: %s"
  self:fail(errors.new("diverged", message:format(self.name, self.n, outcome.message), { step = self.n }))
end

-- The recorded outcome of the step. Where the script makes another one, it raises, or gives nil after a cut.
local function replay_step(self, mark)
  local old = self.replay[self.n]
  local outcome = old.mark == mark and read_outcome(self, old.result)
  if not outcome then
    return differ(self, old.mark, mark)
  end
  self.replay[self.n] = nil
  if not self.replay[self.n + 1] then
    self.replay = nil
  end
  return outcome
end

-- Replays the steps of a kind that come next and are none of the script: the journal was cut there.
local function pass(self, kind, apply)
  while self.replay and self.replay[self.n + 1].mark:sub(1, #kind) == kind do
    self.n = self.n + 1
    local outcome = replay_step(self, self.replay[self.n].mark)
    if outcome then
      apply(self, outcome)
    end
  end
end

---Where a rebuilt run goes on in the middle of a turn, after a crash or chat:back, it is now from there on, at each replay: a time-out
---counts from a question that is asked now. Does nothing elsewhere.
function run_methods:go_on()
  if self.replay then
    pass(self, "resumed ", function(_, outcome)
      self.at = outcome.at
    end)
  end
  if self.resumes_at and self.n >= self.resumes_at and not self.replay then
    self:skip_saved()
    self.n, self.at = self.n + 1, clock.now()
    self:end_step { mark = journal.mark("resumed", self.n), outcome = { at = self.at } }
  end
end

---Whether the next recorded step is of this kind, and has this subject.
---@param kind string
---@param subject any? nil: whatever it has
---@return boolean
function run_methods:comes_next(kind, subject)
  local mark = self.replay and self.replay[self.n + 1].mark
  return mark ~= nil and (subject and mark == journal.mark(kind, subject) or not subject and mark:sub(1, #kind + 1) == kind .. " ")
end

---Applies the outcome of a step, recorded or new.
---@param outcome cunnekt.dialog.outcome
---@return any value raises what the step raised
function run_methods:apply_outcome(outcome)
  self.at = outcome.at or self.at
  if self.replay or self.resumes_at then
    self:go_on()
  end
  if outcome.is_commit then
    begin_epoch(self)
  elseif self.replay and self.states then
    held.replay_changed(self)
  end
  if outcome.raised then
    error(journal.unpack_error(outcome.raised), 0)
  end
  return outcome.value
end

-- Of what a call has raised: one that the script cannot catch ends the run.
local function check_fatal(self, failure)
  if errors.is(failure) and is_fatal[failure.kind] then
    self:fail(failure)
  end
end

---Calls `fn`; an error that the script cannot catch ends the run.
---@param fn fun(...): any, any
---@param ... any
---@return any first
---@return any second
function run_methods:guard(fn, ...)
  local ok, first, second = pcall(fn, ...)
  if not ok then
    check_fatal(self, first)
    error(first, 0)
  end
  return first, second
end

local function do_step(self, fn, opts)
  local outcome = { value = nil, raised = nil, is_commit = nil, at = nil } -- with its keys preallocated
  self.is_in_step = true
  local ok, result, is_commit = pcall(fn)
  self.is_in_step = false
  if not ok then
    check_fatal(self, result)
    outcome.raised = journal.pack_error(result)
  else
    outcome.value, outcome.is_commit = result, is_commit
  end
  if opts and opts.takes_time then
    outcome.at = clock.now()
  end
  return outcome
end

local is_plain = { string = true, integer = true, boolean = true, ["nil"] = true }

-- The script may change a table that it gets, so the outcome is encoded now, and the script gets the decoded value.
local function write_now(kind, subject, outcome)
  if outcome.raised == nil and is_plain[math.type(outcome.value) or type(outcome.value)] then
    return outcome, nil
  end
  local ok, text = pcall(journal.encode, outcome)
  if not ok then
    local what = kind == "step" and ("chat:step('%s')"):format(subject) or "a call of kind " .. kind
    local problem = ("the result of %s cannot be stored: %s"):format(what, storable.reason(outcome.value, text))
    return { raised = { value = problem }, at = outcome.at, is_commit = outcome.is_commit }, nil
  end
  return journal.decode(text), text
end

---Begins a step.
---@param kind string
---@param subject any JSON value by which a replay compares the step
---@param is_json? boolean the subject is encoded JSON, of which the mark is made when the step is stored: most runs never are
---@return cunnekt.dialog.outcome? outcome if it is recorded
---@return string? mark for end_step
function run_methods:begin_step(kind, subject, is_json)
  if self.fatal then
    error(self.fatal, 0)
  end
  if self.replay then
    pass(self, "mended ", self.begin_anew)
  end
  self.n = self.n + 1
  if self.resumes_at and self.n >= self.resumes_at and not self.replay then
    self:skip_saved()
  end
  if is_json and not self.replay and not self.delivery then
    return nil, nil
  end
  local mark = is_json and journal.mark_of_json(kind, subject) or journal.mark(kind, subject)
  local outcome
  if self.replay then
    outcome = replay_step(self, mark)
  elseif self.delivery and mark ~= self.expects then
    differ(self, self.expects, mark)
  else
    return nil, mark
  end
  if not outcome then
    self.n = self.n + 1 -- behind the cut
  end
  return outcome, mark
end

---Ends a step: the next commit writes it to the journal.
---@param step {mark: string?, kind: string?, json: string?, outcome: cunnekt.dialog.outcome, result: string?} its mark, or its kind and its subject as JSON; `result`: the outcome, if already encoded
function run_methods:end_step(step)
  step.n = self.n
  self.pending[#self.pending + 1] = step
end

---Runs a step, or replays it: `fn` is called only the first time.
---@param kind string
---@param subject any as in begin_step
---@param fn fun(): any, boolean? the result, a JSON value; and whether the turn was committed in it
---@param opts? table changes_states: the script's code in it may; is_json: of the subject; is_internal: the result never reaches the script; takes_time: the run's time advances; commits: the turn is committed right after it, if the run is stored
---@return any result raises what `fn` raised, each time
---@return boolean is_replayed
function run_methods:step(kind, subject, fn, opts)
  if self.is_in_step then
    return fn(), false -- part of a larger step, which is replayed as a whole
  end
  local is_json = opts and opts.is_json
  local outcome, mark = self:begin_step(kind, subject, is_json)
  if outcome then
    return self:apply_outcome(outcome), true
  end
  local commits = opts and opts.commits and (self.is_dialog or self.is_stored)
  if commits and next(task.running().turn.reads) then
    -- A conflict must be found before the step, not after it.
    task.running().turn:commit_more()
  end
  local before = self.states and opts and opts.changes_states and held.texts(self)
  outcome = do_step(self, fn, opts)
  outcome.is_commit = outcome.is_commit or commits or nil
  local result = nil
  if not (opts and opts.is_internal) then
    outcome, result = write_now(kind, subject, outcome)
  end
  self:end_step { n = nil, mark = mark, kind = kind, json = is_json and subject or nil, outcome = outcome, result = result }
  if commits then
    task.running().turn:commit_more()
  elseif before then
    held.read_changed(self, before)
  end
  return self:apply_outcome(outcome), false
end

---Whether its next step is a new one, and no part of a larger one.
---@return boolean
function run_methods:is_live()
  return not (self.fatal or self.replay or self.delivery or self.is_in_step or self.resumes_at)
end

---Notes the step of a message that was sent, of a run that is live.
---@param text string the payload as JSON
---@param id integer
function run_methods:note_send(text, id)
  local n = self.n + 1
  self.n = n
  self.pending[#self.pending + 1] = { n = n, kind = "send", json = text, sent = id, mark = nil } -- with room for `result`
end

---Takes the steps that are not stored yet, encoded.
---@return table[] steps n, mark, result
function run_methods:take_pending()
  local steps = self.pending
  self.pending = { nil, nil, nil, nil } -- with room for the usual ones: to grow costs more
  for i = 1, #steps do
    local step = steps[i]
    step.mark = step.mark or journal.mark_of_json(step.kind, step.json)
    step.result = step.result or (step.sent and journal.encode_sent(step.sent) or journal.encode(step.outcome))
  end
  return steps
end

---The run's id. A handler's run gets one when it is first stored: most are never. May wait.
---@return integer
function run_methods:find_id()
  self.id = self.id or self.owner.store:next_id()
  return self.id
end

run_methods.find_seed, run_methods.random = chance.find_seed, chance.random

-- ---- commit --------------------------------------------------------------------------------------------------------

---Raises when the run made a call that cannot be replayed, and so cannot be rebuilt.
function run_methods:check_may_wait()
  if self.instead then
    error("the function of a dialog's option 'unexpected' cannot wait; msg:start starts a dialog, which can", 0)
  end
  if self.tainted then
    local message = "a handler that used %s cannot wait afterwards: a replay would repeat it; wrap it in chat:step(name, fn)"
    error(message:format(self.tainted), 0)
  end
end

---Adds the run's part of a commit: its journal when it waits or continues, else its end.
---@param change table see cunnekt.turn
---@param stage "end"|"wait"|"more"
---@param its_turn cunnekt.turn
function run_methods:add_to(change, stage, its_turn)
  change.only = self.claim
  if stage == "end" then
    if self.is_stored then
      change.ended = { id = self.id, steps = self.stored_n }
      self.owner:release_kept(self, its_turn) -- those that it never took
    end
    return
  end
  self:find_id()
  self.owner:describe(self)
  change.run = records.dialog_change(self)
  self.change = change.run
  if stage == "more" and its_turn.record then
    -- The event is replaced by one that continues the run, if the process ends before the run does.
    change.resume = record.resume(its_turn.record.contact, self.id, self:find_seed()).body
  end
end

---Whether the commit with which it waits is one for which the store has a shorter way.
---@return boolean
function run_methods:is_plain()
  local waiting = self.waiting
  return self.is_stored and not (self.mender or self.source or waiting.sent or waiting.signal)
end

---Its part of such a commit.
---@return table? part
---@return cunnekt.error? err
function run_methods:plain_part()
  local ok, part = xpcall(records.dialog_change, attempts.with_traceback, self)
  if not ok then
    return nil, part
  end
  part.only = self.claim and self.claim.contact
  self.change = part
  return part
end

---Called when the run's commit has succeeded.
---@param asked integer? the sequence of the commit, if that is not said where the store answers
function run_methods:on_committed(asked)
  local change = self.change
  if change and change.asks then
    self.asked = change.asked or asked
  end
  self.is_stored, self.stored_n, self.mender, self.claim, self.change = true, self.n, nil, nil, nil
  self.owner:on_committed(self)
end

---Discards the run's coroutine: `<close>` variables of the script run, but their next step raises.
function run_methods:drop()
  local strand = self.strand
  if strand then
    self.fatal = self.fatal or errors.new("evicted", "the dialog was evicted from memory")
    self.strand = nil
    task.discard(strand, self)
  end
end

return run
