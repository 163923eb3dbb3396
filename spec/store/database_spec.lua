-- SPDX-License-Identifier: MIT
-- A database of the store as a thing on the disk: opened, locked, killed, backed up, full.

local database = require "spec.support.database"
local process = require "spec.support.process"
local recorder = require "recorder"
local seam_rig = require "spec.support.rigs.seam_rig"

describe("a database", function()
  it("in memory is its own", function()
    local db, other = assert(seam_rig.open_at "memory:"), assert(seam_rig.open_at "memory:")
    database.put(db, 1)
    assert.same({ 0, 0 }, { database.count(other) })
    database.expect(db, 1)
    db:close()
    other:close()
  end)

  it("cannot be opened twice, and the refusal names the owner", function()
    local db = assert(database.open())
    local second, message = database.open { path = db.path }
    assert.is_nil(second)
    assert.match("spec%.db is open already in this process", message)
    local script = [[print(select(2, require("cunnekt.core").store_open("sqlite:" .. arg[1])))]]
    local result = process.run { process.lua, process.write(db.path .. ".lua", script), db.path }
    assert.match("the store spec%.db is in use by process %d+", result.out)
    os.execute(("ln -s %s %s.link"):format(db.path, db.path))
    assert.match("is open already", select(2, database.open { path = db.path .. ".link" }))
    db:reopen()
    db:close()
  end)

  it("says why it cannot be opened", function()
    local folder = process.folder()
    local function refusal(path)
      return select(2, database.open { path = path })
    end
    assert.match("No such file", refusal(folder.path .. "/none/spec.db"))
    process.write(folder.path .. "/garbage.db", ("not a database "):rep(1000))
    assert.match("garbage%.db: it is not an SQLite database", refusal(folder.path .. "/garbage.db"))
    os.execute("mkdir " .. folder.path .. "/folder.db")
    assert.match("cannot open the store", refusal(folder.path .. "/folder.db"))
    assert.match("no such vfs", select(2, database.open { path = folder.path .. "/x.db", vfs = "none" }))
  end)

  it("is readable by its owner only", function()
    local db = assert(database.open())
    database.put(db, 1)
    local modes = process.run({ "sh", "-c", "stat -c %a " .. db.path .. "*" }).out
    assert.equal("600\n600\n600\n600\n", modes)
    db:close()
  end)

  it("holds what was acknowledged when the process is killed", function()
    local folder = process.folder()
    local path = folder.path .. "/spec.db"
    local script = process.write(folder.path .. "/writer.lua", [[
      local core = require "cunnekt.core"
      local store = assert(core.store_open("sqlite:" .. arg[1]))
      io.stdout:setvbuf "line"
      local n = 0
      local function add()
        n = n + 1
        local mine = n
        store:commit_turn({ now = n, values = { { key = "v" .. n, value = ("x"):rep(n % 3000) } } }, function(ok)
          assert(ok)
          print(mine)
          add()
        end)
      end
      for _ = 1, 20 do add() end
      while core.step(true) do end
    ]])
    for _ = 1, 5 do
      os.remove(path)
      local writer = process.start { process.lua, script, path }
      process.wait_until("some commits", function()
        return #writer:out() > 10000
      end)
      writer:signal "KILL"
      local out = writer:wait().out
      local db = assert(database.open { path = path })
      for line in out:gmatch "(%d+)\n" do
        assert.equal(tonumber(line) % 3000, #(db:value("v" .. line).value or "none at all"))
      end
      local _, said = next(db:row "check")
      assert.equal("ok", said)
      db:close()
    end
  end)

  it("keeps its log short, and goes on while somebody else reads", function()
    local db, n, answered = assert(database.open { wal_pages = 20 }), 0, 0
    -- Each value is a page of the log at least; twenty of them are a batch.
    local function add(count)
      for _ = 20, count, 20 do
        for _ = 1, 20 do
          n = n + 1
          db:begin("commit_turn", database.turn(n, 3000), function(ok)
            assert(ok)
            answered = answered + 1
          end)
        end
        seam_rig.wait(function()
          return answered == n
        end)
      end
      return db.db:stats().wal_bytes // 4096
    end
    assert.is_true(add(2000) < 1000)
    local reader = recorder.reader(db.path)
    assert.is_true(add(2000) > 2000, "nothing was held by the reader")
    reader:close()
    assert.is_true(add(500) < 1000)
    database.expect(db, 4500)
    db:close()
  end)

  it("is backed up while it is written to, as one consistent whole", function()
    local db = assert(database.open())
    local running, n = true, 0
    local function add()
      n = n + 1
      db:begin("commit_turn", database.turn(n, 20000), function(ok)
        assert(ok)
        if running then
          add()
        end
      end)
    end
    for _ = 1, 100 do
      add()
    end
    seam_rig.wait(function()
      return n >= 1000
    end)
    local before, wait = n, db:back_up(db.path .. ".copy")
    assert.is_nil((db.db:backup(db.path .. ".other", print)))
    assert.is_true(wait())
    running = false
    assert.is_true(n > before, "nothing was written meanwhile")
    db:close()
    local copy = assert(database.open { path = db.path .. ".copy" })
    local count = database.count(copy)
    database.expect(copy, count)
    assert.is_true(count >= before - 100)
    copy:close()
    assert.equal("", process.run({ "sh", "-c", "ls " .. db.path .. "*.part" }).out)
  end)

  it("is not backed up over a store that is in use, nor into nowhere", function()
    local db, other = assert(database.open()), assert(database.open())
    for _, path in ipairs { db.path, other.path, db.path .. "/none/copy.db" } do
      local ok, message = db:back_up(path)()
      assert.is_nil(ok)
      assert.match("cannot back up to", message)
    end
    db:close()
    other:close()
  end)

  it("gives up a backup when it closes", function()
    local db = assert(database.open())
    for n = 1, 50 do
      database.put(db, n, 1000000)
    end
    local outcome
    db.db:backup(db.path .. ".copy", function(...)
      outcome = table.pack(...)
    end)
    db:close()
    assert.equal("closed", outcome[3])
    assert.equal("", process.run({ "sh", "-c", "ls " .. db.path .. ".copy*" }).out)
  end)
end)

describe("a full disk", function()
  local folder, is_mounted

  before_each(function()
    folder = process.folder()
    is_mounted = os.execute(("mount -t tmpfs -o size=4m tmpfs %s 2> /dev/null"):format(folder.path))
  end)

  after_each(function()
    if is_mounted then
      os.execute(("umount %s"):format(folder.path))
    end
  end)

  it("fails what is written, loses nothing else, lets reads pass, and is noticed when it has room again", function()
    if not is_mounted then
      return pending "needs the right to mount a file system"
    end
    local db = assert(database.open { path = folder.path .. "/spec.db" })
    database.put(db, 1, 20000)
    os.execute(("head -c 2500000 /dev/zero > %s/ballast"):format(folder.path))
    local kept, failure = 1, nil
    for n = 2, 1000 do
      local ok, message, code = database.put(db, n, 20000)
      if not ok then
        failure = { message, code }
        break
      end
      kept = n
    end
    assert.is_true(kept > 1)
    assert.same({ "database or disk is full", "full" }, failure)
    assert.is_false(db.db:is_writable())
    assert.same({ kept, kept }, { database.count(db) })
    os.remove(folder.path .. "/ballast")
    process.wait_until("the store to recover", function()
      return db.db:is_writable()
    end)
    assert.is_true(database.put(db, kept + 1, 20000))
    db:reopen()
    database.expect(db, kept + 1)
    db:close()
  end)
end)
