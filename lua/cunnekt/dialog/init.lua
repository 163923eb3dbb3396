-- SPDX-License-Identifier: MIT
-- Dialogs: handlers that wait. In memory a run is a coroutine parked at its wait; in the store it is a journal, from which
-- it is rebuilt when it left memory. This file knows which dialogs there are, begins and ends them; which run an event is
-- for stands in dialog/offer.lua, how a run is rebuilt in dialog/rebuild.lua, how it asks in dialog/asking.lua.

local clock = require "cunnekt.time.clock"
local code = require "cunnekt.dialog.engine.code"
local due = require "cunnekt.dialog.engine.due"
local identity = require "cunnekt.provider.identity"
local inbox = require "cunnekt.engine.inbox"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local options = require "cunnekt.base.options"
local parked = require "cunnekt.dialog.engine.parked"
local run = require "cunnekt.dialog.engine.run"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"
local turn = require "cunnekt.engine.turn"
local world = require "cunnekt.dialog.engine.world"

local dialog = {}

local dialogs_methods = {}
local dialogs_mt = { __index = dialogs_methods, __name = "cunnekt.dialogs" }

for _, part in ipairs { "cunnekt.dialog.flow.offer", "cunnekt.dialog.engine.rebuild" } do
  for name, method in pairs(require(part).methods) do
    dialogs_methods[name] = method
  end
end

---@class cunnekt.dialogs
---@param bot table
---@param most_parked integer runs that wait in memory
---@param parked_seconds number for which they do
function dialog.new(bot, most_parked, parked_seconds)
  return setmetatable({
    _bot = bot,
    -- What the script is: an old one, which runs go on with that began with it, has the same fields.
    script = { known = {}, routes = bot._routes, globals = bot._globals },
    parked = parked.new(most_parked, parked_seconds),
    due = due.new(bot),
    sent_waits = {},
    _kept_sources = {},
    _has_stored = false,
  }, dialogs_mt)
end

-- ---- what a script registers ---------------------------------------------------------------------------------------

---Adds a dialog, or a handler under the name that its runs are stored with.
---@param name string
---@param fn function
---@param opts table is_dialog, unexpected, on_change
---@param matcher any of a handler
function dialogs_methods:register(name, fn, opts, matcher)
  world.adopt(fn)
  self.script.known[name] = { name = name, fn = fn, opts = opts, matcher = matcher }
  self._handlers_code = nil
  if opts.is_dialog then
    self._has_dialogs = true
  end
end

-- One digest for all handlers: an event may go through several.
local function code_of_handlers(self)
  if not self._handlers_code then
    self._handlers_code, self._handlers_source = code.digest_handlers(self.script)
  end
  return self._handlers_code, self._handlers_source
end

---The digest of a run's code, and the source that it comes from.
---@param name string
---@return string? digest nil when the script has no such dialog
---@return cunnekt.source? source
function dialogs_methods:code_of(name)
  if name:find "^%a+:" then
    return code_of_handlers(self)
  end
  local known = self.script.known[name]
  if known and not known.code then
    known.code, known.source = code.digest(self.script, known)
  end
  return known and known.code, known and known.source
end

---Whether any event could be meant for a dialog.
function dialogs_methods:is_used()
  return self._has_dialogs or self._has_stored or self.has_paused
end

-- ---- a run's wait --------------------------------------------------------------------------------------------------

---Raises when a run did what cannot be done again, and so cannot be rebuilt.
---@param current cunnekt.run
function dialogs_methods:check_may_wait(current)
  if current.tainted then
    local message = "a handler that used %s cannot wait afterwards: it would be done again; wrap it in chat:step(name, fn)"
    error(message:format(current.tainted), 0)
  end
end

---Adds what the store must know of a run that it sees for the first time.
---@param current cunnekt.run
function dialogs_methods:describe(current)
  if not current.is_stored and not current.code then
    current.code, current.source = self:code_of(current.name)
    if current.source and self._kept_sources[current.source.digest] then
      current.source = nil
    end
  end
end

---Drops a run that cannot go on as it is.
---@param its_run cunnekt.run
function dialogs_methods:drop(its_run)
  parked.drop(its_run)
end

---Takes up what a turn's commit has made true.
---@param change table see turn.lua
function dialogs_methods:enact(change)
  local its_run = change.run
  if its_run and its_run.source then
    self._kept_sources[its_run.source.digest], its_run.source = true, nil
  end
  if its_run and its_run.waiting then
    self._has_stored = true
    self.parked:add(its_run)
    self.due:look_at(its_run.waiting.due)
  end
  for _, is_paused in pairs(change.pauses) do
    self.has_paused = self.has_paused or is_paused
    if not is_paused then
      self.due:look_at(clock.now())
    end
  end
end

-- ---- the fate of messages ------------------------------------------------------------------------------------------

---What a wait for a message's fate is told; nil as long as it has to wait.
---@param id integer the message's number in the outbox
---@param reaches string
---@return string? state
---@return string? message_id
function dialogs_methods:fate_of(id, reaches)
  local state, message_id = self._bot._store:message_state(id)
  state = state or "dropped"
  if status_names.has_failed(state) or status_names.has_reached(state, reaches) then
    return state, message_id
  end
  return nil
end

---The event that wakes the dialog which waits for a message's fate, if one does.
---@param id integer? the message's number in the outbox
---@return cunnekt.inbox.record?
function dialogs_methods:sent_record(id)
  local wait = id and self.sent_waits[id]
  return wait and inbox.own_record(wait.contact, { status = "dialog_sent", run = wait.id, sent = id })
end

---Notes a status in the turn that handles it.
---@param status table
---@param its_turn cunnekt.turn
function dialogs_methods:note_status(status, its_turn)
  if next(self.sent_waits) and status.id then
    local record = self:sent_record(self._bot._outbox:number_of(status.id))
    if record then
      table.insert(its_turn:gather "tells", record)
    end
  end
end

-- ---- beginning and ending ------------------------------------------------------------------------------------------

-- Raises, for the script's line, where no dialog has that name.
local function check_known(self, where, name, level)
  local known = self.script.known
  if known[name] and known[name].opts.is_dialog then
    return
  end
  local names = {}
  for other, one in pairs(known) do
    names[#names + 1] = one.opts.is_dialog and other or nil
  end
  local near = type(name) == "string" and options.suggest(name, names)
  local hint = near and (" (did you mean '%s'?)"):format(near) or ""
  error(("%s: there is no dialog '%s'%s"):format(where, tostring(name), hint), level + 1)
end

---Plans a dialog to begin in the turn that is running, once its handler has returned. One of the same name that waits is
---ended: the customer began again.
---@param where string
---@param name string
---@param contact string
---@param to string?
---@param args any
function dialogs_methods:plan(where, name, contact, to, args)
  check_known(self, where, name, 3)
  local current = run.current()
  if not current then
    error(("%s: only a handler or a dialog can do that; elsewhere use bot:start"):format(where), 3)
  end
  current.planned = current.planned or {}
  table.insert(current.planned, { name = name, contact = contact, to = to, args = args })
end

-- The run of a dialog that begins in the running turn, in the place of the one that was there.
local function new_run(self, plan)
  local its_turn = task.running().turn
  local before = its_turn.run
  if before and before.is_stored then
    table.insert(its_turn:gather "ends", before.id)
  end
  self:cancel(plan.contact, plan.name)
  return run.new {
    id = self._bot._store:next_dialog_id(),
    name = plan.name,
    contact = plan.contact,
    to = plan.to,
    args = plan.args ~= nil and json.decode(json.encode(json.array { plan.args }))[1] or nil,
    at = clock.now(),
    is_dialog = true,
    script = self.script,
  }
end

-- What a run that is over has planned, after what was planned before.
local function add_plans(plans, its_run)
  for _, plan in ipairs(its_run.planned or {}) do
    plans[#plans + 1] = plan
  end
end

---Begins what a run that is over has planned: the first in this turn, and those after it as long as the ones before them
---come to their end in it. Where one waits, the others begin in turns of their own.
---@param its_run cunnekt.run
function dialogs_methods:begin_planned(its_run)
  local plans, is_over = {}, true
  add_plans(plans, its_run)
  while is_over and plans[1] do
    its_run, is_over = self:begin(new_run(self, table.remove(plans, 1)))
    if is_over then
      add_plans(plans, its_run)
    end
  end
  for _, plan in ipairs(plans) do
    local told = { status = "dialog_start", name = plan.name, to = plan.to, args = plan.args }
    table.insert(task.running().turn:gather "tells", inbox.own_record(plan.contact, told))
  end
end

---Begins a dialog for an event that asks for it: bot:start.
---@param it table
---@param record cunnekt.inbox.record
---@param on_end fun(err: cunnekt.error?, record: table?)
function dialogs_methods:start_stored(it, record, on_end)
  turn.run(self._bot, record, function()
    if not self.script.known[it.name] then
      error(("there is no dialog '%s' any more"):format(it.name), 0)
    end
    self:call(new_run(self, { name = it.name, contact = record.contact, to = it.to, args = it.args }))
  end, on_end)
end

---Ends the dialogs of a contact that wait, with the turn that is running; with `name`, only those of that name. Waits.
---@param contact string
---@param name? string
---@return integer? count
---@return cunnekt.error? err kind store
function dialogs_methods:cancel(contact, name)
  local its_turn, mine = turn.current(self._bot), run.current()
  local ids = {}
  for _, stored in ipairs(self._bot._store:dialogs_of(contact)) do
    local is_meant = (not name or stored.name == name) and not stored.error
    if is_meant and not (mine and mine.id == stored.id) then
      ids[#ids + 1] = stored.id
      self.parked:evict(stored.id)
    end
  end
  if its_turn then
    table.move(ids, 1, #ids, #its_turn.ends + 1, its_turn:gather "ends")
    return #ids
  end
  local ok, err = self._bot._store:end_dialogs(ids)
  return ok and #ids, err
end

---Sets a dialog aside that cannot go on.
---@param its_run cunnekt.run
---@param err cunnekt.error
---@param record cunnekt.inbox.record? the event at which it ended; another try of it goes on with the dialog
function dialogs_methods:set_aside(its_run, err, record)
  log.error("dialog %d was set aside: %s", its_run.id, err.message)
  self.parked:evict(its_run.id)
  self._bot._store:break_dialog(its_run.id, {
    message = tostring(err.traceback or err),
    step = err.step or its_run.n,
    was = err.was,
    is_now = err.is_now,
    seq = record and record.seq,
  }, clock.now())
end

-- ---- the bot's life ------------------------------------------------------------------------------------------------

---Looks up what an earlier run of the program left. Waits.
function dialogs_methods:start()
  -- Now that the script has been loaded and nothing has happened yet, its values are those that it began with.
  for name in pairs(self.script.known) do
    self:code_of(name)
  end
  local store = self._bot._store
  local is_any, at, paused = store:dialogs_due()
  self._has_stored, self.has_paused = is_any, paused > 0
  self.sent_waits = is_any and store:sent_waits() or {}
  -- bot:chat wants the number that customers write to before the first of them has written.
  local contact = not self._bot._phone_number_id and store:any_contact()
  self._bot._phone_number_id = contact and identity.phone_number_id(contact) or self._bot._phone_number_id
  self.due:look_at(at)
end

---Lets nothing go on any more.
function dialogs_methods:stop()
  self._is_stopped = true
  self.due:stop()
  self.parked:evict_all()
end
---Lets every parked run go.
function dialogs_methods:evict_all()
  self.parked:evict_all()
end

return dialog
