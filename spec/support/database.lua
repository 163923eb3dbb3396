-- SPDX-License-Identifier: MIT
-- A database of its own for a spec, in a new folder, and jobs that are waited for.

local core = require "cunnekt.core"
local process = require "spec.support.process"

local database = {}

local db_methods = {}
local db_mt = { __index = db_methods }

local function wait_for(results)
  while not results[1] do
    core.step(true)
  end
  return table.unpack(results[1], 1, results[1].n)
end

---Hands a function that notes what it is called with; the second value waits for that and gives it back.
function database.waiter()
  local results = {}
  return function(...)
    results[1] = table.pack(...)
  end, function()
    return wait_for(results)
  end
end

---Opens a database in a new folder, or at options.path. The other options are those of core.store_open.
function database.open(options)
  local own = {}
  for name, value in pairs(options or {}) do
    own[name] = value
  end
  local folder = not own.path and process.folder() or nil
  local path = own.path or folder.path .. "/spec.db"
  own.path = nil
  local store, message = core.store_open(path, own)
  if not store then
    return nil, message
  end
  return setmetatable({ path = path, store = store, _folder = folder }, db_mt)
end

---Runs a job to its end.
---@return table|boolean|nil results
---@return string? message
---@return string? code
function db_methods:run(job)
  local note, wait = database.waiter()
  assert(self.store:run(job, note))
  return wait()
end

---The first column of the first row.
function db_methods:value(sql, ...)
  local results = assert(self:run { { sql, ..., want = "rows" } })
  return results[1][1] and results[1][1][1]
end

---Closes it, and waits for that.
function db_methods:close()
  local note, wait = database.waiter()
  self.store:close(note)
  return wait()
end

---Closes it and opens it again.
function db_methods:reopen(options)
  self:close()
  self.store = assert(core.store_open(self.path, options))
end

return database
