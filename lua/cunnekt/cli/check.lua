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

       -  what does not compile; a missing end with the block that it belongs
          to,
       -  undefined globals: names that neither Lua, nor the script, nor the
          files that it requires from beside itself define,
       -  methods and fields that a bot, a message, a chat, an event, bot.store,
          a handle or the module does not have, and a dot where a colon belongs,
       -  unknown options, values of the wrong type, and arguments that are
          missing, in all calls of these,
       -  texts, titles, ids and lists that WhatsApp or Cunnekt refuse,
       -  unknown events, statuses, dialogs and functions of jobs,
       -  handlers that never run, because an earlier one takes their events.

       Only what the script says literally is checked; what it computes is
       not. cunnekt run and cunnekt dev do the same before they run a script,
       and go on.

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

-- Larger files are data rather than scripts.
local max_bytes = 512 << 10

---What is wrong with a script, as lines of a terminal: with its file and line number.
---@param path string
---@return string[] lines
---@return boolean is_broken it does not compile
function check.lines(path)
  local source = read(path)
  local chunk, problem = loadfile(path, "t")
  if not chunk then
    local explained = require("cunnekt.cli.check.blocks").explain(problem, source) or problem
    local lines = {}
    for line in explained:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    return lines, true
  end
  local lines = {}
  for i, found in ipairs(#source > max_bytes and {} or rules.check(source, path:match "^.*/" or "")) do
    lines[i] = ("%s:%d: %s"):format(path, found.line, found.message)
  end
  return lines, false
end

-- Reports on one script; gives the number of mistakes.
local function check_script(path)
  local lines = check.lines(path)
  for _, line in ipairs(lines) do
    io.stdout:write(line, "\n")
  end
  if #lines == 0 then
    io.stdout:write(path, ": no mistakes found\n")
  end
  return #lines
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
