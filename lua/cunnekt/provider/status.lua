-- SPDX-License-Identifier: MIT
-- The names of all states that a message can be in, and how far each is. The names are public (scripts, the command line)
-- and persisted (stored events), and so are the numbers (the store's tables): neither changes without a migration.
--
--   queued → sending → accepted → sent → delivered → read → played
--
-- On the way a message may become unknown (its delivery is uncertain), rejected, failed, expired or dropped.

local core = require "cunnekt.core"

local status = {}

---What the provider reports in webhooks.
status.reported = { "sent", "delivered", "read", "played", "failed" }

---What it reports of a text that arrives and is read.
status.usual = { "sent", "delivered", "read" }

---What a script or a dialog can wait for.
status.awaitable = { "accepted", "sent", "delivered", "read" }

---The states of a message in the outbox.
status.in_outbox = { "queued", "sending", "unknown", "rejected", "failed", "expired" }

---Those of them that stay until an operator retries or drops the message.
status.dead_letters = { "unknown", "rejected", "failed" }

---Everything that `cunnekt outbox` can show.
status.shown = { "queued", "sending", "unknown", "rejected", "failed", "expired", "accepted", "sent", "delivered", "read", "played" }

---Events of our own that a script can hear: the outcome of a send, and a service window that ends soon.
status.own_events = { "accepted", "rejected", "unknown_outcome", "expired", "window_closing" }

---The states in the outbox, as the store has them.
status.outbox_numbers = { queued = 0, sending = 1, unknown = 2, rejected = 3, failed = 4, expired = 5 }

---How far an accepted message is, as the store has it. A message only moves up, whatever order its statuses
---come in, and a failure that the provider reports stands above all.
status.ranks = core.status_ranks() ---@type table<string, integer>

local ranks = status.ranks

---The same from the beginning, for the handles that scripts hold.
status.progress = { queued = -3, sending = -2, unknown = -1 }
for name, rank in pairs(ranks) do
  status.progress[name] = rank
end

---A list of names as a set.
---@param names string[]
---@return table<string, true>
function status.set(names)
  local set = {}
  for _, name in ipairs(names) do
    set[name] = true
  end
  return set
end

local is_dead_letter = status.set(status.dead_letters)

---The states that no status changes any more, as a set.
status.final = status.set { "rejected", "failed", "expired", "dropped" }
local is_final = status.final

---Whether a state is one of `status.dead_letters`.
---@param state string
---@return boolean
function status.is_dead_letter(state)
  return is_dead_letter[state] == true
end

---Whether it is no use to wait for the message: it will not arrive, or nobody will hear that it has.
---@param state string
---@return boolean
function status.has_failed(state)
  return is_final[state] == true or state == "unknown"
end

---Whether a message is at least so far.
---@param state string
---@param wanted string one of `status.awaitable`
---@return boolean
function status.has_reached(state, wanted)
  return not is_final[state] and ranks[state] ~= nil and ranks[state] >= ranks[wanted]
end

---The state that a rank stands for.
---@param rank integer
---@return string
function status.state_of_rank(rank)
  for state, number in pairs(ranks) do
    if number == rank then
      return state
    end
  end
  return "accepted"
end

---The rank that a status gives to its message.
---@param event table of kind "status"
---@return integer? rank nil for a status that advances no message
---@return string? why the provider's reason, for a failure
function status.rank_of(event)
  local rank = ranks[event.status]
  if rank ~= ranks.failed then
    return rank
  end
  local title, code = status.reason(event)
  return rank, code and ("%s (code %s)"):format(title, code) or title
end

---Of several statuses, the one that is furthest.
---@param statuses { status: string }[]
---@return string? name nil when none is known
function status.furthest(statuses)
  local best
  for _, one in ipairs(statuses) do
    local rank = ranks[one.status]
    if rank and (not best or rank > ranks[best]) then
      best = one.status
    end
  end
  return best
end

---Why the provider reports a failure.
---@param event table a status "failed"
---@return string title
---@return integer? code
function status.reason(event)
  local first = event.errors and event.errors[1] or {}
  return tostring(first.title or first.message or "the provider reports a failure"), first.code
end

return status
