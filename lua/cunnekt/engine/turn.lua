-- SPDX-License-Identifier: MIT
-- The turn: one event, or one run of a job, handled once and committed in one transaction. While a handler runs, its messages
-- and changes are only buffered here; the commit makes all of them take effect, a failure discards all of them.
--
-- A handler that waits ends its turn there (`commit`); what it does afterwards belongs to the next turn. Turns run
-- concurrently: each records the versions of what it read, and is retried when another turn changed that first. The store
-- compares the versions, in the commit itself.

local attempts = require "cunnekt.engine.attempts"
local budget = require "cunnekt.engine.budget"
local commit = require "cunnekt.engine.commit"
local task = require "cunnekt.base.task"

local turn = {}

local turn_methods = {}
local turn_mt = { __index = turn_methods, __name = "cunnekt.turn" }

local turns_methods = {}
local turns_mt = { __index = turns_methods, __name = "cunnekt.turns" }

---@class cunnekt.turn
---@field turns cunnekt.turns
---@field task cunnekt.task? that runs it; nil in turns:within, which runs no code of the script
---@field name string? of a turn without an event
---@field run cunnekt.run? of the handler or dialog that this turn executes; see cunnekt.turn.run
---@field record cunnekt.inbox.record? the event; nil for a job, and when the event is finished
---@field sends cunnekt.outbox.row[] messages to send
---@field values table<string, string|false> changes of bot.store, as JSON; false: deleted
---@field states table<string, cunnekt.state> contact → the state that was loaded
---@field reads table<string, table> kind and key → what was read: kind, key, version
---@field ends integer[] runs that end with this turn
---@field cuts table<integer, table> run → its id, the step `n` at which its journal is truncated, and the steps it had
---@field kept table[] messages to keep for a dialog; see records.kept
---@field taken integer[] kept messages that a dialog has consumed
---@field kept_events table[] events to keep for a conversation: struct cnk_kept_event
---@field taken_events integer[] those of them that are consumed, by their seq
---@field own_events cunnekt.inbox.record[] events to queue with the commit
---@field pauses table<string, boolean> contact → whether a person has taken over
---@field jobs table<string, table> name → the change of the named job, see jobs/schedule.lua
---@field bindings table<string, table> name → the change of what that job runs, beside any other
---@field is_continued boolean? after a conflict its event is dispatched again
---@field is_wrapping boolean? functions of bot:use run around what a dialog gets
---@field outer cunnekt.turn.outer? what was read outside of its run
---@field watches table<string, number> contact → seconds before the end of the window for a window_closing event
---@field answers cunnekt.engine.answers? what its network calls gave since its last commit
---@field kinds string[] those of the buffers above that are in use
---@field is_special boolean? it has buffered more than messages without options
---@field joins integer of conversations that the store had told of when it began

---What a turn needs from the run that it executes (dialog/engine/run.lua).
---@class cunnekt.turn.run
---@field check_may_wait fun(self) raises where the run cannot be continued after a wait
---@field fail fun(self, err: cunnekt.error) ends the run: raises
---@field add_to fun(self, change: table, stage: string, its_turn: cunnekt.turn) adds its part of the commit: `run` or `ended`, and `resume`, as in struct cnk_turn
---@field is_plain fun(self): boolean of one that waits: its part of the commit is a plain one
---@field plain_part fun(self): table?, cunnekt.error? that part, as store:commit_plain of the core takes it
---@field on_committed fun(self, asked: integer?)
---@field drop fun(self) releases a run that cannot continue

local buffered = {
  "sends", "values", "states", "reads", "watches", "ends", "pauses", "jobs", "bindings", "cuts", "kept", "taken", "own_events",
  "kept_events", "taken_events",
}

local nothing = commit.nothing
for _, name in ipairs(buffered) do
  turn_methods[name] = nothing
end

-- The kinds of buffers that are in use.
turn_methods.kinds = nothing

local function clear(self)
  local kinds = self.kinds
  for i = 1, #kinds do
    self[kinds[i]] = nil
  end
  self.kinds = nil
end

---The turn's buffer of one kind, to append to.
---@param kind string
---@param first? table the buffer, if there is none yet
---@return table
function turn_methods:buffer(kind, first)
  local it = self[kind]
  if it == nothing then
    it = first or {}
    self[kind] = it
    self.is_special = self.is_special or kind ~= "sends"
    if self.kinds == nothing then
      self.kinds = { kind }
    else
      table.insert(self.kinds, kind)
    end
  end
  return it
end

---Clears the records of loaded states and of what was read.
function turn_methods:clear_reads()
  if self.states == nothing and self.reads == nothing then
    return
  end
  self.states, self.reads = nil, nil
  for i = #self.kinds, 1, -1 do
    if self.kinds[i] == "states" or self.kinds[i] == "reads" then
      table.remove(self.kinds, i)
    end
  end
end

-- ---- concurrent turns ------------------------------------------------------------------------------------------

---Records the version of what the turn has read, and other turns may change. Of several readings the first one counts: when
---they differ, the turn conflicts.
---@param kind "conversation"|"value"
---@param key string
---@param version integer 0: there was none
function turn_methods:record_read(kind, key, version)
  local name = kind .. " " .. key
  if self.reads[name] == nil then
    self:buffer("reads")[name] = { kind = kind, key = key, version = version }
  end
end

---Buffers the usual message, of outbox:new_text.
---@param row cunnekt.outbox.row
function turn_methods:send_usual(row)
  local sends = self.sends
  if sends == nothing then
    self:buffer("sends", { row, nil }) -- with room for the question behind a reply
  else
    sends[#sends + 1] = row
  end
end

---Buffers any other message.
---@param row cunnekt.outbox.row
function turn_methods:send(row)
  local record = self.record
  row.event = record and record.id
  if not row.is_plain or not row.text then
    self.is_special = true
  end
  self:send_usual(row)
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
    -- The script may still hold these states, as of this commit. A run loads its own again.
    for contact, state in pairs(states) do
      self:buffer("states")[contact] = state
      state:record_version(self)
    end
  end
end

-- ---- the commit ----------------------------------------------------------------------------------------------------

-- Marks the states and the event as saved.
local function settle_commit(self, change)
  for _, saved in ipairs(change.states) do
    self.states[saved.contact]:mark_saved(saved.state, saved.version)
  end
  self.has_committed, self.answers = true, nil
  local record = self.record
  if change.resume then
    record.body, record.event, record.joined, record.is_resume = change.resume, nil, nil, true
  else
    self.record = nil
  end
end

-- Hands committed messages to the outbox.
local function release(turns, sends)
  if sends == nothing then
    return
  elseif turns._on_messages then
    turns._on_messages(sends)
  end
  turns._outbox:enqueue(sends)
end

---Commits everything buffered so far in one transaction: the event is finished, states and values are saved, messages join
---the outbox. Waits.
---@param stage "end"|"wait"|"more" what follows: nothing, a wait, or more of the same event
---@return boolean? ok
---@return cunnekt.error? err kind store or conflict; then nothing was committed
function turn_methods:commit(stage)
  local turns, run, change = self.turns, self.run, commit.begin(self)
  if run then
    run:add_to(change, stage, self)
  end
  if commit.is_empty(self, change) then
    return true
  end
  self.is_committing = true
  turns._outbox:mark(self.sends)
  commit.complete(self, change)
  local ok, err = turns._store:commit_turn(change)
  if not ok then
    turns._outbox:unmark(self.sends)
    self.is_committing = false
    return nil, err
  end
  settle_commit(self, change)
  local sends, own_events, pauses = self.sends, self.own_events, self.pauses
  clear(self)
  attempts.release_retry(self)
  if change.run or pauses ~= nothing or change.jobs then
    turns._on_commit { run = change.run and run, pauses = pauses, jobs = change.jobs or nothing }
  end
  release(turns, sends)
  if own_events ~= nothing then
    turns._inbox:enqueue(own_events)
  end
  self.is_committing = false
  return true
end

---Begins the commit of a plain turn, see attempts.lua.
---@param done fun(its_turn: cunnekt.turn, ok: boolean?, err: cunnekt.error?)
---@return cunnekt.error? err kind store: it was not begun
function turn_methods:begin_plain(done)
  local turns, sends = self.turns, self.sends
  local run, part = self.run, nil
  if run and run.waiting then
    local failure
    part, failure = run:plain_part()
    if failure then
      return failure
    end
  end
  self.is_committing = true
  turns._outbox:mark(sends)
  local err = turns._store:commit_plain(self.record.id, self.joins, sends, done, self, part)
  if err then
    turns._outbox:unmark(sends)
    self.is_committing = false
  end
  return err
end

---Notes that such a commit has been made.
---@param asked integer? the sequence of a question that its run asked
function turn_methods:settle_plain(asked)
  local turns, sends, run = self.turns, self.sends, self.run
  self.has_committed, self.answers, self.record = true, nil, nil
  clear(self)
  attempts.release_retry(self)
  if run and run.waiting then
    run:on_committed(asked)
  end
  release(turns, sends)
  self.is_committing = false
end

---Discards everything buffered since the last commit.
function turn_methods:abandon()
  for _, state in pairs(self.states) do
    state:unload()
  end
  for _, state in pairs(self.outer and self.outer.states or nothing) do
    state:unload()
  end
  -- Marked still, where the commit raised: for example, because a message cannot be written as JSON.
  self.turns._outbox:unmark(self.sends)
  self.is_committing = false
  for _, row in ipairs(self.sends) do
    self.turns._outbox:discard(row)
  end
  if self.run then
    self.run:drop()
  end
  clear(self)
end

---Charges what follows to a new account, for a replay with more time: what it repeats was paid for.
---@param seconds? number the budget's own by default
function turn_methods:charge(seconds)
  local its_task, meter = self.task, self.turns.budget.meter
  if its_task and meter then
    its_task.charge = meter:enter(self.record and self.record.id or self.name, seconds)
  end
end

-- ---- the manager -------------------------------------------------------------------------------------------------

---@class cunnekt.turns
---@field budget cunnekt.turn_budget
---@field bare userdata? of core.bare_turns
---Runs the turns of one bot, and again those that conflict.
---@param parts {store: table, inbox: cunnekt.inbox, outbox: cunnekt.outbox, budget: cunnekt.turn_budget?}
---@return cunnekt.turns
function turn.manager(parts)
  return setmetatable({
    _store = parts.store,
    _inbox = parts.inbox,
    _outbox = parts.outbox,
    budget = parts.budget or budget.new { seconds = 0, memory = 0 },
    _retries = { first = 1, last = 0, is_held = false },
    _open = 0,
  }, turns_mt)
end

---Sets the hook for commits.
---@param on_commit fun(change: table) see cunnekt.engine.hooks
function turns_methods:connect(on_commit)
  self._on_commit = on_commit
end

---Sets who hears of the messages of each committed turn.
---@param on_messages fun(rows: cunnekt.outbox.row[])
function turns_methods:listen(on_messages)
  self._on_messages = on_messages
end

---A new turn. One with a function runs when its method `run_here` is called.
---@param record cunnekt.inbox.record?
---@param fn? fun(self: cunnekt.turn, context: any)
---@param on_end? fun(err: cunnekt.error?, record: table?, its_run: cunnekt.run?, context: any) `record`: the event, unless it is finished; `its_run`: the run that failed
---@param name? string of a turn without an event, such as "job cleanup"
---@param context any for both functions
---@return cunnekt.turn
function turns_methods:new(record, fn, on_end, name, context)
  -- With the usual keys preallocated.
  return setmetatable({
    turns = self, record = record, joins = record and record.joins or self._store.joins, task = nil, run = nil, sends = nil,
    kinds = nil, name = name, fn = fn, on_end = on_end, context = context,
  }, turn_mt)
end

---The number of open turns.
---@return integer
function turns_methods:count()
  return self._open + (self.bare and self.bare:count() or 0)
end

---Takes a turn that was bare, see src/bind/engine/turn.c, with its task.
---@param its_turn cunnekt.turn
---@param its_task cunnekt.task
function turns_methods:adopt(its_turn, its_task)
  self._open = self._open + 1
  its_turn.task, its_task.turn = its_task, its_turn
end

---The commit of a bare turn has failed: it goes on in a new task.
---@param its_turn cunnekt.turn that was adopted
---@param err cunnekt.error
function turns_methods:go_on(its_turn, err)
  self._outbox:unmark(its_turn.sends)
  task.spawn(attempts.go_on, its_turn, err)
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
  self._open = self._open + 1
  local failure = attempts.run(own, function()
    result = change(own)
  end)
  self._open = self._open - 1
  if failure and failure.kind == "handler" then
    error(failure.message, 0)
  elseif failure then
    return nil, failure
  end
  return result
end

---Runs the turn in the running task, which does nothing else afterwards.
function turn_methods:run_here()
  self.turns._open = self.turns._open + 1
  return attempts.run_in_task(self)
end

---Runs `fn` as a turn in a new task.
---@param record cunnekt.inbox.record?
---@param fn fun(self: cunnekt.turn, context: any)
---@param on_end fun(err: cunnekt.error?, record: table?, its_run: cunnekt.run?, context: any) as `new` takes it
---@param name? string
---@param context any
function turns_methods:run(record, fn, on_end, name, context)
  self._open = self._open + 1
  task.spawn(attempts.run_in_task, self:new(record, fn, on_end, name, context))
end

return turn
