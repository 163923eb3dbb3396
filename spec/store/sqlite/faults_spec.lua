-- SPDX-License-Identifier: MIT
-- The store on a disk that fails: every write and sync point fails once, the power goes at any moment. The judge is plain
-- SQLite on files that the recording file system made; it knows nothing of the store.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local power_loss = require "spec.crash.power_loss"
local process = require "spec.support.process"
local recorder = require "recorder"
local seam_rig = require "spec.support.rigs.seam_rig"

local points = 200

describe("power loss", function()
  local function explain(result, seed, bad)
    return ("seed %d: %d lost, %d corrupt of %d; first: %s"):format(seed, result.lost, result.corrupt, result.images, bad[1])
  end

  local function run(options)
    local bad = {}
    local result = power_loss.run(options, function(message)
      bad[#bad + 1] = message
    end)
    return result, explain(result, options.seed, bad)
  end

  it("loses nothing that was acknowledged", function()
    local result, explanation = run { images = 500, seed = os.time() }
    assert.equal(500, result.images)
    assert.equal(0, result.lost + result.corrupt, explanation)
  end)

  it("loses nothing when syncs of the database fail before", function()
    local result, explanation = run { images = 200, seed = os.time(), failing_syncs = 2 }
    assert.equal(2, result.failed_syncs)
    assert.equal(0, result.lost + result.corrupt, explanation)
  end)

  -- The test must notice what would break the promise.
  it("is noticed when commits are not synced, or the database is not", function()
    for _, control in ipairs { { synchronous = "normal" }, { synchronous = "off" }, { lying = true } } do
      control.images, control.seed = 100, 7
      local result = run(control)
      assert.is_true(result.lost + result.corrupt > 10)
    end
  end)
end)

describe("a failing disk", function()
  local folder

  before_each(function()
    folder = process.folder()
    recorder.begin()
  end)

  after_each(function()
    recorder.faults {}
    recorder.begin()
  end)

  local function open(path)
    local options = { path = path, vfs = "recorder", wal_pages = 10 }
    local db = database.open(options)
    -- A failure while it is opened is said, and can be tried again.
    return db or assert(database.open(options))
  end

  -- Puts a value, again until it succeeds, as its owner would.
  local function insist(db, n, size)
    for _ = 1, 20 do
      local ok, message = database.put(db, n, size)
      if ok then
        return
      end
      assert.is_string(message)
    end
    error "a call failed again and again"
  end

  local function expect_all(path, count)
    assert.same({ { "ok" } }, recorder.query(path, "PRAGMA integrity_check"))
    assert.same({ { count } }, recorder.query(path, "SELECT count(*) FROM value WHERE key > CAST('item' AS BLOB) AND key < CAST('j' AS BLOB)"))
    assert.same({ { tostring(count) } }, recorder.query(path, "SELECT value FROM value WHERE key = CAST('total' AS BLOB)"))
  end

  local function work_with(faults, name)
    local path = ("%s/%s.db"):format(folder.path, name)
    local image = folder.path .. "/image"
    recorder.begin()
    recorder.faults(faults)
    local db = open(path)
    for n = 1, 30 do
      insist(db, n, n * 50)
    end
    -- What was acknowledged is on the disk now, whatever failed on the way.
    os.execute("mkdir " .. image)
    recorder.imager(1):write(recorder.count(), "nothing", 1, image)
    expect_all(("%s/%s.db"):format(image, name), 30)
    process.wait_until("the store to recover", function()
      return db.db:is_writable()
    end)
    local failed, seen = recorder.failed()
    recorder.faults {}
    db:close()
    expect_all(path, 30)
    os.execute(("rm -rf %s %s*"):format(image, path))
    return failed, seen
  end

  for _, kind in ipairs { "write", "sync" } do
    it(("that fails once at any %s says so, and loses nothing"):format(kind), function()
      local all_failed = 0
      for point = 1, points do
        local code = point % 2 == 0 and "full" or "io"
        local failed, seen = work_with({ [kind] = true, after = point, code = code }, kind .. point)
        all_failed = all_failed + failed
        if seen < point then
          break
        end
      end
      assert.is_true(all_failed > 25, "only " .. all_failed .. " points failed")
    end)
  end

  it("for a while is not writable for that while", function()
    local db = open(folder.path .. "/while.db")
    recorder.faults { write = true, after = 1, times = 1000000, code = "full" }
    assert.same({ nil, "database or disk is full", "full" }, { database.put(db, 1) })
    assert.is_false(db.db:is_writable())
    assert.equal(0, db:counts().values)
    process.wait_until("a probe", function()
      return db.db:stats().probes > 0
    end)
    assert.is_false(db.db:is_writable())
    recorder.faults {}
    process.wait_until("the store to recover", function()
      return db.db:is_writable()
    end)
    insist(db, 1)
    db:close()
    assert.is_false(core.step(false))
  end)

  it("keeps the other calls of a batch whole when all of them fail", function()
    -- No checkpoint is under way: the next sync is that of the commit.
    local db = assert(database.open { path = folder.path .. "/batch.db", vfs = "recorder" })
    insist(db, 0)
    recorder.faults { sync = true, after = 1, code = "io" }
    local outcomes = {}
    for n = 1, 50 do
      db.db:commit_turn({ now = n, values = { { key = "v" .. n, value = "1" } } }, function(ok, _, code)
        outcomes[n] = ok or code
      end)
    end
    seam_rig.wait(function()
      return #outcomes == 50
    end)
    for n = 1, 50 do
      local is_there = db:value("v" .. n).value == "1"
      assert.equal(is_there and true or "io", outcomes[n])
    end
    assert.equal("io", outcomes[1])
    db:close()
  end)
end)
