-- SPDX-License-Identifier: MIT
-- What operators see of paused conversations, and of what is kept for a conversation: the messages that came while a person has
-- it, and signals that no dialog has asked for yet.

local json = require "cunnekt.base.json"
local kept_events = require "cunnekt.store.kept_events"
local lists = require "cunnekt.store.lists"
local personal = require "cunnekt.provider.personal"
local record = require "cunnekt.engine.record"
local route = require "cunnekt.bot.route"
local webhook = require "cunnekt.provider.webhook"

local kept = {}

---A conversation that a person has, as it is shown.
---@param row table of lists.paused
---@param has_to_reveal? boolean
---@return table view contact, paused_at; messages that came since; kept and not_kept of them
function kept.shown_pause(row, has_to_reveal)
  return {
    contact = personal.contact(row.contact, has_to_reveal),
    paused_at = row.paused_at,
    messages = row.messages,
    kept = row.kept,
    not_kept = row.messages - row.kept,
  }
end

---The pause of one conversation.
---@param store cunnekt.open_store
---@param contact string the conversation's key
---@param has_to_reveal? boolean
---@return table? view nil when nobody has it
---@return cunnekt.error? err kind store
function kept.pause_of(store, contact, has_to_reveal)
  local rows, err = lists.paused(store, { contact = contact })
  for _, row in ipairs(rows or {}) do
    if row.contact == contact then
      return kept.shown_pause(row, has_to_reveal)
    end
  end
  return nil, err
end

---Leaves out what is of a conversation that a person has: given to the bot now it would be kept, and deleted when that is resumed.
---Waits; raises when the store cannot be read.
---@param store cunnekt.open_store
---@param items table[] with `id` and `contact`
---@return table[] others
---@return integer[] paused a JSON array of the ids of those left out
function kept.without_paused(store, items)
  local others, paused = {}, json.array {}
  for _, item in ipairs(items) do
    if store:conversation(item.contact).is_paused then
      paused[#paused + 1] = item.id
    else
      others[#others + 1] = item
    end
  end
  return others, paused
end

local function read(row)
  local ok, event = pcall(record.read_body, row.body)
  return ok and event or {}
end

---What is kept for a conversation; texts and values only if they are asked for. Waits; raises when the store cannot be read.
---@param store cunnekt.open_store
---@param contact string the conversation's key
---@param has_to_reveal? boolean
---@return table messages a JSON array of kept_at, what, text
---@return table signals a JSON array of name, kept_at, expires, value
function kept.of(store, contact, has_to_reveal)
  local messages, signals = json.array {}, json.array {}
  for _, row in ipairs(kept_events.of(store, contact)) do
    local event = read(row)
    if row.name then
      local value = has_to_reveal and event.value or nil
      signals[#signals + 1] = { name = row.name, kept_at = row.kept_at, expires = row.expires, value = value }
    else
      local what = event.kind and route.name_of(event) or "unknown"
      messages[#messages + 1] = { what = what, kept_at = row.kept_at, text = has_to_reveal and event.text or nil }
    end
  end
  return messages, signals
end

---All of it, for an export.
---@param store cunnekt.open_store
---@param contact string
---@return table events a JSON array of kept_at, signal, expires, event
function kept.export(store, contact)
  local events = json.array {}
  for i, row in ipairs(kept_events.of(store, contact)) do
    local event = read(row)
    events[i] = { kept_at = row.kept_at, signal = row.name, expires = row.expires, event = webhook.raw(event) or event }
  end
  return events
end

return kept
