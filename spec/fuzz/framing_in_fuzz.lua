-- SPDX-License-Identifier: MIT
-- What holds for whatever a stranger writes to our HTTP address: no more requests than there are request lines, only with
-- heads that everybody reads alike, whole answers, and the next one is served. An input is what is written, byte for byte.

local core = require "cunnekt.core"
local rawclient = require "rawclient"
local words = require "cunnekt.base.words"

local MOST_BODY = 1000
local seen = {}

local function check_exchange(exchange, method, target, query, body)
  assert(not method:find "[^%w!#$%%&'*+.^_`|~-]" and method ~= "", "a method that is no word")
  assert(not (target .. (query or "")):find "[%c ]", "a target with a space")
  assert(#(body or "") <= MOST_BODY, "a body beyond the limit")
  for _, name in ipairs { "Host", "X", "Content-Type", "Transfer-Encoding", "Content-Length" } do
    local value = exchange:header(name)
    assert(not value or not value:find "[%z\1-\8\10-\31\127]", "a value with a control character")
  end
  local coding = exchange:header "Transfer-Encoding"
  assert(not coding or coding:lower() == "chunked", "a coding that is not read")
  assert(not (coding and exchange:header "Content-Length"), "two lengths")
  seen[#seen + 1] = body or ""
end

local listener = assert(core.listen({ max_body = MOST_BODY }, function(exchange, ...)
  check_exchange(exchange, ...)
  exchange:answer(200, "fine")
end))

core.on_error(function(message)
  io.stderr:write("FINDING: ", words.trim(message), "\n")
  os.exit(1)
end)

-- Deadlines of connections are reached when nothing comes any more.
local clock = core.virtual_clock():install()

-- What comes until the other side closes; nil when it does not in time.
local function rest_of(client)
  local parts, quiet = {}, 0
  while quiet < 1000 do
    local data = client:receive()
    if not data then
      return table.concat(parts)
    elseif data == "" then
      quiet = quiet + 1
      if quiet > 20 then
        local tick = core.real_timer(0.0005, function() end)
        core.step(true)
        tick:close()
        clock:advance(100)
      else
        core.step(false)
      end
    else
      parts[#parts + 1], quiet = data, 0
    end
  end
end

-- libmicrohttpd 0.9.75 says the head of a refusal twice when the request's Content-Length is none, and then closes.
local function without_its_repetition(text)
  local head = text:match "^HTTP/1%.1 4%d%d [^\r\n]*\r\n.-\r\n\r\n"
  local is_twice = head and text:sub(#head + 1, 2 * #head) == head and head:find("Connection: close", 1, true)
  return is_twice and text:sub(#head + 1) or text
end

-- Leave to send a body is no answer; whoever closes after it gets none.
local function check_answers(text)
  local at, count = 1, 0
  text = text:gsub("HTTP/1%.1 100 Continue\r\n\r\n", "")
  while at <= #text do
    text = text:sub(1, at - 1) .. without_its_repetition(text:sub(at))
    local status, head, from = text:match("^HTTP/1%.[01] (%d%d%d) [^\r\n]*(\r\n.-\r\n)\r\n()", at)
    assert(status, "what is no answer: " .. text:sub(at, at + 100))
    local length = head:lower():match "\ncontent%-length: (%d+)\r\n"
    at, count = from + (tonumber(length) or 0), count + (tonumber(status) >= 200 and 1 or 0)
    assert(length or tonumber(status) < 200 or at > #text, "an answer without a length before another")
  end
  return count
end

local function requests_in(text)
  return select(2, text:gsub("HTTP/", ""))
end

local function check(input)
  seen = {}
  local client <close> = rawclient.connect("127.0.0.1", listener:port())
  client:send(input)
  client:finish()
  local text = assert(rest_of(client), "the connection stays open")
  assert(#seen <= requests_in(input), "a request that nobody sent")
  assert(check_answers(text) <= requests_in(input) + 1, "more answers than requests")
end

-- Planted is a check of values that lets everything through, in c/planted.c.
return { check = check }
