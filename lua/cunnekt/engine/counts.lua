-- SPDX-License-Identifier: MIT
-- Counters of a bot since its start: a plain table of numbers, which inbox, outbox and failure increment themselves.
-- Gauges are not here; operate/monitor.lua computes those and prints both as metrics.

local counts = {}

---Each name and its help text.
---@type string[][]
counts.known = {
  { "events_accepted", "events that were stored" },
  { "events_deduplicated", "events that were duplicates" },
  { "events_finished", "events whose turn was committed" },
  { "events_failed", "turns that failed" },
  { "events_dead", "events that became dead letters after their last attempt" },
  { "messages_queued", "messages that joined the outbox" },
  { "messages_accepted", "messages that the provider accepted" },
  { "messages_rejected", "messages that the provider rejected" },
  { "messages_unknown", "messages held because their delivery is uncertain" },
  { "messages_failed", "messages that failed because their delivery is uncertain" },
  { "messages_expired", "messages that were not sent in time" },
}

---@return table<string, integer> counts all at zero
function counts.new()
  local numbers = {}
  for _, entry in ipairs(counts.known) do
    numbers[entry[1]] = 0
  end
  return numbers
end

return counts
