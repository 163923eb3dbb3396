-- SPDX-License-Identifier: MIT
-- The rules of `cunnekt check`, applied to what the parser recorded. In doubt a rule reports nothing: a false alarm costs
-- more trust than a missed mistake.

local options = require "cunnekt.base.options"
local parser = require "cunnekt.cli.check.parser"
local shapes = require "cunnekt.cli.check.shapes"

local rules = {}

---@class cunnekt.check.problem
---@field line integer
---@field message string

-- Globals of other Lua versions, which portable scripts test for.
local elsewhere = {}
for word in ("unpack loadstring setfenv getfenv module jit bit bit32 newproxy love ngx redis"):gmatch "%S+" do
  elsewhere[word] = true
end

local function names_of(...)
  local names = {}
  for _, t in ipairs { ... } do
    for name in pairs(t) do
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- Short names resemble too many others.
local function hint(name, names)
  local near = #name > 2 and options.suggest(name, names)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

-- ---- globals -------------------------------------------------------------------------------------------------------

-- Files beside the script that it requires may define globals too.
local function add_writes_of_modules(notes, folder, writes, seen)
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
        add_writes_of_modules(inner, folder, writes, seen)
      end
    end
    if file then
      file:close()
    end
  end
end

local function find_undefined(notes, folder, report)
  local writes = { notes.writes, _G }
  add_writes_of_modules(notes, folder, writes, {})
  if notes.is_dynamic then
    return
  end
  local is_tested = {}
  for _, read in ipairs(notes.reads) do
    is_tested[read.name] = is_tested[read.name] or read.is_tested
  end
  local function is_known(read)
    for _, names in ipairs(writes) do
      if names[read.name] ~= nil then
        return true
      end
    end
    return is_tested[read.name] and elsewhere[read.name]
  end
  for _, read in ipairs(notes.reads) do
    if not is_known(read) then
      report(read.line, ("undefined global '%s'%s"):format(read.name, hint(read.name, names_of(table.unpack(writes)))))
    end
  end
end

-- ---- fields of our modules -----------------------------------------------------------------------------------------

-- The parts of require "cunnekt" are loaded on first use, so their names are listed here.
local parts = { client = true, bot = true, build = true, http = true, json = true, webhook = true }

local function find_unknown_fields(notes, report)
  local cunnekt = require "cunnekt"
  local is_required = {}
  for _, name in ipairs(notes.requires) do
    is_required[name] = true
  end
  for _, read in ipairs(notes.paths) do
    local part, field = read.path:match "^cunnekt%.([%w_]+)%.?([%w_]*)$"
    local module = part and cunnekt[part]
    local is_known = not part or notes.path_writes[read.path] or is_required["cunnekt." .. part]
    if not is_known and module == nil and field == "" then
      report(read.line, ("cunnekt has no '%s'%s"):format(part, hint(part, names_of(cunnekt, parts))))
    elseif not is_known and type(module) == "table" and field ~= "" and module[field] == nil then
      report(read.line, ("cunnekt.%s has no '%s'%s"):format(part, field, hint(field, names_of(module))))
    end
  end
end

-- ---- options and contents of messages ------------------------------------------------------------------------------

local check_table

local function check_items(items, shape, report, where)
  for _, item in ipairs(items) do
    check_table(item, shape, report, where)
  end
end

function check_table(value, shape, report, where)
  if not value or value.kind ~= "table" then
    return
  elseif shape.each then
    check_items(value.items, shape.each, report, where)
    return
  end
  for _, field in ipairs(value.fields) do
    local known = shape.fields[field.name]
    if not known then
      local near = hint(field.name, names_of(shape.fields))
      report(field.line, ("%s: unknown option '%s'%s"):format(where, field.name, near))
    elseif known ~= true then
      check_table(field.value, known, report, ("%s: %s"):format(where, field.name))
    end
  end
end

-- The argument with the content of a message: reply_buttons(it), send_buttons(to, it), reply_template(id, it).
local function contents_place(prefix, kind)
  return (prefix == "send" and 2 or 1) + (kind == "template" and 1 or 0)
end

local is_prefix = { reply = true, send = true, ask = true }

-- reply_*, send_* and ask_* are ours on any object, unless the script defines functions of these names.
local function check_message(call, notes, report)
  local name = call.method or (call.path and call.path:match "^cunnekt%.build%.(send_[%w_]+)$")
  local prefix, kind = (name or ""):match "^(%a+)_([%w_]+)$"
  if not is_prefix[prefix] or notes.methods[name] then
    return
  end
  local kinds = prefix == "ask" and { "buttons", "list", "form", "template" } or require("cunnekt.bot.chat").kinds
  local names = {}
  for i, known in ipairs(kinds) do
    names[i] = prefix .. "_" .. known
    if known == kind then
      local place = shapes.contents[kind] and contents_place(prefix, kind) or #call.args
      return check_table(call.args[place], shapes.message(prefix, kind), report, name)
    end
  end
  local near = options.suggest(name, names)
  if near then
    report(call.line, ("unknown method '%s' (did you mean '%s'?)"):format(name, near))
  end
end

local function check_event_name(call, report)
  local first = call.args[1]
  if call.class ~= "cunnekt.bot" or call.method ~= "on" or not first or first.kind ~= "string" then
    return
  end
  local names = require("cunnekt.bot.route").names
  for _, name in ipairs(names) do
    if name == first.value then
      return
    end
  end
  report(call.line, ("bot:on: unknown event '%s'%s"):format(first.value, hint(first.value, names)))
end

local function check_calls(notes, report)
  local known = shapes.options()
  for _, call in ipairs(notes.calls) do
    local name = call.path or (call.class and call.method and call.class .. ":" .. call.method)
    local shape = name and known[name]
    if shape then
      check_table(call.args[shapes.place[name] or 1], shape, report, name)
    end
    check_message(call, notes, report)
    check_event_name(call, report)
  end
end

---Looks at a source that compiles.
---@param source string
---@param folder string where its own modules are, with a slash at the end, or ""
---@return cunnekt.check.problem[] problems in the order of their lines
function rules.check(source, folder)
  local notes = parser.walk(source)
  local problems = {}
  local function report(line, message)
    problems[#problems + 1] = { line = line, message = message, n = #problems }
  end
  find_undefined(notes, folder, report)
  find_unknown_fields(notes, report)
  check_calls(notes, report)
  table.sort(problems, function(a, b)
    return a.line < b.line or (a.line == b.line and a.n < b.n)
  end)
  return problems
end

return rules
