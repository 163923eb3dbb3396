-- SPDX-License-Identifier: MIT
-- require "cunnekt.testing": plays the transcripts of scripts. `cunnekt test` is made of it, and specs of busted may use it.
-- What is played changes things of the whole process meanwhile (the clock, the network, print), so nothing else may run.

require "cunnekt" -- first: it refuses another Lua

local code = require "cunnekt.base.source.code"
local core = require "cunnekt.core"
local coverage = require "cunnekt.testing.coverage"
local options = require "cunnekt.base.options"
local parse = require "cunnekt.testing.parse"
local play = require "cunnekt.testing.play"
local report = require "cunnekt.testing.report"
local script = require "cunnekt.service.script"
local update = require "cunnekt.testing.update"
local whole_file = require "cunnekt.base.whole_file"

---@class cunnekt.testing
local testing = {}

testing.new_coverage = coverage.new
testing.missed = coverage.missed

-- ---- files ---------------------------------------------------------------------------------------------------------------

local function exists(path)
  local found = core.stat(path)
  return found ~= nil and found.kind == "file"
end

local function join(folder, name)
  return folder and folder ~= "." and (folder:gsub("/*$", "/", 1) .. name) or name
end

-- The script of a chat file: the one that it names, or that of its own name: bot.chat and bot.refund.chat are of bot.lua.
local function script_of_chat(path, text)
  local folder, named = script.folder_of(path), parse.script_of(text)
  if named then
    return named:find "^/" and named or join(folder, named)
  end
  local base = path:match("[^/]*$"):gsub("%.chat$", "")
  while true do
    local candidate = join(folder, base .. ".lua")
    if exists(candidate) then
      return candidate
    end
    local shorter = base:match "^(.+)%.[^.]*$"
    if not shorter then
      return nil
    end
    base = shorter
  end
end

-- The transcripts in the text of a file.
local function transcripts_of(path, text)
  if not path:find "%.chat$" then
    local list, stray = parse.text(text, { path = path, script = path })
    return (parse.has_customer(list) or (list[1] and list[1].name)) and list or {}, nil, stray
  end
  local its_script = script_of_chat(path, text)
  if not its_script then
    return nil, ("%s: there is no script for it; write its path in the file, as in: script: ../bot.lua"):format(path)
  end
  local list = parse.text(text, { path = path, script = its_script, is_chat = true })
  if #list == 0 then
    list[1] = { path = path, script = its_script, line = 1, steps = {} }
  end
  return list
end

---The transcripts in a file.
---@param path string a script, or a `*.chat` file
---@return cunnekt.testing.transcript[]? transcripts
---@return string? problem
---@return integer? stray a line of a script with what looks like a transcript, and is not behind all code
function testing.read(path)
  local text, problem = whole_file.read(path)
  problem = problem or code.line_end_problem(text --[[@as string]], path)
  if problem then
    return nil, problem
  end
  return transcripts_of(path, text)
end

-- The names in a folder, sorted.
local function names_in(folder)
  local names, problem = core.names(folder)
  if not names then
    return nil, ("cannot read %s: %s"):format(folder, problem)
  end
  table.sort(names)
  return names
end

-- The chat files beside a script that are its own.
local function chats_of(path)
  local folder, base = script.folder_of(path), path:match("[^/]*$"):gsub("%.lua$", "")
  local list = {}
  for _, name in ipairs(names_in(folder or ".") or {}) do
    if name:sub(1, #base + 1) == base .. "." and name:find "%.chat$" then
      list[#list + 1] = join(folder, name)
    end
  end
  return list
end

-- Folders in which others keep what is theirs.
local is_foreign = { lua_modules = true, node_modules = true }

-- Whether a path is a folder's own folder: not a link, which may lead back.
local function is_folder_in(folder, path)
  local found, above = core.stat(path), core.inode(path .. "/..") -- nil of one that cannot be read
  return found ~= nil and found.kind == "folder" and (above == nil or above == core.inode(folder))
end

-- Calls `add` for the files in a folder that may have transcripts, and then for those in its folders; and notes what cannot be read.
local function add_folder(folder, add, problems)
  local names, problem = names_in(folder)
  local others = {}
  problems[#problems + 1] = problem
  for _, name in ipairs(names or {}) do
    local path = join(folder, name)
    local is_file = exists(path)
    if is_file and (name:find "%.lua$" or name:find "%.chat$") then
      add(path, false)
    elseif not is_file and not name:find "^%." and not is_foreign[name] then
      others[#others + 1] = path
    end
  end
  for _, path in ipairs(others) do
    if is_folder_in(folder, path) then
      add_folder(path, add, problems)
    end
  end
end

---The files with transcripts that are meant by the arguments of `cunnekt test`.
---@param args string[] scripts with the chat files beside them, chat files, folders
---@return {path: string, is_asked_for: boolean}[] files each once; those of folders may have no transcript
---@return string[] problems folders that cannot be read
function testing.find(args)
  local files, seen, problems = {}, {}, {}
  local function add(path, is_asked_for)
    if not seen[path] then
      seen[path] = true
      files[#files + 1] = { path = path, is_asked_for = is_asked_for }
    end
  end
  for _, path in ipairs(args) do
    local found = core.stat(path)
    if found and found.kind == "folder" then
      add_folder(path, add, problems)
    else
      local chats = path:find "%.chat$" and {} or chats_of(path)
      add(path, #chats == 0)
      for _, chat in ipairs(chats) do
        add(chat, true)
      end
    end
  end
  return files, problems
end

-- ---- playing ---------------------------------------------------------------------------------------------------------------

---Plays one transcript, in a fresh store, without the network.
---@param transcript cunnekt.testing.transcript of testing.read
---@param opts? table coverage: of testing.new_coverage; environment: variables for os.getenv, by name
---@return cunnekt.testing.result
function testing.play(transcript, opts)
  return play.run(transcript, opts)
end

---Writes what the bots have said into the files, and puts the results of what is there then into the list.
---@param results cunnekt.testing.result[] of all transcripts of the files, in their order
---@return integer count of lines changed
---@return string? problem
function testing.update(results)
  return update.write(results, function(path, text, i)
    local transcript = transcripts_of(path, text)[i]
    return transcript and play.run(transcript)
  end)
end

local check_options = { environment = "table" }

---Plays a transcript that is given as text. Raises what did not come as it says.
---@param path string the script
---@param text string lines as in a `*.chat` file
---@param opts? {environment: table<string, string>?} variables for os.getenv
function testing.check(path, text, opts)
  opts = options.check("testing.check", opts, check_options)
  local list = parse.text(text, { path = path, script = path, is_chat = true })
  if #list == 0 then
    error("testing.check: the transcript is empty", 2)
  end
  for _, transcript in ipairs(list) do
    local result = play.run(transcript, opts)
    if #result.problems > 0 then
      transcript.path = "transcript"
      error("\n" .. report.failure(result, report.plain), 2)
    end
  end
end

---For busted: a test for each transcript of the files.
---@param paths string|string[] scripts with the chat files beside them, chat files, folders
---@param opts? {environment: table<string, string>?}
function testing.describe(paths, opts)
  opts = options.check("testing.describe", opts, check_options)
  local busted_it = require("busted").it
  local count = 0
  local files, problems = testing.find(type(paths) == "table" and paths or { paths })
  if problems[1] then
    error(problems[1], 2)
  end
  for _, file in ipairs(files) do
    local list, problem = testing.read(file.path)
    if not list then
      error(problem, 2)
    end
    for _, transcript in ipairs(list) do
      count = count + 1
      busted_it(report.name_of(transcript), function()
        local result = play.run(transcript, opts)
        if #result.problems > 0 then
          error("\n" .. report.failure(result, report.plain), 0)
        end
      end)
    end
  end
  if count == 0 then
    error("testing.describe: there is no transcript in these files", 2)
  end
end

return testing
