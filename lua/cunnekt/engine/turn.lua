-- SPDX-License-Identifier: MIT
-- The turn: one event, or one run of a job, handled once and committed in one transaction. While a handler runs, its messages
-- and changes are only buffered here; the commit makes all of them take effect, a failure discards all of them.
--
-- A handler that waits ends its turn there (`commit`); what it does afterwards belongs to the next turn. Turns run
-- concurrently: each records the versions of what it read, and is retried when another turn changed that first.

local errors = require "cunnekt.base.errors"
local task = require "cunnekt.base.task"

local turn = {}

local turn_methods = {}
local turn_mt = { __index = turn_methods, __name = "cunnekt.turn" }

local turns_methods = {}
local turns_mt = { __index = turns_methods, __name = "cunnekt.turns" }

---@class cunnekt.turn
---@field turns cunnekt.turns
---@field run cunnekt.run? of the handler or dialog that this turn executes; see cunnekt.turn.run
---@field record cunnekt.inbox.record? the event; nil for a job, and when the event is finished
---@field sends cunnekt.outbox.row[] messages to send
---@field values table<string, string|false> changes of bot.store, as JSON; false: deleted
---@field states table<string, cunnekt.state> contact → the state that was loaded
---@field reads table<string, integer> what was read → its version
---@field ends integer[] runs that end with this turn
---@field cuts table<integer, table> run → the step at which its journal is truncated, and the steps it had
---@field kept table[] messages to keep for a dialog: dialog, bodies
---@field taken integer[] kept messages that a dialog has consumed
---@field own_events cunnekt.inbox.record[] events to queue with the commit
---@field pauses table<string, boolean> contact → whether a person has taken over
---@field jobs table<string, table> name → the change of the named job, see jobs/schedule.lua
---@field watches table<string, number> contact → seconds before the end of the window for a window_closing event

---What a turn needs from the run that it executes (dialog/engine/run.lua).
---@class cunnekt.turn.run
---@field check_may_wait fun(self) raises where the run cannot be continued after a wait
---@field fail fun(self, err: cunnekt.error) ends the run: raises
---@field add_to fun(self, change: table, stage: string, its_turn: cunnekt.turn) adds its part of the commit
---@field on_committed fun(self)
---@field drop fun(self) releases a run that cannot continue

local buffered = {
  "sends", "values", "states", "reads", "watches", "ends", "pauses", "jobs", "cuts", "kept", "taken", "own_events",
}

-- Most turns buffer one or two kinds; the others share this empty table.
local nothing = setmetatable({}, {
  __newindex = function()
    error("call turn:buffer first", 2)
  end,
})
for _, name in ipairs(buffered) do
  turn_methods[name] = nothing
end

local function clear(self)
  for i = 1, #buffered do
    self[buffered[i]] = nil
  end
end

---The turn's buffer of one kind, to append to.
---@param name string
---@return table
function turn_methods:buffer(name)
  local it = self[name]
  if it == nothing then
    it = {}
    self[name] = it
  end
  return it
end

---Clears the records of loaded states and of what was read.
function turn_methods:clear_reads()
  self.states, self.reads = nil, nil
end

-- ---- concurrent turns ------------------------------------------------------------------------------------------

-- Conflicts in a row after which a turn fails.
local max_conflicts = 100

---Records the version of a value that other turns may change.
---@param what string
function turn_methods:record_read(what)
  if self.reads[what] == nil then
    self:buffer("reads")[what] = self.turns._versions[what] or 0
  end
end

local function has_conflict(self)
  local versions = self.turns._versions
  for what, version in pairs(self.reads) do
    if (versions[what] or 0) ~= version then
      return true
    end
  end
  return false
end

-- Retries after conflicts run one at a time: otherwise they would keep conflicting, and waste CPU time on discarded turns.
local function acquire_retry(self)
  local retries = self.turns._retries
  if retries.is_held then
    task.await(function(done)
      retries.last = retries.last + 1
      retries[retries.last] = done
    end)
  end
  retries.is_held, self.holds_retry = true, true
end

local function release_retry(self)
  if not self.holds_retry then
    return
  end
  self.holds_retry = false
  local retries = self.turns._retries
  if retries.first > retries.last then
    retries.is_held = false
    return
  end
  local go = retries[retries.first]
  retries[retries.first] = nil
  retries.first = retries.first + 1
  go()
end

-- Only open turns compare versions, so the table is cleared when none is open.
local function open_turn(self)
  self._open = self._open + 1
end

local function close_turn(self)
  self._open = self._open - 1
  if self._open == 0 then
    self._versions = {}
  end
end

local function bump_versions(self, states)
  local versions = self.turns._versions
  for key in pairs(self.values) do
    versions["value " .. key] = (versions["value " .. key] or 0) + 1
  end
  for contact in pairs(states) do
    versions["state " .. contact] = (versions["state " .. contact] or 0) + 1
  end
end

---Buffers a message.
---@param row table see outbox.lua
function turn_methods:send(row)
  local sends = self:buffer "sends"
  sends[#sends + 1] = row
end

---Commits in the middle of a handler, which continues. Raises when the commit fails.
function turn_methods:commit_more()
  local states, run = self.states, self.run
  if run then
    run:check_may_wait()
  end
  local ok, err = self:commit(run and "more" or "end")
  if not ok and run then
    run:fail(err)
  elseif not ok then
    error(err, 0)
  end
  if not run then
    -- The script may still hold these states. A run loads its own again.
    for contact, state in pairs(states) do
      self:buffer("states")[contact] = state
      self:record_read("state " .. contact)
    end
  end
end

-- The states that changed, as JSON.
local function encode_states(self)
  if self.states == nothing then
    return nothing
  end
  local encoded = {}
  for contact, state in pairs(self.states) do
    local text, is_changed = state:encode()
    if is_changed then
      encoded[contact] = text
    end
  end
  return encoded
end

-- With all keys preallocated.
local function new_change()
  return {
    ends = nil, cuts = nil, kept = nil, taken = nil, ended = nil, run = nil, resume = nil, record = nil, sends = nil,
    values = nil, states = nil, watches = nil, pauses = nil, jobs = nil, own_events = nil,
  }
end

-- Whether a commit would change anything.
local function is_empty(self, states, change)
  if self.record or change.run or change.ended or next(states) then
    return false
  end
  for _, name in ipairs(buffered) do
    if name ~= "states" and name ~= "reads" and next(self[name]) then
      return false
    end
  end
  return true
end

-- Marks the states and the event as saved.
local function settle_commit(self, change, states)
  for contact, text in pairs(states) do
    self.states[contact]:mark_saved(text)
  end
  self.has_committed = true
  local record = self.record
  if change.resume then
    record.body, record.event, record.joined, record.is_resume = change.resume, nil, nil, true
  else
    self.record = nil
  end
end

---Commits everything buffered so far in one transaction: the event is finished, states and values are saved, messages join
---the outbox. Waits.
---@param stage "end"|"wait"|"more" what follows: nothing, a wait, or more of the same event
---@return boolean? ok
---@return cunnekt.error? err kind store or conflict; then nothing was committed
function turn_methods:commit(stage)
  local turns, states, change = self.turns, encode_states(self), new_change()
  change.ends, change.cuts, change.kept, change.taken = self.ends, self.cuts, self.kept, self.taken
  if self.run then
    self.run:add_to(change, stage, self)
  end
  if self.reads ~= nothing and has_conflict(self) then
    return nil, errors.new("conflict", "another turn changed what this one had read")
  end
  if is_empty(self, states, change) then
    return true
  end
  self.is_committing = true
  bump_versions(self, states)
  turns._outbox:mark(self.sends)
  change.record, change.sends, change.values = self.record, self.sends, self.values
  change.states, change.watches, change.pauses, change.jobs = states, self.watches, self.pauses, self.jobs
  change.own_events = self.own_events
  local ok, err = turns._store:commit(change)
  if not ok then
    self.is_committing = false
    return nil, err
  end
  settle_commit(self, change, states)
  clear(self)
  release_retry(self)
  if change.run or change.pauses ~= nothing or change.jobs ~= nothing then
    turns._on_commit(change)
  end
  if change.sends ~= nothing then
    turns._outbox:enqueue(change.sends)
  end
  if change.own_events ~= nothing then
    turns._inbox:enqueue(change.own_events)
  end
  self.is_committing = false
  return true
end

---Discards everything buffered since the last commit.
function turn_methods:abandon()
  for _, state in pairs(self.states) do
    state:unload()
  end
  for _, row in ipairs(self.sends) do
    self.turns._outbox:discard(row)
  end
  if self.run then
    self.run:drop()
  end
  clear(self)
end

---For xpcall: wraps any other error value in a cunnekt.error with its traceback.
---@param failure any
---@return cunnekt.error
function turn.with_traceback(failure)
  if errors.is(failure) then
    return failure
  end
  return errors.new("handler", tostring(failure), { traceback = debug.traceback(tostring(failure), 2) })
end

-- A run that waits ends the turn as well.
local function commit_at_end(self)
  return self:commit(self.run and self.run.waiting and "wait" or "end")
end

-- Runs `fn` and commits; retries after a conflict, unless a part was committed already.
local function run_until_committed(self, fn)
  for _ = 1, max_conflicts do
    local ok, failure, why = xpcall(fn, turn.with_traceback, self)
    if ok then
      -- The commit raises for a state that JSON cannot represent.
      ok, failure, why = xpcall(commit_at_end, turn.with_traceback, self)
    end
    if ok and why then
      ok, failure = false, why
    elseif not ok and not errors.is(failure) then
      -- Out of memory or C stack: then no message handler is called.
      if self.is_committing then
        error(failure, 0) -- whether the commit succeeded is unknown, so the program must end
      end
      failure = turn.with_traceback(failure)
    end
    if ok then
      release_retry(self)
      return nil
    end
    local is_under_way = self.has_committed or self.is_continued
    self:abandon()
    if failure.kind ~= "conflict" or is_under_way then
      release_retry(self)
      return failure, self.run
    elseif not self.holds_retry then
      acquire_retry(self)
    end
    self.run = nil
  end
  release_retry(self)
  return errors.new("conflict", "other turns keep changing the same values")
end

-- ---- the manager -------------------------------------------------------------------------------------------------

---@class cunnekt.turns
---Runs the turns of one bot and detects their conflicts.
---@param parts {store: table, inbox: cunnekt.inbox, outbox: cunnekt.outbox}
---@return cunnekt.turns
function turn.manager(parts)
  return setmetatable({
    _store = parts.store,
    _inbox = parts.inbox,
    _outbox = parts.outbox,
    _versions = {},
    _retries = { first = 1, last = 0, is_held = false },
    _open = 0,
  }, turns_mt)
end

---Sets the hook for commits.
---@param on_commit fun(change: table) see cunnekt.engine.hooks
function turns_methods:connect(on_commit)
  self._on_commit = on_commit
end

---A new turn.
---@param record cunnekt.inbox.record?
---@return cunnekt.turn
function turns_methods:new(record)
  -- With the usual keys preallocated.
  return setmetatable({ turns = self, record = record, run = nil, sends = nil, states = nil, reads = nil }, turn_mt)
end

---The number of open turns.
---@return integer
function turns_methods:count()
  return self._open
end

---The turn of the running task, if it is one of this bot's.
---@return cunnekt.turn?
function turns_methods:current()
  local running = task.running()
  local current = running and running.turn
  return current and current.turns == self and current or nil
end

---Makes a change in the running turn; outside any turn, in a new one.
---@param change fun(current: cunnekt.turn): any
---@return any result what `change` returns
---@return cunnekt.error? err kind store or conflict; only outside a turn
function turns_methods:within(change)
  local current = self:current()
  if current then
    return change(current)
  end
  local own, result = self:new(nil), nil
  open_turn(self)
  local failure = run_until_committed(own, function()
    result = change(own)
  end)
  close_turn(self)
  if failure and failure.kind == "handler" then
    error(failure.message, 0)
  elseif failure then
    return nil, failure
  end
  return result
end

local function run_in_task(self, fn, on_end)
  task.running().turn = self
  if self.record and self.record.had_conflict then
    acquire_retry(self) -- a resident run cannot be retried in place, so this turn must not conflict again
  end
  open_turn(self.turns)
  local failure, its_run = run_until_committed(self, fn)
  close_turn(self.turns)
  on_end(failure, self.record, its_run)
end

---Runs `fn` as a turn in a new task. A run that waits ends the turn there.
---@param record cunnekt.inbox.record?
---@param fn fun(self: cunnekt.turn)
---@param on_end fun(err: cunnekt.error?, record: table?, its_run: cunnekt.run?) `record`: the event, unless it is finished; `its_run`: the run that failed
function turns_methods:run(record, fn, on_end)
  task.spawn(run_in_task, self:new(record), fn, on_end)
end

return turn
