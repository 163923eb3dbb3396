-- SPDX-License-Identifier: MIT
-- What is kept for a conversation instead of being handled: the messages that come while a person has it, and signals that come
-- before the dialog that waits for them. The messages are for people to read, and handled by nobody; a signal is taken by the
-- first wait for it. The messages kept for one dialog (`unexpected = "queue"`) are offer.lua's.

local clock = require "cunnekt.time.clock"
local log = require "cunnekt.base.log"
local personal = require "cunnekt.provider.personal"
local record_of = require "cunnekt.engine.record"
local redact = require "cunnekt.base.redact"
local store_of = require "cunnekt.store.kept_events"
local task = require "cunnekt.base.task"

local kept_events = {}

-- The newest so many of a conversation. A message takes about a kilobyte.
local max_messages, max_signals = 200, 100

-- ---- messages that come while a person has the conversation ----------------------------------------------------------

---Finishes a message of a conversation that a person has: it is kept for people to read.
---@param engine cunnekt.engine
---@param record cunnekt.inbox.record
---@param on_end fun(err: cunnekt.error?, record: table?, its_run: cunnekt.run?) as cunnekt.turns.run
function kept_events.keep_message(engine, record, on_end)
  engine.turns:run(record, function(its_turn)
    its_turn.is_continued = true -- the event is dispatched again after a conflict: the bot has the conversation back
    for _, body in ipairs(record_of.bodies_of(record)) do
      table.insert(its_turn:buffer "kept_events", { contact = record.contact, body = body, max = max_messages })
    end
  end, on_end)
end

-- ---- signals ---------------------------------------------------------------------------------------------------------

local function say_of_signal(say, sentence, name, contact)
  say(sentence, redact.sentence(tostring(name)), personal.contact(contact))
end

---Finishes a signal for which no dialog waits, in the running turn: it is kept as long as bot:signal said.
---@param it table the event
---@param contact string
---@param its_turn cunnekt.turn
function kept_events.keep_signal(it, contact, its_turn)
  if not it.expires then
    local sentence = "nobody waits for the signal '%s' for %s, so it is dropped; bot:signal keeps it with the option keep = seconds"
    return say_of_signal(log.info, sentence, it.name, contact)
  elseif it.expires <= clock.now() then
    return say_of_signal(log.info, "the signal '%s' for %s has expired: nobody waited for it", it.name, contact)
  end
  its_turn.is_continued = true -- the event is dispatched again after a conflict: a dialog waits for it by now
  local kept = { contact = contact, name = it.name, body = its_turn.record.body, expires = it.expires, max = max_signals }
  table.insert(its_turn:buffer "kept_events", kept)
  its_turn.kept_signal = kept
end

---Says that a signal was dropped for one that was kept, if any was.
---@param kept table of `keep_signal`, committed
function kept_events.note_dropped(kept)
  if kept.dropped > 0 then
    local sentence = "the oldest signal kept for %s is dropped: more than %d wait, the newest of them '%s'"
    log.warn(sentence, personal.contact(kept.contact), max_signals, redact.sentence(kept.name))
  end
end

local function is_taken(its_turn, seq)
  for _, other in ipairs(its_turn.taken_events) do
    if other == seq then
      return true
    end
  end
  return false
end

---The first signal of a name that is kept for a run's conversation; the running turn's commit removes it. Waits.
---@param dialogs cunnekt.dialogs
---@param current cunnekt.run
---@param name string
---@return table? delivery event, record
function kept_events.take_signal(dialogs, current, name)
  local its_turn = task.running().turn
  for _, kept in ipairs(store_of.signals(dialogs.store, current.contact, name, clock.now())) do
    if not is_taken(its_turn, kept.seq) then
      table.insert(its_turn:buffer "taken_events", kept.seq)
      return { event = dialogs:read_event(current.contact, { bodies = { kept.body } }), record = { body = kept.body, bodies = { kept.body } } }
    end
  end
  return nil
end

-- Queues a kept signal as an event again.
local function queue(dialogs, kept)
  dialogs.engine.turns:run(nil, function(its_turn)
    table.insert(its_turn:buffer "taken_events", kept.seq)
    table.insert(its_turn:buffer "own_events", { contact = kept.contact, body = kept.body, attempts = 0 })
  end, function(err)
    if err and err.kind ~= "conflict" then -- otherwise a dialog has taken it
      log.warn("a kept signal could not be delivered, and is tried again at the next start: %s", err.message)
    end
  end, "a kept signal")
end

---Delivers the signals for which a dialog of their conversation waits by now: it was another conversation's when they came.
---@param dialogs cunnekt.dialogs
function kept_events.deliver(dialogs)
  task.spawn(function()
    local ok, found = pcall(store_of.awaited, dialogs.store, clock.now())
    if not ok then
      return log.warn("kept signals could not be read: %s", tostring(found))
    end
    for _, kept in ipairs(found) do
      queue(dialogs, kept)
    end
  end)
end

---Drops the signals whose time is over, and says which. Waits.
---@param store cunnekt.open_store
---@param now number a time that has certainly come
function kept_events.expire(store, now)
  local found = store_of.expired(store, now)
  while #found > 0 do
    local ids = {}
    for i, kept in ipairs(found) do
      ids[i] = kept.id
      say_of_signal(log.info, "the signal '%s' kept for %s has expired: nobody waited for it", kept.name, kept.contact)
    end
    local dropped, err = store_of.drop(store, ids)
    if not dropped then
      error(err, 0)
    end
    found = store_of.expired(store, now)
  end
end

return kept_events
