-- SPDX-License-Identifier: MIT
-- Which files a store may be. Another program's database used to get our tables.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"
local recorder = require "recorder"
local schema = require "cunnekt.store.schema"
local store = require "cunnekt.store"

describe("a file that is to be a store", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/bot.db"
  end)

  local function query(sql, other)
    return assert(recorder.query(other or path, sql))
  end

  -- The names and digests of all that is in the folder.
  local function contents()
    return process.run({ "sh", "-c", "cd " .. folder.path .. " && sha256sum *" }).out
  end

  -- Makes a database with plain SQLite.
  local function make(...)
    io.open(path, "a"):close()
    for _, sql in ipairs { ... } do
      query(sql)
    end
  end

  local function refusal()
    local before = contents()
    local opened, err = store.open("sqlite:" .. path)
    assert.is_nil(opened)
    assert.equal("store", err.kind)
    assert.equal(before, contents())
    opened, err = store.open_read_only("sqlite:" .. path)
    assert.is_nil(opened)
    assert.equal("store", err.kind)
    assert.equal(before, contents())
    return err.message
  end

  local function open_and_close()
    local opened = assert(store.open("sqlite:" .. path))
    opened:close()
  end

  it("is new when it is empty or not there, and is marked as ours", function()
    open_and_close()
    assert.same({ { 0x63756e6b } }, query "PRAGMA application_id")
    os.execute("rm " .. path .. "*")
    process.write(path, "")
    open_and_close()
    assert.same({ { 0x63756e6b } }, query "PRAGMA application_id")
    assert.same({ { schema.version } }, query "PRAGMA user_version")
    open_and_close()
  end)

  it("is marked when it is one of ours from before the mark, with all that is in it", function()
    for version = 1, schema.version do
      os.execute("rm -f " .. path .. "*")
      for i = 1, version do
        make(table.unpack(schema.migrations[i]))
      end
      make("INSERT INTO value VALUES ('a', 'b')", "PRAGMA user_version = " .. version)
      open_and_close()
      assert.same({ { 0x63756e6b } }, query "PRAGMA application_id")
      assert.same({ { schema.version } }, query "PRAGMA user_version")
      assert.same({ { "a", "b" } }, query "SELECT * FROM value")
    end
  end)

  it("is refused, and stays as it is, when it is another program's database", function()
    local foreign = "the store " .. path .. " is another program's database: choose another file with --store or CUNNEKT_STORE"
    make("CREATE TABLE song (title)", "INSERT INTO song VALUES ('x')")
    assert.equal(foreign, refusal())
    make "PRAGMA user_version = 2"
    assert.equal(foreign, refusal())
    make "PRAGMA application_id = 7"
    assert.equal(foreign, refusal())
    os.execute("rm " .. path)
    make("PRAGMA application_id = 7", "PRAGMA user_version = 2")
    assert.equal(foreign, refusal())
    os.execute("rm " .. path)
    make "PRAGMA user_version = 2"
    assert.equal(foreign, refusal())
    os.execute("rm " .. path)
    make("PRAGMA user_version = 2", "CREATE TABLE event (seq)")
    assert.equal(foreign, refusal())
  end)

  it("is refused when only its log says that it is another program's", function()
    process.run({
      "sqlite3", path, "PRAGMA journal_mode=WAL", ".dbconfig no_ckpt_on_close on", "CREATE TABLE song (title)",
    })
    assert.is_true(core.stat(path .. "-wal").size > 0)
    os.execute("rm -f " .. path .. "-shm")
    local message = refusal()
    assert.matches("is another program's database", message)
  end)

  it("is known by its log when the first start was killed", function()
    local script = process.write(folder.path .. "/script.lua", [[
      require("cunnekt.base.task").spawn(function()
        assert(require("cunnekt.store").open("sqlite:" .. arg[1]))
        os.execute("kill -9 " .. require("cunnekt.core").pid())
      end)
      while require("cunnekt.core").step(true) do end
    ]])
    process.run { process.lua, script, path }
    assert.is_true(core.stat(path .. "-wal").size > 0)
    assert.equal(0, core.store_peek(path).application_id - schema.application_id)
    open_and_close()
    assert.same({ { schema.version } }, query "PRAGMA user_version")
  end)

  it("is refused, and stays as it is, when it is no database", function()
    for _, content in ipairs { "x", ("no database"):rep(1000), "SQLite format 3\0", ("\0"):rep(4096) } do
      process.write(path, content)
      assert.equal(
        "cannot open the store " .. path .. ": it is not an SQLite database; choose another file with --store or CUNNEKT_STORE, "
          .. "or move it away", refusal())
    end
    os.remove(path)
    os.execute("mkdir " .. path)
    assert.matches("it is not a regular file", select(2, core.store_peek(path)))
  end)

  it("is refused when its log is there and it is not", function()
    process.write(path .. "-wal", "the log of a database")
    assert.matches("its log is there .* and the database is not", refusal())
    process.write(path, "")
    assert.matches("its log is there .* and the database is not", refusal())
  end)

  it("is refused with a sentence when its version is impossible", function()
    open_and_close()
    make "PRAGMA user_version = -3"
    assert.matches("is of version %-3, which there never was: %S+bot%.db is damaged", refusal())
    make "PRAGMA user_version = 0"
    assert.matches("has tables and no version: %S+bot%.db is damaged", refusal())
    make "PRAGMA user_version = 9"
    assert.matches("is of version 9, and this program knows only " .. schema.version .. ": the program is too old", refusal())
    make("PRAGMA user_version = " .. schema.version)
    open_and_close()
  end)

  it("is read without a trace, with what is in its log", function()
    local db = assert(database.open { path = path })
    assert(db:run { { "CREATE TABLE item (n)" }, { "INSERT INTO item VALUES (1)" } })
    local copy = folder.path .. "/copy ?#%41.db"
    for _, suffix in ipairs { "", "-wal" } do
      os.execute(("cp %s%s '%s%s'"):format(path, suffix, copy, suffix))
    end
    db:close()
    os.execute(("rm -f %s*"):format(path))
    local before = contents()
    local reader = assert(database.open { path = copy, read_only = true })
    assert.equal(1, reader:value "SELECT n FROM item")
    assert.is_nil((reader:run { { "INSERT INTO item VALUES (2)" } }))
    reader:close()
    assert.equal(before, contents())
    os.remove(copy .. "-wal")
    before = contents()
    reader = assert(database.open { path = copy, read_only = true })
    assert.equal(0, reader:value "SELECT count(*) FROM sqlite_schema")
    reader:close()
    assert.equal(before, contents())
  end)
end)
