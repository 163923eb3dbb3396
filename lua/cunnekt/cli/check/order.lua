-- SPDX-License-Identifier: MIT
-- Rules about the order of a script: handlers behind one that takes all of their events, what follows bot:run, and what is
-- registered in a handler. Only what surely runs, once and in this order, is compared: statements at the script's top level, for its
-- only bot.

local bot_calls = require "cunnekt.bot.calls"
local route = require "cunnekt.bot.route"

local order = {}

local magic = "[%^%$%(%)%%%.%[%]%*%+%-%?]"

-- The words of a matcher; nil: it is something else.
local function words_of(value)
  if value and value.kind == "string" then
    return { value.value }
  elseif value and value.kind == "table" and not value.is_open and value.items[1] then
    local words = {}
    for i, item in ipairs(value.items) do
      if not item or item.kind ~= "string" then
        return nil
      end
      words[i] = item.value
    end
    return words
  end
  return nil
end

-- Patterns that every text has.
local takes_all = { [""] = true, ["."] = true, [".*"] = true, [".+"] = true, [".-"] = true, ["^.*"] = true, ["^.*$"] = true, ["^.+$"] = true }

local function has_all(words)
  for _, word in ipairs(words) do
    if takes_all[word] then
      return true
    end
  end
  return false
end

-- A call of bot:on as what, words, function; nil when its parts are not known.
local function read(call)
  local what = call.args[1]
  what = what and what.kind == "string" and route.is_name(what.value) and what.value
  local second, third = call.args[2], call.args[3]
  if not what or not second then
    return nil
  end
  local handler = { what = what, line = call.line }
  if third and third.kind == "function" then
    handler.fn, handler.words = third, words_of(second)
    if what == "text" and handler.words and has_all(handler.words) then
      handler.words = nil -- as without a matcher
    elseif not handler.words and not second.is_true then
      return nil
    end
    return handler
  elseif second.kind == "function" and not (third and third.kind ~= "table") then
    handler.fn = second
    return handler
  end
  return nil
end

local by_id = { button = true, list = true, quick_reply = true }

local function takes_word(what, taken, word)
  if taken == word then
    return true
  elseif by_id[what] or route.kind_of(what) ~= "message" or taken:find(magic) or word:find(magic) then
    return false
  end
  return word:lower():find(taken:lower(), 1, true) ~= nil
end

local function takes_words(one, other)
  if not one.words then
    return true
  elseif not other.words or one.what ~= other.what then
    return false
  end
  for _, word in ipairs(other.words) do
    local is_taken = false
    for _, taken in ipairs(one.words) do
      is_taken = is_taken or takes_word(one.what, taken, word)
    end
    if not is_taken then
      return false
    end
  end
  return true
end

local function takes_event(one, other)
  local kind = route.kind_of(other)
  return one == other or one == kind or (one == "any" and kind ~= "own")
end

local function describe(one)
  local words = one.words and (" with '%s'"):format(one.words[1]) or ""
  return ("every '%s'%s"):format(one.what, words)
end

local function check_handlers(calls, report)
  local before = {}
  for _, call in ipairs(calls) do
    local handler = read(call)
    for _, one in ipairs(handler and before or {}) do
      if takes_event(one.what, handler.what) and takes_words(one, handler) then
        local text = "bot:on: this handler never runs: that of line %d takes %s first; move this one above it, or return \"next\" there"
        report(call.line, text:format(one.line, describe(one)))
        break
      end
    end
    if handler and handler.fn.odd_next then
      report(handler.fn.odd_next, 'bot:on: only return "next", in quotes and small letters, forwards the event')
    end
    if handler and not handler.fn.may_pass then
      before[#before + 1] = handler
    end
  end
end

local takes_function = {}
for name in ("on use dialog global job after every daily cron"):gmatch "%S+" do
  takes_function[name] = true
end

-- What is registered in the function of a call, which runs for an event or a job.
local function check_late(call, calls, report)
  for _, arg in ipairs(takes_function[call.member] and call.args or {}) do
    local fn = arg and arg.kind == "function" and arg
    for at = fn and fn.first_call or 1, fn and fn.last_call or 0 do
      local inner = calls[at]
      if inner.class == "cunnekt.bot" and bot_calls.registers[inner.member] then
        report(inner.line, bot_calls.late:format(inner.member))
      end
    end
  end
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function order.check(notes, report)
  local bots, handlers, run_line = 0, {}, nil
  for _, call in ipairs(notes.calls) do
    if call.class == "cunnekt.bot" then
      check_late(call, notes.calls, report)
    end
    if call.name == "cunnekt.bot" then
      bots = bots + 1
    elseif call.class == "cunnekt.bot" and call.level == 0 then
      if call.member == "on" then
        handlers[#handlers + 1] = call
      end
      if call.member == "run" then
        run_line = run_line or call.line
      elseif run_line and bot_calls.registers[call.member] then
        report(call.line, ("bot:%s comes after bot:run() in line %d, which returns when the bot has stopped; move it above"):format(call.member, run_line))
      end
    end
  end
  if bots == 1 then
    check_handlers(handlers, report)
  end
end

return order
