-- SPDX-License-Identifier: MIT
-- Whether an event is what a waiting run waits for. Which run of a conversation it goes to, and what happens to an event that
-- no run takes, is decided in offer.lua.

local webhook = require "cunnekt.provider.webhook"

local answers = {}

-- Whether a wait is for a message like this one.
local function accepts_message(waiting, it)
  local types = waiting.types
  return types ~= nil and webhook.is_addressed(it) and (types[it.type] or types.any) or false
end

---Whether a run takes an event. May wait.
---@param dialogs cunnekt.dialogs
---@param waiting table? what the run waits for; nil: it is in the middle of a turn
---@param it table the event; one of a delivery gets the state that was reached
---@return boolean
function answers.accepts(dialogs, waiting, it)
  if not waiting then
    return it.status == "dialog_resume"
  elseif it.kind == "message" then
    return accepts_message(waiting, it)
  elseif it.status == "dialog_timeout" then
    return it.n == waiting.n
  elseif it.status == "dialog_signal" then
    return waiting.signal == it.name
  elseif it.status == "dialog_sent" and it.sent == waiting.sent then
    it.reached, it.message_id = dialogs:delivery_of(it.sent, waiting.reaches)
    return it.reached ~= nil
  end
  return false
end

return answers
