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

---What is wrong with a text in which a carriage return alone ends a line: Lua takes it for an end, and nobody who reads scripts here does.
---@param text string
---@param path string
---@return string? problem with its place
function code.line_end_problem(text, path)
  local at = text:find "\r[^\r\n]"
  if not at then
    return nil
  end
  local line = select(2, text:sub(1, at):gsub("\n", "")) + 1
  return ("%s:%d: the line ends with CR alone; save the file with LF or CRLF at the ends of its lines"):format(path, line)
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
