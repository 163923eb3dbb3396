-- SPDX-License-Identifier: MIT
-- Backups that are cut off. A killed process used to leave the part of its copy behind for ever.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"

describe("a backup", function()
  local folder, db

  before_each(function()
    folder = process.folder()
    db = assert(database.open { path = folder.path .. "/spec.db" })
  end)

  after_each(function()
    db:close()
  end)

  local function fill(megabytes)
    for n = 1, megabytes do
      assert(database.put(db, n, 1000000))
    end
  end

  local function names(pattern)
    return process.run({ "sh", "-c", "cd " .. folder.path .. "; ls " .. pattern .. " 2> /dev/null" }).out
  end

  -- Leaves the part of a killed backup to `name`. One that is still empty is nobody's: it stays.
  local function kill_backup(name)
    local script = process.write(folder.path .. "/script.lua", [[
      local core = require "cunnekt.core"
      local store = assert(core.store_open("sqlite:" .. arg[1]))
      store:backup(arg[2], print)
      while (core.stat(arg[2] .. ".part") or { size = 0 }).size == 0 do
        core.step(false)
      end
      os.execute("kill -9 " .. core.pid())
    ]])
    db:close()
    process.run { process.lua, script, db.path, folder.path .. "/" .. name }
    db:reopen()
    assert.equal(name .. ".part\n", names("*.part"))
    assert.is_nil(core.stat(folder.path .. "/" .. name))
  end

  it("that was killed leaves a part, which the next one into its folder removes", function()
    fill(50)
    for _, name in ipairs { "copy.db", "monday.db" } do
      kill_backup(name)
      assert.is_true(db:back_up(folder.path .. "/copy.db")())
      assert.equal("", names "*.part*")
      os.remove(folder.path .. "/copy.db")
    end
  end)

  it("removes no other program's part, nor one that grows", function()
    fill(50)
    process.write(folder.path .. "/film.part", "a download")
    process.run({ "sqlite3", folder.path .. "/other.part", "PRAGMA application_id = 7; CREATE TABLE item (n)" })
    os.execute(("mkdir %s/folder.part; ln -s spec.db %s/link.part"):format(folder.path, folder.path))
    local other = assert(database.open { path = folder.path .. "/second.db" })
    local wait = db:back_up(folder.path .. "/slow.db")
    process.wait_until("the copy to begin", function()
      return core.stat(folder.path .. "/slow.db.part")
    end)
    assert.is_true(other:back_up(folder.path .. "/quick.db")())
    assert.is_true(wait())
    other:close()
    assert.equal("film.part\nfolder.part\nlink.part\nother.part\n", names("-d *.part"))
    local copy = assert(database.open { path = folder.path .. "/slow.db" })
    database.expect(copy, 50)
    copy:close()
  end)

  -- It used to be copied as any other, and what it replaced was the last good copy.
  it("of a store with a damaged page is refused, and the copy that was there stays", function()
    local target = folder.path .. "/copy.db"
    assert.is_true(db:back_up(target)())
    local yesterday = process.read(target)
    db:close()
    local root = tonumber(process.run({ "sqlite3", db.path, "SELECT rootpage FROM sqlite_schema WHERE name = 'job'" }).out)
    local file <close> = assert(io.open(db.path, "r+b"))
    file:seek("set", (root - 1) * 4096)
    file:write(("damage! "):rep(512))
    file:close()
    db:reopen()
    local ok, message, code = db:back_up(target)()
    assert.same({ nil, "corrupt" }, { ok, code })
    assert.matches("cannot back up to %S+: the store is damaged: .*[Pp]age", message)
    assert.is_true(process.read(target) == yesterday)
    assert.equal("", names "*.part*")
  end)

  it("that finds the disk full removes its part, and keeps the copy that was there", function()
    local small = process.folder()
    if not os.execute(("mount -t tmpfs -o size=4m tmpfs %s 2> /dev/null"):format(small.path)) then
      return pending "needs the right to mount a file system"
    end
    local target = small.path .. "/copy.db"
    assert.is_true(db:back_up(target)())
    local yesterday = process.read(target)
    fill(10)
    local ok, message, code = db:back_up(target)()
    local left, content = process.run({ "ls", small.path }).out, process.read(target)
    os.execute("umount " .. small.path)
    assert.same({ nil, "full" }, { ok, code })
    assert.matches("cannot back up to %S+: database or disk is full", message)
    assert.equal("copy.db\n", left)
    assert.is_true(content == yesterday)
  end)
end)
