-- SPDX-License-Identifier: MIT
-- Rules about what is compared, and what is taken for a text or a number: words that a field never has, numbers in the place of
-- strings, and an answer as a whole, which is a message, in the place of its text. And filters that are combined as if they were true or false.

local route = require "cunnekt.bot.route"
local types = require "cunnekt.cli.check.types"
local words = require "cunnekt.cli.check.words"

local compared = {}

-- Where a word of the customer's is in what these calls give, and in some objects.
local text_of_call = { ask_buttons = ".reply.id", ask_list = ".reply.id", ask_template = ".payload", ask_form = ".form" }
local text_of_class = { ["cunnekt.webhook.reply"] = ".id" }

local function is_message(class)
  return class == "cunnekt.message" or class == "cunnekt.event.message"
end

-- What an object is and what to write, for the end of a sentence; nil: it may well be a text or a number.
local function describe(its_type, name)
  local class = types.class(its_type)
  if not class or not (is_message(class) or text_of_class[class]) then
    return nil
  end
  local called = name:match ":([%w_]+)$"
  local what = called and is_message(class) and name .. " gives a message" or is_message(class) and name .. " is a message" or name .. " is a table"
  local field = text_of_class[class] or called and text_of_call[called] or ".text"
  return what, called and is_message(class) and "its " .. field:sub(2) or name .. field
end

-- Where more words may come than are known, only one that is nearly right is reported.
local function check_word(one, literals, is_open, report)
  if literals[1] and (not is_open or words.hint(one.word, literals) ~= "") then
    local near = one.name:find "%.type$" and route.nearest(one.word)
    local hint = near and (" (did you mean '%s'?)"):format(near) or words.choice(one.word, literals)
    report(one.line, ("%s is never '%s'%s"):format(one.name, one.word, hint))
  elseif one.word:find "^%+%d" and (one.name:find "%.from$" or one.name:find "%.number$") then
    report(one.line, ("%s is never '%s': it is digits only, without +"):format(one.name, one.word))
  end
end

local function check_comparison(one, report)
  local what, instead = describe(one.type, one.name)
  if what then
    local written = type(one.word) == "string" and ("'%s'"):format(one.word) or tostring(one.word)
    report(one.line, ("%s, and so never %s; compare %s"):format(what, written, instead))
    return
  end
  local literals, is_open = {}, false
  for _, member in ipairs(types.alternatives(one.type)) do
    if member.kind == "literal" then
      literals[#literals + 1] = member.value
      if member.value == one.word then
        return
      end
    elseif member.name == "string" then
      is_open = true
    elseif member.name ~= "nil" then
      return
    end
  end
  if type(one.word) == "string" then
    check_word(one, literals, is_open, report)
  elseif literals[1] or is_open then
    report(one.line, ('%s is a string, and so never a number; compare it with "%s"'):format(one.name, one.word))
  end
end

-- A message where a text or a number belongs.
local function check_call(call, report)
  local first = call.args[1]
  local is_text = (call.member == "ask" and call.class == "cunnekt.chat") or (call.member or ""):find "_text$" or call.global == "tonumber"
  local arg = (call.member or ""):find "^send_" and call.args[2] or first
  if is_text and arg and arg.kind == "object" and call.shift == 0 then
    local what, instead = describe(arg.type, arg.name)
    if what then
      report(call.line, ("%s: %s; write %s"):format(call.name or call.global, what, instead))
    end
  end
end

local choices = {
  ["and"] = "filters are combined with &: Lua's 'and' takes only the last one",
  ["or"] = "filters are combined with |: Lua's 'or' takes only the first one",
  ["not"] = "a filter is turned round with ~: Lua's 'not' gives false, and no filter",
}

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function compared.check(notes, report)
  for _, one in ipairs(notes.comparisons) do
    check_comparison(one, report)
  end
  for _, choice in ipairs(notes.choices) do
    report(choice.line, choices[choice.sign])
  end
  for _, call in ipairs(notes.calls) do
    check_call(call, report)
  end
end

return compared
