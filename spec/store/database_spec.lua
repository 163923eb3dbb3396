-- SPDX-License-Identifier: MIT
-- A database of the store as a thing on the disk: opened, locked, killed, backed up, full.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"
local recorder = require "recorder"

describe("a database", function()
  it("in memory works alike", function()
    local db = assert(database.open { path = ":memory:" })
    local other = assert(database.open { path = ":memory:" })
    db:run { { "CREATE TABLE item (n UNIQUE)" }, { "INSERT INTO item VALUES (1)" } }
    assert.is_nil(db:run { { "INSERT INTO item VALUES (2)" }, { "INSERT INTO item VALUES (1)" } })
    assert.equal(1, db:value "SELECT count(*) FROM item")
    assert.is_nil(other:run { { "SELECT * FROM item" } })
    db:close()
    other:close()
  end)

  it("cannot be opened twice, and the refusal names the owner", function()
    local db = assert(database.open())
    local second, message = core.store_open(db.path)
    assert.is_nil(second)
    assert.match("spec%.db is open already in this process", message)
    local script = [[print(select(2, require("cunnekt.core").store_open(arg[1])))]]
    local result = process.run { process.lua, process.write(db.path .. ".lua", script), db.path }
    assert.match("the store spec%.db is in use by process %d+", result.out)
    os.execute(("ln -s %s %s.link"):format(db.path, db.path))
    assert.match("is open already", select(2, core.store_open(db.path .. ".link")))
    db:reopen()
    db:close()
  end)

  it("says why it cannot be opened", function()
    local folder = process.folder()
    local function refusal(path)
      return select(2, core.store_open(path))
    end
    assert.match("No such file", refusal(folder.path .. "/none/spec.db"))
    process.write(folder.path .. "/garbage.db", ("not a database "):rep(1000))
    assert.match("garbage%.db: file is not a database", refusal(folder.path .. "/garbage.db"))
    os.execute("mkdir " .. folder.path .. "/folder.db")
    assert.match("cannot open the store", refusal(folder.path .. "/folder.db"))
    assert.match("no such vfs", select(2, core.store_open(folder.path .. "/x.db", { vfs = "none" })))
  end)

  it("is readable by its owner only", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (n)" } }
    local modes = process.run({ "sh", "-c", "stat -c %a " .. db.path .. "*" }).out
    assert.equal("600\n600\n600\n600\n", modes)
    db:close()
  end)

  it("holds what was acknowledged when the process is killed", function()
    local folder = process.folder()
    local path = folder.path .. "/spec.db"
    local script = process.write(folder.path .. "/writer.lua", [[
      local core = require "cunnekt.core"
      local store = assert(core.store_open(arg[1]))
      io.stdout:setvbuf "line"
      store:run({ { "CREATE TABLE IF NOT EXISTS item (n INTEGER PRIMARY KEY, body BLOB)" } }, function() end)
      local n = 0
      local function add()
        n = n + 1
        local mine = n
        store:run({ { "INSERT INTO item VALUES (?, ?)", mine, ("x"):rep(mine % 3000) } }, function(ok)
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
      local kept = {}
      for _, row in ipairs((db:run { { "SELECT n, length(body) FROM item", want = "rows", max_rows = 1000000 } })[1]) do
        kept[row[1]] = row[2]
      end
      for line in out:gmatch "(%d+)\n" do
        assert.equal(tonumber(line) % 3000, kept[tonumber(line)])
      end
      assert.equal("ok", db:value "PRAGMA integrity_check")
      db:close()
    end
  end)

  it("keeps its log short, and goes on while somebody else reads", function()
    local db = assert(database.open { wal_pages = 20 })
    db:run { { "CREATE TABLE item (n INTEGER PRIMARY KEY, body BLOB)" } }
    -- Each row is a page of the log; twenty of them are a batch.
    local function add(count)
      for _ = 20, count, 20 do
        for _ = 2, 20 do
          db.store:run({ { "INSERT INTO item (body) VALUES (zeroblob(3000))" } }, function(ok)
            assert(ok)
          end)
        end
        assert(db:run { { "INSERT INTO item (body) VALUES (zeroblob(3000))" } })
      end
      return db.store:stats().wal_bytes // 4096
    end
    assert.is_true(add(2000) < 1000)
    local reader = recorder.reader(db.path)
    assert.is_true(add(2000) > 2000, "nothing was held by the reader")
    reader:close()
    assert.is_true(add(500) < 1000)
    assert.equal(4500, db:value "SELECT count(*) FROM item")
    db:close()
  end)

  it("is backed up while it is written to, as one consistent whole", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (n INTEGER PRIMARY KEY, body BLOB)" }, { "CREATE TABLE total (n INTEGER)" } }
    db:run { { "INSERT INTO total VALUES (0)" } }
    local running, n = true, 0
    local body = ("x"):rep(20000)
    local function add()
      n = n + 1
      db.store:run({ { "INSERT INTO item VALUES (?, ?)", n, body }, { "UPDATE total SET n = n + 1" } }, function(ok)
        assert(ok)
        if running then
          add()
        end
      end)
    end
    for _ = 1, 100 do
      add()
    end
    while n < 1000 do
      core.step(true)
    end
    local note, wait = database.waiter()
    local before = n
    assert(db.store:backup(db.path .. ".copy", note))
    assert.is_nil((db.store:backup(db.path .. ".other", print)))
    assert.is_true(wait())
    running = false
    assert.is_true(n > before, "nothing was written meanwhile")
    db:close()
    local copy = assert(database.open { path = db.path .. ".copy" })
    assert.equal("ok", copy:value "PRAGMA integrity_check")
    assert.equal(copy:value "SELECT n FROM total", copy:value "SELECT count(*) FROM item")
    assert.is_true(copy:value "SELECT count(*) FROM item" >= before - 100)
    copy:close()
    assert.equal("", process.run({ "sh", "-c", "ls " .. db.path .. "*.part" }).out)
  end)

  it("is not backed up over a store that is in use, nor into nowhere", function()
    local db, other = assert(database.open()), assert(database.open())
    for _, path in ipairs { db.path, other.path, db.path .. "/none/copy.db" } do
      local note, wait = database.waiter()
      assert(db.store:backup(path, note))
      local ok, message = wait()
      assert.is_nil(ok)
      assert.match("cannot back up to", message)
    end
    db:close()
    other:close()
  end)

  it("gives up a backup when it closes", function()
    local db = assert(database.open())
    db:run { { "CREATE TABLE item (body BLOB)" } }
    for _ = 1, 50 do
      db:run { { "INSERT INTO item VALUES (zeroblob(1000000))" } }
    end
    local outcome
    db.store:backup(db.path .. ".copy", function(...)
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
    db:run { { "CREATE TABLE item (n INTEGER PRIMARY KEY, body BLOB)" } }
    os.execute(("head -c 2500000 /dev/zero > %s/ballast"):format(folder.path))
    local kept, failure = 0, nil
    for n = 1, 1000 do
      local ok, message, code = db:run { { "INSERT INTO item VALUES (?, zeroblob(20000))", n } }
      if not ok then
        failure = { message, code }
        break
      end
      kept = n
    end
    assert.is_true(kept > 0)
    assert.same({ "database or disk is full", "full" }, failure)
    assert.is_false(db.store:is_writable())
    assert.equal(kept, db:value "SELECT count(*) FROM item")
    os.remove(folder.path .. "/ballast")
    process.wait_until("the store to recover", function()
      return db.store:is_writable()
    end)
    assert.is_true(db:run { { "INSERT INTO item VALUES (?, zeroblob(20000))", kept + 1 } })
    db:reopen()
    assert.equal(kept + 1, db:value "SELECT max(n) FROM item")
    assert.equal("ok", db:value "PRAGMA integrity_check")
    db:close()
  end)
end)
