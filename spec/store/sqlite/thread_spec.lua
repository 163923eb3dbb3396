-- SPDX-License-Identifier: MIT
-- The store's thread: calls wait in a queue, are committed together, and are answered in order. What each verb does is in
-- spec/store/conformance.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local seam_rig = require "spec.support.rigs.seam_rig"
local sql = require "spec.support.sql"

local now = seam_rig.now

describe("a call", function()
  local db

  before_each(function()
    db = assert(database.open())
  end)

  after_each(function()
    db:close()
  end)

  it("that is misused is refused at once, and the field is named", function()
    local function refuses(pattern, verb, request)
      assert.error_matches(function()
        db.db[verb](db.db, request, print)
      end, pattern)
    end
    local event, message = { id = 1, contact = "1:2", body = "x" }, { id = 1, contact = "1:2", payload = "x", unknown = "hold" }
    refuses("now", "accept", { now = "today", events = { event } })
    for _, field in ipairs { "contact", "body" } do
      local other = { id = 1, contact = "1:2", body = "x", [field] = {} }
      refuses(field, "accept", { now = now, events = { other } })
      other[field] = nil
      refuses(field, "accept", { now = now, events = { event, other } })
    end
    refuses("id", "accept", { now = now, events = { { id = 1.5, contact = "1:2", body = "x" } } })
    refuses("events", "accept", { now = now, events = 7 })
    refuses("state", "commit_turn", { now = now, messages = { message } })
    message.state = "sent"
    refuses("state", "commit_turn", { now = now, messages = { message } })
    refuses("kind", "commit_turn", { now = now, reads = { { kind = "job", key = "a", version = 1 } } })
    refuses("joined", "commit_turn", { now = now, event = 1, joined = { "a" } })
    refuses("count", "reserve_ids", {})
    assert.has_error(function()
      db.db:accept({ now = now, events = {} })
    end)
    assert.has_error(function()
      db.db:accept(nil, print)
    end)
    assert.is_true(db:accepted().is_fresh)
    assert.equal(1, db:counts().events)
  end)

  it("that fails is told as the owner of the store wants it, who hears when it works again", function()
    local recovered, failure = 0, nil
    db.db:on_failure(function(message, code)
      recovered = recovered + (message and 0 or 1)
      return message and { message = message, code = code }
    end)
    local sent = db:sent()
    db.db:commit_turn({ now = now, messages = { db:message { id = sent.id } } }, function(ok, err, rest)
      failure = { ok, err, rest }
    end)
    seam_rig.wait(function()
      return failure
    end)
    assert.is_nil(failure[1])
    assert.same({ "constraint", "UNIQUE constraint failed: outbox.id" }, { failure[2].code, failure[2].message })
    assert.is_nil(failure[3])
    db:turn {}
    db:turn {}
    assert.equal(1, recovered)
  end)

  it("that is larger than a call may be is refused at once", function()
    assert.has_error(function()
      db.db:commit_turn({ now = now, values = { { key = "a", value = ("x"):rep(65 << 20) } } }, print)
    end)
    assert.are.same({ version = 0 }, db:value "a")
  end)

  it("that gives more than a call may give fails, and those beside it do not", function()
    for i = 1, 2 do
      db:turn { values = { { key = "v" .. i, value = ("x"):rep(40 << 20) } } }
    end
    local answers = {}
    db.db:query("scan_values", { prefix = "v", after = "", limit = 10 }, function(_, _, code)
      answers[1] = code
    end)
    db.db:query("value", { key = "v2" }, function(rows)
      answers[2] = #rows[1].value
    end)
    seam_rig.wait(function()
      return answers[2]
    end)
    assert.are.same({ "too_many", 40 << 20 }, answers)
  end)
end)

describe("the store's thread", function()
  -- Puts values into the queue, without waiting; `see(n, ok, code)` with each answer.
  local function put_all(db, first, last, see)
    for n = first, last do
      db:begin("commit_turn", database.turn(n), function(ok, _, code)
        see(n, ok, code)
      end)
    end
  end

  it("commits what waits together, in the order in which it came", function()
    local db = assert(database.open())
    local delivered, before = {}, db.db:stats()
    put_all(db, 1, 500, function(n, ok)
      assert(ok)
      delivered[#delivered + 1] = n
    end)
    seam_rig.wait(function()
      return #delivered == 500
    end)
    for n = 1, 500 do
      assert.equal(n, delivered[n])
    end
    database.expect(db, 500)
    local after = db.db:stats()
    assert.is_true(after.batches - before.batches < 60, "batches: " .. after.batches - before.batches)
    assert.is_true(after.calls - before.calls >= 500)
    db:close()
  end)

  it("fails the failing call of a batch alone", function()
    local db = assert(database.open())
    local taken, failed, succeeded = db:sent(), {}, 0
    for n = 1, 300 do
      local turn = { now = now, values = { { key = "v" .. n, value = "1" } }, messages = { db:message() } }
      turn.messages[1].id = n % 10 == 0 and taken.id or turn.messages[1].id
      db:begin("commit_turn", turn, function(ok, _, code)
        if ok then
          succeeded = succeeded + 1
        else
          assert(code == "constraint")
          failed[#failed + 1] = n
        end
      end)
    end
    seam_rig.wait(function()
      return succeeded + #failed == 300
    end)
    assert.equal(30, #failed)
    for i, n in ipairs(failed) do
      assert.equal(i * 10, n)
    end
    local counts = db:counts()
    assert.are.same({ 270, 271 }, { counts.values, counts.messages })
    db:close()
  end)

  it("takes a hundred thousand calls, keeps every one, and its log short", function()
    local db = assert(database.open())
    local body, done, highest_log = ("x"):rep(100), 0, 0
    for n = 1, 100000 do
      db:begin("accept", { now = now, events = { { id = n, contact = "1:2", body = body } } }, function(ok)
        assert(ok)
        done = done + 1
        if done % 1000 == 0 then
          highest_log = math.max(highest_log, db.db:stats().wal_bytes)
        end
      end)
      if n % 64 == 0 then
        core.step(false)
      end
    end
    seam_rig.wait(function()
      return done == 100000
    end)
    assert.is_true(highest_log > 0 and highest_log < 80 << 20, "log: " .. highest_log)
    db:close()
    -- In the order of their sequences, as they were called.
    assert.are.same({ { 100000, 0 } }, sql.rows(db.path, [[SELECT count(*), sum(id <> place) FROM
      (SELECT id, row_number() OVER (ORDER BY seq) AS place FROM event)]]))
    assert.equal("ok", sql.value(db.path, "PRAGMA integrity_check"))
  end)

  it("takes no more than its limits, and goes on when there is room", function()
    for _, options in ipairs { { queue_calls = 10 }, { queue_bytes = 10 * 100000 } } do
      local db = assert(database.open(options))
      local taken, done = 0, 0
      local is_taken, message
      repeat
        is_taken, message = db.db:commit_turn(database.turn(taken + 1, 95000), function(ok)
          done = done + (ok and 1 or 0)
        end)
        taken = taken + (is_taken and 1 or 0)
      until not is_taken
      assert.is_true(taken >= 5 and taken <= 11, "taken: " .. taken)
      assert.match("full", message)
      seam_rig.wait(function()
        return done == taken
      end)
      assert.is_true(database.put(db, taken + 1))
      database.expect(db, taken + 1)
      db:close()
    end
  end)

  it("writes and delivers what is queued before it closes", function()
    local db = assert(database.open())
    local delivered = 0
    put_all(db, 1, 2000, function(_, ok)
      assert(ok)
      delivered = delivered + 1
    end)
    local closing = db.db
    assert.is_true(db:close())
    assert.equal(2000, delivered)
    assert.same({ nil, "the store is closed", "closed" }, { closing:commit_turn(database.turn(2001), print) })
    db:reopen()
    database.expect(db, 2000)
    db:close()
  end)

  it("lets a callback run calls and close the store", function()
    local db = assert(database.open())
    local closed
    db.db:commit_turn(database.turn(1), function()
      db.db:commit_turn(database.turn(2), function()
        db.db:close(function(ok)
          closed = ok
        end)
      end)
    end)
    seam_rig.wait(function()
      return closed ~= nil
    end)
    assert.is_true(closed)
    assert.is_false(core.step(false))
  end)

  it("does not keep the loop alive while nothing is to be done", function()
    local db = assert(database.open())
    database.put(db, 1)
    assert.is_false(core.step(false))
    db:close()
  end)

  it("closes a store that nobody holds, and writes what was queued", function()
    local db = assert(database.open())
    db.db:commit_turn(database.turn(1), function() end)
    db.db = nil
    collectgarbage()
    collectgarbage()
    while core.step(true) do
    end
    db:reopen()
    database.expect(db, 1)
    db:close()
  end)
end)
