-- SPDX-License-Identifier: MIT
-- Plain SQLite for specs that look into a database file, or make one. The face of the store takes no SQL, so nothing else can
-- do that; it is only for files that no store of this process has open: closing one here would end the store's locks.

local process = require "spec.support.process"
local sqltool = require "sqltool"

local sql = {}

local database_methods = {}
local database_mt = { __index = database_methods }

---Opens a database, and makes it where there is none.
---@param path string
---@param vfs? string
function sql.open(path, vfs)
  return setmetatable({ _db = assert(sqltool.open(path, vfs)) }, database_mt)
end

---The rows of one statement, each a list. Strings are bound as blobs.
---@return any[][]
function database_methods:rows(text, ...)
  return assert(self._db:rows(text, ...))
end

---The first column of the first row.
function database_methods:value(text, ...)
  local row = self:rows(text, ...)[1]
  return row and row[1]
end

---Runs statements, each a text of any number of them.
function database_methods:run(...)
  for _, text in ipairs { ... } do
    assert(self._db:run(text))
  end
end

function database_methods:close()
  self._db:close()
end

database_mt.__close = database_methods.close

---The rows of one statement on a database that is opened for it.
function sql.rows(path, text, ...)
  local db <close> = sql.open(path)
  return db:rows(text, ...)
end

---The first column of the first row of one statement on a database that is opened for it.
function sql.value(path, text, ...)
  local row = sql.rows(path, text, ...)[1]
  return row and row[1]
end

---Runs statements on a database that is opened for it.
function sql.run(path, ...)
  local db <close> = sql.open(path)
  db:run(...)
end

---The statements that the SQLite backend has under a name in one of its files.
---@param file string such as "schema.sql"
---@param name string
function sql.text_of(file, name)
  local text = assert(process.read("src/store/sql/" .. file)) .. "\n-- name: "
  local first = select(2, text:find("-- name: " .. name .. "\n", 1, true))
  assert(first, name .. " is not in " .. file)
  return text:sub(first + 1, text:find("\n-- name: ", first, true))
end

return sql
