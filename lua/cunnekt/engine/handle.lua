-- SPDX-License-Identifier: MIT
-- The bot's part for what happens: an event's turn, its failure and its next try, a message that is about to
-- leave. The methods are the bot's own; see bot.lua.

local build = require "cunnekt.provider.build"
local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local event = require "cunnekt.bot.event"
local inbox = require "cunnekt.engine.inbox"
local log = require "cunnekt.base.log"
local retry = require "cunnekt.provider.retry"
local run = require "cunnekt.dialog.engine.run"
local task = require "cunnekt.base.task"
local turn = require "cunnekt.engine.turn"

local methods = {}

---Lets the script see a message, and checks what it made of it.
function methods:_before_send(payload, to)
  for _, fn in ipairs(self._senders) do
    local verdict = fn(payload, to)
    if verdict == false then
      return nil, errors.new("cancelled", "before_send dropped the message")
    end
    payload = type(verdict) == "table" and verdict or payload
  end
  if #self._senders > 0 then
    return build.send(payload)
  end
  return payload
end

---Tells the script, or the log, of a failure.
function methods:_fail(err, about)
  if #self._failure_hearers == 0 then
    log.error("%s", err.traceback or tostring(err))
  end
  for _, fn in ipairs(self._failure_hearers) do
    task.spawn(function()
      local ok, problem = xpcall(fn, debug.traceback, err, about)
      if not ok then
        log.error("bot:on_error failed: %s", problem)
      end
    end)
  end
end

-- Gives a status what the script kept with the message that it is about.
local function add_track(self, status, contact)
  if not status.id or not (self._routes:hears(status) or self._outbox:has_unknown()) then
    return
  end
  local track = self._store:track_of(status.id)
  if not track then
    -- The status may have overtaken the answer that brings the message's id, or the answer was lost.
    self._outbox:wait_for_answer(contact)
    track = self._store:track_of(status.id) or self._outbox:settle_by_status(contact, status)
  end
  status.track = track and next(track) ~= nil and track or nil
end

-- Seconds that this event has to wait for more texts of its contact; nil when it may be handled.
local function wait_for_more(self, record)
  local seconds = record.event and self._routes:debounce_of(record.event)
  if not seconds then
    return nil
  end
  local pause = self._inbox:seconds_until_quiet(record, seconds)
  return pause > 0 and pause or nil
end

local function join_texts(self, record, it)
  if self._routes:debounce_of(it) then
    self._inbox:join(record, it, function(other)
      return self._routes:debounce_of(other) ~= nil
    end)
  end
end

-- The event of a record, bound; nil when it was dropped from the command line meanwhile. Raises when the store cannot.
local function open_event(self, record)
  local parsed, err = self._inbox:take(record)
  if err then
    error(err, 0)
  elseif not parsed then
    return nil
  end
  join_texts(self, record, parsed)
  local it = event.bind(self, record.contact, parsed)
  self._phone_number_id = it.phone_number_id or self._phone_number_id
  if it.kind == "status" then
    add_track(self, it, record.contact)
  end
  return it
end

-- The handling of an event is a run, which becomes a dialog when it waits.
local function new_run(self, record, it)
  return run.new {
    id = self._store:next_dialog_id(),
    name = "on:event",
    contact = record.contact,
    args = { bodies = inbox.bodies_of(record), track = it.track },
    event = it,
    at = clock.now(),
    is_handler = true,
    script = self._dialogs.script,
  }
end

---An event that a journal keeps, bound to this bot.
---@param contact string
---@param bodies string[] that it was made of
---@return table
function methods:_read_event(contact, bodies)
  return event.bind(self, contact, inbox.read_bodies(bodies))
end

---Gives an event its methods.
---@param contact string
---@param it table
---@return table it
function methods:_bind_event(contact, it)
  return event.bind(self, contact, it)
end

---The body of the event that takes a run up again which a crash cut off in the middle of its turn.
---@param record cunnekt.inbox.record
---@param current cunnekt.run
---@return string
function methods:_resume_body(record, current)
  return inbox.own_record(record.contact, { status = "dialog_resume", run = current.id, seed = current:find_seed() }).body
end

local function lowered(text)
  return (text or ""):lower():match "^%s*(.-)%s*$"
end

-- The handler of a word that works everywhere, if this is one.
local function global_of(globals, it)
  return it.type == "text" and globals[lowered(it.text)] or nil
end

---Brings an event to the handlers of the script that its run belongs to.
---@param it table
---@param current cunnekt.run
function methods:_run_event(it, current)
  local script = current.script
  local global = global_of(script.globals, it)
  if global then
    current.name = global.name
    return global.run(it)
  end
  return script.routes:dispatch(it, function(entry)
    current.name = entry.name
  end)
end

-- An event of a form that nobody knows and no handler wants is kept for somebody to look at.
local function set_aside(self, its_turn)
  self._store:bury(its_turn.record, errors.new("unknown", "the webhook's form is not known, and no handler hears 'unknown'"))
  its_turn.record = nil
end

-- Runs an event through its handlers, in a turn. `opened` is the event where it was read already.
local function run_handlers(self, record, opened, on_end)
  turn.run(self, record, function(its_turn)
    local it = opened or open_event(self, record)
    opened = nil -- a turn that is run again reads the event anew, for a handler may have changed it
    on_end.event = it
    if not it then
      return
    elseif it.kind == "status" then
      self._dialogs:note_status(it, its_turn)
    end
    if it.kind == "unknown" and not self._routes:hears(it) then
      return set_aside(self, its_turn)
    end
    self._dialogs:call(new_run(self, record, it))
  end, on_end.call)
end

-- Finds out whom an event is for: nobody while a person has taken over, a word that works everywhere, a dialog that waits
-- for it, or the handlers.
local function bring(self, record, on_end)
  local it = open_event(self, record)
  on_end.event = it
  local is_paused = it and self._dialogs.has_paused and self._store:is_paused(record.contact)
  if is_paused and (it.kind == "message" or it.status == "dialog_timeout") then
    return turn.run(self, record, function() end, on_end.call)
  elseif it and it.status == "dialog_start" then
    return self._dialogs:start_stored(it, record, on_end.call)
  elseif it and not global_of(self._globals, it) and self._dialogs:offer(it, record, on_end.call) then
    return
  end
  run_handlers(self, record, it, on_end)
end

function methods:_handle(record, done)
  local pause = wait_for_more(self, record)
  if pause then
    return done(pause)
  end
  local on_end = {}
  function on_end.call(err, rest, its_run)
    if err then
      on_end.is_finished, on_end.run = rest == nil, its_run and its_run.is_stored and its_run or nil
      self:_turn_failed(record, err, on_end, done)
    else
      self._counts.events_finished = self._counts.events_finished + 1
      done()
    end
  end
  if not self._dialogs:is_used() and not record.is_resume then
    return run_handlers(self, record, nil, on_end)
  end
  task.spawn(function()
    local ok, failure = pcall(bring, self, record, on_end)
    if not ok then
      on_end.call(errors.is(failure) and failure or errors.new("handler", tostring(failure)), record)
    end
  end)
end

-- What becomes of an event whose turn failed. `what`: its event, run, and whether the event is finished all the same.
function methods:_turn_failed(record, err, what, done)
  if err.kind == "store" and not what.is_finished then
    -- The handler is not to blame: it runs again when the store can write.
    log.warn("a turn could not be kept: %s", err.message)
    return done(retry.store)
  elseif err.kind == "conflict" and not what.is_finished then
    record.has_met = true
    return done(0) -- another turn was quicker; the dialog is rebuilt, and the event given to it again
  elseif err.kind == "diverged" and what.run then
    -- The dialog is set aside, so this time the event goes to the handlers.
    self._dialogs:set_aside(what.run, err)
    self:_fail(err, what.event)
    return done(0)
  end
  self._counts.events_failed = self._counts.events_failed + 1
  record.attempts = record.attempts + 1
  err.attempts = record.attempts
  err.is_final = what.is_finished or record.attempts >= self._options.attempts
  self:_fail(err, what.event)
  if not err.is_final then
    self._store:note_attempt(record)
    return self._inbox:try_later(record, retry.turn(record.attempts), done)
  end
  if what.run then
    self._dialogs:set_aside(what.run, err, record)
  end
  if not what.is_finished then
    self._counts.events_dead = self._counts.events_dead + 1
    self._store:bury(record, err)
  end
  done()
end

-- The events that tell of what became of a message: the script, where a handler wants to know, and a dialog that waits.
function methods:_outcome_of(row, outcome, err)
  local told = { kind = "own", status = outcome }
  local records = { self._dialogs:sent_record(row.id) }
  if self._routes:hears(told) then
    told.id, told.recipient, told.track = row.handle.message_id, row.payload.mobile, row.track
    told.payload = row.payload
    told.err = err and errors.new(err.kind, err.message, { code = err.code })
    table.insert(records, inbox.own_record(row.contact, told))
  end
  return records
end

return { methods = methods }
