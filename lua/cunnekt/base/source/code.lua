-- SPDX-License-Identifier: MIT
-- Where the code of a Lua file begins: as in loadfile, behind a byte order mark, which some editors write, and a first line for the
-- system's shell. Whoever reads the text of a file themselves compiles it with this.

local code = {}

---The first byte of a text that is code. What stands before it has no line end, so lines keep their numbers.
---@param text string
---@return integer at
function code.begin(text)
  local at = text:match "^\xef\xbb\xbf()" or 1
  return text:match("^#[^\n]*()", at) or at
end

---Compiles the text of a file.
---@param text string
---@param name string of the chunk, as for load
---@param mode "t"|"bt"
---@param env? table
---@return function? chunk
---@return string? problem
function code.compile(text, name, mode, env)
  return load(text:sub(code.begin(text)), name, mode, env or _G)
end

return code
