-- SPDX-License-Identifier: MIT
-- A log beside a database that is not its own. SQLite takes any: the database was damaged at the next start.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"

describe("the log beside a database", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/bot.db"
  end)

  local function sh(command)
    local result = process.run({ "sh", "-c", command }, { cwd = folder.path })
    assert.equal(0, result.code, result.err)
    return result.out
  end

  -- Opens a database, commits so often, and is killed.
  local function kill(name, commits)
    local script = process.write(folder.path .. "/script.lua", [[
      local core = require "cunnekt.core"
      local database = require "spec.support.database"
      local db = assert(database.open { path = arg[1], wal_pages = 20 })
      local first = database.count(db) + 1
      for n = first, first + tonumber(arg[2]) - 1 do
        assert(database.put(db, n, 3000))
      end
      os.execute("kill -9 " .. core.pid())
    ]])
    process.run { process.lua, script, folder.path .. "/" .. name, tostring(commits) }
    os.remove(script)
    assert.is_true(core.stat(folder.path .. "/" .. name .. "-wal").size > 0)
  end

  -- That so many values are there, and adds one.
  local function expect_values(count, where)
    local db = assert(database.open { path = where or path })
    database.expect(db, count)
    assert.is_true(database.put(db, count + 1))
    db:close()
  end

  local refusal = "bot.db-wal beside it is the log of another database; move that away (or remove bot.db-lock, if the two do "
    .. "belong together)"

  local function expect_refusal()
    local before = sh "sha256sum *"
    for _, options in ipairs { {}, { read_only = true } } do
      local db, message = core.store_open("sqlite:" .. path, options)
      assert.is_nil(db)
      assert.equal(("cannot open the store %s: %s"):format(path, refusal), message)
    end
    assert.equal(before, sh "sha256sum *")
  end

  it("is its own after a kill, however often it was begun anew", function()
    local count = 0
    for _, commits in ipairs { 1, 3, 700, 5, 1, 40 } do
      kill("bot.db", commits)
      count = count + commits
    end
    expect_values(count)
    kill("bot.db", 10)
    expect_values(count + 11)
  end)

  it("is another's where the database was closed, or had another log", function()
    kill("other.db", 5)
    expect_values(5, folder.path .. "/other.db")
    kill("bot.db", 3)
    expect_values(3)
    kill("other.db", 5)
    sh "cp other.db-wal bot.db-wal"
    expect_refusal()
    os.remove(path .. "-wal")
    expect_values(4)
    kill("bot.db", 3)
    sh "cp bot.db-wal mine; cp other.db-wal bot.db-wal"
    expect_refusal()
    sh "mv mine bot.db-wal"
    expect_values(8)
  end)

  it("is another's where a backup was put in the place of the database alone", function()
    kill("bot.db", 30)
    sh "cp bot.db old; mv bot.db gone; cp old bot.db"
    expect_refusal()
    sh "mv gone bot.db"
    expect_values(30)
  end)

  it("is its own where all files were moved or copied, or the lock file is missing or not whole", function()
    kill("bot.db", 30)
    sh "mkdir new; cp -a bot.db* new; cp -a new last"
    expect_values(30, folder.path .. "/new/bot.db")
    sh "rm -rf new; mv last new"
    expect_values(30, folder.path .. "/new/bot.db")
    sh "rm bot.db-lock"
    expect_values(30)
    for _, content in ipairs { "", "12", "12\n", "12\nlog 1", "12\nclosed" } do
      kill("bot.db", 1)
      process.write(path .. "-lock", content)
      local db = assert(database.open { path = path })
      db:close()
    end
  end)

  it("is none when its head is not whole", function()
    kill("bot.db", 3)
    expect_values(3)
    process.write(path .. "-wal", ("x"):rep(5000))
    expect_values(4)
  end)
end)
