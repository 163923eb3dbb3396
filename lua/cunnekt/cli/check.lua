-- SPDX-License-Identifier: MIT
-- `cunnekt check`: compiles a script without running it, and reports what would fail only at run time. The rules are in
-- check/.

local source_code = require "cunnekt.base.source.code"
local keys = require "cunnekt.cli.check.keys"
local modules = require "cunnekt.cli.check.modules"
local rules = require "cunnekt.cli.check.rules"
local usage = require "cunnekt.cli.usage"
local whole_file = require "cunnekt.base.whole_file"

local check = {}

check.help = [[
NAME
       cunnekt check - find mistakes in a script without running it

SYNOPSIS
       cunnekt check SCRIPT …

DESCRIPTION
       Compiles each Lua file SCRIPT, and the modules beside it that it
       requires, and reports on standard output, one line per mistake with file
       and line number:

       -  what does not compile; a missing end with the block that it belongs
          to,
       -  undefined globals: names that neither Lua, nor the script, nor its
          modules define,
       -  methods and fields that a bot, a message, a chat, an event, bot.store,
          a handle or the module does not have, and a dot where a colon belongs,
       -  unknown options, values of the wrong type, and arguments that are
          missing or too many, in all calls of these,
       -  texts, titles, ids and lists that WhatsApp or Cunnekt refuse,
       -  unknown events, statuses, dialogs and functions of jobs,
       -  handlers that never run, because an earlier one takes their events,
       -  handlers that answer every status, and so their own answers.

       A note about an API key that is written in a script is no mistake.

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

-- What does not compile, as lines.
local function explain(problem, source)
  local explained = require("cunnekt.cli.check.blocks").explain(problem, source) or problem
  local lines = {}
  for line in explained:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

---What is wrong with a script and its modules, as lines of a terminal: with file and line number.
---@param path string
---@return string[] lines
---@return boolean is_broken the script does not compile
---@return string[] paths of the files that were checked
function check.lines(path)
  local source = assert(whole_file.read(path))
  local line_ends = source_code.line_end_problem(source, path)
  if line_ends then
    return { line_ends }, false, { path }
  end
  local chunk, problem = source_code.compile(source, "@" .. path, "t")
  if not chunk then
    return explain(problem, source), true, { path }
  elseif not modules.is_readable(source) then
    return {}, false, { path }
  end
  local lines, paths = {}, {}
  local problems, its_modules = rules.check(source, path)
  for i, found in ipairs(problems) do
    lines[i] = ("%s:%d: %s"):format(found.path, found.line, found.message)
  end
  for _, file in ipairs(its_modules.broken) do
    local its_lines = explain(file.problem, file.source)
    table.move(its_lines, 1, #its_lines, #lines + 1, lines)
  end
  for i, file in ipairs(its_modules.files) do
    paths[i] = file.path
  end
  return lines, false, paths
end

-- What is no mistake, and better done in another way.
local function note_key(path, said)
  local key = keys.find(whole_file.read(path) or "")
  local text = "%s:%d: note: an API key is better in the environment variable CUNNEKT_API_KEY than in a script\n"
  local line = key and key.is_literal and text:format(path, key.line)
  if line and not said[line] then
    io.stdout:write(line)
    said[line] = true
  end
end

-- Reports on one script, without what others of them have said already; gives the number of mistakes.
local function check_script(path, said)
  local lines, _, paths = check.lines(path)
  for _, line in ipairs(lines) do
    io.stdout:write(said[line] and "" or line .. "\n")
    said[line] = true
  end
  if #lines == 0 then
    io.stdout:write(table.concat(paths, ", "), ": no mistakes found\n")
  end
  note_key(path, said)
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
  local count, said = 0, {}
  for _, path in ipairs(parsed.script) do
    local problem = usage.unreadable(path)
    if problem then
      return usage.mistake("check", problem)
    end
    count = count + check_script(path, said)
  end
  return count == 0 and 0 or 1
end

return check
