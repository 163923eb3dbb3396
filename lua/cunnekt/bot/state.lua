-- SPDX-License-Identifier: MIT
-- chat.state: the table that is kept for a conversation. Changes take effect with the turn. Several chat objects may stand
-- for one contact; within a turn they share the state that was touched first.

local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local steps = require "cunnekt.engine.steps"

local state = {}

local state_methods = {}
local state_mt = { __index = state_methods, __name = "cunnekt.state" }

---@class cunnekt.state
---@field contact string
---@field value table? what the script sees; nil until it is loaded
---@field text string? as the store has it

---@param engine cunnekt.engine
---@param contact string
---@return cunnekt.state
function state.new(engine, contact)
  return setmetatable({ contact = contact, _engine = engine, value = nil, text = nil, _reading = nil }, state_mt)
end

-- The text of the state as this turn has left it so far, or else as the store has it; a run reads it once in each of its
-- turns.
local function read(self, is_changing)
  return steps.within("state", self.contact, function()
    return is_changing and (self:encode()) or self._engine.store:state(self.contact) or false
  end)
end

-- Fills the table that the script may be holding with what the text says.
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

---Loads the state where the current turn has not loaded it yet. What was read holds until the next commit of the run, or of
---the turn where there is no run; elsewhere for the moment.
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
    -- A dialog that begins in the turn of a handler finds what that has changed, which is still to be kept.
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

---Puts another table in the place of the state's.
---@param value table
function state_methods:replace(value)
  self:load()
  self.value = value
end

---The state as text, and whether it differs from what is kept. Raises when it holds what cannot be kept.
---@return string text
---@return boolean is_changed
function state_methods:encode()
  local ok, text = pcall(json.encode, self.value)
  if not ok then
    error(errors.new("invalid", "chat.state cannot be kept: " .. tostring(text), { field = "state" }), 0)
  end
  if next(self.value) == nil and not self.text then
    return text, false
  end
  return text, text ~= self.text
end

---Notes that the store has this text now.
---@param text string
function state_methods:mark_saved(text)
  self.text = text
end

---Drops what was loaded.
function state_methods:unload()
  self.value = nil
end

return state
