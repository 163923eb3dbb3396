-- SPDX-License-Identifier: MIT
-- Dispatches each event in a turn: to the dialog that waits for it, or to the handlers. Messages of a conversation that a
-- person has taken over are kept for people to read. engine/failure.lua decides what follows a failure.

local attempts = require "cunnekt.engine.attempts"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local event = require "cunnekt.bot.event"
local execute = require "cunnekt.dialog.engine.execute"
local formats = require "cunnekt.store.formats"
local incoming = require "cunnekt.store.incoming"
local journal = require "cunnekt.engine.journal"
local kept_events = require "cunnekt.dialog.flow.kept_events"
local lines = require "cunnekt.bot.lines"
local log = require "cunnekt.base.log"
local messages = require "cunnekt.store.messages"
local offer = require "cunnekt.dialog.flow.offer"
local outbox = require "cunnekt.engine.outbox"
local personal = require "cunnekt.provider.personal"
local record_of = require "cunnekt.engine.record"
local run = require "cunnekt.dialog.engine.run"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"
local unsent = require "cunnekt.dialog.flow.unsent"

local is_stopped = core.is_stopped

local dispatch = {}

---Two hooks of the engine: `on_turn` and `on_answer`.
---@class cunnekt.dispatch
---@field on_turn fun(record: cunnekt.inbox.record, done: fun(pause?: number))
---@field on_join fun(from: string, to: string)
---@field on_answer fun(row: cunnekt.outbox.row, outcome: string, err: cunnekt.error?): cunnekt.inbox.record[]?
---@field is_heard fun(status: string): boolean
---@field serve_bare fun() lets C run the turns that it can; after the hooks are connected

-- ---- reading an event ----------------------------------------------------------------------------------------------

-- Sets a status's `track` to that of its message, and moves that on where the store did not as it took the status: it had not heard
-- by then which message has this id. That response may be still to come, or be lost.
local function add_track(self, status, record)
  local store, its_outbox = self.engine.store, self.engine.outbox
  if not status.id or (record.is_applied and not self.routes:has_handler_for(status)) then
    return
  end
  local track, rank = messages.track_of(store, status.id)
  if not track and not record.apart_since then
    its_outbox:wait_for_answer(record.contact)
    track, rank = messages.track_of(store, status.id)
  end
  if rank then
    its_outbox:apply_late(status, rank)
  else
    track = its_outbox:settle_by_status(record.contact, status)
  end
  status.track = track and next(track) ~= nil and track or nil
end

-- Seconds between looks of a status that waits apart.
local apart_pause = 0.5

-- Whether a status that nobody hears waits apart for the response to a message that is being sent: the customer's next messages must
-- not wait for it. `record`: one that has a rank.
local function waits_apart(self, record)
  if record.is_applied then
    return false
  end
  local status = { kind = "status", status = status_names.state_of_rank(record.rank) }
  if self.routes:has_handler_for(status) then
    return false
  end
  local now = clock.monotonic()
  record.apart_since = record.apart_since or now
  return now < record.apart_since + outbox.longest_wait and self.engine.outbox:is_sending_to(record.contact)
end

-- Seconds for which this event must wait for more texts of its contact; nil when it can be handled. Waits; raises what matchers do.
local function seconds_to_wait(self, record)
  local its_budget = self.engine.budget
  if its_budget:noted_error(record.id) then
    return nil
  end
  self.engine.store:conversation(record.contact) -- in memory then: matchers that look at its state do not wait
  local it = event.bind(self.scope, record.contact, record.event)
  local seconds = its_budget:call(record.id, self.routes.debounce_of, self.routes, it)
  if not seconds then
    return nil
  end
  local pause = self.engine.inbox:seconds_until_quiet(record, seconds)
  return pause > 0 and pause or nil
end

-- The event of a record, with its methods; nil when an operator dropped it meanwhile. Raises when the store cannot be read.
local function open_event(self, record)
  local inbox, routes, store = self.engine.inbox, self.routes, self.engine.store
  record.joins = store.joins
  if store.persons.has_aliases ~= false then
    record.contact = store.persons:conversation_of(record.contact) -- it may be part of another one by now
  end
  local parsed, err = inbox:take(record)
  if err then
    error(err, 0)
  elseif not parsed then
    return nil
  end
  local it = event.bind(self.scope, record.contact, parsed)
  if routes.has_debounce and not self.engine.budget:noted_error(record.id) and routes:debounce_of(it) then
    inbox:join(record, it, function(other)
      return routes:debounce_of(event.bind(self.scope, record.contact, other)) ~= nil
    end)
  end
  local line = it.phone_number_id
  if line and not self.engine.lines[line] then
    lines.note(self.engine.lines, line)
  end
  if it.kind == "status" then
    add_track(self, it, record)
  end
  if self.taps.is_used then
    self.taps:hear_event(record, it)
  end
  if log.is_debug then
    log.debug("event", "event", record.id, "kind", it.kind, "type", it.type or it.status, "contact", personal.contact(record.contact))
  end
  return it
end

-- ---- handlers ------------------------------------------------------------------------------------------------------

-- A handler's run, which becomes a dialog when it waits.
local function new_run(self, record, it, ending)
  return run.new {
    name = formats.handler_run,
    contact = record.contact,
    record = record, -- with `track` and `is_stale` the source of its `args`, if it is stored
    track = it.kind == "status" and it.track and journal.snapshot(it.track) or nil, -- as it is now: the handler may change it
    is_stale = ending.is_stale,
    instead = ending.instead,
    event = it,
    at = clock.now(),
    is_handler = true,
    script = self.dialogs.script,
    owner = self.dialogs,
  }
end

-- An unknown event without a handler becomes a dead letter, for an operator to inspect.
local function make_dead_letter(self, its_turn)
  local why = errors.new("unknown", "this version does not recognise the event, and there is no handler for 'unknown'")
  self.engine.store:bury(its_turn.record, why)
  its_turn.record = nil
end

-- A signal that no dialog waits for.
local function keep_signal(it, record, its_turn, ending)
  kept_events.keep_signal(it, record.contact, its_turn)
  ending.kept_signal = its_turn.kept_signal
end

-- Logs where an event goes. Only where `log.is_debug`.
local function log_route(ending, to)
  ending.is_routed = true
  log.debug("route", "event", ending.record.id, "to", to)
end

-- Whether an echo is of a message that this bot has sent, and not of one that staff wrote. Its response may be still to come.
local function is_of_bot(self, it, record)
  local its_outbox = self.engine.outbox
  if it.id and not its_outbox:id_of(it.id) then
    its_outbox:wait_for_answer(record.contact)
  end
  return it.id ~= nil and its_outbox:id_of(it.id) ~= nil
end

-- Runs an event through its handlers, in a turn.
local function handle(its_turn, ending)
  local self, record = ending.dispatch, ending.record
  local it = ending.opened or open_event(self, record)
  ending.opened = nil -- a retry reads the event again, because a handler may have changed it
  ending.event = it
  if not it then
    its_turn.record = nil -- nothing is left to finish
    return
  elseif it.kind == "status" then
    if not self.engine.outbox:send_fallback(it) then
      self.dialogs:on_status(it, its_turn)
    end
  elseif it.kind == "unknown" and not self.routes:has_handler_for(it) then
    return make_dead_letter(self, its_turn)
  elseif it.kind == formats.own_kind and it.status == "dialog_signal" then
    return keep_signal(it, record, its_turn, ending)
  elseif it.kind == "echo" and is_of_bot(self, it, record) then
    if log.is_debug then
      log_route(ending, "nobody; it is what the bot wrote itself")
    end
    return
  end
  it.stale = ending.is_stale
  local its_run = new_run(self, record, it, ending)
  execute.call(self.dialogs, its_run)
  if log.is_debug then
    log_route(ending, its_run.name ~= formats.handler_run and its_run.name or "no handler matched")
  end
end

-- What follows the turn of an event.
local function on_end(err, rest, its_run, ending)
  local self, done = ending.dispatch, ending.done
  if err then
    if log.is_debug and its_run and its_run.is_handler and not ending.is_routed then
      log_route(ending, its_run.name ~= formats.handler_run and its_run.name or "no handler; it failed on its way to one")
    end
    ending.is_finished, ending.run = rest == nil, its_run and its_run.is_stored and not its_run.is_blameless and its_run or nil
    return self.failure:on_turn(ending.record, err, ending, done)
  end
  self.engine.counts.events_finished = self.engine.counts.events_finished + 1
  if ending.kept_signal then
    kept_events.note_dropped(ending.kept_signal)
  end
  done()
end

-- The same as a function of its own.
local function call_at_end(ending)
  return function(err, rest, its_run)
    return on_end(err, rest, its_run, ending)
  end
end

-- Dispatches an event: to a global command, to a dialog that waits for it, or to the handlers; gives the turn, unless that has a task
-- of its own. While a person has taken over, a message goes to nothing but a command that asked for that: it is kept for people.
local function dispatch_event(self, record, ending)
  local it = open_event(self, record)
  ending.event = it
  local dialogs = self.dialogs
  local is_paused = it and dialogs.has_paused and self.engine.store:conversation(record.contact).is_paused
  local own_status, global = it and it.kind == "own" and it.status, it and self.routes:global_of(it)
  if is_paused and it.kind == "message" and not (global and global.even_paused) then
    if log.is_debug then
      log_route(ending, "nobody; it is kept, since a person has the conversation")
    end
    kept_events.keep_message(self.engine, record, call_at_end(ending))
    return nil
  elseif is_paused and (own_status == "dialog_timeout" or own_status == "dialog_again") then
    return self.engine.turns:new(record, function() end, on_end, nil, ending) -- chat:resume sets the timer again
  elseif own_status == "dialog_start" then
    dialogs:start_stored(it, record, call_at_end(ending))
    return nil
  end
  local its_turn = nil
  if it and not global then
    its_turn, ending.instead = dialogs:offer(it, record, on_end, ending)
  end
  if its_turn then
    if log.is_debug then
      log_route(ending, offer.words_for(its_turn))
    end
    return its_turn
  end
  ending.is_stale = it and it.kind == "message" and it.stale or nil
  ending.opened = it
  return self.engine.turns:new(record, handle, on_end, nil, ending)
end

local function dispatch_in_task(self, record, ending)
  local ok, its_turn = pcall(dispatch_event, self, record, ending)
  if not ok then
    on_end(errors.is(its_turn) and its_turn or errors.new("handler", tostring(its_turn)), record, nil, ending)
  elseif its_turn then
    its_turn:run_here()
  end
end

-- Begins the turn of an event when its contact has been quiet for as long as the handler's `debounce` says. Where a matcher raises, it does
-- so again in the turn, and that fails.
local function begin_when_quiet(self, record, done, begin)
  local ok, pause = pcall(seconds_to_wait, self, record)
  if ok and pause then
    return done(pause)
  end
  begin(record, done, true)
end

-- ---- bare turns ----------------------------------------------------------------------------------------------------

-- What runs in the coroutine of a bare turn: the handlers for the event, as long as they want nothing but to reply.
local function serve(self, bare, parsed, contact)
  local it = event.bind(self.scope, contact, parsed)
  local line = it.phone_number_id
  if line and not self.engine.lines[line] then
    lines.note(self.engine.lines, line)
  end
  local ok, failure = xpcall(self.routes.dispatch, attempts.with_traceback, self.routes, it, bare)
  if ok and not bare.is_task and not is_stopped() then
    return
  end
  execute.end_adopted(self.dialogs, ok, failure)
end

-- The task of a bare turn that wants more, with its turn and the run of its handlers, as they would be at this point.
local function make_task(self, bare)
  local record, it, rows = bare.record, bare.event, bare.rows or {}
  local ending = { dispatch = self, record = record, done = bare.done, event = it }
  local its_turn, its_run = self.engine.turns:new(record, handle, on_end, nil, ending), new_run(self, record, it, ending)
  its_run.started_at, its_run.event, its_run.name = its_run.at, nil, bare.name or its_run.name
  for _, row in ipairs(rows) do
    its_turn:send(row)
    its_run:note_send(row.text, row.id)
  end
  return execute.adopt(its_turn, its_run, bare.thread, bare.charge)
end

local function fail_bare(self, bare, err, code)
  local its_task = make_task(self, bare)
  self.engine.turns:go_on(its_task.turn, type(err) == "string" and incoming.error_of(err, code) or err)
end

-- Has C run the turns that are bare.
local function serve_bare(self)
  self.engine:serve_bare {
    routes = self.routes,
    dialogs = self.dialogs,
    without_dialogs = self.dialogs.resident.without,
    taps = self.taps,
    senders = self.scope.hooks.senders,
    serve = function(bare, parsed, contact)
      return serve(self, bare, parsed, contact)
    end,
    make_task = function(bare)
      return make_task(self, bare)
    end,
    fail = function(bare, err, code)
      fail_bare(self, bare, err, code)
    end,
  }
end

-- ---- messages ------------------------------------------------------------------------------------------------------

-- What a handler of a failed message hears of its error. What the provider said in full is not kept with the event.
local function of_report(err)
  return { code = err.code, status = err.status, retryable = err.retryable, retry_after = err.retry_after }
end

-- The events that report the outcome of a message: for a handler, and for a dialog that waits for the delivery.
local function reports_of(self, row, outcome, err)
  local dialogs, report, records = self.dialogs, { kind = "own", status = outcome }, nil
  if next(dialogs.sent_waits) then
    records = { dialogs:sent_record(row.id) }
  end
  local failed = err and dialogs.is_used and unsent.on_failure(dialogs, row, err)
  if failed then
    records = records or {}
    table.insert(records, failed)
  end
  if self.routes.handles_own and self.routes:has_handler_for(report) then
    records = records or {}
    report.id, report.recipient, report.track = core.sent_now(row.handle, "message_id"), row.payload.mobile, row.track
    report.payload = row.payload
    report.err = err and errors.new(err.kind, err.message, of_report(err))
    table.insert(records, record_of.own(row.contact, report))
  end
  return records
end

---@param parts {engine: cunnekt.engine, dialogs: cunnekt.dialogs, routes: cunnekt.routes, scope: cunnekt.scope, taps: cunnekt.taps, failure: cunnekt.failure}
---@return cunnekt.dispatch
function dispatch.new(parts)
  local dialogs, routes, taps = parts.dialogs, parts.routes, parts.taps
  local function begin(record, done, is_quiet)
    if routes.has_debounce and not is_quiet and record.event and record.event.kind == "message" then
      return task.spawn(begin_when_quiet, parts, record, done, begin)
    elseif record.rank and waits_apart(parts, record) then
      return parts.engine.inbox:wait_apart(record, apart_pause, done)
    end
    -- With the usual keys preallocated.
    local ending = { dispatch = parts, record = record, done = done, event = nil, opened = nil }
    if not dialogs.is_used and not record.is_resume then
      return parts.engine.turns:run(record, handle, on_end, nil, ending)
    end
    task.spawn(dispatch_in_task, parts, record, ending)
  end
  return {
    on_join = function(from, to)
      dialogs:on_join(from, to)
    end,
    on_turn = begin,
    on_answer = function(row, outcome, err)
      if not err and not routes.handles_own and next(dialogs.sent_waits) == nil then
        return nil
      end
      return reports_of(parts, row, outcome, err)
    end,
    is_heard = function(status)
      return taps.is_used or log.is_debug or next(dialogs.sent_waits) ~= nil or parts.engine.outbox:has_unknown()
        or routes:has_handler_for { kind = "status", status = status }
    end,
    serve_bare = function()
      serve_bare(parts)
    end,
  }
end

return dispatch
