-- SPDX-License-Identifier: MIT
-- The cache of conversations. It holds what the store holds: commits and accepted events change it, a conflict drops what it
-- was about. While a commit that writes a conversation is under way nobody knows which of the two it is, so it is not used.

local cache = require "cunnekt.base.cache"

local conversations = {}

local conversations_methods = {}
local conversations_mt = { __index = conversations_methods, __name = "cunnekt.store.conversations" }

-- Maximum of cached conversations.
local capacity = 10000

---@class cunnekt.store.conversation not to be changed by who gets it
---@field state string? as JSON
---@field version integer of the state; 0: there is none
---@field last_inbound number? when the customer last wrote, in seconds since 1970
---@field is_paused boolean whether a person has taken over
---@field number string? of the customer, where the key does not say it; as are these:
---@field user_id string?
---@field name string? as they call themselves
---@field username string?

---@class cunnekt.store.conversations
---@field cache table
---@return cunnekt.store.conversations
function conversations.new()
  return setmetatable({
    cache = cache.new(capacity),
    _writing = {}, -- contact → running commits that write its state
  }, conversations_mt)
end

---The cached conversation.
---@param contact string
---@return cunnekt.store.conversation? conversation nil when the store must be asked
function conversations_methods:find(contact)
  return not self._writing[contact] and self.cache:get(contact) or nil
end

---Puts what the store answered into the cache, unless it knows better.
---@param contact string
---@param read cunnekt.store.conversation
---@return cunnekt.store.conversation
function conversations_methods:keep(contact, read)
  if self._writing[contact] then
    return read -- the answer is older than the commit
  end
  local known = self.cache:get(contact) or read
  self.cache:put(contact, known)
  return known
end

local function count_writes(self, changed, step)
  for _, one in ipairs(changed or {}) do
    local count = (self._writing[one.contact] or 0) + step
    self._writing[one.contact] = count > 0 and count or nil
  end
end

---Notes that the commit of a turn begins which writes states.
---@param turn table as for commit_turn
function conversations_methods:begin(turn)
  count_writes(self, turn.states, 1)
end

-- Applies a commit.
local function apply(self, turn)
  for _, change in ipairs(turn.states or {}) do
    local known = self.cache:get(change.contact)
    if known then
      known.state, known.version = change.state, change.version
    end
  end
  for _, pause in ipairs(turn.pauses or {}) do
    local known = self.cache:get(pause.contact)
    if known then
      known.is_paused = pause.is_paused
    end
  end
end

---Notes that a turn's commit is over.
---@param turn table
---@param err cunnekt.error? why it had no effect
function conversations_methods:finish(turn, err)
  count_writes(self, turn.states, -1)
  if not err then
    apply(self, turn)
  elseif err.kind == "conflict" then
    for _, read in ipairs(turn.reads or {}) do
      if read.kind == "conversation" then
        self.cache:remove(read.key)
      end
    end
  end
end

---Forgets a conversation.
---@param contact string
function conversations_methods:forget(contact)
  self.cache:remove(contact)
end

---Notes when customers wrote.
---@param events table[] that the store has accepted, without duplicates
function conversations_methods:note_inbound(events)
  for _, event in ipairs(events) do
    local known = event.inbound_at and self.cache:get(event.contact)
    if known then
      known.last_inbound = math.max(known.last_inbound or 0, event.inbound_at)
      known.number, known.user_id = event.number or known.number, event.user_id or known.user_id
      known.name, known.username = event.name or known.name, event.username or known.username
    end
  end
end

return conversations
