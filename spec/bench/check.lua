-- SPDX-License-Identifier: MIT
-- Before anything is timed: does each program of the group "pipeline" do what it is timed for? Each event gets its 200 and
-- exactly one message, to whom it came from and with its text; and one that is said to store events has them all in its
-- database when it is killed at the moment of the last 200.
local sql = require "spec.support.sql"

local check = {}

local EVENTS = 500

local function must(name, what, found, wanted)
  if found ~= wanted then
    error(("%s: %s is %s and must be %d"):format(name, what, found, wanted), 0)
  end
end

---@param one bench.one
---@param durable? bench.durable
---@param run fun(one: bench.one, drive: string): table, string runs it by drive, in a new folder: figures, and the folder
function check.program(one, durable, run)
  local name = one[1]
  local found = run(one, ("check events=%d"):format(EVENTS))
  must(name, "the number of events that were answered with 200", found.accepted, EVENTS)
  must(name, "the number of events with exactly one message", found.once, EVENTS)
  must(name, "the number of messages to somebody else or with another text", found.wrong, 0)
  local stored = "stores nothing"
  if durable then
    local killed, folder = run(one, ("check kill=1 events=%d"):format(EVENTS))
    must(name, "the number of events that were answered with 200 until it was killed", killed.accepted, EVENTS)
    local db = sql.open(folder .. "/" .. durable[1])
    must(name, "the number of events in its database after that", db:value(durable[2]), EVENTS)
    db:close()
    stored = "all in its database when killed at the last 200"
  end
  print(("check    %-16s %d events, a message of %g bytes for each; %s"):format(name, EVENTS, found.most_bytes, stored))
end

return check
