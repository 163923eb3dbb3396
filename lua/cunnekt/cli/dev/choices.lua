-- SPDX-License-Identifier: MIT
-- The choices that a customer of `cunnekt dev` has by number: the buttons and rows that came since they last wrote. What can be tapped by
-- its id is sandbox/choices.lua's.

local offered_choices = require "cunnekt.sandbox.choices"

local choices = {}

local choices_methods = {}
local choices_mt = { __index = choices_methods, __name = "cunnekt.dev.choices" }

---@class cunnekt.dev.choices
---@param state table the sandbox's
---@return cunnekt.dev.choices
function choices.new(state)
  return setmetatable({ _state = state, _open = {} }, choices_mt)
end

---Notes a message in either direction; gives the number of its first choice, if it has any.
---@param entry cunnekt.sandbox_entry
---@return integer? first
function choices_methods:note(entry)
  if entry.direction == "in" then
    self._open[entry.contact] = nil
    return nil
  end
  local offered = offered_choices.of(entry)
  if #offered == 0 then
    return nil
  end
  local open = self._open[entry.contact] or {}
  self._open[entry.contact] = open
  table.move(offered, 1, #offered, #open + 1, open)
  return #open - #offered + 1
end

---The choices by number.
---@param contact string
---@return cunnekt.sandbox.choice[]
function choices_methods:open(contact)
  return self._open[contact] or {}
end

---The ids that can be tapped.
---@param contact string
---@param kind "button"|"list"|"quick_reply"
---@return string[]
function choices_methods:ids(contact, kind)
  return (offered_choices.ids(self._state, contact, kind))
end

-- A line that is the number of a choice, as a tap.
local function by_number(self, contact, number)
  local open = self:open(contact)
  local choice = open[number]
  if choice then
    return { type = choice.kind, id = choice.id, context = choice.entry.id }
  end
  return nil, ("there is no choice %d, only %s; to say the number itself: /text %d"):format(number, #open == 1 and "1" or "1 to " .. #open, number)
end

---What a typed message is, given what can be tapped: a number is a choice while some are open, and an id must have been offered.
---@param contact string
---@param message table fields for sandbox:say; may be changed
---@return table? message
---@return string? problem or, beside a message, a note on it
function choices_methods:resolve(contact, message)
  local is_literal = message.is_literal
  message.is_literal = nil
  local number = message.type == "text" and not is_literal and math.tointeger(tonumber(message.text:match "^%s*(%d%d?)%s*$"))
  if number and #self:open(contact) > 0 then
    return by_number(self, contact, number)
  end
  local problem, note = offered_choices.check(self._state, contact, message)
  if problem then
    return nil, problem
  end
  return message, note
end

return choices
