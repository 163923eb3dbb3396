-- SPDX-License-Identifier: MIT
-- One process a database. A removed lock file used to let a second process in.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"

describe("the lock of a database", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/spec.db"
  end)

  local function files()
    return process.run({ "ls", folder.path }).out
  end

  local function open_elsewhere()
    local script = process.write(folder.path .. "/opener.lua", [[
      print(select(2, require("cunnekt.core").store_open("sqlite:" .. arg[1])) or "opened")
    ]])
    local said = process.run({ process.lua, script, path }).out
    os.remove(script)
    return said
  end

  it("holds when the lock file is removed, and the refused process leaves nothing behind", function()
    local db = assert(database.open { path = path })
    assert(os.remove(path .. "-lock"))
    local before = files()
    assert.equal("the store spec.db is in use by another process\n", open_elsewhere())
    assert.equal(before, files())
    db:close()
    assert.equal("opened\n", open_elsewhere())
  end)

  it("has its file again with the next commit", function()
    local db = assert(database.open { path = path })
    assert(os.remove(path .. "-lock"))
    assert.is_true(database.put(db, 1))
    assert.matches("^" .. core.pid() .. "\n", process.read(path .. "-lock"))
    assert.equal(("the store spec.db is in use by process %d\n"):format(core.pid()), open_elsewhere())
    db:close()
  end)

  -- Closing any descriptor of a file ends the locks that its process has on it, SQLite's too.
  it("refuses a second store of the same process without ending the locks of the first", function()
    local function locks()
      local inode = process.run({ "stat", "-c", "%i", path }).out:match "%d+"
      local count = 0
      for line in io.lines "/proc/locks" do
        if line:find("POSIX", 1, true) and line:find((":%s "):format(inode), 1, true) then
          count = count + 1
        end
      end
      return count
    end
    local db = assert(database.open { path = path })
    local before = locks()
    assert.is_true(before > 0)
    assert(os.remove(path .. "-lock"))
    assert.matches("is open already in this process", select(2, database.open { path = path }))
    assert.matches("is open already in this process", select(2, database.open { path = path, read_only = true }))
    assert.equal(before, locks())
    db:close()
  end)

  it("ends with a killed process, whatever that process has started", function()
    local script = process.write(folder.path .. "/owner.lua", [[
      local core = require "cunnekt.core"
      local store = assert(core.store_open("sqlite:" .. arg[1]))
      os.execute("sleep 60 > /dev/null 2>&1 & echo $! > " .. arg[1] .. ".child")
      io.stdout:write("ready\n"):flush()
      core.timer(60, print)
      while core.step(true) do end
    ]])
    local owner = process.start { process.lua, script, path }
    owner:expect("ready", "out")
    assert.matches("in use by process %d+", open_elsewhere())
    owner:signal "KILL"
    owner:wait()
    local child = process.read(path .. ".child"):match "%d+"
    assert.is_true(os.execute("kill -0 " .. child))
    assert.equal("opened\n", open_elsewhere())
    os.execute("kill " .. child)
  end)

  it("is shared by those who only read, who keep owners away meanwhile", function()
    assert(database.open { path = path }):close()
    local before = files()
    local reader = assert(database.open { path = path, read_only = true })
    assert.equal("the store spec.db is in use by another process\n", open_elsewhere())
    assert.equal(before, files())
    reader:close()
    assert.equal("opened\n", open_elsewhere())
  end)
end)
