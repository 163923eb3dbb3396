-- SPDX-License-Identifier: MIT
-- Rules about what is accessed of our objects: methods and fields that there are not, a dot in place of a colon and the other way
-- round.

local arguments = require "cunnekt.cli.check.arguments"
local types = require "cunnekt.cli.check.types"
local walker = require "cunnekt.cli.check.walker"
local words = require "cunnekt.cli.check.words"

local members = {}

-- What users of other libraries write.
local elsewhere = {
  ["cunnekt.message"] = {
    body = "msg.text", content = "msg.text", message = "msg.text", sender = "msg.from", number = "msg.from", phone = "msg.from",
    author = "msg.from", to = "msg.from", answer = "msg:reply_text", send = "msg:reply_text", respond = "msg:reply_text",
    reply_message = "msg:reply_text", button_id = "msg.reply.id", ask = "msg.chat:ask", state = "msg.chat.state",
    reply = "msg:reply_text", session = "msg.chat.state", sleep = "msg.chat:sleep", wait = "msg.chat:wait",
  },
  ["cunnekt.chat"] = {
    send = "chat:reply_text", say = "chat:reply_text", send_text = "chat:reply_text", send_message = "chat:reply_text",
    from = "chat.number", phone = "chat.number", text = "the text of an answer: chat:ask(…).text", session = "chat.state",
    data = "chat.state", question = "chat:ask", prompt = "chat:ask",
  },
  ["cunnekt.bot"] = {
    command = "bot:global or bot:on", hears = "bot:on", message = 'bot:on("message", …)', on_message = 'bot:on("message", …)',
    send = "bot.client:send_text", send_text = "bot.client:send_text", middleware = "bot:use", catch = "bot:on_error",
    schedule = "bot:every, bot:daily or bot:cron", ask = "chat:ask, in a handler msg.chat:ask", state = "bot.store or chat.state",
  },
  ["cunnekt.keys"] = { put = "bot.store:set", incr = "bot.store:increment", remove = "bot.store:delete", has = "bot.store:get" },
  string = {
    contains = "text:find(word, 1, true)", includes = "text:find(word, 1, true)", split = "text:gmatch(pattern)",
    trim = 'text:match "^%s*(.-)%s*$"', replace = "text:gsub(pattern, by)", startswith = 'text:find "^…"',
    startsWith = 'text:find "^…"', length = "#text", tolower = "text:lower()", toLowerCase = "text:lower()",
    toUpperCase = "text:upper()", strip = 'text:match "^%s*(.-)%s*$"', indexOf = "text:find(word, 1, true)",
  },
}
elsewhere["cunnekt.event.message"] = elsewhere["cunnekt.message"]

local function names_of(class)
  if _G[class] then
    return words.names(_G[class])
  end
  local names = {}
  for _, name in ipairs(words.names(types.members(class))) do
    if name:sub(1, 1) ~= "_" then
      names[#names + 1] = name
    end
  end
  return names
end

-- A function that Lua's own modules do not have. Other versions of Lua have more, which portable scripts ask for; what is not
-- called may be such a question.
local function check_library(access, notes, report)
  local name, library = access.name, access.class
  local near = words.hint(name, names_of(library))
  local instead = elsewhere[library] and elsewhere[library][name]
  if not notes.writes[library] and (access.is_called or near ~= "") then
    local hint = instead and (" (write %s)"):format(instead) or near
    report(access.line, ("%s has no %s '%s'%s"):format(library, access.is_called and "function" or "field", name, hint))
  end
end

local function check_name(access, report)
  local class, name = access.class, access.name
  local instead = elsewhere[class] and elsewhere[class][name]
  local hint = instead and (" (write %s)"):format(instead) or words.choice(name, names_of(class))
  local what = (access.sign == ":" or access.is_called) and "method" or "field"
  if class == "cunnekt" or class:find "^cunnekt%.%l+$" and not types.member(class, "chat") and access.sign == "." then
    what = access.is_called and "function" or what
  end
  local owner = class == "string" and "a string" or walker.shown(class)
  report(access.line, ("%s has no %s '%s'%s"):format(owner, what, name, hint))
end

local uncallable = { string = true, number = true, integer = true, boolean = true, table = true, ["nil"] = true }

-- A field that is called.
local function check_called(access, report)
  for _, one in ipairs(types.alternatives(access.member)) do
    local is_object = one.kind == "name" and types.is_class(one.name) and one.name ~= "cunnekt.filter" and one.name ~= "cunnekt.action"
    local is_value = one.kind == "literal" or one.kind == "list" or one.kind == "map" or one.kind == "shape"
    if not (is_object or is_value or uncallable[one.name]) then
      return
    end
  end
  local class, name = access.class, access.name
  local instead = elsewhere[class] and elsewhere[class][name]
  local text = "%s.%s is no method, but a field%s"
  report(access.line, text:format(walker.shown(class), name, instead and (" (write %s)"):format(instead) or ""))
end

-- A dot where a method needs a colon: the object would be missing.
local function is_any(its_type)
  for _, one in ipairs(types.alternatives(its_type)) do
    if one.name == "any" then
      return true
    end
  end
  return false
end

-- Whether the arguments of a method that is called with a dot may begin with its object.
local function may_begin_with_object(access, fun)
  local args = access.args or { false }
  local first = args[1]
  if first and first.kind == "object" and not is_any(first.type) then
    return types.class(first.type) == access.class
  elseif #args == 0 or (first and first.kind ~= "other" and first.kind ~= "many" and first.kind ~= "object") then
    return false
  end
  local needed = 1
  for _, param in ipairs(fun.params) do
    needed = needed + ((types.is_optional(param.type) or param.name == "...") and 0 or 1)
  end
  return #args >= needed or arguments.is_open_ended(args)
end

local function check_sign(access, report)
  local fun = types.fun(access.member)
  if not access.is_called then
    return
  elseif not fun then
    return check_called(access, report)
  end
  local owner, name = walker.shown(access.class), access.name
  if access.sign == ":" and not fun.is_method then
    access.is_wrong = true
    report(access.line, ("%s.%s is no method: write a dot in place of the colon, %s.%s(…)"):format(owner, name, owner, name))
  elseif access.sign == "." and fun.is_method and not may_begin_with_object(access, fun) then
    access.is_wrong = true
    report(access.line, ("%s.%s(…) needs a colon: write %s:%s(…)"):format(owner, name, owner, name))
  end
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function members.check(notes, report)
  local is_tested = {}
  for _, access in ipairs(notes.accesses) do
    local key = access.class .. "." .. access.name
    is_tested[key] = is_tested[key] or access.is_tested
  end
  for _, access in ipairs(notes.accesses) do
    if access.is_library then
      if not access.member and not notes.fields[access.name] and not is_tested[access.class .. "." .. access.name] then
        check_library(access, notes, report)
      end
    elseif access.member then
      check_sign(access, report)
    elseif not notes.fields[access.name] then
      check_name(access, report)
    end
  end
  for _, access in ipairs(notes.assigned) do
    if access.class == "cunnekt.keys" then
      report(access.line, ("bot.store keeps nothing in its fields: write bot.store:set(%q, value)"):format(access.name))
    elseif access.class == "cunnekt.chat" and access.name ~= "state" then
      report(access.line, ("a chat keeps nothing in its fields: write chat.state.%s = value"):format(access.name))
    end
  end
end

return members
