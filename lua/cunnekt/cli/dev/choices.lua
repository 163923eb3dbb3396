-- SPDX-License-Identifier: MIT
-- The choices that a customer of `cunnekt dev` has: the buttons and rows that came since they last wrote, by number; and by id those of
-- earlier messages too.

local choices_of = require("cunnekt.sandbox.choices").of
local words = require "cunnekt.base.words"

local choices = {}

local choices_methods = {}
local choices_mt = { __index = choices_methods, __name = "cunnekt.dev.choices" }

-- Messages that are searched for an id.
local look_back = 200

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
  local offered = choices_of(entry)
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

local nouns = { button = "buttons", list = "rows" }

local function ids_of(offered, kind)
  local ids, seen = {}, {}
  for _, one in ipairs(offered) do
    if one.kind == kind and not seen[one.id] then
      seen[one.id] = true
      ids[#ids + 1] = one.id
    end
  end
  return ids
end

-- Those of the last messages, the newest message first.
local function recent(self, contact)
  local found = {}
  local entries = self._state:since(self._state.last - look_back, contact, look_back)
  for i = #entries, 1, -1 do
    local offered = choices_of(entries[i])
    table.move(offered, 1, #offered, #found + 1, found)
  end
  return found
end

---The ids that can be tapped.
---@param contact string
---@param kind "button"|"list"
---@return string[]
function choices_methods:ids(contact, kind)
  return ids_of(recent(self, contact), kind)
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
---@return string? problem
function choices_methods:resolve(contact, message)
  local kind = message.type
  local is_literal = message.is_literal
  message.is_literal = nil
  local number = kind == "text" and not is_literal and math.tointeger(tonumber(message.text:match "^%s*(%d%d?)%s*$"))
  if number and #self:open(contact) > 0 then
    return by_number(self, contact, number)
  elseif not nouns[kind] then
    return message
  end
  local ids = self:ids(contact, kind)
  if #ids == 0 then
    return nil, ("the bot has offered no %s"):format(nouns[kind])
  elseif not message.id then
    message.id = ids[1]
  end
  for _, id in ipairs(ids) do
    if id == message.id then
      return message
    end
  end
  return nil, ("no %s has the id '%s'; possible: %s"):format(kind == "list" and "row" or kind, message.id, words.list(ids))
end

return choices
