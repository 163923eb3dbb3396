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

describe("a disk that the log has filled", function()
  it("has room again without a restart", function()
    local folder = small_disk()
    if not folder then
      pending "only root may mount a file system"
      return
    end
    local _ <close> = setmetatable({}, {
      __close = function()
        os.execute(("umount -l '%s'"):format(folder.path))
      end,
    })
    local db = assert(database.open { path = folder.path .. "/full.db" })
    -- The same row again and again: the database stays small, the log grows.
    local body, has_been_full, written_since = ("x"):rep(20000), false, 0
    local deadline = core.real_monotonic() + 20
    while written_since < 300 do
      local ok = db:try_turn { values = { { key = "a", value = body } } }
      has_been_full = has_been_full or not ok
      written_since = written_since + (ok and has_been_full and 1 or 0)
      assert(core.real_monotonic() < deadline, ("%d writes after the disk was full"):format(written_since))
      if not ok then
        local is_over
        core.real_timer(0.01, function()
          is_over = true
        end)
        seam_rig.wait(function()
          return is_over
        end)
      end
    end
    db:close()
  end)
end)
