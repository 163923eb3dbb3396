-- SPDX-License-Identifier: MIT
-- Keys of accepted events, of which the database has a digest in two halves: the first is the row's key, and may be shared.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local sql = require "spec.support.sql"

describe("events whose keys have the first half of their digest in common", function()
  it("are both accepted", function()
    local db = assert(database.open())
    db:close()
    local hash, rest = core.hash_halves "m:1:x"
    sql.rows(db.path, "INSERT INTO seen (hash, rest, day) VALUES (?, ?, ?)", hash, rest + 1, 1700000000 // 86400)
    db:reopen()
    assert.is_true(db:accepted({ key = "m:1:x" }).is_fresh)
    assert.is_false(db:accepted({ key = "m:1:x" }).is_fresh)
    db:close()
  end)
end)
