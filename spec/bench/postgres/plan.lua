-- SPDX-License-Identifier: MIT
-- What is measured. `against` is the name of the line that each ratio is to, `field` what of it; by default the group's first line.

local function hosts(mode)
  return {
    { "SQLite", store = "sqlite", mode = mode },
    { "PostgreSQL, 1 host", store = "postgres", mode = mode },
    { "PostgreSQL, 2 hosts", store = "postgres", mode = mode .. " hosts=2" },
    { "PostgreSQL, 4 hosts", store = "postgres", mode = mode .. " hosts=4" },
  }
end

local function group(name, title, field, ones)
  ones.group, ones.title, ones.field = name, title, field
  return ones
end

local plan = {
  group("closed", "Webhook in, message out: 64 events under way", "rate", hosts "pipeline warm=2"),
  group("open", "The same with 512 events under way", "rate", hosts "pipeline warm=2 connections=512 in_flight=512"),
  group("latency", "Webhook in, message out: 500 events a second", "p50_ms", hosts "pipeline warm=2 rate=500"),
  group("verbs", "Calls of the store, 200 under way", "rate", {}),
  group("pending", "Start to the first answer, by events that wait in the store", "first_ms", {}),
  group("seen", "Webhook in, message out: by keys of earlier events in the store", "rate", {}),
}

local verbs = plan[4]
for _, verb in ipairs { "accept, 1 event", "accept, 100 events", "commit_turn: a state and a message", "mark_sending", "settle: accepted" } do
  for _, store in ipairs { "sqlite", "postgres" } do
    local kind = store == "sqlite" and "SQLite" or "PostgreSQL"
    verbs[#verbs + 1] = { ("%s: %s"):format(verb, kind), store = store, verb = verb, against = verb .. ": SQLite" }
  end
end

-- A queue of a million takes more memory than a bot may have by default.
local pending = plan[5]
for _, count in ipairs { 100000, 1000000 } do
  for _, store in ipairs { "sqlite", "postgres" } do
    local name = ("%d: %s"):format(count, store == "sqlite" and "SQLite" or "PostgreSQL")
    pending[#pending + 1] = { name, store = store, mode = "first", pending = count, memory = "4GB", against = ("%d: SQLite"):format(count) }
  end
end
pending.rounds = 1

local seen = plan[6]
for _, store in ipairs { "sqlite", "postgres" } do
  local kind = store == "sqlite" and "SQLite" or "PostgreSQL"
  seen[#seen + 1] = { kind .. ", none", store = store, mode = "pipeline warm=2", against = kind .. ", none" }
  seen[#seen + 1] = { kind .. ", 5,000,000", store = store, mode = "pipeline warm=2", seen = 5000000, against = kind .. ", none" }
end

return plan
