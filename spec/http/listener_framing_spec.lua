-- SPDX-License-Identifier: MIT
-- Which requests the listener takes, and which it refuses because two parsers might disagree about them.
local core = require "cunnekt.core"
local wire = require "spec.support.wire"

local H = "POST / HTTP/1.1\r\nHost: a\r\n"

-- name, request, status. Nothing after the refused head may ever count as a request.
local refused = {
  { "both Content-Length and Transfer-Encoding", H .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "both, the other way round", H .. "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400 },
  { "two equal Content-Lengths", H .. "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400 },
  { "two different Content-Lengths", H .. "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400 },
  { "a list of Content-Lengths", H .. "Content-Length: 5, 5\r\n\r\nhello", 400 },
  { "a negative Content-Length", H .. "Content-Length: -1\r\n\r\nhello", 400 },
  { "a signed Content-Length", H .. "Content-Length: +5\r\n\r\nhello", 400 },
  { "an empty Content-Length", H .. "Content-Length:\r\n\r\nhello", 400 },
  { "a hexadecimal Content-Length", H .. "Content-Length: 0x5\r\n\r\nhello", 400 },
  { "a Content-Length with a fraction", H .. "Content-Length: 5.0\r\n\r\nhello", 400 },
  { "a Content-Length with a space in it", H .. "Content-Length: 5 0\r\n\r\nhello", 400 },
  { "a Content-Length with a vertical tab", H .. "Content-Length: \v5\r\n\r\nhello", 400 },
  { "a Content-Length in quotes", H .. 'Content-Length: "5"\r\n\r\nhello', 400 },
  { "a Content-Length of 2^64 + 5", H .. "Content-Length: 18446744073709551621\r\n\r\nhello", 413 },
  { "a Content-Length of a hundred digits", H .. "Content-Length: " .. ("9"):rep(100) .. "\r\n\r\nhello", 413 },
  { "Transfer-Encoding: identity", H .. "Transfer-Encoding: identity\r\n\r\n", 400 },
  { "Transfer-Encoding: gzip, chunked", H .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400 },
  { "Transfer-Encoding: chunked, chunked", H .. "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400 },
  { "Transfer-Encoding: xchunked", H .. "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
  { "Transfer-Encoding: chunked with a parameter", H .. "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400 },
  { "two Transfer-Encodings", H .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400 },
  { "an empty Transfer-Encoding", H .. "Transfer-Encoding:\r\n\r\n", 400 },
  { "Transfer-Encoding in quotes", H .. 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 400 },
  { "Transfer-Encoding after a vertical tab", H .. "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400 },
  { "Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "a space before the colon", H .. "Content-Length : 5\r\n\r\nhello", 400 },
  { "a tab before the colon", H .. "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400 },
  { "a space before the first name", "POST / HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
  { "a folded field", H .. "X-A: b\r\n Content-Length: 5\r\n\r\nhello", 400 },
  { "a field folded by a tab", H .. "X-A: b\r\n\tc\r\nX-B: d\r\n\r\n", 400 },
  { "a folded Transfer-Encoding", H .. "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400 },
  { "a name that is no token", H .. "X(A): b\r\n\r\n", 400 },
  { "a name with a byte above 127", H .. "X\xc3\xa4: b\r\n\r\n", 400 },
  { "an empty name", H .. ": b\r\n\r\n", 400 },
  { "a line without a colon", H .. "nonsense\r\n\r\n", 400 },
  { "a bare LF after the request line", "POST / HTTP/1.1\nHost: a\r\n\r\n", 400 },
  { "a bare LF after a field", "POST / HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n", 400 },
  { "a bare LF after the last field", H .. "X-A: b\n\r\n", 400 },
  { "a bare LF as the empty line", H .. "X-A: b\r\n\n", 400 },
  { "only bare LFs", "GET / HTTP/1.1\nHost: a\n\n", 400 },
  { "a bare CR in a value", H .. "X-A: b\rContent-Length: 5\r\n\r\n", 400 },
  { "a bare CR at a value's end", H .. "X-A: b\r\r\n\r\n", 400 },
  { "a bare CR in a name", H .. "X\rA: b\r\n\r\n", 400 },
  { "a NUL in a value", H .. "X-A: b\0c\r\n\r\n", 400 },
  { "a NUL at the last value's end", H .. "X-A: b\0\r\n\r\n", 400 },
  { "a NUL in a name", H .. "X\0A: b\r\n\r\n", 400 },
  { "a NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a NUL in the method", "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a control character in a value", H .. "X-A: \1\r\n\r\n", 400 },
  { "no Host", "GET / HTTP/1.1\r\n\r\n", 400 },
  { "two Hosts", H .. "Host: b\r\n\r\n", 400 },
  { "a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
  { "a Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
  { "two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a control character in the target", "GET /\1 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
  { "no version", "GET /\r\nHost: a\r\n\r\n", 400 },
  { "a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
  { "HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505 },
  { "HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
  { "HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505 },
  { "HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400 },
  { "a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
  { "a target that is too long", "GET /" .. ("a"):rep(5000) .. " HTTP/1.1\r\nHost: a\r\n\r\n", 414 },
  { "a head that is too large", H .. ("X-A: " .. ("b"):rep(1000) .. "\r\n"):rep(40) .. "\r\n", 431 },
  { "a chunk size that is no number", H .. "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400 },
  { "a signed chunk size", H .. "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400 },
  { "a chunk size with 0x", H .. "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400 },
  { "a chunk size of 2^64", H .. "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", 413 },
  { "a chunk longer than its size", H .. "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", 400 },
}

describe("a listener's framing", function()
  local listener, seen

  before_each(function()
    seen = {}
    listener = assert(core.listen({ max_body = 100000 }, function(exchange, method, path, query, body)
      seen[#seen + 1] = { method = method, path = path, query = query, body = body }
      exchange:answer(200, "ok")
    end))
  end)

  after_each(function()
    listener:close()
  end)

  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function()
      local client <close> = wire.connect(listener:port())
      -- Behind it a request that a confused parser would take for the next one.
      client:send(case[2] .. "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
      local got = client:rest()
      assert.equal(0, #seen, "a handler was called")
      assert.equal(tostring(case[3]), got:match "^HTTP/1%.1 (%d+)")
      assert.truthy(got:find("\r\nConnection: close\r\n", 1, true))
    end)
  end

  it("refuses the same byte by byte", function()
    for _, case in ipairs(refused) do
      if #case[2] < 500 then
        local client <close> = wire.connect(listener:port())
        for i = 1, #case[2] do
          client:send(case[2]:sub(i, i))
          core.step(false)
        end
        client:finish()
        client:rest()
        assert.equal(0, #seen, case[1])
      end
    end
  end)

  local accepted = {
    { "no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "" },
    { "an empty value", "GET / HTTP/1.1\r\nHost: a\r\nX-A:\r\n\r\n", "" },
    { "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "" },
    { "no space after the colon", "POST / HTTP/1.1\r\nHost:a\r\nContent-Length:5\r\n\r\nhello", "hello" },
    { "spaces and tabs before a value", "POST / HTTP/1.1\r\nHost: \t a\r\nContent-Length:  5\r\n\r\nhello", "hello" },
    { "leading zeros", H .. "Content-Length: 005\r\n\r\nhello", "hello" },
    { "values beyond ASCII", H .. "X-A: gr\xc3\xbc\xc3\x9fe \xff\r\nContent-Length: 0\r\n\r\n", "" },
    { "names in any case", "POST / HTTP/1.1\r\nhOST: a\r\ncONTENT-lENGTH: 5\r\n\r\nhello", "hello" },
    { "cookies", H .. "Cookie: a=b; c=d\r\nContent-Length: 2\r\n\r\nhi", "hi" },
    { "a query", "POST /?a=b&c=%20+d&e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "hi" },
    { "blank lines first", "\r\n\r\n" .. H .. "Content-Length: 2\r\n\r\nhi", "hi" },
    { "HTTP/1.0 without Host", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", "hi" },
    { "a body of zeros and line ends", H .. "Content-Length: 6\r\n\r\n\0\r\n\n\r\0", "\0\r\n\n\r\0" },
    { "chunks", H .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n", "hello0123456789" },
    { "chunks in capitals", H .. "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello" },
    { "chunks with extensions and trailers", H .. "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n", "hello" },
    { "no chunk at all", H .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "" },
    { "a body on GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "hi" },
    { "many fields", H .. ("X-Field: value\r\n"):rep(50) .. "Content-Length: 2\r\n\r\nhi", "hi" },
  }

  for _, case in ipairs(accepted) do
    it("takes " .. case[1] .. ", whole, byte by byte and in random cuts", function()
      local request = case[2]
      local function ask(...)
        seen = {}
        local answer = wire.ask(listener:port(), ...)
        assert.equal(200, answer and answer.status)
        assert.equal(1, #seen)
        assert.equal(case[3], seen[1].body)
      end
      ask(request)
      local bytes = {}
      for i = 1, #request do
        bytes[i] = request:sub(i, i)
      end
      ask(table.unpack(bytes))
      for _ = 1, 5 do
        local pieces, at = {}, 1
        while at <= #request do
          local size = math.random(1, 40)
          pieces[#pieces + 1] = request:sub(at, at + size - 1)
          at = at + size
        end
        ask(table.unpack(pieces))
      end
    end)
  end

  it("finds a control character at any place of a value", function()
    for place = 0, 20 do
      local before, after = ("x"):rep(place), ("x"):rep(20 - place)
      for _, character in ipairs { "\1", "\31", "\127", "\t", "\128", "\255" } do
        local is_good = character == "\t" or character > "\127"
        local answer = wire.ask(listener:port(), H .. "X-A: y" .. before .. character .. after .. "\r\nContent-Length: 0\r\n\r\n")
        assert.equal(is_good and 200 or 400, answer.status, ("%q at %d"):format(character, place))
      end
    end
  end)

  it("ends the connection after a chunked request, so that nothing can hide behind its chunks", function()
    local client <close> = wire.connect(listener:port())
    client:send(H .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" .. wire.post("/hidden", "x"))
    local got = client:rest()
    assert.equal(1, #seen)
    assert.truthy(got:find("Connection: close", 1, true))
  end)

  it("takes large bodies to the byte", function()
    local body = core.random_bytes(99999) .. "x"
    assert.equal(200, wire.ask(listener:port(), wire.post("/", body)).status)
    assert.is_true(body == seen[1].body)
    local chunked = H .. "Transfer-Encoding: chunked\r\n\r\n"
    for at = 1, #body, 7001 do
      local part = body:sub(at, at + 7000)
      chunked = chunked .. ("%x\r\n%s\r\n"):format(#part, part)
    end
    assert.equal(200, wire.ask(listener:port(), chunked .. "0\r\n\r\n").status)
    assert.is_true(body == seen[2].body)
  end)

  it("refuses a body that announces more than the maximum, before it comes", function()
    local answer = wire.ask(listener:port(), H .. "Content-Length: 100001\r\n\r\n")
    assert.equal(413, answer.status)
    assert.equal(0, #seen)
  end)

  it("refuses chunks as they cross the maximum", function()
    local chunk = ("%x\r\n%s\r\n"):format(60000, ("x"):rep(60000))
    local answer = wire.ask(listener:port(), H .. "Transfer-Encoding: chunked\r\n\r\n" .. chunk .. chunk)
    assert.equal(413, answer.status)
    assert.equal(0, #seen)
  end)

  it("says continue to those who ask, unless the body is too large", function()
    local client <close> = wire.connect(listener:port())
    client:send(H .. "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert.equal(100, client:answer().status)
    client:send "hello"
    assert.equal(200, client:answer().status)
    client:send(H .. "Content-Length: 500000\r\nExpect: 100-continue\r\n\r\n")
    assert.equal(413, client:answer().status)
  end)
end)
