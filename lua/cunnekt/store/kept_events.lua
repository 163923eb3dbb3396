-- SPDX-License-Identifier: MIT
-- What the store keeps for a conversation beside its events: messages that came while a person has it, and signals for a dialog
-- that will wait for them. Everything here waits, and raises a cunnekt.error of kind store when the store cannot be read.

local kept_events = {}

---The signals of a name that are kept for a conversation, in order.
---@param store cunnekt.open_store
---@param contact string
---@param name string
---@param now number seconds since 1970; expired ones are left out
---@return table[] signals seq, body
function kept_events.signals(store, contact, name, now)
  return store:read("kept_signals", { contact = contact, name = name, now = now })
end

---The signals for which a dialog of their conversation waits by now.
---@param store cunnekt.open_store
---@param now number
---@return table[] signals seq, contact, body; some of them, when there are very many
function kept_events.awaited(store, now)
  return store:read("awaited_signals", { now = now })
end

---The signals whose time is over.
---@param store cunnekt.open_store
---@param now number
---@return table[] signals id, contact, name; some of them, when there are very many
function kept_events.expired(store, now)
  return store:read("expired_signals", { ["until"] = now })
end

---Drops kept events. Waits.
---@param store cunnekt.open_store
---@param ids integer[]
---@return integer[]? dropped
---@return cunnekt.error? err kind store
function kept_events.drop(store, ids)
  return store:repair("drop_kept_event", { ids = ids })
end

---All that is kept for a conversation, in order.
---@param store cunnekt.open_store
---@param contact string
---@return table[] events seq, name (of a signal), body, kept_at, expires
function kept_events.of(store, contact)
  return store:read("kept_events", { contact = contact })
end

return kept_events
