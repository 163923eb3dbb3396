-- SPDX-License-Identifier: MIT
-- Engines of dialogs that are broken on purpose: what a test of dialogs must notice.

local inside = require("cunnekt.service").of
local task = require "cunnekt.base.task"

local breakage = {}

---For lives.new: puts something in the place of the store's commit in each life.
---@param commit fun(commit_turn: function, store: table, turn: table)
---@return fun(all: table) prepare
function breakage.with_commit(commit)
  return function(all)
    local define = all.define
    all.define = function(bot)
      local its_store = inside(bot).store
      local commit_turn = its_store.commit_turn
      function its_store.commit_turn(self, turn)
        return commit(commit_turn, self, turn)
      end
      define(bot)
    end
  end
end

---A commit that writes no journal.
function breakage.no_journal(commit_turn, store, turn)
  if turn.run then
    turn.run.steps = {}
  end
  return commit_turn(store, turn)
end

---A commit that writes the journal after the messages and the event's end.
---@return fun(commit_turn: function, store: table, turn: table) commit
---@return fun(): fun()[] take takes out what goes on with each of those that are between the two; dropped by a kill
function breakage.late_journal()
  local held = {}
  local function commit(commit_turn, store, turn)
    local its_run = turn.run
    if not its_run then
      return commit_turn(store, turn)
    end
    turn.run = nil
    local ok, err = commit_turn(store, turn)
    if ok then
      task.await(function(done)
        held[#held + 1] = done -- and here the power may go
      end)
      ok, err = commit_turn(store, { run = its_run })
    end
    turn.run = its_run
    return ok, err
  end
  return commit, function()
    local waiting = held
    held = {}
    return waiting
  end
end

return breakage
