-- SPDX-License-Identifier: MIT
-- Brings each event to the script: to the dialog that waits for it, or to the handlers, in a turn. A conversation that a
-- person has taken over gets neither. What happens after a failure is decided in engine/failure.lua.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local event = require "cunnekt.bot.event"
local execute = require "cunnekt.dialog.engine.execute"
local record_of = require "cunnekt.engine.record"
local run = require "cunnekt.dialog.engine.run"
local task = require "cunnekt.base.task"

local dispatch = {}

local dispatch_methods = {}
local dispatch_mt = { __index = dispatch_methods, __name = "cunnekt.dispatch" }

---@class cunnekt.dispatch
---@param parts {engine: cunnekt.engine, dialogs: cunnekt.dialogs, routes: cunnekt.routes, scope: cunnekt.scope, failure: cunnekt.failure}
---@return cunnekt.dispatch
function dispatch.new(parts)
  return setmetatable({
    _engine = parts.engine,
    _dialogs = parts.dialogs,
    _routes = parts.routes,
    _scope = parts.scope,
    _failure = parts.failure,
  }, dispatch_mt)
end

-- ---- reading an event ----------------------------------------------------------------------------------------------

-- Gives a status what the script kept with the message that it is about.
local function add_track(self, status, contact)
  local engine = self._engine
  if not status.id or not (self._routes:hears(status) or engine.outbox:has_unknown()) then
    return
  end
  local track = engine.store:track_of(status.id)
  if not track then
    -- The status may have overtaken the answer that brings the message's id, or the answer was lost.
    engine.outbox:wait_for_answer(contact)
    track = engine.store:track_of(status.id) or engine.outbox:settle_by_status(contact, status)
  end
  status.track = track and next(track) ~= nil and track or nil
end

-- Seconds that this event must wait for more texts of its contact; nil when it may be handled.
local function seconds_to_wait(self, record)
  local seconds = record.event and self._routes:debounce_of(record.event)
  if not seconds then
    return nil
  end
  local pause = self._engine.inbox:seconds_until_quiet(record, seconds)
  return pause > 0 and pause or nil
end

-- The event of a record, with its methods; nil when it was dropped from the command line meanwhile. Raises when the store
-- cannot be read.
local function open_event(self, record)
  local inbox, routes = self._engine.inbox, self._routes
  local parsed, err = inbox:take(record)
  if err then
    error(err, 0)
  elseif not parsed then
    return nil
  end
  if routes:debounce_of(parsed) then
    inbox:join(record, parsed, function(other)
      return routes:debounce_of(other) ~= nil
    end)
  end
  local it = event.bind(self._scope, record.contact, parsed)
  self._engine.phone_number_id = it.phone_number_id or self._engine.phone_number_id
  if it.kind == "status" then
    add_track(self, it, record.contact)
  end
  return it
end

-- ---- handlers ------------------------------------------------------------------------------------------------------

-- The handling of an event is a run, which becomes a dialog when it waits.
local function new_run(self, record, it)
  return run.new {
    id = self._engine.store:next_dialog_id(),
    name = "on:event",
    contact = record.contact,
    args = { bodies = record_of.bodies_of(record), track = it.track },
    event = it,
    at = clock.now(),
    is_handler = true,
    script = self._dialogs.script,
    owner = self._dialogs,
  }
end

-- An unknown event that no handler wants is kept as a dead letter, for somebody to look at.
local function bury_unknown(self, its_turn)
  local why = errors.new("unknown", "the webhook's form is not known, and no handler hears 'unknown'")
  self._engine.store:bury(its_turn.record, why)
  its_turn.record = nil
end

-- Runs an event through its handlers, in a turn. `opened` is the event where it was read already.
local function run_handlers(self, record, opened, ending)
  self._engine.turns:run(record, function(its_turn)
    local it = opened or open_event(self, record)
    opened = nil -- a turn that is run again reads the event anew, because a handler may have changed it
    ending.event = it
    if not it then
      return
    elseif it.kind == "status" then
      self._dialogs:note_status(it, its_turn)
    elseif it.kind == "unknown" and not self._routes:hears(it) then
      return bury_unknown(self, its_turn)
    end
    execute.call(self._dialogs, new_run(self, record, it))
  end, ending.call)
end

-- Finds out whom an event is for: nobody while a person has taken over, a word that works everywhere, a dialog that waits
-- for it, or the handlers.
local function bring(self, record, ending)
  local it = open_event(self, record)
  ending.event = it
  local dialogs = self._dialogs
  local is_paused = it and dialogs.has_paused and self._engine.store:is_paused(record.contact)
  if is_paused and (it.kind == "message" or it.status == "dialog_timeout") then
    return self._engine.turns:run(record, function() end, ending.call)
  elseif it and it.status == "dialog_start" then
    return dialogs:start_stored(it, record, ending.call)
  elseif it and not self._routes:global_of(it) and dialogs:offer(it, record, ending.call) then
    return
  end
  run_handlers(self, record, it, ending)
end

---Runs the turn of an event. The engine's hook `on_turn`.
---@param record cunnekt.inbox.record
---@param done fun(pause?: number)
function dispatch_methods:on_turn(record, done)
  local pause = seconds_to_wait(self, record)
  if pause then
    return done(pause)
  end
  local ending, counts = {}, self._engine.counts
  function ending.call(err, rest, its_run)
    if err then
      ending.is_finished, ending.run = rest == nil, its_run and its_run.is_stored and its_run or nil
      self._failure:on_turn(record, err, ending, done)
    else
      counts.events_finished = counts.events_finished + 1
      done()
    end
  end
  if not self._dialogs:is_used() and not record.is_resume then
    return run_handlers(self, record, nil, ending)
  end
  task.spawn(function()
    local ok, failure = pcall(bring, self, record, ending)
    if not ok then
      ending.call(errors.is(failure) and failure or errors.new("handler", tostring(failure)), record)
    end
  end)
end

-- ---- messages ------------------------------------------------------------------------------------------------------

---The events that report the outcome of a message: for the script, where a handler wants it, and for a dialog that waits
---for the delivery. The engine's hook `on_answer`.
---@param row cunnekt.outbox.row
---@param outcome string
---@param err cunnekt.error?
---@return cunnekt.inbox.record[]
function dispatch_methods:on_answer(row, outcome, err)
  local told = { kind = "own", status = outcome }
  local records = { self._dialogs:sent_record(row.id) }
  if self._routes:hears(told) then
    told.id, told.recipient, told.track = row.handle.message_id, row.payload.mobile, row.track
    told.payload = row.payload
    told.err = err and errors.new(err.kind, err.message, { code = err.code })
    table.insert(records, record_of.own(row.contact, told))
  end
  return records
end

return dispatch
