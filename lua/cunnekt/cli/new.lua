-- SPDX-License-Identifier: MIT
-- `cunnekt new`: makes a folder with all that a bot needs, from the first line to the service. What is in the files:
-- new/files.lua, new/unit.lua.

local core = require "cunnekt.core"
local files = require "cunnekt.cli.new.files"
local task = require "cunnekt.base.task"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local new = {}

new.help = [[
NAME
       cunnekt new - make a folder with a bot to begin with

SYNOPSIS
       cunnekt new NAME [--from EXAMPLE]
       cunnekt new --list

DESCRIPTION
       Makes the folder NAME with

       bot.lua             the script, with a conversation at its end that shows
                           what it does
       cunnekt.conf.lua    settings
       .env.example        the secrets that the bot needs, to be filled in
       cunnekt-NAME.service
                           a unit for systemd
       README.md           how to try the bot and how to put it into service
       .gitignore, .luarc.json
                           for Git, and for editors that know Lua

       NAME may be a path; its last part is the NAME of the service. Nothing is
       overwritten: where one of the files exists, none is made.

OPTIONS
       --from EXAMPLE
              Begin with one of the examples instead of a greeting.

       --list Print the examples, and what each does.

EXIT STATUS
       0      done
       1      the folder could not be made; the reason is on standard error
       2      the command line was not understood

EXAMPLES
       cunnekt new shop
       cunnekt new bots/clinic --from appointment
       cunnekt dev shop/bot.lua
]]

local function fail(sentence, ...)
  io.stderr:write("cunnekt new: ", sentence:format(...), "\n")
  return 1
end

-- ---- the examples ----------------------------------------------------------------------------------------------------

-- name → source. Only the program carries them: src/host/examples.lua.
local function examples()
  return require "cunnekt.cli.new.examples"
end

local function example_names()
  local names = {}
  for name in pairs(examples()) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function list()
  for _, name in ipairs(example_names()) do
    print(("%-18s %s"):format(name, words.first_line(examples()[name]):match "^%-%- (.*)" or ""))
  end
  return 0
end

-- The source of the script; or nil and what is wrong.
local function script_of(from)
  if not from then
    return files.script
  end
  local name = from:gsub("^.*/", ""):gsub("%.lua$", "")
  local source = examples()[name]
  if not source then
    local hint = usage.hint(name, example_names())
    return nil, ("there is no example '%s'%s; cunnekt new --list shows them"):format(from, hint)
  end
  return source
end

-- ---- the folder ------------------------------------------------------------------------------------------------------

-- What keeps the folder from being made.
local function obstacle(folder)
  local found = core.stat(folder)
  if not found then
    return nil
  elseif found.kind ~= "folder" then
    return ("%s exists, and is not a folder"):format(folder)
  end
  for _, name in ipairs(files.names(folder)) do
    if core.stat(folder .. "/" .. name) then
      return ("%s/%s exists, and nothing is overwritten; choose another name"):format(folder, name)
    end
  end
  return nil
end

-- "wx": what appeared meanwhile is not overwritten either.
local function write(path, text)
  local file, problem = task.await(function(done)
    core.open(path, "wx", done)
  end)
  if not file then
    return nil, problem
  end
  local ok
  ok, problem = task.await(function(done)
    file:write(text, done)
  end)
  task.await(function(done)
    file:close(done)
  end)
  return ok, problem
end

local function make(folder, script)
  local ok, problem = task.await(function(done)
    core.mkdir(folder, done)
  end)
  if not ok then
    return fail("cannot make the folder %s: %s", folder, problem)
  end
  for _, file in ipairs(files.all(folder, script)) do
    local path = folder .. "/" .. file.name
    ok, problem = write(path, file.text)
    if not ok then
      return fail("cannot write %s: %s", path, problem)
    end
    print(("%-36s %s"):format(path, file.about))
  end
  print(("\nTalk to it:  cunnekt dev %s/bot.lua\nGo on with:  %s/README.md"):format(folder, folder))
  return 0
end

---@param args string[]
---@return integer code
function new.run(args)
  local parsed, code = usage.parse("new", new.help, function(parser)
    parser:argument("name"):args "?"
    parser:option "--from"
    parser:flag "--list"
  end, args)
  if not parsed then
    return code or 2
  elseif parsed.list then
    return list()
  elseif not parsed.name then
    return usage.mistake("new", "a name is missing, as in: cunnekt new shop")
  end
  local folder = #parsed.name > 1 and parsed.name:gsub("/+$", "") or parsed.name
  if not files.service(folder) then
    return usage.mistake("new", ("'%s': a name has letters, digits, - and _, and begins with a letter"):format(parsed.name))
  end
  local script, problem = script_of(parsed.from)
  if not script then
    return usage.mistake("new", problem)
  end
  problem = obstacle(folder)
  return problem and fail("%s", problem) or make(folder, script)
end

return new
