-- SPDX-License-Identifier: MIT
-- `cunnekt check`: compiles a script without running it, and reports what would fail only at run time. The rules are in
-- check/.

local rules = require "cunnekt.cli.check.rules"
local usage = require "cunnekt.cli.usage"

local check = {}

check.help = [[
NAME
       cunnekt check - find mistakes in a script without running it

SYNOPSIS
       cunnekt check SCRIPT …

DESCRIPTION
       Compiles each Lua file SCRIPT, and reports on standard output, one line
       per mistake with file and line number:

       -  what does not compile,
       -  undefined globals: names that neither Lua, nor the script, nor the
          files that it requires from beside itself define,
       -  unknown options and fields in the tables given to cunnekt.bot,
          cunnekt.client, the send_* and reply_* functions, and downloads,
       -  unknown events in bot:on, and unknown functions of the module.

       Nothing is run, and nothing is sent. Mistakes that only show while a
       script runs are not found.

EXIT STATUS
       0      no mistake was found
       1      mistakes were found
       2      the command line was not understood, or SCRIPT cannot be read

EXAMPLES
       cunnekt check bot.lua && cunnekt run bot.lua
]]

local function read(path)
  local file = assert(io.open(path, "rb"))
  local source = file:read "a"
  file:close()
  return source
end

-- Reports on one script; gives the number of mistakes.
local function check_script(path)
  local chunk, problem = loadfile(path, "t")
  if not chunk then
    io.stdout:write(problem, "\n")
    return 1
  end
  local problems = rules.check(read(path), path:match "^.*/" or "")
  for _, found in ipairs(problems) do
    io.stdout:write(("%s:%d: %s\n"):format(path, found.line, found.message))
  end
  if #problems == 0 then
    io.stdout:write(path, ": no mistakes found\n")
  end
  return #problems
end

---@param args string[]
---@return integer code
function check.run(args)
  local parsed, code = usage.parse("check", check.help, function(parser)
    parser:argument("script"):args "+"
  end, args)
  if not parsed then
    return code
  end
  local count = 0
  for _, path in ipairs(parsed.script) do
    local problem = usage.unreadable(path)
    if problem then
      return usage.mistake("check", problem)
    end
    count = count + check_script(path)
  end
  return count == 0 and 0 or 1
end

return check
