-- SPDX-License-Identifier: MIT
-- Whether an event is what a waiting run waits for. Which run of a conversation it goes to, and what happens to an event that
-- no run takes, is decided in offer.lua.

local messages = require "cunnekt.store.messages"

local answers = {}

-- ---- taps ----------------------------------------------------------------------------------------------------------

-- Types of messages that are taps on a message of ours; their `context.id` says on which one.
local is_tap = { button = true, list = true, form = true, quick_reply = true }

-- Whether a tap on a message of this id is on another one than the question's; nil when that is not known. Also whether the
-- provider's response to one of the question's messages is still to come.
local function is_on_another(store, asked, tapped)
  local is_known, is_open = true, false
  for _, id in ipairs(asked) do
    local is_it, state = messages.is_known_as(store, id, tapped)
    if is_it then
      return false, false
    end
    is_known, is_open = is_known and is_it ~= nil, is_open or state == "sending"
  end
  if is_known or messages.id_of(store, tapped) then
    return true, false
  end
  return nil, is_open
end

-- Whether a tap is on an older message than the question's. What is not known is taken for one on the question.
local function is_on_older(dialogs, asked, tapped, contact)
  local is_other, is_open = is_on_another(dialogs.store, asked, tapped)
  if is_open then
    -- The tap has overtaken the response that tells the question's id.
    dialogs.engine.outbox:wait_for_answer(contact)
    is_other = is_on_another(dialogs.store, asked, tapped)
  end
  return is_other == true
end

-- ---- order ---------------------------------------------------------------------------------------------------------

---Whether a message was stored before the question that a run asked, by the store's order and not by clocks. Of texts that are
---handled as one, the newest counts.
---@param stored cunnekt.store.dialog
---@param record cunnekt.inbox.record
---@return boolean
function answers.came_before(stored, record)
  local asked, seq = stored.asked, record.seq
  if not asked or not seq then
    return false
  end
  for _, other in ipairs(record.joined or {}) do
    seq = math.max(seq, other.seq or seq)
  end
  return seq < asked
end

-- ---- all events ----------------------------------------------------------------------------------------------------

---Whether a run takes an event. May wait.
---@param dialogs cunnekt.dialogs
---@param waiting table? what the run waits for; nil: it is in the middle of a turn
---@param it table the event; a message is addressed to the business (webhook.is_addressed); one of a delivery gets the state that was reached, a tap on an older message `stale`
---@param contact string whose event it is
---@return boolean
function answers.accepts(dialogs, waiting, it, contact)
  if not waiting then
    return it.status == "dialog_resume"
  elseif it.kind == "message" then
    local types = waiting.types
    local is_meant = types ~= nil and (types[it.type] or types.any) or false
    if is_meant and waiting.asked and is_tap[it.type] and it.context and it.context.id then
      it.stale = is_on_older(dialogs, waiting.asked, it.context.id, contact) or nil
      return not it.stale
    end
    return is_meant
  elseif it.status == "dialog_timeout" then
    return it.n == waiting.n
  elseif it.status == "dialog_again" then
    return waiting.from ~= nil and it.from == waiting.from
  elseif it.status == "dialog_signal" then
    return waiting.signal == it.name
  elseif it.status == "dialog_sent" and it.sent == waiting.sent then
    it.reached, it.message_id = dialogs:delivery_of(it.sent, waiting.reaches)
    return it.reached ~= nil
  end
  return false
end

return answers
