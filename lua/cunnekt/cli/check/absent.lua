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

local function is_for_all(call)
  local what = call.args[1]
  return what and what.kind == "string" and (what.value == "message" or what.value == "any")
end

-- With a matcher, that may have looked.
local function check_handler(call, report)
  local handler = call.args[2]
  local line = handler and handler.kind == "function" and handler.sure_texts and handler.sure_texts[1]
  if line then
    report(line, 'msg.text is nil for a photo or a voice note: write bot:on("text", …), or (msg.text or "")')
  end
end

-- Whether the script may have given another text to a message, or have looked before a handler gets it.
local function may_have_looked(notes)
  for _, access in ipairs(notes.assigned) do
    if access.name == "text" then
      return true
    end
  end
  for _, call in ipairs(notes.calls) do
    if call.class == "cunnekt.bot" and call.member == "use" then
      return true
    end
  end
  return false
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function absent.check(notes, report)
  check_answers(notes, report)
  if may_have_looked(notes) then
    return
  end
  for _, call in ipairs(notes.calls) do
    if call.class == "cunnekt.bot" and call.member == "on" and is_for_all(call) then
      return check_handler(call, report) -- a later one gets what this one has passed on
    end
  end
end

return absent
