-- SPDX-License-Identifier: MIT
-- `cunnekt test`: plays transcripts and says what did not come as they say. Playing is testing/'s.

local core = require "cunnekt.core"
local report = require "cunnekt.testing.report"
local testing = require "cunnekt.testing"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local test = {}

test.help = [[
NAME
       cunnekt test - play transcripts against scripts

SYNOPSIS
       cunnekt test [OPTIONS] [FILE …]

DESCRIPTION
       Plays each transcript of the FILEs: it runs the script, acts as the
       customers, and compares what the bot says, line by line. Each transcript
       has a fresh store in memory, and begins at the same time. Time passes
       only where a transcript says so, and up to a minute where the bot is to
       say something that has not come. Nothing is sent, nobody is reached, and
       no key is needed; settings in the environment are not read.

       FILE is a script, with the *.chat files beside it that begin with its
       name (bot.chat and bot.refund.chat are of bot.lua); a *.chat file; or a
       folder, for all of these in it and in the folders below, but for links,
       hidden folders, lua_modules and node_modules. Without FILE it is the
       working folder.

       In a script the lines are the comments at its end, behind all code:

       -- customer: TEXT        the customer writes; or a line as cunnekt dev
                                takes it: /button ID, /list ID, /form JSON,
                                /image, /document FILE, /location …
       -- bot: TEXT             the bot's next message; … stands for any text
       -- customer Ravi: TEXT   another customer, by a name or a number
       -- bot to Ravi: TEXT     a message to another one than wrote last
       -- customer to bot 2: TEXT
                                writes to the second bot of the script
       -- staff: TEXT           staff write to the customer in WhatsApp's app
       -- status: failed        a status of the last message
       -- 2 hours later         time passes, in seconds, minutes, hours, days,
                                weeks
       -- log: TEXT             the log has a line with this text; errors and
                                warnings that are not expected are failures
       -- http POST URL -> 200 {"id":1}
                                answers a request of the script; … in URL stands
                                for any text; or -> timeout, network, tls
       -- transcript: NAME      begins another one

       A *.chat file has the same lines, with or without --; # begins a comment,
       and script: PATH names a script that has another name.

       Besides, it lists the handlers, global commands, dialogs and jobs that no
       transcript has reached.

OPTIONS
       --update
              Write what the bot has said into the files, in place of the lines
              that differ. All other bytes stay.

       --junit FILE
              Write the results to FILE as well, in JUnit's XML.

ENVIRONMENT
       NO_COLOR
              No colours; there are none either when the output is no terminal.

EXIT STATUS
       0      all came as the transcripts say, or was written with --update
       1      something did not, or there is no transcript
       2      the command line was not understood, or a file cannot be read

EXAMPLES
       cunnekt test bot.lua
       cunnekt test --junit results.xml tests/
]]

local function define(parser)
  parser:argument("file"):args "*"
  parser:flag "--update"
  parser:option "--junit"
end

local function style()
  local no_colour = os.getenv "NO_COLOR"
  local is_plain = (no_colour ~= nil and no_colour ~= "") or os.getenv "TERM" == "dumb" or not core.is_terminal(1)
  return is_plain and report.plain or report.colours
end

-- The transcripts of all files, or the exit code.
local function read_all(args)
  local transcripts = {}
  for _, path in ipairs(args) do
    local found = core.stat(path)
    local problem = (not found or found.kind ~= "folder") and usage.unreadable(path)
    if problem then
      return nil, usage.mistake("test", problem)
    end
  end
  local files, problems = testing.find(args)
  for _, problem in ipairs(problems) do
    io.stderr:write(("cunnekt test: %s; what is in it is not played\n"):format(problem))
  end
  for _, file in ipairs(files) do
    local list, problem, stray = testing.read(file.path)
    if stray then
      io.stderr:write(("cunnekt test: %s:%d: not played, for code comes behind it or it is in a long comment: move it to the end, each line as in -- customer: hi\n"):format(file.path, stray))
    end
    if not list then
      return nil, usage.mistake("test", problem)
    elseif #list == 0 and file.is_asked_for then
      io.stderr:write(("cunnekt test: %s has no transcript; write what is said at its end, behind all code, as in:\n-- customer: hi\n-- bot: Hello!\n"):format(file.path))
      return nil, 1
    end
    table.move(list, 1, #list, #transcripts + 1, transcripts)
  end
  if #transcripts == 0 then
    io.stderr:write("cunnekt test: there is no transcript here; cunnekt test -h shows what one looks like\n")
    return nil, 1
  end
  return transcripts
end

local function write_junit(path, results)
  local file, problem = io.open(path, "wb")
  local ok = file
  if file then
    ok, problem = file:write(report.junit(results))
    file:close()
  end
  return ok and 0 or usage.mistake("test", "cannot write " .. tostring(problem))
end

local function has_left(result)
  for _, problem in ipairs(result.problems) do
    if not problem.is_updated then
      return true
    end
  end
  return false
end

-- Writes the lines of the bot. What is left is failures that no line of the bot can mend; those that were shown are not shown again.
local function write_changes(results, its_style)
  local now, code = table.move(results, 1, #results, 1, {}), 0
  local count, problem = testing.update(now)
  if problem then
    return usage.mistake("test", "cannot write " .. problem)
  end
  io.stdout:write(words.count(count, "line"), " updated\n")
  for i, result in ipairs(now) do
    if has_left(result) then
      code = 1
      io.stdout:write(result ~= results[i] and report.failure(result, its_style) or "")
    end
  end
  return code
end

local function play_all(transcripts, its_style, is_update)
  local results, code, coverage = {}, 0, testing.new_coverage()
  for i, transcript in ipairs(transcripts) do
    local result = testing.play(transcript, { coverage = coverage })
    results[i] = result
    if #result.problems > 0 then
      code = 1
      io.stdout:write(report.failure(result, its_style))
    end
  end
  io.stdout:write(report.missed(testing.missed(coverage)))
  io.stdout:write(report.summary(results, its_style))
  return results, is_update and write_changes(results, its_style) or code
end

---@param args string[]
---@return integer code
function test.run(args)
  collectgarbage("incremental", 400) -- it ends soon, and may take memory for its speed
  local parsed, code = usage.parse("test", test.help, define, args)
  if not parsed then
    return code
  end
  local files = #parsed.file > 0 and parsed.file or { "." }
  local transcripts
  transcripts, code = read_all(files)
  if not transcripts then
    return code
  end
  local results
  results, code = play_all(transcripts, style(), parsed.update)
  local junit_code = parsed.junit and write_junit(parsed.junit, results) or 0
  return junit_code ~= 0 and junit_code or code
end

return test
