-- SPDX-License-Identifier: MIT
-- Engines of dialogs that are broken on purpose: what a test of dialogs must notice.

local inside = require("cunnekt.service").of
local task = require "cunnekt.base.task"
local turns = require "cunnekt.store.turns"

local breakage = {}

local parts_of_change = { "states", "watches", "pauses", "jobs", "values", "sends", "cuts", "ends", "kept", "taken", "own_events" }

---For lives.new: puts something in the place of the store's commit in each life.
---@param commit fun(self: table, change: table)
---@return fun(all: table) prepare
function breakage.with_commit(commit)
  return function(all)
    local define = all.define
    all.define = function(bot)
      inside(bot).store.commit = commit
      define(bot)
    end
  end
end

---A commit that writes no journal.
function breakage.no_journal(self, change)
  if change.run then
    change.run.pending = {}
  end
  return turns.commit(self, change)
end

---A commit that writes the journal after the messages and the event's end.
---@return fun(self: table, change: table) commit
---@return fun(): fun()[] take takes out what goes on with each of those that are between the two; dropped by a kill
function breakage.late_journal()
  local held = {}
  local function commit(self, change)
    local its_run = change.run
    if not its_run then
      return turns.commit(self, change)
    end
    change.run = nil
    local ok, err = turns.commit(self, change)
    if ok then
      task.await(function(done)
        held[#held + 1] = done -- and here the power may go
      end)
      local late = { run = its_run }
      for _, name in ipairs(parts_of_change) do
        late[name] = {}
      end
      ok, err = turns.commit(self, late)
    end
    change.run = its_run
    return ok, err
  end
  return commit, function()
    local waiting = held
    held = {}
    return waiting
  end
end

return breakage
