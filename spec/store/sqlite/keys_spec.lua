-- SPDX-License-Identifier: MIT
-- Digests of accepted events and messages, by which their rows are found: the newest in memory, the others in tables of keys, into
-- which they are folded some with each commit (src/store/sqlite/keys.c). Of each the database has two halves, and the first may be shared.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local seam_rig = require "spec.support.rigs.seam_rig"
local sql = require "spec.support.sql"

local now = seam_rig.now
-- More than are folded at once and the commits in which that is done; so many in a commit.
local MANY, AT_ONCE = 9000, 100

-- Whether events with the keys `first` to `last` are taken: how many.
local function take(db, first, last)
  local taken = 0
  for from = first, last, AT_ONCE do
    local events = {}
    for i = from, math.min(last, from + AT_ONCE - 1) do
      events[#events + 1] = db:event { key = ("m:1:wamid.%d"):format(i), body = "" }
    end
    db:accept { events = events, now = now }
    for _, event in ipairs(events) do
      taken = taken + (event.is_fresh and 1 or 0)
    end
  end
  return taken
end

local function send(db, first, last)
  for from = first, last, AT_ONCE do
    local outcomes, messages = {}, {}
    for i = from, math.min(last, from + AT_ONCE - 1) do
      local message = db:message()
      messages[#messages + 1] = message
      outcomes[#outcomes + 1] = { id = message.id, state = "accepted", message_id = "wamid." .. i, contact = "1:2", rank = 0 }
    end
    db:turn { messages = messages }
    db:settle { outcomes = outcomes, now = now }
  end
end

local function count(path, table)
  return sql.rows(path, "SELECT count(*) FROM " .. table)[1][1]
end

describe("a store in a file", function()
  local db

  before_each(function()
    db = assert(database.open())
  end)

  after_each(function()
    db:close()
  end)

  local function reopen()
    db:close()
    db:reopen()
  end

  it("takes both of two events whose keys have the first half of their digest in common", function()
    db:close()
    local hash, rest = core.hash_halves "m:1:x"
    sql.rows(db.path, "INSERT INTO seen (hash, rest, day) VALUES (?, ?, ?)", hash, rest + 1, now // 86400)
    db:reopen()
    assert.is_true(db:accepted({ key = "m:1:x" }).is_fresh)
    assert.is_false(db:accepted({ key = "m:1:x" }).is_fresh)
    reopen()
    assert.is_false(db:accepted({ key = "m:1:x" }).is_fresh)
  end)

  it("takes no event twice, whether its key is in memory, folded, or read again", function()
    assert.are.equal(MANY, take(db, 1, MANY))
    assert.are.equal(0, take(db, 1, MANY))
    db:close()
    local folded = count(db.path, "seen_key")
    assert.is_true(folded >= 4096 and folded < MANY, folded .. " are folded")
    db:reopen()
    assert.are.equal(0, take(db, 1, MANY))
    assert.are.equal(50, take(db, MANY - 49, MANY + 50))
  end)

  it("finds each accepted message by its id, wherever its key is", function()
    send(db, 1, MANY)
    for _ = 1, 2 do
      for i = 1, MANY, 71 do
        local id = "wamid." .. i
        assert.are.equal(id, db:row("accepted_message", { message_id = id }).message_id)
      end
      reopen()
    end
    for i = 1, MANY, 71 do
      db:note_status { message_id = "wamid." .. i, rank = 3, now = now }
      assert.are.equal(3, db:row("accepted_message", { message_id = "wamid." .. i }).rank)
    end
    assert.is_nil(db:row("accepted_message", { message_id = "wamid.0" }))
  end)

  it("takes an event whose commit was undone, and the others of its batch no second time", function()
    take(db, 1, 1000)
    local first, second = { events = { db:event { key = "m:1:a" } }, now = now }, { events = { db:event { key = "m:1:b" } }, now = now }
    local broken = { now = now, events = { db:event { key = "m:1:c" } }, messages = { db:message(), db:message() } }
    broken.messages[2].id = broken.messages[1].id -- fails after its event was written, and with it the first try of the batch
    local answers = {}
    for verb, request in pairs { first = first, broken = broken, second = second } do
      db:begin(verb == "broken" and "commit_turn" or "accept", request, function(ok)
        answers[verb] = ok or false
      end)
    end
    seam_rig.wait(function()
      return answers.first ~= nil and answers.second ~= nil and answers.broken ~= nil
    end)
    assert.are.same({ first = true, second = true, broken = false }, answers)
    assert.is_true(db:accepted({ key = "m:1:c" }).is_fresh)
    assert.is_false(db:accepted({ key = "m:1:a" }).is_fresh)
    assert.is_false(db:accepted({ key = "m:1:b" }).is_fresh)
    assert.are.equal(0, take(db, 1, 1000))
  end)

  -- As after a move, whose rows come without keys.
  local function add_rows(number)
    db:close()
    local hash, rest = core.hash_halves "m:1:wamid.7"
    local file <close> = sql.open(db.path)
    file:rows([[INSERT INTO seen (hash, rest, day) WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
      SELECT random(), random(), ? FROM number]], number, now // 86400)
    file:rows("INSERT INTO seen (hash, rest, day) VALUES (?, ?, ?)", hash, rest, now // 86400)
    file:close()
    db:reopen()
  end

  it("folds many keys that nobody has folded when it is opened", function()
    add_rows(70000)
    assert.are.equal(9, take(db, 1, 10))
    db:close()
    assert.are.equal(70001, count(db.path, "seen_key"))
    db:reopen()
    assert.are.equal(0, take(db, 1, 10))
  end)

  -- Few keys would find a page each in a large table.
  it("folds more at once where there are many", function()
    add_rows(200000)
    assert.are.equal(5999, take(db, 1, 6000))
    db:close()
    assert.are.equal(200001, count(db.path, "seen_key"))
    db:reopen()
    assert.are.equal(7000, take(db, 1, 13000))
    assert.are.equal(0, take(db, 1, 13000))
    db:close()
    assert.is_true(count(db.path, "seen_key") > 206000)
    db:reopen()
    assert.are.equal(0, take(db, 1, 13000))
  end)

  it("forgets keys of rows that are gone", function()
    local function sweep(day)
      local request = { day = day, before = now - 86400, stage = 0, at = 0 }
      repeat
        db:sweep(request)
      until request.is_done
    end
    take(db, 1, MANY)
    send(db, 1, MANY)
    sweep(now + 86400)
    assert.are.equal(MANY, take(db, 1, MANY))
    sweep(now) -- what was folded meanwhile, and gone
    db:close()
    assert.are.same({ 0, 0, MANY }, { count(db.path, "sent"), count(db.path, "sent_key"), count(db.path, "seen") })
    assert.is_true(count(db.path, "seen_key") <= MANY)
  end)

  -- The control: what is not folded must be read when the store is opened.
  it("would take events twice if it took more for folded than is", function()
    take(db, 1, 100)
    db:close()
    sql.rows(db.path, "INSERT OR REPLACE INTO folded (name, id) VALUES (CAST('seen' AS BLOB), (SELECT max(id) FROM seen))")
    db:reopen()
    assert.are.equal(100, take(db, 1, 100))
  end)
end)
