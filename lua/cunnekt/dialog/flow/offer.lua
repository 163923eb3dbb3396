-- SPDX-License-Identifier: MIT
-- Finds the run that an event is for: the conversation's newest run that waits for such an event, resident or stored. Also the
-- messages kept for a dialog's later waits (`unexpected = "queue"`). It executes nothing itself: execute.lua and rebuild.lua do.

local answers = require "cunnekt.dialog.flow.answers"
local errors = require "cunnekt.base.errors"
local execute = require "cunnekt.dialog.engine.execute"
local formats = require "cunnekt.store.formats"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local old_script = require "cunnekt.dialog.engine.old_script"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local record_of = require "cunnekt.engine.record"
local stored_dialogs = require "cunnekt.store.dialogs"
local stored_records = require "cunnekt.store.records"
local task = require "cunnekt.base.task"
local unsent = require "cunnekt.dialog.flow.unsent"
local webhook = require "cunnekt.provider.webhook"
local wrapping = require "cunnekt.dialog.engine.wrapping"

local accepts = answers.accepts

local offer = {}

-- Events that continue a run without ending its wait.
local is_continuing = { dialog_resume = true, dialog_retry = true }

-- A broken dialog takes only a retry of the event at which it broke.
local function is_alive(stored, record)
  return not stored.error or (record.id ~= nil and stored.error.seq == record.id)
end

-- The option `unexpected` of a dialog, in the script that it goes on with. `stored`: a run as well.
local function unexpected_of(dialogs, stored)
  local script = stored.script or dialogs.script
  if not stored.script and stored.code and rebuild.choose(dialogs, stored.name, stored.code) == "old" then
    script = old_script.of(dialogs, stored.code) or script
  end
  local known = script.known[stored.name]
  return known and known.opts.unexpected
end

-- A dialog that was ended while it waited for a message: that has come further now.
local function forget_wait(dialogs, it)
  local wait = it.sent and dialogs.sent_waits[it.sent]
  if wait and wait.id == it.run then
    dialogs.sent_waits[it.sent] = nil
  end
end

-- The run that an own event names.
local function find_named(dialogs, it, record)
  local its_run = dialogs.resident:find(it.run)
  local stored = not its_run and stored_dialogs.find(dialogs.store, it.run)
  local seed = its_run and its_run.seed or stored and stored.seed
  -- Older versions gave the ids of ended dialogs again; seeds are unique.
  if not (its_run or stored) or (it.seed and it.seed ~= seed) then
    forget_wait(dialogs, it)
    return nil
  elseif it.status == "dialog_retry" then
    return stored and stored.error and stored.error.mend and "deliver", it.run
  elseif stored and not is_alive(stored, record) then
    return nil
  end
  local waiting = (its_run or stored).waiting
  if accepts(dialogs, waiting, it, record.contact) then
    return waiting and waiting.expires and it.status == "dialog_timeout" and "expire" or "deliver", it.run
  end
  return nil
end

-- Whether a run takes an event that is addressed to the business.
local function takes(dialogs, it, record, waiting, stored, unexpected)
  -- What "queue" keeps came before the question as well.
  local may_be_early = waiting.from and unexpected ~= "queue" and (record.seq or math.huge) < (stored.asked or 0)
  local is_early = may_be_early and it.kind == "message" and answers.came_before(stored, record)
  return not is_early and is_alive(stored, record) and accepts(dialogs, waiting, it, record.contact)
end

-- The dialogs of a conversation, from the store: where none is resident, with the journal of the one that comes first.
local function read_dialogs(dialogs, contact)
  local read = dialogs.resident:has_any_of(contact) and stored_dialogs.of or stored_dialogs.of_with_journal
  local list = read(dialogs.store, contact)
  if not list[1] then
    dialogs.resident:note_without(contact)
  elseif not list[2] and not list[1].error then
    dialogs.resident:note_only(list[1].id, list[1].asked)
  end
  return list
end

-- What to do with an event: deliver it to a run, queue it for one, ignore it, end a run; nil: it is for the handlers, or the
-- function in their place. Returns the run's id, because the run may be evicted during the queries, or that function; and the dialog
-- as it was read, or true where memory has said that it is the only one.
local function find(dialogs, it, record)
  if it.run then
    return find_named(dialogs, it, record)
  elseif it.kind == "own" and it.status == "dialog_unsent" then
    local asking = unsent.find(dialogs, record.contact, it.sent)
    if asking and is_alive(asking, record) then
      return "deliver", asking.id
    end
    return nil
  elseif not webhook.is_addressed(it) and not (it.kind == "own" and it.status == "dialog_signal") then
    return nil
  elseif it.kind == "message" and not record.had_conflict and dialogs.resident.without[record.contact] then
    return nil
  end
  local only, is_stale = dialogs.resident:only_of(record.contact), false
  if only and takes(dialogs, it, record, only.waiting, only, unexpected_of(dialogs, only)) then
    return "deliver", only.id, true
  elseif only then
    it.stale = nil
  end
  for _, stored in ipairs(read_dialogs(dialogs, record.contact)) do
    local waiting = (dialogs.resident:find(stored.id) or stored).waiting
    local unexpected = waiting and not stored.error and unexpected_of(dialogs, stored)
    if waiting and takes(dialogs, it, record, waiting, stored, unexpected) then
      return "deliver", stored.id, stored
    elseif it.kind == "message" and it.stale then
      is_stale = true
    elseif unexpected == "queue" and it.kind == "message" then
      return "queue", stored.id
    elseif unexpected == "ignore" and it.kind == "message" then
      return "ignore"
    elseif type(unexpected) == "function" and it.kind == "message" then
      return nil, unexpected
    end
  end
  if is_stale then
    it.stale = true
  end
  return nil
end

local function has(ids, id)
  for _, other in ipairs(ids) do
    if other == id then
      return true
    end
  end
  return false
end

-- Raises where the dialog that gets a message has ended by now, in the running turn.
local function refuse_ended(id)
  if has(task.running().turn.ends, id) then
    error("bot:use: the dialog that waits for this message was ended before next(): end it without a call of next()", 0)
  end
end

-- Continues a run with an event, in the running turn.
local function deliver(dialogs, id, it, record, found)
  local its_run = dialogs.resident:find(id)
  if its_run then
    dialogs.resident:take(its_run)
    its_run.claim = found == true and { contact = record.contact, id = id } or nil
    return execute.continue(dialogs, its_run, { event = it, record = record })
  end
  local its_turn, stored = task.running().turn, found
  if not stored or not stored.journal then
    stored = found ~= true and stored_dialogs.find(dialogs.store, id) or nil
  end
  refuse_ended(id)
  if not stored then
    its_turn.is_continued = true -- the event is dispatched again: this turn would not find it either
    error(errors.new("conflict", "the dialog has ended in the meantime"), 0)
  end
  its_turn.is_continued = true -- after a conflict the dialog may have gone on, and wait for something else
  rebuild.rebuild(dialogs, stored, not is_continuing[it.status] and { event = it, record = record } or nil)
end

-- What is done in the running turn with an event, by what `find` says.
local acts = { deliver = deliver }

function acts.queue(dialogs, id, _, record)
  refuse_ended(id)
  dialogs.has_kept = true
  table.insert(task.running().turn:buffer "kept", stored_records.kept(id, record_of.bodies_of(record)))
end

function acts.ignore() end

-- Ends a dialog that was abandoned, without running its code.
function acts.expire(dialogs, id)
  local its_turn, stored = task.running().turn, stored_dialogs.find(dialogs.store, id)
  if not stored then
    return
  end
  dialogs.resident:evict(id)
  dialogs:end_stored(stored, its_turn)
  log.info("dialog %d, '%s', has ended: no answer came before it expired", id, stored.name)
end

-- In the turn of an event that is taken.
local function act_in_turn(_, offered)
  local act, dialogs, it, record = acts[offered.what], offered.dialogs, offered.event, offered.record
  if it.kind ~= "message" or not dialogs.script.routes.has_wrappers then
    return act(dialogs, offered.id, it, record, offered.found)
  end
  wrapping.call(dialogs, it, record, function(own)
    act(dialogs, offered.id, own, record, offered.found == true or nil) -- much may have happened since the dialog was read
  end)
end

local function on_end(err, rest, its_run, offered)
  return offered.on_end(err, rest, its_run, offered.context)
end

---Gives an event to the run that waits for it, if there is one. Functions of bot:use wrap what a customer wrote.
---@param dialogs cunnekt.dialogs
---@param it table the bound event
---@param record cunnekt.inbox.record
---@param its_end function as cunnekt.turns.new takes it
---@param context any
---@return cunnekt.turn? its_turn that does it: to be run
---@return function? instead what gets the message in the place of the handlers
function offer.offer(dialogs, it, record, its_end, context)
  local what, id, found = find(dialogs, it, record)
  if not what then
    return nil, id
  end
  return dialogs.engine.turns:new(record, act_in_turn, on_end, nil, {
    dialogs = dialogs, what = what, id = id, event = it, record = record, found = found, on_end = its_end, context = context,
  })
end

local words = {
  deliver = "the dialog that waits",
  queue = "the dialog that waits: kept for its later questions",
  ignore = "nobody; the dialog that waits ignores what does not answer it",
  expire = "the dialog that waits: it has expired",
}

---What is done in such a turn, for the log.
---@param its_turn cunnekt.turn of offer.offer
---@return string
function offer.words_for(its_turn)
  return words[its_turn.context.what]
end

-- ---- messages kept for later ---------------------------------------------------------------------------------------

---The first kept message that a run's wait accepts; the running turn's commit removes it. Waits.
---@param dialogs cunnekt.dialogs
---@param current cunnekt.run
---@param waiting table
---@return table? delivery event, record
function offer.take_kept(dialogs, current, waiting)
  if not current.is_stored or unexpected_of(dialogs, current) ~= "queue" then
    return nil
  end
  local its_turn = task.running().turn
  for _, message in ipairs(stored_dialogs.kept(dialogs.store, current.id)) do
    local it = dialogs:read_event(current.contact, { bodies = message.bodies, rules = formats.rules })
    -- Older versions kept remarks as well.
    local is_open = webhook.is_addressed(it) and not has(its_turn.taken, message.id)
    if is_open and accepts(dialogs, waiting, it, current.contact) then
      table.insert(its_turn:buffer "taken", message.id)
      return { event = it, record = { body = message.bodies[1], bodies = message.bodies } }
    end
  end
  return nil
end

---Makes the messages kept for a dialog that ends events again, with the running turn, whatever its option says by now. Waits.
---@param dialogs cunnekt.dialogs
---@param ending {id: integer, contact: string} a run, or a stored dialog
---@param its_turn cunnekt.turn
function offer.release_kept(dialogs, ending, its_turn)
  for _, message in ipairs(dialogs.has_kept and stored_dialogs.kept(dialogs.store, ending.id) or {}) do
    if not has(its_turn.taken, message.id) then
      table.insert(its_turn:buffer "taken", message.id)
      stored_dialogs.release(its_turn:buffer "own_events", message.bodies, ending.contact)
    end
  end
  for i = #its_turn.kept, 1, -1 do -- the one that the turn is about to keep
    if its_turn.kept[i].dialog == ending.id then
      local kept = table.remove(its_turn.kept, i)
      stored_dialogs.release(its_turn:buffer "own_events", json.decode(kept.bodies), ending.contact)
    end
  end
end

return offer
