-- SPDX-License-Identifier: MIT
-- chat.state: a conversation's persistent table. Changes are committed with the turn. Several chat objects may refer to one
-- contact; within a turn they share the state that was loaded first.

local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local steps = require "cunnekt.engine.steps"

local state = {}

local state_methods = {}
local state_mt = { __index = state_methods, __name = "cunnekt.state" }

---@class cunnekt.state
---@field contact string
---@field value table? the script's table; nil until it is loaded
---@field text string? JSON in the store

---@param engine cunnekt.engine
---@param contact string
---@return cunnekt.state
function state.new(engine, contact)
  return setmetatable({ contact = contact, _engine = engine, value = nil, text = nil, _reading = nil }, state_mt)
end

-- The JSON of the state: as changed by this turn, or from the store; a run reads it once per turn.
local function read(self, is_changing)
  return steps.within("state", self.contact, function()
    return is_changing and (self:encode()) or self._engine.store:state(self.contact) or false
  end)
end

-- Decodes into the table that the script may already hold.
local function fill(self, text)
  local value = self.value or {}
  for key in pairs(value) do
    value[key] = nil
  end
  for key, item in pairs(text and json.decode(text) or {}) do
    value[key] = item
  end
  self.text, self.value = text, value
end

---Loads the state unless the current turn has. It is valid until the run's next commit, or the turn's without a run; outside
---turns it is loaded each time.
---@return table value
function state_methods:load()
  local current, its_run = self._engine.turns:current(), steps.current()
  local holder = current and current.states[self.contact]
  if holder and holder ~= self then
    return holder:load()
  end
  local reading = its_run and its_run.epoch or current or {}
  if not self.value or self._reading ~= reading then
    self._reading = reading
    if current then
      current:record_read("state " .. self.contact)
    end
    -- A dialog that starts in a handler's turn gets the handler's changes, which are not saved yet.
    local is_changing, kept = holder ~= nil and self.value ~= nil, self.text
    fill(self, read(self, is_changing))
    if is_changing then
      self.text = kept
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

---Replaces the table.
---@param value table
function state_methods:replace(value)
  self:load()
  self.value = value
end

---Encodes the state. Raises when JSON cannot represent it.
---@return string text
---@return boolean is_changed since it was saved
function state_methods:encode()
  local ok, text = pcall(json.encode, self.value)
  if not ok then
    error(errors.new("invalid", "chat.state cannot be stored: " .. tostring(text), { field = "state" }), 0)
  end
  if next(self.value) == nil and not self.text then
    return text, false
  end
  return text, text ~= self.text
end

---Records that the store now has this text.
---@param text string
function state_methods:mark_saved(text)
  self.text = text
end

---Discards the loaded table.
function state_methods:unload()
  self.value = nil
end

return state
