-- SPDX-License-Identifier: MIT
-- Rules about what may be nil: an answer after its time, where its fields are used and nothing looks at it first; and the text of a
-- message that is a photo or a voice note, in a handler for all messages.

local absent = {}

local function check_answers(notes, report)
  local text = "%s gives nil when its timeout or its tries are over; look first: if not answer then … end"
  for _, answer in pairs(notes.answers) do
    if answer.index_line and not answer.is_tested then
      report(answer.index_line, text:format(answer.name))
    end
  end
end

-- With a matcher, that may have looked.
local function check_handler(call, report)
  local what, handler = call.args[1], call.args[2]
  local is_all = what and what.kind == "string" and (what.value == "message" or what.value == "any")
  local line = is_all and handler and handler.kind == "function" and handler.sure_texts and handler.sure_texts[1]
  if line then
    report(line, 'msg.text is nil for a photo or a voice note: write bot:on("text", …), or (msg.text or "")')
  end
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function absent.check(notes, report)
  check_answers(notes, report)
  for _, call in ipairs(notes.calls) do
    if call.class == "cunnekt.bot" and call.member == "on" then
      check_handler(call, report)
    end
  end
end

return absent
