-- SPDX-License-Identifier: MIT
-- Dialogs: handlers that wait. In memory a run is a coroutine parked at its wait; in the store it is a journal, from which
-- it is rebuilt when it left memory. This file knows which runs there are and brings each event to the one that waits for
-- it; what a run is stands in dialog/run.lua, how it asks in dialog/asking.lua.

local clock = require "cunnekt.clock"
local code = require "cunnekt.dialog.code"
local errors = require "cunnekt.errors"
local event = require "cunnekt.event"
local inbox = require "cunnekt.inbox"
local json = require "cunnekt.json"
local log = require "cunnekt.log"
local options = require "cunnekt.options"
local run = require "cunnekt.dialog.run"
local task = require "cunnekt.task"
local turn = require "cunnekt.turn"
local world = require "cunnekt.dialog.world"

local dialog = {}

-- Parked runs kept in memory; the one that waited longest is let go first, and rebuilt from its journal when needed.
local most_parked = 2000
-- The clock may jump, so due times are looked at again at least so often, in seconds.
local longest_look = 60

local dialogs_methods = {}
local dialogs_mt = { __index = dialogs_methods, __name = "cunnekt.dialogs" }

---@class cunnekt.dialogs
---@param bot table
function dialog.new(bot)
  return setmetatable({
    _bot = bot,
    _known = {},
    _parked = {},
    _parked_count = 0,
    _serial = 0,
    _has_stored = false,
  }, dialogs_mt)
end

-- ---- what a script registers ---------------------------------------------------------------------------------------

---Adds a dialog, or a handler under the name that its runs are stored with.
---@param name string
---@param fn function
---@param opts table
---@return table known
function dialogs_methods:register(name, fn, opts)
  local known = { name = name, fn = fn, opts = opts }
  world.adopt(fn)
  self._known[name] = known
  if opts.is_dialog then
    self._has_dialogs = true
  end
  return known
end

-- The digest of a function's code is only needed when a run of it waits.
local function code_of(known)
  known.code = known.code or code.digest(known.fn)
  return known.code
end

---Whether any event could be meant for a dialog.
function dialogs_methods:is_used()
  return self._has_dialogs or self._has_stored or self.has_paused
end

-- ---- parked runs ---------------------------------------------------------------------------------------------------

local function forget_parked(self, parked)
  if self._parked[parked.run.id] then
    self._parked[parked.run.id] = nil
    self._parked_count = self._parked_count - 1
  end
end

-- Lets the run go that has waited longest. Its coroutine is closed; the journal has it all.
local function evict_oldest(self)
  local oldest
  for _, parked in pairs(self._parked) do
    if not oldest or parked.serial < oldest.serial then
      oldest = parked
    end
  end
  forget_parked(self, oldest)
  task.cancel(oldest.task)
end

---Lets every parked run go.
function dialogs_methods:evict_all()
  while self._parked_count > 0 do
    evict_oldest(self)
  end
end

---Ends the turn of a run at its wait: commits, lets the lane go on, and returns with the next event for it.
---@param current cunnekt.run
---@return table delivery event, record
function dialogs_methods:rest(current)
  if current.tainted then
    local message = "a handler that used %s cannot wait afterwards: it would be done again; wrap it in chat:step(name, fn)"
    error(message:format(current.tainted), 0)
  end
  local its_turn = task.running().turn
  local is_first = not current.is_stored
  self:describe(current)
  local ok, err = its_turn:commit "wait"
  if not ok then
    error(err, 0)
  end
  self._has_stored = true
  if is_first then
    code.keep(self._bot._store, self._known[current.name])
  end
  self:_look_at(current.waiting.due)
  return its_turn:rest(function(deliver)
    self._serial = self._serial + 1
    self._parked[current.id] = { run = current, deliver = deliver, serial = self._serial, task = task.running() }
    self._parked_count = self._parked_count + 1
    if self._parked_count > most_parked then
      evict_oldest(self)
    end
  end)
end

---Adds what the store must know of a run that it sees for the first time.
---@param current cunnekt.run
function dialogs_methods:describe(current)
  if not current.is_stored then
    current.code = code_of(self._known[current.name])
  end
end

-- ---- bringing an event to its run ----------------------------------------------------------------------------------

-- Whether a run that waits so takes this event.
local function accepts(waiting, it)
  if not waiting then
    return it.status == "dialog_resume"
  elseif it.kind == "message" then
    return waiting.types ~= nil and (waiting.types[it.type] or waiting.types.any) or false
  elseif it.status == "dialog_timeout" then
    return it.n == waiting.n
  elseif it.status == "dialog_signal" then
    return waiting.signal == it.name
  end
  return false
end

-- The run that an event is for: parked, or as the store knows it.
local function find(self, it, contact)
  if it.run then
    local parked = self._parked[it.run]
    local stored = not parked and self._bot._store:dialog(it.run)
    local waiting = parked and parked.run.waiting or stored and stored.waiting
    return (parked or stored) and accepts(waiting, it) and (parked or stored) or nil
  end
  for _, stored in ipairs(self._bot._store:dialogs_of(contact)) do
    local parked = self._parked[stored.id]
    local waiting = parked and parked.run.waiting or stored.waiting
    if waiting and accepts(waiting, it) then
      return parked or stored
    end
    local known = self._known[stored.name]
    if waiting and it.kind == "message" and known and known.opts.unexpected == "ignore" then
      return "ignore"
    end
  end
  return nil
end

local function function_of(self, stored)
  local known = self._known[stored.name]
  if known and (stored.code == nil or code_of(known) == stored.code) then
    return known.fn
  end
  local policy = known and known.opts.on_change or "keep"
  if policy == "keep" then
    local fn, problem = code.old_function(self._bot, stored)
    if fn then
      return fn
    end
    error(errors.new("diverged", ("the code of the dialog '%s' is not there any more: %s"):format(stored.name, problem)), 0)
  end
  return policy == "restart" and known.fn or policy, true
end

-- Rebuilds a run from its journal, and gives it the event at the end.
local function rebuild(self, stored, it, record)
  local fn, is_anew = function_of(self, stored)
  local its_turn = task.running().turn
  local current = run.new {
    id = stored.id,
    name = stored.name,
    contact = stored.contact,
    to = stored.to,
    args = stored.args,
    code = stored.code,
    seed = stored.seed,
    at = stored.started_at,
    is_dialog = true,
    replay = self._bot._store:steps_of(stored.id),
    delivery = it.status ~= "dialog_resume" and { event = it, record = record } or nil,
  }
  if is_anew then
    -- The code changed and the script wants it to begin again: the old journal goes with this turn's commit.
    table.insert(its_turn.ends, stored.id)
    current.replay, current.delivery, current.is_stored, current.id = nil, nil, false, self._bot._store:next_dialog_id()
  end
  its_turn.run, task.running().run = current, current
  return self:_call(current, fn)
end

-- Runs the function of a dialog, or the handler that waited.
function dialogs_methods:_call(current, fn)
  local bot = self._bot
  if current.name:sub(1, 3) == "on:" then
    return fn(event.bind(bot, current.contact, inbox.read_bodies(current.args)))
  end
  local it = require("cunnekt.chat").new(bot, current.contact, current.to)
  return fn(it, current.args)
end

---Brings an event to the run that waits for it, if there is one.
---@param it table the bound event
---@param record cunnekt.inbox.record
---@param on_end fun(err: cunnekt.error?, record: table?) as turn.run
---@return boolean is_taken
function dialogs_methods:offer(it, record, on_end)
  local found = find(self, it, record.contact)
  if found == nil then
    return false
  elseif found == "ignore" then
    turn.run(self._bot, record, function() end, on_end)
  elseif found.deliver then
    forget_parked(self, found)
    found.deliver { event = it, record = record, on_end = on_end }
  else
    turn.run(self._bot, record, function(its_turn)
      rebuild(self, found, it, record)
      self:begin_planned(its_turn)
    end, function(err, rest)
      self:_note_end(found, err, rest)
      on_end(err, rest)
    end)
  end
  return true
end

-- A run that cannot be rebuilt is set aside; trying again would not help.
function dialogs_methods:_note_end(stored, err)
  if err and err.kind == "diverged" then
    log.error("%s", err.message)
    self._bot._store:break_dialog(stored.id, err, clock.now())
    err.is_lost = true
  end
end

-- ---- beginning and ending ------------------------------------------------------------------------------------------

-- What is known under a name; raises, for the script's line, where nothing is.
local function known_dialog(self, where, name)
  local known = self._known[name]
  if not known or not known.opts.is_dialog then
    local names = {}
    for other, one in pairs(self._known) do
      names[#names + 1] = one.opts.is_dialog and other or nil
    end
    local near = type(name) == "string" and options.suggest(name, names)
    local hint = near and (" (did you mean '%s'?)"):format(near) or ""
    error(("%s: there is no dialog '%s'%s"):format(where, tostring(name), hint), 4)
  end
  return known
end

---Plans a dialog to begin in the turn that is running, once its handler has returned. One of the same name that waits is
---ended: the customer began again.
---@param where string
---@param name string
---@param contact string
---@param to string?
---@param args any
function dialogs_methods:plan(where, name, contact, to, args)
  known_dialog(self, where, name)
  local its_turn = task.running().turn
  its_turn.planned = its_turn.planned or {}
  table.insert(its_turn.planned, { name = name, contact = contact, to = to, args = args })
end

---Begins what was planned in this turn.
---@param its_turn cunnekt.turn
function dialogs_methods:begin_planned(its_turn)
  while its_turn.planned and its_turn.planned[1] do
    local plan = table.remove(its_turn.planned, 1)
    self:cancel(plan.contact, plan.name)
    self:_begin(plan.name, plan.contact, plan.to, plan.args)
  end
end

---Begins a dialog for an event that asks for it: bot:start.
---@param it table
---@param record cunnekt.inbox.record
---@param on_end fun(err: cunnekt.error?, record: table?)
function dialogs_methods:start_stored(it, record, on_end)
  turn.run(self._bot, record, function(its_turn)
    if self._known[it.name] then
      self:plan("bot:start", it.name, record.contact, it.to, it.args)
      self:begin_planned(its_turn)
    else
      error(("there is no dialog '%s' any more"):format(it.name), 0)
    end
  end, on_end)
end

function dialogs_methods:_begin(name, contact, to, args)
  local known = self._known[name]
  local its_turn = task.running().turn
  local before = its_turn.run
  if before and before.is_stored then
    table.insert(its_turn.ends, before.id)
  end
  local current = run.new {
    id = self._bot._store:next_dialog_id(),
    name = name,
    contact = contact,
    to = to,
    args = args ~= nil and json.decode(json.encode(json.array { args }))[1] or nil,
    at = clock.now(),
    is_dialog = true,
  }
  its_turn.run, task.running().run = current, current
  return self:_call(current, known.fn)
end

---Ends the dialogs of a contact that wait, with the turn that is running; with `name`, only those of that name. Waits.
---@param contact string
---@param name? string
---@return integer count
function dialogs_methods:cancel(contact, name)
  local its_turn = task.running() and task.running().turn
  local ids = its_turn and its_turn.ends or {}
  local mine, before = run.current(), #ids
  for _, stored in ipairs(self._bot._store:dialogs_of(contact)) do
    if (not name or stored.name == name) and not (mine and mine.id == stored.id) then
      ids[#ids + 1] = stored.id
      local parked = self._parked[stored.id]
      if parked then
        forget_parked(self, parked)
        task.cancel(parked.task)
      end
    end
  end
  if not its_turn then
    self._bot._store:end_dialogs(ids)
  end
  return #ids - before
end

-- ---- time ----------------------------------------------------------------------------------------------------------

local function fire_due(self)
  local bot = self._bot
  local ok, problem = pcall(function()
    local records = bot._store:take_due(clock.now(), function(contact, id, n)
      return inbox.own_record(contact, { status = "dialog_timeout", run = id, n = n })
    end)
    bot._inbox:enqueue(records)
    local _, due = bot._store:dialogs_due()
    self:_look_at(due)
  end)
  if not ok then
    log.warn("the timers of dialogs could not be looked up: %s", tostring(problem))
    self:_look_at(clock.now() + 1)
  end
end

---Makes sure that somebody looks when this time has come.
---@param due number?
function dialogs_methods:_look_at(due)
  if not due or self._is_stopped or (self._next_look and self._next_look <= due) then
    return
  end
  if self._timer then
    self._timer:close()
  end
  local wait = math.min(longest_look, math.max(0, due - clock.now()))
  self._next_look = due
  self._timer = clock.after(wait, function()
    self._timer, self._next_look = nil, nil
    task.spawn(fire_due, self)
  end)
end

---Looks up what an earlier run of the program left. Waits.
function dialogs_methods:start()
  local is_any, due, paused = self._bot._store:dialogs_due()
  self._has_stored, self.has_paused = is_any, paused > 0
  self:_look_at(due)
end

---Lets every run go and looks at no timer any more.
function dialogs_methods:stop()
  self._is_stopped = true
  if self._timer then
    self._timer:close()
  end
  self:evict_all()
end

return dialog
