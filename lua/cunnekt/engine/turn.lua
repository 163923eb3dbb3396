-- SPDX-License-Identifier: MIT
-- The turn: one event, or one run of a job, handled once and committed whole. While a handler runs, what it says and
-- changes is only gathered here; the commit makes all of it true, or a failure makes none of it.
--
-- A handler that waits ends its turn there (`commit`), and what it does afterwards is gathered for the next commit.

local errors = require "cunnekt.base.errors"
local task = require "cunnekt.base.task"

local turn = {}

local turn_methods = {}
local turn_mt = { __index = turn_methods, __name = "cunnekt.turn" }

-- Stands for "deleted" among the changed values.
turn.gone = {}

---@class cunnekt.turn
---@field bot table
---@field record table? the inbox's record of the event; nil for a job, and once the event is finished
---@field sends table[] outbox rows to be
---@field values table<string, any> changes of bot.store
---@field states table<string, table> contact → chat whose state was touched
---@field reads table<string, integer> what was read → its version then
---@field ends integer[] runs that are forgotten with this turn
---@field cuts table<integer, table> run → the step at which its journal is cut off, and the steps it had
---@field kept table[] messages that are put by for a dialog: dialog, bodies
---@field taken integer[] messages put by that a dialog has taken
---@field tells cunnekt.inbox.record[] events of our own that come of this turn
---@field pauses table<string, boolean> contact → whether a person has taken over
---@field jobs table<string, table> name → what becomes of the named job, see schedule.lua
---@field watches table<string, number> contact → seconds before the end of the window at which to tell

local gathered = {
  "sends", "values", "states", "reads", "watches", "ends", "pauses", "jobs", "cuts", "kept", "taken", "tells",
}

-- Most turns gather one or two things; for the others stands this one table.
local nothing = setmetatable({}, {
  __newindex = function()
    error("a turn must `gather` first", 2)
  end,
})
for _, name in ipairs(gathered) do
  turn_methods[name] = nothing
end

---A turn that nothing has happened in yet.
---@param bot table
---@param record table?
function turn.new(bot, record)
  -- With room for what comes later.
  return setmetatable({ bot = bot, record = record, run = nil, sends = nil, states = nil, reads = nil }, turn_mt)
end

-- Forgets what was gathered.
local function clear(self)
  for i = 1, #gathered do
    self[gathered[i]] = nil
  end
end

---What the turn gathers of one kind, to add to.
---@param name string
---@return table
function turn_methods:gather(name)
  local it = self[name]
  if it == nothing then
    it = {}
    self[name] = it
  end
  return it
end

---Forgets which states were touched and what was read.
function turn_methods:forget_reading()
  self.states, self.reads = nil, nil
end

---The turn of the task that is running, if it belongs to this bot.
---@param bot table
---@return cunnekt.turn?
function turn.current(bot)
  local running = task.running()
  local current = running and running.turn
  return current and current.bot == bot and current or nil
end

-- Turns that met another one are run again; so many meetings in a row mean a fault.
local most_conflicts = 100

-- ---- turns side by side ----------------------------------------------------------------------------------------

---Remembers that this turn depends on something that other turns may change.
---@param what string
function turn_methods:note_read(what)
  if self.reads[what] == nil then
    self:gather("reads")[what] = self.bot._versions[what] or 0
  end
end

local function has_conflict(self)
  local versions = self.bot._versions
  for what, version in pairs(self.reads) do
    if (versions[what] or 0) ~= version then
      return true
    end
  end
  return false
end

-- A turn that met another one goes on only when no other such turn is under way: they would meet again and again, and
-- keep the processor busy with turns that are thrown away.
local function take_place(self)
  local places = self.bot._places
  if places.is_taken then
    task.await(function(done)
      places.last = places.last + 1
      places[places.last] = done
    end)
  end
  places.is_taken, self.has_place = true, true
end

local function leave_place(self)
  if not self.has_place then
    return
  end
  self.has_place = false
  local places = self.bot._places
  if places.first > places.last then
    places.is_taken = false
    return
  end
  local go = places[places.first]
  places[places.first] = nil
  places.first = places.first + 1
  go()
end

-- Versions only matter to turns that are open now, so the table is emptied when none is.
local function open_turn(bot)
  bot._open_turns = bot._open_turns + 1
end

local function close_turn(bot)
  bot._open_turns = bot._open_turns - 1
  if bot._open_turns == 0 then
    bot._versions = {}
  end
end

local function note_changes(self, states)
  local versions = self.bot._versions
  for key in pairs(self.values) do
    versions["value " .. key] = (versions["value " .. key] or 0) + 1
  end
  for contact in pairs(states) do
    versions["state " .. contact] = (versions["state " .. contact] or 0) + 1
  end
end

---Adds a message to what this turn will send.
---@param row table see outbox.lua
function turn_methods:send(row)
  local sends = self:gather "sends"
  sends[#sends + 1] = row
end

---Commits in the middle of a handler, which goes on. Raises when the store cannot.
function turn_methods:commit_more()
  local states, run = self.states, self.run
  if run then
    self.bot._dialogs:check_may_wait(run)
  end
  local ok, err = self:commit(run and "more" or "end")
  if not ok and run then
    run:fail(err)
  elseif not ok then
    error(err, 0)
  end
  if not run then
    -- The script may still hold these states. A run reads its own anew.
    for contact, chat in pairs(states) do
      self:gather("states")[contact] = chat
      self:note_read("state " .. contact)
    end
  end
end

-- The states that changed, as the store keeps them.
local function encode_states(self)
  if self.states == nothing then
    return nothing
  end
  local encoded = {}
  for contact, chat in pairs(self.states) do
    local text, is_changed = chat:_encode_state()
    if is_changed then
      encoded[contact] = text
    end
  end
  return encoded
end

-- What the commit says of the run: kept at its wait or on its way, or forgotten at its end.
local function change_run(self, stage, change)
  local run = self.run
  change.ends, change.cuts, change.kept, change.taken = self.ends, self.cuts, self.kept, self.taken
  if not run then
    return
  elseif stage == "end" then
    if run.is_stored then
      change.ended = run
      -- Messages that it never came to wait for go to whoever wants them now.
      for _, record in ipairs(self.bot._dialogs:kept_records(run, self)) do
        table.insert(self:gather "tells", record)
      end
    end
    return
  end
  change.run = run
  self.bot._dialogs:describe(run)
  if stage == "more" and self.record then
    -- In the event's place stands one that takes the run up again, should this process end before the run does.
    change.resume = self.bot:_resume_body(self.record, run)
  end
end

-- With room for all that a commit says.
local function new_change()
  return {
    ends = nil, cuts = nil, kept = nil, taken = nil, ended = nil, run = nil, resume = nil, record = nil, sends = nil,
    values = nil, states = nil, watches = nil, pauses = nil, jobs = nil, tells = nil,
  }
end

-- Whether a commit would change anything.
local function is_empty(self, states, change)
  if self.record or change.run or change.ended or next(states) then
    return false
  end
  for _, name in ipairs(gathered) do
    if name ~= "states" and name ~= "reads" and next(self[name]) then
      return false
    end
  end
  return true
end

---Makes everything gathered so far true, at once: the event is finished, states and values are kept, messages join the
---outbox. Waits for the store.
---@param stage "end"|"wait"|"more" what comes after: nothing, a wait, or more of the same event
---@return boolean? ok
---@return cunnekt.error? err kind store or conflict; then nothing of it holds
function turn_methods:commit(stage)
  local states, change = encode_states(self), new_change()
  change_run(self, stage, change)
  if has_conflict(self) then
    return nil, errors.new("conflict", "another turn changed what this one had read")
  end
  if is_empty(self, states, change) then
    return true
  end
  self.is_committing = true
  note_changes(self, states)
  self.bot._outbox:mark(self.sends)
  change.record, change.sends, change.values = self.record, self.sends, self.values
  change.states, change.watches, change.pauses, change.jobs = states, self.watches, self.pauses, self.jobs
  change.tells = self.tells
  local ok, err = self.bot._store:commit(change)
  if not ok then
    self.is_committing = false
    return nil, err
  end
  if change.run then
    change.run.is_stored, change.run.stored_n = true, change.run.n
  end
  for contact, text in pairs(states) do
    self.states[contact]:_keep_state(text)
  end
  self.has_committed = true
  if change.resume then
    self.record.body, self.record.event, self.record.joined = change.resume, nil, nil
    self.record.is_resume = true
  else
    self.record = nil
  end
  local sends = self.sends
  clear(self)
  leave_place(self)
  self.bot._dialogs:enact(change)
  self.bot._outbox:enqueue(sends)
  self.bot._inbox:enqueue(change.tells)
  self.bot._schedule:enact(change.jobs)
  self.is_committing = false
  return true
end

---Drops everything gathered since the last commit.
function turn_methods:abandon()
  for _, chat in pairs(self.states) do
    chat:_forget_state()
  end
  for _, row in ipairs(self.sends) do
    row.handle:_advance("dropped", errors.new("cancelled", "the handler failed before its turn was committed"))
  end
  if self.run then
    self.bot._dialogs:drop(self.run)
  end
  clear(self)
end

---For xpcall: a failure that is none of ours becomes one, with its traceback.
---@param failure any
---@return cunnekt.error
function turn.with_traceback(failure)
  if errors.is(failure) then
    return failure
  end
  return errors.new("handler", tostring(failure), { traceback = debug.traceback(tostring(failure), 2) })
end

-- The commit at the end of a turn, in which a run may have come to a wait.
local function commit_at_end(self)
  return self:commit(self.run and self.run.waiting and "wait" or "end")
end

-- Runs `fn` and commits, again while another turn is in the way and nothing of this one holds yet.
local function run_until_committed(self, fn)
  for _ = 1, most_conflicts do
    local ok, failure, why = xpcall(fn, turn.with_traceback, self)
    if ok then
      -- It may raise as well: a state that cannot be written as JSON.
      ok, failure, why = xpcall(commit_at_end, turn.with_traceback, self)
    end
    if ok and why then
      ok, failure = false, why
    elseif not ok and not errors.is(failure) then
      -- Memory or the C stack ran out: then no message handler is called.
      if self.is_committing then
        error(failure, 0) -- what the database has taken may not be known here, so the program must end
      end
      failure = turn.with_traceback(failure)
    end
    if ok then
      leave_place(self)
      return nil
    end
    local is_under_way = self.has_committed or self.is_continued
    self:abandon()
    if failure.kind ~= "conflict" or is_under_way then
      leave_place(self)
      return failure, self.run
    elseif not self.has_place then
      take_place(self)
    end
    self.run = nil
  end
  leave_place(self)
  return errors.new("conflict", "other turns keep changing the same values")
end

---Makes a change in the running turn; outside any turn it is a turn of its own.
---@param bot table
---@param change fun(current: cunnekt.turn): any
---@return any result what `change` returns
---@return cunnekt.error? err kind store or conflict; only outside a turn
function turn.within(bot, change)
  local current = turn.current(bot)
  if current then
    return change(current)
  end
  local own, result = turn.new(bot, nil), nil
  open_turn(bot)
  local failure = run_until_committed(own, function()
    result = change(own)
  end)
  close_turn(bot)
  if failure and failure.kind == "handler" then
    error(failure.message, 0)
  elseif failure then
    return nil, failure
  end
  return result
end

local function run_in_task(self, fn, on_end)
  task.running().turn = self
  if self.record and self.record.has_met then
    take_place(self) -- it cannot be run again in place, so it must not meet another one this time
  end
  open_turn(self.bot)
  local failure, its_run = run_until_committed(self, fn)
  close_turn(self.bot)
  on_end(failure, self.record, its_run)
end

---Runs `fn` as a turn in a task of its own. A run that comes to a wait in it ends it there.
---@param bot table
---@param record table?
---@param fn fun(self: cunnekt.turn)
---@param on_end fun(err: cunnekt.error?, record: table?, its_run: cunnekt.run?) `record`: the event when it is not finished; `its_run`: what failed
function turn.run(bot, record, fn, on_end)
  task.spawn(run_in_task, turn.new(bot, record), fn, on_end)
end

return turn
