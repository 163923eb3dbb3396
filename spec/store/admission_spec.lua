-- SPDX-License-Identifier: MIT
-- Which files a store may be. Another program's database used to get our tables.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"
local sql = require "spec.support.sql"

local application_id = 0x63756e6b

describe("a file that is to be a store", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/bot.db"
  end)

  local function query(text)
    return sql.rows(path, text)
  end

  -- The names and digests of all that is in the folder.
  local function contents()
    return process.run({ "sh", "-c", "cd " .. folder.path .. " && sha256sum *" }).out
  end

  -- Makes a database with plain SQLite.
  local function make(...)
    sql.run(path, ...)
  end

  local function refusal()
    local before, messages = contents(), {}
    for i, options in ipairs { {}, { read_only = true } } do
      local opened, message = core.store_open("sqlite:" .. path, options)
      assert.is_nil(opened)
      assert.equal(before, contents())
      messages[i] = message
    end
    assert.equal(messages[1], messages[2])
    return messages[1]
  end

  local function open_and_close()
    assert(database.open { path = path }):close()
  end

  it("is new when it is empty or not there, and is marked as ours", function()
    open_and_close()
    assert.same({ { application_id } }, query "PRAGMA application_id")
    os.execute("rm " .. path .. "*")
    process.write(path, "")
    open_and_close()
    assert.same({ { application_id } }, query "PRAGMA application_id")
    assert.same({ { core.store_version } }, query "PRAGMA user_version")
    open_and_close()
  end)

  it("is marked when it is one of ours from before the mark, with all that is in it", function()
    for version = 1, 3 do -- those that there were before the mark
      os.execute("rm -f " .. path .. "*")
      for i = 1, version do
        make(sql.text_of("schema.sql", "version_" .. i))
      end
      make("INSERT INTO value (key, value) VALUES (CAST('a' AS BLOB), CAST('b' AS BLOB))", "PRAGMA user_version = " .. version)
      open_and_close()
      assert.same({ { application_id } }, query "PRAGMA application_id")
      assert.same({ { core.store_version } }, query "PRAGMA user_version")
      assert.same({ { "a", "b" } }, query "SELECT key, value FROM value")
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
      local core = require "cunnekt.core"
      local store = assert(core.store_open("sqlite:" .. arg[1]))
      os.execute("kill -9 " .. core.pid())
    ]])
    process.run { process.lua, script, path }
    assert.is_true(core.stat(path .. "-wal").size > 0)
    open_and_close()
    assert.same({ { core.store_version } }, query "PRAGMA user_version")
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
    assert.matches("it is not a regular file", (select(2, core.store_open("sqlite:" .. path))))
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
    local newer = core.store_version + 1
    make("PRAGMA user_version = " .. newer)
    assert.matches(("is of version %d, and this program knows only %d: the program is too old"):format(newer, core.store_version), refusal())
    make("PRAGMA user_version = " .. core.store_version)
    open_and_close()
  end)

  it("is read without a trace, with what is in its log", function()
    local db = assert(database.open { path = path })
    database.put(db, 1)
    local copy = folder.path .. "/copy ?#%41.db"
    for _, suffix in ipairs { "", "-wal" } do
      os.execute(("cp %s%s '%s%s'"):format(path, suffix, copy, suffix))
    end
    db:close()
    os.execute(("rm -f %s*"):format(path))
    local before = contents()
    local reader = assert(database.open { path = copy, read_only = true })
    assert.equal(core.store_version, reader.db:version())
    database.expect(reader, 1)
    assert.is_nil((database.put(reader, 2)))
    reader:close()
    assert.equal(before, contents())
  end)

  it("is read without a trace also where all of it was in its log, which is gone", function()
    local script = process.write(folder.path .. "/script.lua", [[
      local core = require "cunnekt.core"
      local store = assert(core.store_open("sqlite:" .. arg[1]))
      os.execute("kill -9 " .. core.pid())
    ]])
    process.run { process.lua, script, path }
    os.remove(path .. "-wal")
    os.remove(path .. "-lock")
    local before = contents()
    local reader = assert(database.open { path = path, read_only = true })
    assert.equal(0, reader.db:version())
    reader:close()
    assert.equal(before, contents())
  end)

  it("is not made where it is only to be read", function()
    local reader, message = database.open { path = path, read_only = true }
    if reader then
      assert.equal(0, reader.db:version())
      reader:close()
    else
      assert.is_string(message)
    end
    assert.is_nil(core.stat(path))
  end)
end)
