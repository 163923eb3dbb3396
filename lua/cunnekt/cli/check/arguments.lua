-- SPDX-License-Identifier: MIT
-- Rules about the arguments of calls: options that there are not, values of the wrong type, and arguments that are missing or too
-- many, as the annotations have them. What is not written out in the call is not checked.

local route = require "cunnekt.bot.route"
local types = require "cunnekt.cli.check.types"
local words = require "cunnekt.cli.check.words"

local arguments = {}

-- So many names of fields say what a table is.
local most_names = 4

local basic = { string = true, number = true, integer = true, boolean = true, table = true, ["function"] = true }
local article = {
  integer = "a whole number", ["function"] = "a function", boolean = "true or false", ["cunnekt.filter"] = "a filter",
  ["cunnekt.action"] = "an action",
}

-- Whether a literal is of a basic type.
local function is_of(value, name)
  local kind = value.kind == "text" and "string" or value.kind
  return kind == name or (kind == "number" and name == "integer") or name == "any" or (name == "true" and kind == "boolean")
end

-- Fields of a class or a shape by name, and whether others are allowed.
local function fields_of(its_type)
  if its_type.kind == "shape" then
    return its_type.fields
  end
  local is_table = its_type.kind == "name" and types.is_class(its_type.name) and not types.is_object(its_type.name)
  return is_table and types.members(its_type.name) or nil
end

-- The first names of the fields that a table may have, as "id=, title=", and whether there are more.
local function some_names(fields)
  local names = words.names(fields)
  return table.concat(names, "=, ", 1, math.min(#names, most_names)) .. "=", #names > most_names
end

---What a type is in words: "a string", "a table {id=, title=}". `are_named`: names are said however many there are.
local function wanted(its_type, are_named)
  local seen, parts = {}, {}
  if its_type.name == "cunnekt.event_name" then
    return 'the name of an event, such as "text" or "message" (the list: docs/reference/receiving.md, Handlers)'
  end
  for _, one in ipairs(types.alternatives(its_type)) do
    local fields, word = fields_of(one), nil
    if one.kind == "list" then
      word = "a list"
    elseif one.kind == "fun" then
      word = "a function"
    elseif one.kind == "literal" then
      word = "'" .. one.value .. "'"
    elseif fields then
      local names, has_more = some_names(fields)
      word = (not has_more and "a table {%s}" or are_named and "a table {%s, …}" or "a table"):format(names)
    elseif one.kind == "map" then
      word = "a table"
    elseif one.name ~= "nil" then
      word = article[one.name] or "a " .. one.name
    end
    if word and not seen[word] then
      seen[word] = true
      parts[#parts + 1] = word
    end
  end
  return table.concat(parts, " or ")
end

local got = {
  string = "a string", text = "a string", number = "a number", boolean = "true or false", table = "a table",
  ["function"] = "a function", ["nil"] = "nil",
}

-- What a value is in words. A table without names where names are wanted was taken for a list.
local function got_of(value)
  return value.kind == "table" and value.items[1] and not value.fields[1] and "a list" or got[value.kind]
end

local check

-- Tables that are refused without some of their fields, and are no content of a message.
local is_strict = { ["cunnekt.reminder"] = true }

local function check_missing(value, fields, where, problems)
  for _, name in ipairs(words.names(fields)) do
    local is_given = types.is_optional(fields[name])
    for _, field in ipairs(value.fields) do
      is_given = is_given or field.name == name
    end
    if not is_given then
      problems[#problems + 1] = { value.line, ("%s: %s is missing: it must be %s"):format(where, name, wanted(fields[name])) }
    end
  end
end

-- The problems of a table that should have these fields. Options only: content that is missing is for contents.lua.
local function check_fields(value, fields, where, problems)
  for _, field in ipairs(value.fields) do
    local its_type = fields[field.name]
    if not its_type then
      local text = "%s: unknown option '%s'%s"
      problems[#problems + 1] = { field.line, text:format(where, field.name, words.choice(field.name, words.names(fields))) }
    else
      check(field.value, its_type, ("%s: %s"):format(where, field.name), field.line, problems)
      local fn = field.name == "check" and field.value
      if fn and fn.is_never_true then
        local what = fn.gives_nothing and "returns nothing, so no answer is valid; write return …" or "never returns true, so no answer is valid; end it with return true"
        problems[#problems + 1] = { field.line, ("%s: check: the function %s"):format(where, what) }
      end
    end
  end
end

local function check_list(value, of, where, problems)
  for i, item in ipairs(value.items) do
    check(item, of, ("%s[%d]"):format(where, i), value.lines[i] or value.line, problems)
    if problems[1] then
      return -- the others are likely the same
    end
  end
end

-- Whether a literal table can be of a named type: not of a class whose objects only our functions make.
local function may_be_table(name)
  return name == "table" or not (basic[name] or name == "nil" or name == "true" or name == "false" or types.is_known(name))
end

-- The problems of a table against one alternative; nil: it cannot be that at all.
local function check_table(value, one, where)
  local problems = {}
  local fields = fields_of(one)
  if one.kind == "list" then
    if value.fields[1] and not value.items[1] then
      return nil
    end
    check_list(value, one.of, where, problems)
  elseif fields then
    check_fields(value, fields, where, problems)
    if is_strict[one.name] and not value.is_open and not value.is_shared and not value.items[1] then
      check_missing(value, fields, where, problems)
    end
    if value.items[1] and not value.is_open and not value.fields[1] then
      return nil
    end
  elseif one.kind ~= "map" and not (one.kind == "name" and may_be_table(one.name)) then
    return nil
  end
  return problems
end

-- Whether there is any table that a literal one may be.
local function takes_tables(its_type)
  for _, one in ipairs(types.alternatives(its_type)) do
    if one.kind == "list" or one.kind == "map" or fields_of(one) or one.name == "table" then
      return true
    end
  end
  return false
end

-- `name`: where it is, with the name of the argument.
local function mismatch(value, its_type, where, line, name)
  local literals, is_event = {}, its_type.name == "cunnekt.event_name"
  for _, one in ipairs(types.alternatives(its_type)) do
    if one.kind == "literal" then
      literals[#literals + 1] = one.value
    end
  end
  if value.kind == "string" and literals[1] then
    local near = is_event and route.nearest(value.value)
    local hint = near and (" (did you mean '%s'?)"):format(near) or words.choice(value.value, literals)
    return { line, ("%s: unknown %s '%s'%s"):format(where, is_event and "event" or "value", value.value, hint) }
  end
  if is_event then
    return { line, ('%s takes the name of one event, got %s; write %s("text", function(msg) … end)'):format(where, got[value.kind], where) }
  end
  return { line, ("%s must be %s, got %s"):format(name, wanted(its_type, value.kind == "table"), got_of(value)) }
end

local function fits_literal(value, one)
  if one.kind == "literal" then
    return value.kind == "text" or (value.kind == "string" and value.value == one.value)
  elseif one.kind == "fun" then
    return value.kind == "function"
  elseif one.kind ~= "name" then
    return false
  end
  return is_of(value, one.name) or (one.name == "false" and value.is_false) or (one.name == "nil" and value.kind == "nil")
    or not (basic[one.name] or one.name == "nil" or one.name == "false" or one.name == "true" or types.is_known(one.name))
end

-- Adds what is wrong with a value. `name`: where it is, if `where` says less.
function check(value, its_type, where, line, problems, name)
  if not value or not got[value.kind] then
    return
  end
  line = value.line or line
  local best
  for _, one in ipairs(types.alternatives(its_type)) do
    if value.kind ~= "table" then
      if fits_literal(value, one) then
        return
      end
    else
      local found = (one.name == "any" or one.name == "table") and {} or check_table(value, one, where)
      if found and (not best or #found < #best) then
        best = found
      end
    end
  end
  if best then
    table.move(best, 1, #best, #problems + 1, problems)
  else
    problems[#problems + 1] = mismatch(value, its_type, where, line, name or where)
  end
end

-- A parameter that a function which is written in the call never gets: handlers of other libraries have more.
local function check_parameters(value, its_type, where, line, problems)
  local fun, names = types.fun(its_type), value.names
  local unused = fun and names and names[#fun.params + 1]
  local last = fun and fun.params[#fun.params]
  if unused and unused ~= "..." and unused:sub(1, 1) ~= "_" and names[1] ~= "..." and last and last.name ~= "..." then
    local first = names[1] or ""
    local hint = last.name == "event" and unused == "chat" and (" (write %s.chat)"):format(first) or ""
    problems[#problems + 1] = { line, ("%s: its parameter '%s' is always nil%s"):format(where, unused, hint) }
  end
end

-- ---- calls ---------------------------------------------------------------------------------------------------------

---Whether the last argument may be several, or none.
---@param args table[]
---@return boolean
function arguments.is_open_ended(args)
  local last = args[#args]
  return #args > 0 and (not last or last.kind == "many" or last.results ~= nil)
end

-- What a call gives beyond what there is: it is ignored, so something else was meant.
local function check_count(call, params, shift, problems)
  local args, last = call.args, params[#params]
  local count = #args - (arguments.is_open_ended(args) and 1 or 0) - shift
  if not call.is_guessed and count > #params and not (last and last.name == "...") then
    local most = #params == 0 and "no arguments" or #params == 1 and "one argument" or ("%d arguments"):format(#params)
    problems[#problems + 1] = { call.line, ("%s takes %s, got %d"):format(call.name, most, count) }
  end
end

local function check_signature(call, params, shift)
  local problems, args = {}, call.args
  local is_open = arguments.is_open_ended(args)
  check_count(call, params, shift, problems)
  for i, param in ipairs(params) do
    local arg = args[i + shift]
    if param.name == "..." then
      break
    elseif arg then
      -- The name of a table of options, or of the event, says nothing more.
      local is_plain = (arg.kind == "table" and takes_tables(param.type)) or param.type.name == "cunnekt.event_name"
      local name = ("%s: %s"):format(call.name, param.name)
      local where = is_plain and call.name or name
      check(arg, param.type, where, arg.line or call.line, problems, name)
      if arg.kind == "function" then
        check_parameters(arg, param.type, where, call.line, problems)
      end
    elseif arg == nil and not is_open and not types.is_optional(param.type) then
      local what = param.type.name == "cunnekt.event_name" and "the event" or param.name
      problems[#problems + 1] = { call.line, ("%s: %s is missing: it must be %s"):format(call.name, what, wanted(param.type)) }
    end
  end
  return problems
end

local function check_call(call, report)
  local shift = call.shift
  local best = check_signature(call, call.fun.params, shift)
  for _, overload in ipairs(call.fun.overloads or {}) do
    local other = check_signature(call, overload.params, shift)
    local is_nearer = #other < #best or (#other == #best and #overload.params == #call.args)
    if is_nearer and #overload.params >= #call.args then
      best = other
    end
  end
  for _, problem in ipairs(best) do
    call.has_problem = true
    report(problem[1], problem[2])
  end
end

-- reply_*, send_* and ask_* are ours on any object, unless the script defines functions of these names.
local owners = { reply = "cunnekt.chat", ask = "cunnekt.chat", send = "cunnekt.client" }

local function check_untyped(call, notes, report)
  local prefix = (call.method or ""):match "^(%a+)_[%w_]+$"
  local class = owners[prefix]
  if not class or notes.methods[call.method] then
    return
  end
  local fun = types.fun(types.member(class, call.method))
  if fun then
    call.fun, call.name, call.class, call.member, call.is_guessed = fun, call.method, class, call.method, true
    return check_call(call, report)
  end
  local near = words.hint(call.method, words.names(types.members(class)))
  if near ~= "" then
    report(call.line, ("unknown method '%s'%s"):format(call.method, near))
  end
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function arguments.check(notes, report)
  for _, call in ipairs(notes.calls) do
    if call.fun and not (call.access and call.access.is_wrong) then
      check_call(call, report)
    elseif not call.fun and not call.is_typed then
      check_untyped(call, notes, report)
    end
  end
end

return arguments
