-- SPDX-License-Identifier: MIT
-- What holds for the answer to a message, whatever a server says: it is read the same however it is cut, and as another reader,
-- below, reads it; and what is accepted is what libcurl makes of it. An input is a byte that says how to cut, and the answer.

local core = require "cunnekt.core"
local rawclient = require "rawclient"
local reader = require "reader"

local MOST_BODY = 1000
local path = os.tmpname()
local server = rawclient.listen(path)

-- ---- the other reader ----------------------------------------------------------------------------------------------

local token, value = "[%w!#$%%&'*+.^_`|~-]+", "[\t\32-\126\128-\255]*"

-- The fields between two places: the special ones, or nil when a line is none.
local function fields(text)
  local lengths, codings, closes = {}, {}, false
  for line in text:gmatch "(.-)\r\n" do
    local name, content = line:match("^(" .. token .. "):[ \t]*(" .. value .. ")$")
    if not name then
      return nil
    end
    name, content = name:lower(), content:match "^(.-)[ \t]*$"
    if name == "content-length" then
      lengths[#lengths + 1] = content
    elseif name == "transfer-encoding" then
      codings[#codings + 1] = content:lower()
    elseif name == "connection" then
      closes = closes or ("," .. content:lower():gsub("[ \t]*,[ \t]*", ",") .. ","):find(",close,", 1, true) ~= nil
    end
  end
  return lengths, codings, closes
end

local function number(digits)
  return tonumber(digits) -- a float when it is large, which is as good
end

local function read_length(lengths)
  for _, length in ipairs(lengths) do
    if not length:find "^%d+$" or number(length) ~= number(lengths[1]) then
      return "refused"
    end
  end
  return nil, lengths[1] and number(lengths[1])
end

-- Where the lines that begin at `at` end with an empty one: the lines, and what follows. Else what is wrong.
local function lines_from(text, at)
  if text:sub(at, at + 1) == "\r\n" then
    return "", at + 2
  end
  local from, to = text:find("\r\n\r\n", at, true)
  if not from then
    return nil
  end
  return text:sub(at, from + 1), to + 1
end

local function read_chunks(text, at)
  local parts, size = {}, 0
  while true do
    local digits, after = text:match("^(%x+)[ \t;]?" .. value .. "\r\n()", at)
    if not digits or #digits > 16 or not text:find("^%x+[ \t;\r]", at) then
      return nil
    end
    local length = number("0x" .. digits)
    if #digits:gsub("^0+", "") >= 16 or length > MOST_BODY - size then
      return "too_large"
    elseif length == 0 then
      local trailer, from = lines_from(text, after)
      return trailer and fields(trailer) and "whole" or nil, from, table.concat(parts)
    elseif text:sub(after + length, after + length + 1) ~= "\r\n" then
      return nil
    end
    parts[#parts + 1], size = text:sub(after, after + length - 1), size + length
    at = after + length + 2
  end
end

-- How a whole answer is read: "whole" or "ended", bytes used, status, body, whether the connection is kept; or "too_large"; nil:
-- it is refused or cut.
local function read(text)
  local at = 1
  while true do
    local minor, status, rest, from = text:match("^HTTP/1%.([01]) (%d%d%d)(" .. value .. ")\r\n()", at)
    status = tonumber(status)
    if not status or status < 100 or status == 101 or (rest ~= "" and rest:sub(1, 1) ~= " ") then
      return nil
    end
    local head, after = lines_from(text, from)
    local lengths, codings, closes = fields(head or "x\r\n")
    if not lengths then
      return nil
    end
    local wrong, length = read_length(lengths)
    if wrong or #codings > 1 or (codings[1] and codings[1] ~= "chunked") then
      return nil
    end
    local keeps = minor == "1" and not closes
    if status < 200 then
      at = after
    elseif status == 204 or status == 304 then
      return "whole", after - 1, status, "", keeps
    elseif codings[1] then
      local how, next_at, body = read_chunks(text, after)
      return how, next_at and next_at - 1, status, body, keeps and not length
    elseif not length then
      local body = text:sub(after)
      return #body > MOST_BODY and "too_large" or "ended", #text, status, body, false
    elseif length > MOST_BODY then
      return "too_large"
    elseif #text - after + 1 < length then
      return nil
    else
      return "whole", after + length - 1, status, text:sub(after, after + length - 1), keeps
    end
  end
end

-- ---- cutting -------------------------------------------------------------------------------------------------------

local function cut(text, next_size)
  local pieces, at = {}, 1
  while at <= #text do
    local size = next_size()
    pieces[#pieces + 1], at = text:sub(at, at + size - 1), at + size
  end
  return pieces
end

-- ---- libcurl -------------------------------------------------------------------------------------------------------

local function by_libcurl(text)
  local result, client
  core.request({ method = "POST", url = "http://a/", body = "x", unix = path, max_bytes = MOST_BODY, timeout_ms = 2000 }, function(...)
    result = table.pack(...)
  end)
  local got = ""
  while not result do
    local tick = core.real_timer(0.0005, function() end)
    core.step(true)
    tick:close()
    client = client or server:accept()
    if client and got then
      got = got .. (client:receive() or "")
      if got:find "\r\n\r\nx" then
        client:send(text)
        client:close()
        got = nil
      end
    end
  end
  return table.unpack(result, 1, result.n)
end

-- ---- what must hold ------------------------------------------------------------------------------------------------

-- What was used of an answer that is refused says nothing.
local function read_in(pieces)
  local result = table.pack(reader.read(MOST_BODY, pieces))
  local how = result[1]
  return (how == "refused" or how == "too_large") and { n = 1, how } or result
end

local function same(a, b, what)
  for i = 1, math.max(a.n, b.n) do
    assert(a[i] == b[i], ("%s: %s, but %s"):format(what, tostring(a[i]), tostring(b[i])))
  end
end

local function check(input)
  local seed, text = input:byte() or 0, input:sub(2)
  local whole = read_in { text }
  local how, used, status, head, body, keeps = table.unpack(whole, 1, whole.n)
  same(whole, read_in(cut(text, function() return 1 end)), "read otherwise byte by byte")
  local x = seed
  same(whole, read_in(cut(text, function()
    x = (x * 75 + 74) % 65537
    return x % (seed % 32 + 2) + 1
  end)), "read otherwise in pieces")

  local wanted, wanted_used, wanted_status, wanted_body, wanted_keeps = read(text)
  if how == "whole" or how == "ended" then
    same({ n = 5, how, used, status, body, keeps or false },
      { n = 5, wanted, wanted_used, wanted_status, wanted_body, wanted_keeps or false }, "another reader")
    local its_status, its_body, its_head = by_libcurl(text)
    same({ n = 3, status, body, head }, { n = 3, its_status, its_body, its_head }, "libcurl")
  else
    assert(how == "too_large" or how == "refused" or how == "cut", "an unknown end")
    assert(wanted ~= "whole" and wanted ~= "ended", "another reader accepts what is " .. how)
  end
end

-- Planted is an answer that may end anywhere, in c/planted.c.
return { check = check }
