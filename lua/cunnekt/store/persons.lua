-- SPDX-License-Identifier: MIT
-- What memory knows of persons: which conversation an id belongs to. The store decides that when it accepts an event; here it is
-- asked for, and remembered.

local cache = require "cunnekt.base.cache"

local persons = {}

local persons_methods = {}
local persons_mt = { __index = persons_methods, __name = "cunnekt.store.persons" }

-- Ids whose conversation is remembered.
local max_aliases = 10000

---@class cunnekt.store.persons
---@field has_aliases boolean? whether any person has several ids; nil: not known yet
---@param store cunnekt.open_store
---@param conversations cunnekt.store.conversations
---@return cunnekt.store.persons
function persons.new(store, conversations)
  return setmetatable({ _store = store, _conversations = conversations, _aliases = cache.new(max_aliases), has_aliases = nil }, persons_mt)
end

---Whether any person has several ids. Waits when it is asked for the first time; raises when the store cannot be read.
---@return boolean
function persons_methods:have_aliases()
  if self.has_aliases == nil then
    self.has_aliases = self._store:read("any_alias")[1].is_any == 1
  end
  return self.has_aliases
end

---The conversation that an id belongs to. Waits only where any person has several ids; raises when the store cannot be read.
---@param key string an id in the form of a key
---@return string contact the key of its conversation: the id's own when no other is known
function persons_methods:conversation_of(key)
  if not self:have_aliases() then
    return key
  end
  local known = self._aliases:get(key)
  if not known then
    local row, aliases = self._store:read("conversation_of", { id = key })[1], self._aliases
    known = row and row.contact or key
    aliases:put(key, known)
  end
  return known
end

---Whether an id is one that the person of a conversation has, and has not left. Waits; raises when the store cannot be read.
---@param contact string
---@param key string an id in the form of a key
---@return boolean
function persons_methods:has_id(contact, key)
  local row = self._store:read("conversation_of", { id = key })[1]
  return row ~= nil and row.contact == contact and row.is_left == 0
end

---Notes where the store has put these events: an id that a person had left may be somebody else's now.
---@param events cunnekt.inbox.record[] not yet put there
function persons_methods:note_places(events)
  for _, event in ipairs(events) do
    self._aliases:put(event.contact, event.conversation or event.contact)
  end
end

---Notes which conversations were joined when these events were accepted.
---@param events cunnekt.inbox.record[]
function persons_methods:note_joins(events)
  for _, event in ipairs(events) do
    for _, other in ipairs(event.others or {}) do
      self.has_aliases = true
      if other.joined then
        self._conversations:forget(other.joined)
        self._conversations:forget(event.conversation or event.contact)
      end
    end
  end
  self._aliases = cache.new(max_aliases)
end

---Forgets what memory has of a conversation, whose person was deleted.
---@param contact string
function persons_methods:forget(contact)
  self._conversations:forget(contact)
  self._aliases = cache.new(max_aliases)
end

return persons
