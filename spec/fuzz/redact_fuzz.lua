-- SPDX-License-Identifier: MIT
-- What holds for sentences of others that are logged: whatever a server makes of a customer's text, of a number or of a key,
-- none of it is left. An input is a digit that says what the server does, and what it repeats.

local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local readable = require "cunnekt.base.readable"
local redact = require "cunnekt.base.redact"

local function entities(text)
  return (text:gsub("[^\x80-\xff%w]", function(sign)
    return ("&#%d;"):format(sign:byte())
  end))
end

local function hexadecimal(text)
  return (text:gsub("[\x80-\xff]", function(byte)
    return ("\\x%02x"):format(byte:byte())
  end))
end

local function code_points(text)
  return (text:gsub(utf8.charpattern, function(character)
    local code = utf8.codepoint(character)
    return code >= 0x80 and code < 0x10000 and ("\\u%04x"):format(code) or nil
  end))
end

local function cut_off(text)
  return text:sub(1, #text * 2 // 3) .. "…"
end

-- What servers make of a text that they repeat.
local ways = {
  function(text)
    return text
  end,
  string.upper,
  cut_off,
  json.encode,
  function(text)
    return json.encode(json.encode(text))
  end,
  http.url_encode,
  entities,
  hexadecimal,
  code_points,
  function(text)
    return "“" .. text .. "”"
  end,
}

-- Signs between the digits of a number.
local between = { " ", "-", ".", "/", "(", ")", "_", ",", "\t", "\u{a0}", "\u{2011}", "%20", "&nbsp;", "\\u00a0", "+" }

-- What a script calls its things stays, and so do the words of errors, whoever else says them.
local function is_of_scripts(text)
  text = text:gsub("%c", " ")
  return text:find "%.lua:" or text:find "in %a+ ['<]" or text:find "%(%a+ '"
end

local function is_of_errors(word)
  return redact.sentence(word, { word .. " zqzqzq" }) == word
end

local function check_text(text, way)
  text = text:sub(1, 300):gsub("[\\%%&]", " ")
  if not utf8.len(text) or is_of_scripts(text) then
    return
  end
  local said = redact.sentence("17: '" .. way(text) .. "'", { text })
  local known = readable.fold(text)
  for word in readable.fold(said):gmatch "[%w\x80-\xff]+" do
    assert(#word < 4 or not known:find(word, 1, true) or is_of_errors(word), "a word of the customer: " .. said)
  end
end

local function check_number(text)
  local parts, count = {}, 0
  for byte in text:sub(1, 40):gmatch "." do
    if byte:find "%d" and count < 15 then
      parts[#parts + 1], count = byte, count + 1
    elseif count > 0 and count < 15 then
      parts[#parts + 1] = between[byte:byte() % (#between + 1)]
    end
  end
  local number = table.concat(parts):match "^.*%d" or ""
  local is_other = number:find "^%d%d%d%d%-%d%d%-%d%d" or number:find "^%d+%.%d+%.%d+%.%d+"
  -- Signs without a meaning of their own stand alone between digits.
  if count >= 7 and not is_other and not number:find "[,_+][^%d]" and not number:find "[^%d][,_+]" and not number:find "%+" then
    local said = redact.sentence("to: " .. number .. ";")
    assert(#said:gsub("%D", "") <= 6, "a number: " .. number .. " → " .. said)
  end
end

local function check_key(text, way)
  local key = text:sub(1, 100):gsub("[%c ]", "x")
  if #key < 8 or not utf8.len(key) then
    return
  end
  local without = redact.remover(key, "[]")
  local said = without("17: " .. key .. " ;")
  assert(said == "17: [] ;", "a key: " .. said)
  local value = without { [key] = { http.url_encode(key), 7 }, inner = { key, true } }
  assert(value["[]"][1] == "[]" and value.inner[1] == "[]" and value[key] == nil, "a key in a table")
  without(way(key))
end

local function check(input)
  local number = (input:byte() or 0) - ("0"):byte()
  local way, text = ways[number % #ways + 1], input:sub(2)
  check_text(text, way)
  check_number(text)
  check_key(text, way)
end

-- A fault: escapes are left as they are.
local function plant()
  readable.unescape = function(text)
    return text
  end
end

return { check = check, plant = plant }
