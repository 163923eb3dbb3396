-- SPDX-License-Identifier: MIT
-- A disk that hangs: no call fails, so the store itself says how long it waits. Here a foreign writer holds the database.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local seam_rig = require "spec.support.rigs.seam_rig"
local sql = require "spec.support.sql"

-- Steps the loop, by real time, until `test` gives something.
local function wait_until(test)
  local timer
  local function look()
    timer = core.real_timer(0.05, look)
  end
  look()
  seam_rig.wait(test)
  timer:close()
end

describe("a disk that does not answer", function()
  it("makes the store unwritable after five seconds, until it answers", function()
    local db = assert(database.open { busy_ms = 60000 })
    local other = sql.open(db.path)
    other:run "BEGIN IMMEDIATE"
    local began, result = core.real_monotonic(), nil
    db.db:commit_turn(database.turn(1), function(ok)
      result = ok
    end)
    wait_until(function()
      return not db.db:is_writable()
    end)
    assert.is_true(core.real_monotonic() - began > 4.9)
    assert.are.same({ false, "the disk has confirmed nothing for more than 5 seconds" }, { db.db:is_writable() })
    assert.is_nil(result)
    other:run "ROLLBACK"
    wait_until(function()
      return result ~= nil and db.db:is_writable()
    end)
    assert.is_true(result)
    other:close()
    database.expect(db, 1)
    db:close()
  end)
end)
