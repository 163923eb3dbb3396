-- SPDX-License-Identifier: MIT
-- The rule about handlers that answer every status: WhatsApp reports the answer, too, which calls the handler again, without end.

local echoes = {}

local reports = { accepted = true, status = true, sent = true, delivered = true, read = true, played = true }

-- The function of a bot:on that gets every status of a name.
local function handler_of(call)
  local what, handler = call.args[1], call.args[2]
  local is_on = call.class == "cunnekt.bot" and call.member == "on" and not call.args[3]
  local is_every = is_on and what and what.kind == "string" and reports[what.value] and handler and handler.kind == "function"
  return is_every and handler or nil
end

-- The first call that surely runs, and answers.
local function answer_in(handler)
  for _, call in ipairs(handler.sure_calls or {}) do
    if call.class == "cunnekt.chat" and call.member and (call.member:find "^reply" or call.member:find "^ask") then
      return call
    end
  end
  return nil
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function echoes.check(notes, report)
  for _, call in ipairs(notes.calls) do
    local handler = handler_of(call)
    local answer = handler and answer_in(handler)
    if answer then
      local text = "bot:on: every '%s' is answered here, and the answer has one, too: it would never end; look at status.track first"
      report(answer.line, text:format(call.args[1].value))
    end
  end
end

return echoes
