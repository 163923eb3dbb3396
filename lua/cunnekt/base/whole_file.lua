-- SPDX-License-Identifier: MIT
-- Reads small files whole. What writes them in one piece is atomic_file.lua.

local whole_file = {}

---A file's content.
---@param path string
---@return string? content nil when it cannot be read, for example because it is a folder
---@return string? problem why not, beginning with the path
function whole_file.read(path)
  local file, problem = io.open(path, "rb")
  local content = file and file:read "a"
  if file then
    file:close()
  end
  return content, not content and (problem or path .. ": cannot be read") or nil
end

return whole_file
