-- SPDX-License-Identifier: MIT
-- The lowest half of the store: jobs of statements on the writer's thread, as core.store_open gives them.

local core = require "cunnekt.core"
local database = require "spec.support.database"

local function rows_of(db, sql, ...)
  local results = assert(db:run { { sql, ..., want = "rows" } })
  return results[1]
end

describe("a job", function()
  local db

  before_each(function()
    db = assert(database.open())
    assert(db:run { { "CREATE TABLE item (id INTEGER PRIMARY KEY, name BLOB UNIQUE, more)" } })
  end)

  after_each(function()
    db:close()
  end)

  it("gives plain true when nothing is asked for", function()
    assert.is_true(db:run { { "INSERT INTO item (name) VALUES (?)", "a" } })
    assert.is_true(db:run {})
  end)

  it("gives for each statement what it asked for, and false for the others", function()
    local results = db:run {
      { "INSERT INTO item (name) VALUES (?)", "a" },
      { "INSERT INTO item (name) VALUES (?), (?)", "b", "c", want = "changes" },
      { "INSERT INTO item (name) VALUES (?)", "d", want = "rowid" },
      { "SELECT id, name FROM item ORDER BY id", want = "rows" },
      { "DELETE FROM item WHERE id > ? RETURNING name", 3, want = "rows" },
    }
    assert.same({ false, 2, 4, { { 1, "a" }, { 2, "b" }, { 3, "c" }, { 4, "d" } }, { { "d" } } }, results)
  end)

  it("carries every kind of value there and back", function()
    local long = ("\0\255x"):rep(1000000)
    local values = { 0, -1, math.maxinteger, math.mininteger, 0.5, -1e300, "", "a\0b", "\255\254", long }
    for _, value in ipairs(values) do
      local back = rows_of(db, "SELECT ?", value)[1][1]
      assert.equal(value, back)
      assert.equal(math.type(value), math.type(back))
    end
    assert.same({ 1, 0 }, { db:value("SELECT ?", true), db:value("SELECT ?", false) })
    assert.same({ { nil, 1, nil, nil, nil } }, rows_of(db, "SELECT ?, 1, ?", nil, core.store_null))
    assert.equal("null", db:value("SELECT typeof(?)", nil))
  end)

  it("keeps strings as bytes, also where they look like text", function()
    assert.equal("blob", db:value("SELECT typeof(?)", "text"))
    db:run { { "INSERT INTO item (name) VALUES (?)", "a\0b" } }
    assert.equal(3, db:value "SELECT length(name) FROM item")
    assert.equal(1, db:value("SELECT count(*) FROM item WHERE name = ?", "a\0b"))
    assert.equal(0, db:value("SELECT count(*) FROM item WHERE name = ?", "a"))
  end)

  it("lets a statement use what an earlier one gave", function()
    local results = db:run {
      { "INSERT INTO item (name) VALUES (?)", "first" },
      { "INSERT INTO item (name, more) VALUES (?, ?)", "second", { ref = 1, "rowid" } },
      { "UPDATE item SET more = 7 WHERE id < 3" },
      { "SELECT name FROM item WHERE id = ?", { ref = 2, "rowid" } },
      { "INSERT INTO item (name, more) VALUES (?, ?)", { ref = 3, "changes" }, { ref = 4, "value" } },
      { "SELECT name, more FROM item WHERE id = 3", want = "rows" },
    }
    assert.same({ false, false, false, false, false, { { 2, "second" } } }, results)
  end)

  it("gives NULL for a reference to nothing", function()
    local results = db:run {
      { "INSERT OR IGNORE INTO item (id, name) VALUES (1, 'x')" },
      { "INSERT OR IGNORE INTO item (id, name) VALUES (1, 'x')" },
      { "SELECT name FROM item WHERE id = 99" },
      { "SELECT ?, ?, ?", { ref = 2, "rowid" }, { ref = 2, "changes" }, { ref = 3, "value" }, want = "rows" },
    }
    assert.same({ { nil, 0, nil } }, results[4])
  end)

  it("runs a statement only if the one before changed a row", function()
    local function see(key)
      return db:run {
        { "INSERT OR IGNORE INTO item (id) VALUES (?)", key, want = "changes" },
        { "INSERT INTO item (name) VALUES (?)", "event " .. key, if_changed = true, want = "rowid" },
        { "UPDATE item SET more = 1 WHERE id = ?", key, if_changed = true, want = "changes" },
      }
    end
    assert.same({ 1, 101, 1 }, see(100))
    assert.same({ 0, false, 0 }, see(100))
    assert.equal(2, db:value "SELECT count(*) FROM item")
  end)

  it("does not take a reading, or another job's change, for a change", function()
    db:run { { "INSERT INTO item (id) VALUES (1)" } }
    local results = db:run {
      { "SELECT 1", want = "changes" },
      { "INSERT INTO item (id) VALUES (2)", if_changed = true, want = "changes" },
    }
    assert.same({ 0, 0 }, results)
  end)

  it("fails as a whole when a statement that must change a row changes none", function()
    local ok, message, code = db:run {
      { "INSERT INTO item (id) VALUES (1)" },
      { "UPDATE item SET more = 1 WHERE id = 9", must_change = true },
    }
    assert.is_nil(ok)
    assert.equal("unchanged", code)
    assert.match("must change", message)
    assert.equal(0, db:value "SELECT count(*) FROM item")
    assert.is_true(db:run { { "INSERT INTO item (id) VALUES (1)", must_change = true } })
  end)

  it("is undone as a whole when a statement fails, and says why", function()
    local ok, message, code = db:run {
      { "INSERT INTO item (id, name) VALUES (1, 'x')" },
      { "INSERT INTO item (id, name) VALUES (2, 'x')" },
    }
    assert.is_nil(ok)
    assert.equal("constraint", code)
    assert.match("UNIQUE", message)
    assert.equal(0, db:value "SELECT count(*) FROM item")
  end)

  it("fails when it gives more rows than it may", function()
    local count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"
    assert.equal(20, #db:run({ { count, 20, want = "rows", max_rows = 20 } })[1])
    local ok, _, code = db:run { { count, 21, want = "rows", max_rows = 20 } }
    assert.is_nil(ok)
    assert.equal("too_many", code)
  end)

  it("may not end the transaction that it shares, reach other files or change how commits are kept", function()
    for _, sql in ipairs {
      "COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT x", "ATTACH ':memory:' AS other", "VACUUM", "PRAGMA journal_mode=DELETE",
      "PRAGMA synchronous=OFF", "PRAGMA wal_checkpoint", "SELECT load_extension('x')", "SELECT 1; SELECT 2", "", "nonsense",
    } do
      local ok, message = db:run { { "INSERT INTO item (name) VALUES (?)", sql }, { sql } }
      assert.is_nil(ok, sql)
      assert.is_string(message)
    end
    assert.equal(0, db:value "SELECT count(*) FROM item")
    assert.equal("wal", db:value "SELECT journal_mode FROM pragma_journal_mode" or "wal")
  end)

  it("refuses misuse at once, naming it", function()
    local function refuses(pattern, job)
      assert.error_matches(function()
        db.store:run(job, print)
      end, pattern)
    end
    refuses("more parameters", { { "SELECT ?", 1, 2 } })
    refuses("more parameters", { { "SELECT '?', \"?\" -- ?\n /* ? */", 1 } })
    refuses("unknown option 'iff_changed'", { { "SELECT 1", iff_changed = true } })
    refuses("cannot be a function", { { "SELECT ?", print } })
    refuses("not an earlier one", { { "SELECT ?", { ref = 1, "rowid" } } })
    refuses("begins with its text", { {} })
    refuses("list of statements", { "SELECT 1" })
    refuses("want must be", { { "SELECT 1", want = "row" } })
    refuses("not a prepared statement", { { 999 } })
    refuses("too large", { { "SELECT ?", ("x"):rep(65 << 20) } })
    assert.is_true(db:run { { "SELECT 1" } })
  end)

  it("takes prepared statements with their options", function()
    local insert = db.store:prepare("INSERT OR IGNORE INTO item (id, name) VALUES (?, ?)", { want = "changes" })
    local follow = db.store:prepare("UPDATE item SET more = ? WHERE id = ?", { if_changed = true, want = "changes" })
    assert.same({ 1, 1 }, db:run { { insert, 1 }, { follow, "x", 1 } })
    assert.same({ 0, 0 }, db:run { { insert, 1, nil }, { follow, "x", 1 } })
    assert.error_matches(function()
      db.store:run({ { insert, 1, 2, 3 } }, print)
    end, "more parameters")
  end)

  it("survives a changed schema with its prepared statements", function()
    local read = db.store:prepare("SELECT * FROM item", { want = "rows" })
    db:run { { "INSERT INTO item (id) VALUES (1)" } }
    assert.equal(0, #(db:run { { read } })[1][1] - 1)
    db:run { { "ALTER TABLE item ADD COLUMN late DEFAULT 5" } }
    assert.equal(5, db:run({ { read } })[1][1][4])
  end)
end)

describe("the writer", function()
  it("commits what waits together, in the order in which it came", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER)" } }
    local delivered, before = {}, db.store:stats()
    for n = 1, 500 do
      db.store:run({ { "INSERT INTO item (n) VALUES (?)", n } }, function(ok)
        assert(ok)
        delivered[#delivered + 1] = n
      end)
    end
    while #delivered < 500 do
      core.step(true)
    end
    for n = 1, 500 do
      assert.equal(n, delivered[n])
    end
    assert.equal(500, db:value "SELECT count(*) FROM item WHERE id = n")
    local after = db.store:stats()
    assert.is_true(after.batches - before.batches < 50, "batches: " .. after.batches - before.batches)
    db:close()
  end)

  it("fails the failing job of a batch alone", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER)" }, { "CREATE TABLE note (n INTEGER)" } }
    local failed, succeeded = {}, 0
    for n = 1, 300 do
      local id = n % 10 == 0 and 1 or n
      db.store:run({ { "INSERT INTO note VALUES (?)", n }, { "INSERT INTO item VALUES (?, ?)", id, n } }, function(ok)
        if ok then
          succeeded = succeeded + 1
        else
          failed[#failed + 1] = n
        end
      end)
    end
    while succeeded + #failed < 300 do
      core.step(true)
    end
    assert.equal(30, #failed)
    for i, n in ipairs(failed) do
      assert.equal(i * 10, n)
    end
    assert.equal(270, db:value "SELECT count(*) FROM item")
    assert.equal(270, db:value "SELECT count(*) FROM note")
    db:close()
  end)

  it("takes a hundred thousand jobs, keeps every one, and its log short", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER, body BLOB)" } }
    local insert = db.store:prepare "INSERT INTO item (n, body) VALUES (?, ?)"
    local body, done, highest_log = ("x"):rep(100), 0, 0
    for n = 1, 100000 do
      assert(db.store:run({ { insert, n, body } }, function(ok)
        assert(ok)
        done = done + 1
        if done % 1000 == 0 then
          highest_log = math.max(highest_log, db.store:stats().wal_bytes)
        end
      end))
      if n % 64 == 0 then
        core.step(false)
      end
    end
    while done < 100000 do
      core.step(true)
    end
    assert.equal(100000, db:value "SELECT count(*) FROM item WHERE id = n")
    assert.is_true(highest_log > 0 and highest_log < 80 << 20, "log: " .. highest_log)
    assert.equal("ok", db:value "PRAGMA integrity_check")
    db:close()
  end)

  it("takes no more than its limit, and goes on when there is room", function()
    local db = assert(database.open { queue_jobs = 10 })
    local done = 0
    local function count()
      done = done + 1
    end
    for _ = 1, 10 do
      assert.is_true(db.store:run({ { "SELECT 1" } }, count))
    end
    local ok, message = db.store:run({ { "SELECT 1" } }, count)
    assert.is_nil(ok)
    assert.match("full", message)
    while done < 10 do
      core.step(true)
    end
    assert.is_true(db.store:run({ { "SELECT 1" } }, count))
    db:close()
    assert.equal(11, done)
  end)

  it("writes and delivers what is queued before it closes", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (n)" } }
    local delivered = 0
    for n = 1, 2000 do
      db.store:run({ { "INSERT INTO item VALUES (?)", n } }, function(ok)
        assert(ok)
        delivered = delivered + 1
      end)
    end
    assert.is_true(db:close())
    assert.equal(2000, delivered)
    assert.error_matches(function()
      db.store:run({}, print)
    end, "closed")
    db.store = assert(core.store_open(db.path))
    assert.equal(2000, db:value "SELECT count(*) FROM item")
    db:close()
  end)

  it("lets a callback run jobs and close the store", function()
    local db = assert(database.open())
    local closed
    db.store:run({ { "CREATE TABLE item (n)" } }, function()
      db.store:run({ { "INSERT INTO item VALUES (1)" } }, function()
        db.store:close(function(ok)
          closed = ok
        end)
      end)
    end)
    while closed == nil do
      core.step(true)
    end
    assert.is_true(closed)
    assert.is_false(core.step(false))
  end)

  it("does not keep the loop alive while nothing is to be done", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (n)" } }
    assert.is_false(core.step(false))
    db:close()
  end)

  it("closes a store that nobody holds, and writes what was queued", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (n)" } }
    db.store:run({ { "INSERT INTO item VALUES (1)" } }, function() end)
    db.store = nil
    collectgarbage()
    collectgarbage()
    while core.step(true) do
    end
    db.store = assert(core.store_open(db.path))
    assert.equal(1, db:value "SELECT count(*) FROM item")
    db:close()
  end)
end)
