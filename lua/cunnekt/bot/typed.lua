-- SPDX-License-Identifier: MIT
-- How what customers type is compared with words of the script: commands of bot:global, titles of choices, and words in bot:on
-- and filter.text that are no patterns. Their common form is that of src/whatsapp/words.h. Patterns match the text itself.

local core = require "cunnekt.core"
local formats = require "cunnekt.store.formats"
local words = require "cunnekt.base.words"

local typed = {}

---The form in which a word is compared: folded, without surrounding blanks.
---@param text string?
---@return string
function typed.plain(text)
  return core.fold(text or "", true)
end

---The form that version 1 of the rules compared: small letters of ASCII alone.
---@param text string?
---@return string
function typed.ascii(text)
  return words.trim(text or ""):lower()
end

---Whether an event was first handled by version 1 of the rules, and so has to be compared as then: a journal tells.
---@param event table
---@return boolean
function typed.is_by_first_rules(event)
  return rawget(event, "_rules") == formats.first_rules
end

---Whether what a customer typed is a title.
---@param event table
---@param title string
---@return boolean
function typed.is_same(event, title)
  local form = typed.is_by_first_rules(event) and typed.ascii or typed.plain
  return form(event.text) == form(title)
end

local longest_word = 64

---The form of a word without the signs that keyboards and people add to it: "Stop.", "*stop*", "stop 🙏". Nil where there are none, in a long text,
---and for an event that was handled before they were left out.
---@param event table
---@return string? plain
function typed.bare(event)
  local text = event.text or ""
  if text:find "^%w" and text:find("^%w", -1) then
    return nil -- most texts
  elseif #text > longest_word or (rawget(event, "_rules") or formats.rules) < formats.sign_rules then
    return nil
  end
  local plain = typed.plain(text)
  local bare = plain:gsub("[\xF0-\xF4][\x80-\xBF][\x80-\xBF][\x80-\xBF]", ""):gsub("।", "."):gsub("。", ".") -- emoji; full stops
  bare = bare:gsub("^[\"'*_~%s]+", ""):gsub("[%p%s]+$", "")
  return bare ~= "" and bare ~= plain and bare or nil
end

-- The text that was folded last: several words are looked for in an event's.
local last, last_folded

local function folded(text)
  if text ~= last then
    last, last_folded = text, core.fold(text)
  end
  return last_folded
end

---A function that tells whether an event's text has a match of a pattern. A pattern without magic characters is words, which
---are looked for in whatever case and form they are typed. Raises what string.find raises.
---@param pattern string
---@return fun(event: table): boolean
function typed.finder(pattern)
  local word = core.fold(pattern)
  if pattern:find "[%^%$%(%)%%%.%[%]%*%+%-%?]" or word == "" then
    return function(event)
      local text = event.text
      return text ~= nil and text:find(pattern) ~= nil
    end
  end
  return function(event)
    local text = event.text
    if not text then
      return false
    elseif typed.is_by_first_rules(event) then
      return text:find(pattern, 1, true) ~= nil
    end
    return folded(text):find(word, 1, true) ~= nil
  end
end

return typed
