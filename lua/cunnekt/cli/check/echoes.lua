-- SPDX-License-Identifier: MIT
-- The rule about handlers that answer every status: WhatsApp reports the answer, too, which calls the handler again, without end. So
-- does the failure of an answer to a failure, in the same chat.

local echoes = {}

local reports = { accepted = true, status = true, sent = true, delivered = true, read = true, any = true }
-- The answer to one of these fails for the same reason. Somebody else may well be told.
local failures = { failed = true, rejected = true, unknown_outcome = true, expired = true }

-- What a handler may be called for before one of every status is.
local function may_take(what, other)
  local is_known = what and what.kind == "string"
  return not is_known or what.value == other or what.value == "status" or what.value == "any" or other == "status"
end

-- The function of a bot:on that gets every status of a name, in a script with these handlers before it.
local function handler_of(call, before)
  local what, handler = call.args[1], call.args[2]
  local is_every = not call.args[3] and what and what.kind == "string" and (reports[what.value] or failures[what.value]) and handler and handler.kind == "function"
  for _, one in ipairs(is_every and before or {}) do
    is_every = is_every and not may_take(one.args[1], what.value)
  end
  return is_every and handler or nil
end

-- The first call that surely runs, and answers.
local function answer_in(handler, what)
  for _, call in ipairs(handler.sure_calls or {}) do
    if (not failures[what] or call.subject ~= "bot:chat") and call.class == "cunnekt.chat" and call.member and (call.member:find "^reply" or call.member:find "^ask") then
      return call
    end
  end
  return nil
end

-- The calls of bot:on of a script, in their order. None where it is not sure which runs first, or where bot:use comes before them.
local function handlers_of(notes)
  local bots, handlers = 0, {}
  for _, call in ipairs(notes.calls) do
    if call.name == "cunnekt.bot" then
      bots = bots + 1
    elseif call.class == "cunnekt.bot" and call.member == "use" then
      return {}
    elseif call.class == "cunnekt.bot" and call.member == "on" then
      if call.level > 0 then
        return {}
      end
      handlers[#handlers + 1] = call
    end
  end
  return bots == 1 and handlers or {}
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function echoes.check(notes, report)
  local before = {}
  for _, call in ipairs(handlers_of(notes)) do
    local handler = handler_of(call, before)
    local answer = handler and answer_in(handler, call.args[1].value)
    if answer then
      local text = "bot:on: every '%s' is answered here, and the answer has one, too: it would never end; look at status.track first"
      report(answer.line, text:format(call.args[1].value))
    end
    before[#before + 1] = call
  end
end

return echoes
