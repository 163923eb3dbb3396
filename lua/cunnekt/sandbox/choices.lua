-- SPDX-License-Identifier: MIT
-- What a customer can tap in the messages of the business: buttons, the rows of lists, and quick replies of templates.

local words = require "cunnekt.base.words"

local choices = {}

-- So many of the last messages are searched for what is tapped.
local look_back = 200

---@class cunnekt.sandbox.choice
---@field kind "button"|"list"
---@field id string
---@field title string
---@field description string?
---@field entry cunnekt.sandbox_entry the message

local kinds = { button = "buttons", list = "list" }

---The choices of a message, in order.
---@param entry cunnekt.sandbox_entry?
---@return cunnekt.sandbox.choice[]
function choices.of(entry)
  local payload, found = entry and entry.payload, {}
  local field = payload and kinds[payload.type]
  for i, one in ipairs(field and payload[field] or {}) do
    local its = payload.type == "button" and one.reply or one
    found[i] = { kind = payload.type, id = its.id, title = its.title, description = its.description, entry = entry }
  end
  return found
end

---The choice of a message with an id, or its first one.
---@param entry cunnekt.sandbox_entry?
---@param kind string
---@param id string?
---@return cunnekt.sandbox.choice?
function choices.find(entry, kind, id)
  for _, one in ipairs(choices.of(entry)) do
    if one.kind == kind and (not id or one.id == id) then
      return one
    end
  end
  return nil
end

-- ---- of a conversation ---------------------------------------------------------------------------------------------

---The last messages of a conversation, the newest first.
---@param state table the sandbox's
---@param contact string
---@return cunnekt.sandbox_entry[]
function choices.recent(state, contact)
  local entries, found = state:since(state.last - look_back, contact, look_back), {}
  for i = #entries, 1, -1 do
    found[#found + 1] = entries[i]
  end
  return found
end

-- The payloads that a template names for its quick replies, those of its cards too.
local function add_payloads(components, add)
  for _, one in ipairs(type(components) == "table" and components or {}) do
    if tostring(one.sub_type):lower() == "quick_reply" then
      for _, parameter in ipairs(type(one.parameters) == "table" and one.parameters or {}) do
        add(parameter.payload)
      end
    end
    for _, card in ipairs(type(one.cards) == "table" and one.cards or {}) do
      add_payloads(card.components, add)
    end
  end
end

-- Calls `add` with each id of a message; true for a template that names none: its buttons, if any, have their texts as ids, which
-- the provider alone knows.
local function each_id(entry, kind, add)
  if kind ~= "quick_reply" then
    for _, one in ipairs(choices.of(entry)) do
      if one.kind == kind then
        add(one.id)
      end
    end
    return false
  end
  local payload, is_silent = entry.payload, true
  if not payload or payload.templateid == nil then
    return false
  end
  add_payloads(type(payload.template) == "table" and payload.template.components, function(id)
    is_silent = false
    add(id)
  end)
  return is_silent
end

---The ids that a customer can tap, those of the newest message first.
---@param state table the sandbox's
---@param contact string
---@param kind "button"|"list"|"quick_reply"
---@return string[] ids
---@return boolean has_others whether there may be more: of templates, whose buttons the provider knows
function choices.ids(state, contact, kind)
  local ids, seen, has_others = {}, {}, false
  for _, entry in ipairs(choices.recent(state, contact)) do
    local is_silent = each_id(entry, kind, function(id)
      if id and not seen[id] then
        seen[id], ids[#ids + 1] = true, id
      end
    end)
    has_others = has_others or is_silent
  end
  return ids, has_others
end

local nouns = { button = "button", list = "row", quick_reply = "quick reply" }
local plurals = { button = "buttons", list = "rows", quick_reply = "quick replies" }
local commands = { button = "/button", list = "/list", quick_reply = "/reply" }

-- The tap of another kind that was meant: on what has this id, or this title.
local function meant(state, contact, kind, id)
  for _, entry in ipairs(choices.recent(state, contact)) do
    for _, one in ipairs(choices.of(entry)) do
      if one.kind ~= kind and (one.id == id or one.title == id) then
        return { kind = one.kind, id = one.id, is_title = one.id ~= id }
      end
    end
    local is_payload
    each_id(entry, "quick_reply", function(payload)
      is_payload = is_payload or payload == id
    end)
    if is_payload and kind ~= "quick_reply" then
      return { kind = "quick_reply", id = id }
    end
  end
  return nil
end

local function none_offered(kind, has_others)
  if has_others and kind == "quick_reply" then
    return "the template names no quick reply; write the text of one: /reply TEXT"
  end
  return ("the bot has offered no %s"):format(plurals[kind])
end

-- What is said of a tap on an id that the bot has not offered.
local function check_unknown(message, ids, has_others, other)
  local kind, id = message.type, message.id
  local is_possible = kind == "quick_reply" and (has_others or #ids == 0)
  local form = other and ("%s: %s %s"):format(nouns[other.kind], commands[other.kind], other.id)
  if other and not (is_possible and (has_others or other.is_title)) then
    return ("no %s has the id '%s'; it is a %s"):format(nouns[kind], id, form)
  elseif is_possible and other then
    return nil, ("it is taken as a quick reply of a template; there is also a %s"):format(form)
  elseif is_possible then
    return nil, not has_others and "the bot has offered no quick replies; this is one of a template that somebody else has sent" or nil
  elseif #ids == 0 then
    return none_offered(kind, has_others)
  end
  return ("no %s has the id '%s'; possible: %s"):format(nouns[kind], id, words.list(ids))
end

---Checks a tap as a person would make it, who can only tap what is there. Without an id it becomes one on the first choice. Quick replies
---are on templates, which other programs send too: one with an id may be of such a template, where the bot has sent none that names ids.
---@param state table the sandbox's
---@param contact string
---@param message table fields for sandbox:say; its id may be set
---@return string? problem nil: it can be made, or is no tap
---@return string? note on a tap that is taken although the sandbox has not seen what is tapped
function choices.check(state, contact, message)
  local kind = message.type
  if not nouns[kind] then
    return nil
  end
  local ids, has_others = choices.ids(state, contact, kind)
  if not message.id and #ids == 0 then
    return none_offered(kind, has_others)
  end
  message.id = message.id or ids[1]
  for _, id in ipairs(ids) do
    if id == message.id then
      return nil
    end
  end
  return check_unknown(message, ids, has_others, meant(state, contact, kind, message.id))
end

return choices
