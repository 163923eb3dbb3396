-- SPDX-License-Identifier: MIT
-- A disk that is full of the store's own log. The log restarts only when it is long, and a small disk was full before that:
-- the store refused everything until it was started again, though all of the log had been copied into the database.

local core = require "cunnekt.core"
local database = require "spec.support.database"
local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"

-- A file system of 3 MB, where this user may mount one; the log restarts at 32 MB.
local function small_disk()
  local folder = process.folder()
  local is_mounted = os.execute(("mount -t tmpfs -o size=3m tmpfs '%s' 2>/dev/null"):format(folder.path))
  return is_mounted and folder or nil
end

-- Real seconds, whatever clock the tests have: the writer's thread tries a store by the system's.
local function pause(seconds)
  local is_over
  core.real_timer(seconds, function()
    is_over = true
  end)
  seam_rig.wait(function()
    return is_over
  end)
end

local function unmounting(folder)
  return setmetatable({}, {
    __close = function()
      os.execute(("umount -l '%s'"):format(folder.path))
    end,
  })
end

-- Calls `fn` with a database on such a disk, and its folder.
local function on_small_disk(fn)
  local folder = small_disk()
  if not folder then
    pending "only root may mount a file system"
    return
  end
  local _ <close> = unmounting(folder)
  local db = assert(database.open { path = folder.path .. "/full.db" })
  fn(db, folder)
  db:close()
end

describe("a disk with little room", function()
  it("is not said to be writable again and again by what is small", function()
    on_small_disk(function(db, folder)
      assert(db:try_turn { values = { { key = "a", value = "1" } } })
      os.execute(("head -c 4M /dev/zero >'%s/filler' 2>/dev/null; truncate -s -16K '%s/filler'"):format(folder.path, folder.path))
      local function write_much()
        return db:try_turn { values = { { key = "b", value = ("x"):rep(1 << 20) } } }
      end
      for _ = 1, 3 do -- each time, one that is small could be written meanwhile
        assert.is_falsy(write_much())
        pause(0.7)
      end
      assert.is_falsy(write_much())
      assert.is_false(db.db:is_writable())
      pause(0.8)
      assert.is_false(db.db:is_writable())
      os.remove(folder.path .. "/filler")
      assert(write_much())
      assert.is_true(db.db:is_writable())
    end)
  end)
end)

describe("a disk that the log has filled", function()
  it("has room again without a restart", function()
    on_small_disk(function(db)
      -- The same row again and again: the database stays small, the log grows.
      local body, has_been_full, written_since = ("x"):rep(20000), false, 0
      local deadline = core.real_monotonic() + 20
      while written_since < 300 do
        local ok = db:try_turn { values = { { key = "a", value = body } } }
        has_been_full = has_been_full or not ok
        written_since = written_since + (ok and has_been_full and 1 or 0)
        assert(core.real_monotonic() < deadline, ("%d writes after the disk was full"):format(written_since))
        if not ok then
          pause(0.01)
        end
      end
    end)
  end)
end)
