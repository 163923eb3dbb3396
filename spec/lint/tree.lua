-- SPDX-License-Identifier: MIT
-- What the linters of this folder share: the files of the repository, and a way to report what is wrong.

local tree = {}

local problems = 0

---Prints a problem.
---@param path string
---@param line integer
---@param message string
function tree.report(path, line, message)
  problems = problems + 1
  print(("%s:%d: %s"):format(path, line, message))
end

---Ends the linter, with exit status 1 where there were problems.
function tree.finish()
  if problems > 0 then
    print(("%d problems"):format(problems))
    os.exit(1)
  end
end

---The files that git knows or would add.
---@param pattern string for the shell
---@return string[] paths
function tree.files(pattern)
  local pipe = assert(io.popen(("git ls-files --cached --others --exclude-standard -- %s"):format(pattern)))
  local paths = {}
  for path in pipe:lines() do
    local file = io.open(path)
    if file then
      file:close()
      paths[#paths + 1] = path
    end
  end
  pipe:close()
  return paths
end

---@param path string
---@return string[]
function tree.lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

---The room of a file: "lua/cunnekt/dialog" for everything below it; "lua/cunnekt" for init.lua.
---@param path string
---@return string
function tree.folder_of(path)
  return path:match "^lua/cunnekt/%w+%f[/]" or path:match "^src/%w+" or path:match "^(.*)/"
end

return tree
