-- SPDX-License-Identifier: MIT
-- The rules of `cunnekt check`, applied to what the parser recorded; this file has those about globals. In doubt a rule reports
-- nothing: a false alarm costs more trust than a missed mistake.

local arguments = require "cunnekt.cli.check.arguments"
local contents = require "cunnekt.cli.check.contents"
local members = require "cunnekt.cli.check.members"
local names = require "cunnekt.cli.check.names"
local order = require "cunnekt.cli.check.order"
local parser = require "cunnekt.cli.check.parser"
local words = require "cunnekt.cli.check.words"

local rules = {}

---@class cunnekt.check.problem
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

-- Files beside the script that it requires may define globals too, and fields of our objects.
local function add_modules(notes, folder, writes, seen)
  for _, name in ipairs(notes.requires) do
    local path = folder .. name:gsub("%.", "/")
    local file = io.open(path .. ".lua") or io.open(path .. "/init.lua")
    if file and not seen[path] then
      seen[path] = true
      local source = file:read "a"
      if load(source, "=module", "t") then
        local inner = parser.walk(source)
        writes[#writes + 1] = inner.writes
        notes.is_dynamic = notes.is_dynamic or inner.is_dynamic
        for field in pairs(inner.fields) do
          notes.fields[field] = true
        end
        add_modules(inner, folder, writes, seen)
      end
    end
    if file then
      file:close()
      notes.has_modules = true
    end
  end
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

---Reads a source that compiles.
---@param source string
---@param folder string where its own modules are, with a slash at the end, or ""
---@return cunnekt.check.problem[] problems in the order of their lines
function rules.check(source, folder)
  local notes = parser.walk(source)
  local problems, seen = {}, {}
  local function report(line, message)
    local key = line .. message
    if not seen[key] then
      seen[key] = true
      problems[#problems + 1] = { line = line, message = message, n = #problems }
    end
  end
  local writes = { notes.writes, _G }
  add_modules(notes, folder, writes, {})
  find_undefined(notes, writes, report)
  members.check(notes, report)
  arguments.check(notes, report)
  contents.check(notes, report)
  names.check(notes, report)
  order.check(notes, report)
  table.sort(problems, function(a, b)
    return a.line < b.line or (a.line == b.line and a.n < b.n)
  end)
  return problems
end

return rules
