-- SPDX-License-Identifier: MIT
-- What a bot has done since it was made, as plain numbers that its parts add to: one addition for each event or message.
-- control/monitor.lua shows them.

local counts = {}

---Each name, and what it counts.
---@type string[][]
counts.known = {
  { "events_accepted", "events that were stored" },
  { "events_deduplicated", "events that had been stored before" },
  { "events_finished", "events whose turn was committed" },
  { "events_failed", "turns that failed" },
  { "events_dead", "events that were set aside after their last try" },
  { "messages_queued", "messages that handlers said" },
  { "messages_accepted", "messages that the provider took" },
  { "messages_rejected", "messages that the provider refused" },
  { "messages_unknown", "messages held because nobody knows whether they were taken" },
  { "messages_failed", "messages given up because nobody knows whether they were taken" },
}

---@return table<string, integer> counts all of them, at zero
function counts.new()
  local numbers = {}
  for _, entry in ipairs(counts.known) do
    numbers[entry[1]] = 0
  end
  return numbers
end

return counts
