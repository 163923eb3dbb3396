-- SPDX-License-Identifier: MIT
-- A database file of its own for a spec, in a new folder: a store of the seam (seam_rig.lua) at a path, filled with values.

local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"

local database = {}

---Opens a database in a new folder, or at options.path. The other options are those of core.store_open.
---@param options? table
---@return table? db a seam with its `path`
---@return string? message
function database.open(options)
  local own = {}
  for name, value in pairs(options or {}) do
    own[name] = value
  end
  local folder = not own.path and process.folder() or nil
  local path = own.path or folder.path .. "/spec.db"
  own.path = nil
  local db, message = seam_rig.open_at("sqlite:" .. path, own)
  if db then
    db.path, db._folder = path, folder
  end
  return db, message
end

---A turn that writes value number n with so many bytes, and counts in the same commit: `total` is n then.
---@param n integer
---@param size? integer
function database.turn(n, size)
  return {
    now = seam_rig.now,
    values = { { key = "total", value = tostring(n) }, { key = ("item %09d"):format(n), value = ("x"):rep(size or 0) } },
  }
end

---Writes the value; true, or nil, message and code.
function database.put(db, n, size)
  local turn, message, code = db:try("commit_turn", database.turn(n, size))
  return turn and true, message, code
end

---The number of values and their total: the same, unless something is lost.
---@return integer count
---@return integer total
function database.count(db)
  local total = db:value("total").value
  return db:counts().values - (total and 1 or 0), tonumber(total or "0")
end

---Raises unless the database is sound and has so many values.
function database.expect(db, count)
  local found, total = database.count(db)
  assert(found == count and total == count, ("%d values, total %d, not %d"):format(found, total, count))
  local _, said = next(db:row "check")
  assert(said == "ok", said)
end

return database
