-- SPDX-License-Identifier: MIT
-- What the network calls of a turn gave, for the case that it runs again after a conflict: cunnekt.http, the client's sends and
-- downloads happen at once, outside the commit, and must not happen twice because of another turn. In memory only, until the
-- turn commits or fails; the journal of a dialog (steps.lua) holds what must survive.

local canonical = require "cunnekt.base.canonical"
local core = require "cunnekt.core"
local journal = require "cunnekt.engine.journal"

local answers = {}

-- Of one turn: two of the largest answers that cunnekt.http takes by itself. A call beyond that is made again.
local max_bytes = 32 * 1024 * 1024
-- What an answer takes beside its texts.
local entry_bytes = 400

---@class cunnekt.engine.answers the finished calls of a turn, in order
---@field bytes integer
---@field is_calling boolean? a call is under way: what it calls itself is a part of it

local function key_of(kind, subject)
  local text = kind .. " " .. canonical.text(subject)
  return #text <= 100 and text or core.sha256():update(text):digest()
end

local function size_of(value)
  if type(value) == "string" then
    return #value
  elseif type(value) ~= "table" then
    return 8
  end
  local size = 40
  for key, item in next, value do
    size = size + size_of(key) + size_of(item)
  end
  return size
end

local function remember(self, key, value, err)
  local size = entry_bytes + size_of(value) + size_of(err)
  if self.bytes + size <= max_bytes then
    self.bytes = self.bytes + size
    local kept_err = err ~= nil and journal.pack_error(err) or nil
    self[#self + 1] = { key = key, value = journal.snapshot(value), err = kept_err, is_used = true }
  end
end

-- The first answer to such a call that this run of the turn has not had yet.
local function find(self, key)
  for i = 1, #self do
    if not self[i].is_used and self[i].key == key then
      self[i].is_used = true
      return self[i]
    end
  end
  return nil
end

---Makes a call of a turn, or gives what it gave before the turn ran again: the n-th call of the same arguments what the n-th one
---gave.
---@param its_turn cunnekt.turn
---@param kind string
---@param subject any JSON value that identifies the call
---@param fn fun(): any, any a value, or nil and an error
---@return any value
---@return any err
function answers.call(its_turn, kind, subject, fn)
  local self = its_turn.answers or { bytes = 0 }
  its_turn.answers = self
  if self.is_calling then
    return fn()
  end
  local key = key_of(kind, subject)
  local known = find(self, key)
  if known then
    return journal.snapshot(known.value), known.err and journal.unpack_error(known.err)
  end
  self.is_calling = true
  local ok, value, err = pcall(fn)
  self.is_calling = nil
  if not ok then
    error(value, 0)
  end
  remember(self, key, value, err)
  return value, err
end

---Notes that a turn runs again: its calls give what they gave.
---@param its_turn cunnekt.turn
function answers.rewind(its_turn)
  for _, answer in ipairs(its_turn.answers or {}) do
    answer.is_used = false
  end
end

return answers
