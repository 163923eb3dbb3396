-- SPDX-License-Identifier: MIT
-- What a start asks of dialogs and conversations concerns few of them, and must not read all: with a million open dialogs it took half
-- a second.

local process = require "spec.support.process"
local sql = require "spec.support.sql"
local store = require "cunnekt.store"

-- The index along which each question goes.
local indexes = {
  due_dialogs = "dialog_due",
  closing_windows = "conversation_watch",
  sent_waits = "dialog_sent",
  expired_signals = "kept_event_signal",
  awaited_signals = "kept_event_signal",
}

describe("the plan of", function()
  local folder, database

  setup(function()
    folder = process.folder()
    store.open("sqlite:" .. folder.path .. "/plans.db"):close()
    database = sql.open(folder.path .. "/plans.db")
  end)

  teardown(function()
    database:close()
  end)

  for name, index in pairs(indexes) do
    it(name .. " goes along an index", function()
      local texts = "\n" .. assert(process.read "src/store/sql/reads.sql")
      local text = assert(texts:match("\n%-%- name: " .. name .. "\n(.-;)"), "no such question"):gsub("%-%-[^\n]*", "")
      local words = {}
      for _, row in ipairs(database:rows("EXPLAIN QUERY PLAN " .. text)) do
        words[#words + 1] = row[4]
      end
      local plan = table.concat(words, "\n")
      assert.matches("INDEX " .. index, plan, 1, true)
      assert.is_nil(plan:match "SCAN dialog" or plan:match "rowid", plan)
    end)
  end
end)
