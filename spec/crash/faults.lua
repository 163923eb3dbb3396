-- SPDX-License-Identifier: MIT
-- Orders for a host that was started with preload.so: which write, sync or allocation shall fail. See preload.c.

local faults = {}

local fields = {
  disk_after = 0, disk_errno = 4, disk_full = 8, disk_seen = 12, disk_failed = 16,
  heap_after = 20, heap_seen = 24, heap_failed = 28,
  lua_after = 32, lua_seen = 36, lua_failed = 40,
}
local size = 44

---Errors of a disk.
faults.EIO, faults.ENOSPC = 5, 28

local faults_methods = {}
local faults_mt = { __index = faults_methods, __name = "faults" }

---@param folder string where the orders are kept
function faults.new(folder)
  local path = folder .. "/orders"
  local file = assert(io.open(path, "w+b"))
  file:write(("\0"):rep(size))
  file:setvbuf "no"
  local module = assert(package.searchpath("preload", package.cpath), "preload.so is not on the path of C modules")
  local self = setmetatable({ _file = file, path = path }, faults_mt)
  -- For the environment of the host.
  self.env = { LD_PRELOAD = module, CRASH_CONTROL = path }
  return self
end

---@param name string
---@param value integer
function faults_methods:set(name, value)
  self._file:seek("set", fields[name])
  self._file:write(("<i4"):pack(value))
  self._file:flush()
end

---@param name string
---@return integer
function faults_methods:get(name)
  self._file:seek("set", fields[name])
  return (("<i4"):unpack(self._file:read(4)))
end

---Takes all orders back, and forgets the counts.
function faults_methods:clear()
  self._file:seek("set", 0)
  self._file:write(("\0"):rep(size))
  self._file:flush()
end

function faults_methods:close()
  self._file:close()
end

faults_mt.__close = faults_methods.close

return faults
