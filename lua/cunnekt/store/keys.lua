-- SPDX-License-Identifier: MIT
-- How the store writes what has a name: the states of a message as numbers, and long random names by a digest whose
-- first half is an integer key.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local status_names = require "cunnekt.provider.status"
local units = require "cunnekt.time.units"

local keys = {}

---Two halves of a digest: one is the key of a table, the other tells real duplicates from equal keys.
---@param name string
---@return integer hash
---@return integer rest
function keys.halves(name)
  return string.unpack("<i8i8", core.sha256_of(name))
end

---The number of this day, by which old rows are cleared away.
---@return integer
function keys.today()
  return math.floor(clock.now() / units.day)
end

---The states of a message in the outbox. Up to `sending` it is on its way; the rest stay until someone retries or drops
---them.
keys.message_states = status_names.outbox_numbers

-- How far a message has come that was accepted; a failure ends it, whatever came before.
local ranks = status_names.ranks

---@type table<string, integer> the states of a message that was accepted
keys.ranks = ranks

---The state that a rank stands for.
---@param rank integer
---@return string
function keys.state_of_rank(rank)
  for state, number in pairs(ranks) do
    if number == rank then
      return state
    end
  end
  return "accepted"
end

---What a status says of its message, for the store.
---@param status table an event of kind "status"
---@return integer? rank nil when it is none that moves a message on
---@return string? why the provider's reason, when it failed
function keys.rank_of(status)
  local rank = ranks[status.status]
  if rank ~= ranks.failed then
    return rank
  end
  local title, code = status_names.reason(status)
  return rank, code and ("%s (code %s)"):format(title, code) or title
end

return keys
