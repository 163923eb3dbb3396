-- SPDX-License-Identifier: MIT
-- The rules of `cunnekt check`, applied to what the parser recorded; this file has those about globals. In doubt a rule reports
-- nothing: a false alarm costs more trust than a missed mistake.

local absent = require "cunnekt.cli.check.absent"
local arguments = require "cunnekt.cli.check.arguments"
local compared = require "cunnekt.cli.check.compared"
local contents = require "cunnekt.cli.check.contents"
local echoes = require "cunnekt.cli.check.echoes"
local members = require "cunnekt.cli.check.members"
local modules = require "cunnekt.cli.check.modules"
local names = require "cunnekt.cli.check.names"
local order = require "cunnekt.cli.check.order"
local parser = require "cunnekt.cli.check.parser"
local refused = require "cunnekt.cli.check.refused"
local shared = require "cunnekt.cli.check.shared"
local words = require "cunnekt.cli.check.words"

local rules = {}

---@class cunnekt.check.problem
---@field path string
---@field line integer
---@field message string

-- Globals of other Lua versions, which portable scripts test for.
local elsewhere = {}
for word in ("unpack loadstring setfenv getfenv module jit bit bit32 newproxy love ngx redis"):gmatch "%S+" do
  elsewhere[word] = true
end

-- Names that are missing most often, and what they are in other languages.
local advice = {
  cunnekt = 'write: local cunnekt = require "cunnekt"',
  bot = "write: local bot = cunnekt.bot()",
  null = "nil in Lua",
  None = "nil in Lua",
  undefined = "nil in Lua",
  True = "true in Lua",
  False = "false in Lua",
  console = "print(…) in Lua",
  msg = "the message is the parameter of a handler: function(msg) … end",
  chat = "a message has it: msg.chat; a dialog's function gets it: function(chat) … end",
}

-- Globals, and fields of our objects, that one file sets are there for the others.
local function join(all)
  local writes, fields, methods, is_dynamic = { _G }, {}, {}, false
  for _, notes in ipairs(all) do
    writes[#writes + 1] = notes.writes
    is_dynamic = is_dynamic or notes.is_dynamic
    for name in pairs(notes.fields) do
      fields[name] = true
    end
    for name in pairs(notes.methods) do
      methods[name] = true
    end
  end
  for _, notes in ipairs(all) do
    notes.fields, notes.methods, notes.is_dynamic = fields, methods, is_dynamic
  end
  return writes
end

local function find_undefined(notes, writes, report)
  if notes.is_dynamic then
    return
  end
  local is_tested = {}
  for _, read in ipairs(notes.reads) do
    is_tested[read.name] = is_tested[read.name] or read.is_tested
  end
  local function is_known(read)
    for _, set in ipairs(writes) do
      if set[read.name] ~= nil then
        return true
      end
    end
    return is_tested[read.name] and elsewhere[read.name]
  end
  for _, read in ipairs(notes.reads) do
    if not is_known(read) then
      local why = advice[read.name] and (" (%s)"):format(advice[read.name]) or words.hint(read.name, words.names(table.unpack(writes)))
      report(read.line, ("undefined global '%s'%s"):format(read.name, why))
    end
  end
end

-- Collects the problems of a file, each once.
local function collector(problems, path)
  local seen = {}
  return function(line, message)
    local key = line .. message
    if not seen[key] then
      seen[key] = true
      problems[#problems + 1] = { path = path, line = line, message = message, n = #problems }
    end
  end
end

local function check_file(notes, all, writes, report)
  find_undefined(notes, writes, report)
  members.check(notes, report)
  compared.check(notes, report)
  absent.check(notes, report)
  arguments.check(notes, report)
  contents.check(notes, report)
  names.check(notes, all, report)
  order.check(notes, report)
  refused.check(notes, report)
  echoes.check(notes, report)
  shared.check(notes, report)
end

---Reads a source that compiles, and the modules beside it that it requires.
---@param source string
---@param path string the script's; its modules are in its folder
---@return cunnekt.check.problem[] problems of each file in the order of their lines, the script's first
---@return cunnekt.check.modules modules
function rules.check(source, path)
  local its_modules = modules.new(path, source)
  local all = parser.walk(source, function(name)
    return its_modules:find(name)
  end)
  all.has_unread = its_modules.has_unread
  local writes, problems = join(all), {}
  for i, notes in ipairs(all) do
    local found = {}
    check_file(notes, all, writes, collector(found, its_modules.files[i].path))
    table.sort(found, function(a, b)
      return a.line < b.line or (a.line == b.line and a.n < b.n)
    end)
    table.move(found, 1, #found, #problems + 1, problems)
  end
  return problems, its_modules
end

return rules
