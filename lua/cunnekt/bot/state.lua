-- SPDX-License-Identifier: MIT
-- chat.state: a conversation's persistent table. Changes are committed with the turn. Several chat objects may refer to one
-- contact; within a turn they share the state that was loaded first.

local canonical = require "cunnekt.base.canonical"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local refusals = require "cunnekt.bot.refusals"
local steps = require "cunnekt.engine.steps"
local storable = require "cunnekt.base.storable"

local state = {}

local state_methods = {}
local state_mt = { __index = state_methods, __name = "cunnekt.state" }

---@class cunnekt.state
---@field contact string
---@field name string by which a replay compares its reading: the contact as it was when the run began
---@field value table? the script's table; nil until it is loaded
---@field text string? JSON in the store
---@field version integer? of the text in the store; nil when only a journal says what it was

---@param engine cunnekt.engine
---@param contact string
---@param name? string
---@return cunnekt.state
function state.new(engine, contact, name)
  return setmetatable({ contact = contact, name = name or contact, _engine = engine, value = nil, text = nil, version = nil, _reading = nil }, state_mt)
end

-- The JSON of the state: as changed by this turn, or from the store; a run reads it once per turn. The version belongs to the
-- store, and so is not part of the journal.
local function read(self, is_changing)
  local version
  local text, is_replayed = steps.step("state", self.name, function()
    if is_changing then
      version = self.version
      return (self:encode())
    end
    local conversation = self._engine.store:conversation(self.contact)
    version = conversation.version
    return conversation.state or false
  end)
  local its_run = steps.current()
  if is_replayed and not its_run.delivery then
    -- A run that resumes may go on from this reading without a commit. It keeps what the journal says, and conflicts with
    -- what changes from now on. Before a delivery there is no need: that begins with a commit, and the state is read again.
    version = its_run:guard(function()
      return self._engine.store:conversation(self.contact).version
    end)
  end
  return text, version
end

-- A table of ours or of JSON may be a list now, or be none any more; a script's own metatable stays.
local function take_mark(old, new)
  local mt = getmetatable(old)
  if mt == nil or mt == core.json_array_mt then
    setmetatable(old, getmetatable(new))
  end
end

-- The tables in states that came from the store. What a script puts in is its own, and may be for all conversations.
local is_ours = setmetatable({}, { __mode = "k" })

local function own(item)
  if type(item) == "table" then
    is_ours[item] = true
    for _, inner in next, item do
      own(inner)
    end
  end
  return item
end

-- Makes the content of a table that the script may hold that of a new one, and so for the tables in it: `local cart = chat.state.cart` is
-- the conversation's also after a wait. `taken`: those that have new content by now; a script may have put one into two places.
local function refill(old, new, taken)
  local was = {}
  for key, item in next, old do
    was[key] = item
  end
  for key in next, was do
    rawset(old, key, nil)
  end
  taken[old] = true
  for key, item in next, new do
    local held = was[key]
    local is_held = type(item) == "table" and type(held) == "table" and is_ours[held] and not taken[held]
    rawset(old, key, is_held and refill(held, item, taken) or own(item))
  end
  take_mark(old, new)
  return old
end

-- Decodes into the table that the script may already hold.
local function fill(self, text)
  self.text, self.value = text, refill(self.value or {}, text and json.decode(text) or {}, {})
end

---Takes over another one's table with its changes, which are not saved yet.
---@param holder cunnekt.state of the same contact
function state_methods:take_over(holder)
  fill(self, (holder:encode()))
  self.text, self.version, self._reading = holder.text, holder.version, nil
end

---Loads the state unless the current turn has. It is valid until the run's next commit, or the turn's without a run; outside
---turns it is loaded each time.
---@return table value
function state_methods:load()
  local current, its_run = self._engine.turns:current(), steps.current()
  local holder = current and current.states[self.contact]
  if holder and holder ~= self then
    local outer = its_run and current.outer
    if not (outer and outer.states[self.contact] == holder) then
      return holder:load()
    end
    self:take_over(holder) -- what a function of bot:use has changed, around the run
  end
  local reading = its_run and its_run.epoch or current or {}
  if its_run and its_run.is_in_step and self._reading ~= reading then
    reading = reading + 0.5 -- a replay skips the step: what reads it outside of that does so by a step of its own
  end
  if not self.value or self._reading ~= reading then
    self._reading = reading
    -- A dialog that starts in a handler's turn gets the handler's changes, which are not saved yet.
    local is_changing, kept = holder ~= nil and self.value ~= nil, self.text
    local text, version = read(self, is_changing)
    fill(self, text)
    self.version = version
    if is_changing then
      self.text = kept
    end
    if current then
      self:record_version(current)
    end
  end
  if current then
    current:buffer("states")[self.contact] = self
  end
  if its_run and not its_run.is_in_step then
    its_run:hold(self)
  end
  return self.value
end

---Reads the state once more, by a step of its own, as it is by now in this turn.
function state_methods:read_again()
  self._reading = nil
  self:load()
end

---Loads the state as it is now, and puts into it what the script has changed since it was loaded: key by key.
function state_methods:rebase()
  local mine, was = journal.snapshot(self.value), self.text and json.decode(self.text) or {}
  local value = self:load()
  for _, keys in ipairs { mine, was } do
    for key in pairs(keys) do
      if canonical.text { mine[key] } ~= canonical.text { was[key] } then
        value[key] = mine[key]
      end
    end
  end
end

---Makes the state equal to a table, whose items become its own. The script's table stays the script's: it may be one for all
---conversations.
---@param value table
function state_methods:replace(value)
  refill(self:load(), value, {})
end

---Encodes the state. Raises when JSON cannot represent it.
---@return string text
---@return boolean is_changed since it was saved
function state_methods:encode()
  local ok, text = pcall(json.encode, self.value)
  if not ok then
    local current = self._engine.turns:current()
    local its_run = steps.current() or current and current.run
    local where = its_run and refusals.function_of(its_run) .. ": " or ""
    error(errors.new("invalid", ("%schat.state cannot be stored: %s"):format(where, storable.reason(self.value, tostring(text))), { field = "state" }), 0)
  end
  if next(self.value) == nil and not self.text then
    return text, false
  end
  return text, text ~= self.text
end

---Records for a turn that it depends on the version that was read.
---@param its_turn cunnekt.turn
function state_methods:record_version(its_turn)
  if self.version then
    its_turn:record_read("conversation", self.contact, self.version)
  end
end

---Records that the store now has this text.
---@param text string
---@param version integer
function state_methods:mark_saved(text, version)
  self.text, self.version = text, version
end

---Discards the loaded table.
function state_methods:unload()
  self.value = nil
end

return state
