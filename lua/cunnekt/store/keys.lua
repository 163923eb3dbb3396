-- SPDX-License-Identifier: MIT
-- How the store writes what has a name: the states of a message as numbers, and long random names by a digest whose
-- first half is an integer key.

local clock = require "cunnekt.clock"
local core = require "cunnekt.core"

local keys = {}

---Two halves of a digest: one is the key of a table, the other tells real duplicates from equal keys.
---@param name string
---@return integer hash
---@return integer rest
function keys.halves(name)
  return string.unpack("<i8i8", core.sha256():update(name):digest())
end

---The number of this day, by which old rows are cleared away.
---@return integer
function keys.today()
  return math.floor(clock.now() / 86400)
end

---The states of a message in the outbox. Up to `sending` it is on its way; the rest stay until someone retries or drops
---them.
keys.message_states = { queued = 0, sending = 1, unknown = 2, rejected = 3, failed = 4 }

return keys
