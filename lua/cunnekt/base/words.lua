-- SPDX-License-Identifier: MIT
-- Numbers, lists and sizes as English text, and text made fit for one line of a terminal. Times and ages are in
-- time/format.lua; columns and fields in cli/store_command.lua.

local core = require "cunnekt.core"

local words = {}

-- A longer list shows its beginning and its last item.
local max_listed, listed_at_start = 20, 10

---"1 event", "2 events"
---@param number integer
---@param noun string singular
---@return string
function words.count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

---"17, 19 and 23"
---@param items any[]
---@return string
function words.list(items)
  local texts = {}
  for i, item in ipairs(items) do
    texts[i] = tostring(item)
  end
  if #texts < 2 then
    return texts[1] or ""
  elseif #texts > max_listed then
    return ("%s, … and %s"):format(table.concat(texts, ", ", 1, listed_at_start), texts[#texts])
  end
  return ("%s and %s"):format(table.concat(texts, ", ", 1, #texts - 1), texts[#texts])
end

---"1.5 MiB", "17 bytes"
---@param bytes integer
---@return string
function words.size(bytes)
  for _, unit in ipairs { { 1 << 30, "GiB" }, { 1 << 20, "MiB" }, { 1 << 10, "KiB" } } do
    if bytes >= unit[1] then
      return ("%.1f %s"):format(bytes / unit[1], unit[2])
    end
  end
  return ("%d bytes"):format(bytes)
end

---A text without line breaks and other control characters: one line that moves no cursor.
---@param text any
---@return string
function words.plain(text)
  return (tostring(text):gsub("[%c\x7f]", " "))
end

---A text without the space around it, in time that grows with its length: one pattern for both ends takes a step for each
---pair of spaces.
---@param text string
---@return string
function words.trim(text)
  local first = text:find "%S"
  return first and text:match("^.*%S", first) or ""
end

---@param text string
---@return string
function words.first_line(text)
  return text:match "^[^\n]*"
end

-- The beginning of a word that fits, of which one character is taken in any case, and the rest.
local function cut(word, width)
  local used, last = 0, 0
  for at, code in utf8.codes(word, true) do
    used = used + core.columns(utf8.char(code))
    if used > width and last > 0 then
      break
    end
    last = (utf8.offset(word, 2, at) or #word + 1) - 1
  end
  return word:sub(1, last), word:sub(last + 1)
end

---Breaks a line at spaces where possible, and anywhere in words that are too long; wide characters take two columns. The spaces at
---its beginning are those of each piece.
---@param line string
---@param width integer columns
---@return string[] pieces at least one
function words.wrap(line, width)
  local indent = line:match "^%s*"
  local room = math.max(1, width - core.columns(indent))
  local pieces, current, used = {}, "", 0
  for word in line:gmatch "%S+" do
    local columns = core.columns(word)
    if current ~= "" and used + 1 + columns > room then
      pieces[#pieces + 1], current, used = indent .. current, "", 0
    end
    while current == "" and columns > room and utf8.len(word) do
      local head
      head, word = cut(word, room)
      pieces[#pieces + 1], columns = indent .. head, core.columns(word)
    end
    local is_first = current == ""
    current, used = is_first and word or current .. " " .. word, used + columns + (is_first and 0 or 1)
  end
  if current ~= "" or #pieces == 0 then
    pieces[#pieces + 1] = indent .. current
  end
  return pieces
end

return words
