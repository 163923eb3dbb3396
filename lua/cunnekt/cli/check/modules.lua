-- SPDX-License-Identifier: MIT
-- Finds the modules that a script requires from beside itself, as the host finds them, and reads them. It runs nothing.

local code = require "cunnekt.base.source.code"
local script = require "cunnekt.service.script"
local whole_file = require "cunnekt.base.whole_file"

local modules = {}

-- Larger files are data rather than scripts.
local max_bytes = 512 << 10

---@class cunnekt.check.file
---@field path string
---@field source string
---@field problem string? why it does not compile, or is not read

local modules_methods = {}
local modules_mt = { __index = modules_methods }

---@class cunnekt.check.modules
---@field files cunnekt.check.file[] of which the rules know what is in them, the script first
---@field broken cunnekt.check.file[]
---@field has_unread boolean there are some of which nobody knows what is in them
---@param path string the script's
---@param source string which compiles
---@return cunnekt.check.modules
function modules.new(path, source)
  return setmetatable({
    files = { { path = path, source = source } },
    broken = {},
    has_unread = false,
    _folder = script.folder_of(path),
    _numbers = { [path] = 1 }, -- by path; false: it is not read
  }, modules_mt)
end

---Whether a source is small enough to be read.
---@param source string
---@return boolean
function modules.is_readable(source)
  return #source <= max_bytes
end

local function add(self, path)
  local source = whole_file.read(path) or ""
  local chunk, problem = nil, code.line_end_problem(source, path)
  if not problem then
    chunk, problem = code.compile(source, "@" .. path, "t")
  end
  if not chunk or not modules.is_readable(source) then
    self.has_unread = true
    self.broken[#self.broken + 1] = not chunk and { path = path, source = source, problem = problem } or nil
    return nil, false
  end
  self.files[#self.files + 1] = { path = path, source = source }
  return source, #self.files
end

---For parser.walk: a module's source when it is first asked for, and its number among the files.
---@param name string for require
---@return string? source
---@return integer? number nil: it is no file of the script's own, or cannot be read
function modules_methods:find(name)
  local path = script.module_path(name, self._folder or ".")
  if not path or not script.is_own(path, self._folder or ".") then
    return nil
  end
  path = self._folder and path or path:gsub("^%./", "")
  local source
  if self._numbers[path] == nil then
    source, self._numbers[path] = add(self, path)
  end
  return source, self._numbers[path] or nil
end

return modules
