-- SPDX-License-Identifier: MIT
-- HTTP out, against a server that answers; what happens when one side gives up is in http_faults_spec.lua. The actions are
-- in spec/support/fault_server.c.

local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"
local http = require "cunnekt.provider.http"
local http_rig = require "spec.support.rigs.http_rig"
local json = require "cunnekt.base.json"
local tls_server = require "spec.support.tls_server"

local rig = http_rig.new()
local serve, times = rig.serve, http_rig.times

describe("http.request", function()
  it("gives status, headers by lower-case name, and body", function()
    local answer = assert(http.get(serve "status:429:7" .. "/v1/x?y=1"))
    assert.are.equal(429, answer.status)
    assert.are.equal("application/json", answer.headers["content-type"])
    assert.are.equal("7", answer.headers["retry-after"])
    assert.are.equal("wamid.fault", json.decode(answer.body).messages[1].id)
    assert.are.equal("/v1/x?y=1", rig.server:requests()[1].path)
  end)

  it("sends method, headers and body as they were given, and nothing uncalled for", function()
    local answer = assert(http.request {
      method = "PATCH",
      url = serve "echo" .. "/p",
      headers = { ["API-KEY"] = "k y", ["X-Empty"] = "", ["X-Two"] = { "a", "b" }, ["X-Number"] = 7 },
      body = "some\0bytes\r\n",
    })
    local head, body = answer.body:match "^(.-\r\n)\r\n(.*)$"
    assert.are.equal("some\0bytes\r\n", body)
    assert.is_truthy(head:find("PATCH /p HTTP/1.1\r\n", 1, true))
    for _, line in ipairs { "API-KEY: k y", "X-Empty:", "X-Two: a", "X-Two: b", "X-Number: 7", "Content-Length: 12" } do
      assert.is_truthy(head:find("\r\n" .. line .. "\r\n", 1, true), line)
    end
    assert.is_nil(head:find "Expect")
    assert.is_nil(head:find "Content%-Type")
  end)

  it("sends a value as JSON", function()
    local answer = assert(http.post(serve "echo", nil, { json = { mobile = "919999999999" } }))
    assert.is_truthy(answer.body:find("Content-Type: application/json\r\n", 1, true))
    assert.are.equal('{"mobile":"919999999999"}', answer.body:match "\r\n\r\n(.*)$")
  end)

  it("sends an empty POST with a length, and HEAD without waiting for a body", function()
    local url = serve("echo", "status:204")
    assert.is_truthy(assert(http.post(url)).body:find("Content-Length: 0", 1, true))
    assert.are.equal(204, assert(http.request { method = "HEAD", url = url, timeout = 5 }).status)
  end)

  it("uses a connection again, also for another path and another method", function()
    local url = serve "ok"
    for i = 1, 3 do
      assert(http.post(url .. "/" .. i, "body"))
      assert(http.get(url))
    end
    assert.are.same({ 6, 1 }, { rig.server:count() })
  end)

  it("reads chunked answers, and keeps trailers out of the headers", function()
    local answer = assert(http.get(serve "chunked:250001"))
    assert.are.equal(250001, #answer.body)
    assert.is_nil(answer.headers["x-late"])
  end)

  it("accepts an answer of exactly max_bytes", function()
    local url = serve("body:2000", "chunked:2000", "body:0")
    assert.are.equal(2000, #assert(http.get(url, { max_bytes = 2000 })).body)
    assert.are.equal(2000, #assert(http.get(url, { max_bytes = 2000 })).body)
    assert.are.equal("", assert(http.get(url, { max_bytes = 0 })).body)
  end)

  it("answers a thousand requests made at once, over a bounded number of connections", function()
    local url, good = serve "ok", 0
    times(1000, function(i)
      local answer = assert(http.post(url .. "/" .. i % 7, ("body "):rep(i)))
      good = good + (answer.status == 200 and 1 or 0)
    end)
    local requests, connections = rig.server:count()
    assert.are.same({ 1000, 1000 }, { good, requests })
    assert.is_true(connections <= 256)
  end)

  it("raises for what is a mistake in the program, at its caller", function()
    local function message(...)
      return select(2, pcall(...))
    end
    assert.matches("http_spec.lua:%d+: http.request: unknown option 'tmeout' %(did you mean 'timeout'%?%)",
      message(function() http.request { url = "http://x", tmeout = 1 } end))
    assert.matches("http_spec.lua:%d+: http.post: option 'timeout' must be more than 0",
      message(function() http.post("http://x", "", { timeout = 0 }) end))
    assert.matches("http_spec.lua:%d+: http.get: header 'a' must be a string, got boolean",
      message(function() http.get("http://x", { headers = { a = true } }) end))
    -- It was sent as a header "a" with another value; what is behind the colon may be a key.
    assert.matches("http_spec.lua:%d+: http.get: header 'a' has a colon in its name; write headers = { %[\"a\"%] = value }$",
      message(function() http.get("http://x", { headers = { ["a: s3cr3t"] = "" } }) end))
    -- What copies the options raised an error about a 'for iterator'.
    assert.matches("http_spec.lua:%d+: http.get: options must be a table, got string; write http.get%(url, { timeout = 5 }%)$",
      message(function() http.get("http://x", "x") end))
    assert.matches("http_spec.lua:%d+: http.post: options must be a table, got number; write http.post%(url, body, { timeout = 5 }%)$",
      message(function() http.post("http://x", "", 5) end))
    assert.matches("http_spec.lua:%d+: http.request: option 'url' is missing",
      message(function() http.request {} end))
    assert.matches("http_spec.lua:%d+: http.stream: options 'json' and 'body' exclude each other",
      message(function() http.stream { url = "http://x", json = 1, body = "1" } end))
  end)

  it("refuses what would break the request apart, and sends nothing", function()
    local url = serve "ok"
    local refused = {
      { headers = { ["X-A"] = "a\r\nX-B: b" } },
      { headers = { ["X-A"] = "a\nb" } },
      { headers = { ["X-A"] = "a\0b" } },
      { headers = { ["X-A\r\nX-B"] = "b" } },
      { headers = { ["X A"] = "b" } },
      { headers = { [""] = "b" } },
      { headers = { ["Content-Length"] = "1" } },
      { headers = { ["transfer-encoding"] = "chunked" } },
      { method = "GET /x HTTP/1.1\r\nX: y\r\n\r\nGET" },
      { method = "" },
      { url = url .. "/a b" },
      { url = url .. "/\r\nX: y" },
      { url = url .. "/\0" },
      { url = "ftp://127.0.0.1/" },
      { url = "file:///etc/passwd" },
      { url = "127.0.0.1" },
      { url = "http://" },
      { url = "http://127.0.0.1:port/" },
    }
    for i, opts in ipairs(refused) do
      opts.url = opts.url or url
      local answer, err = http.request(opts)
      assert.is_nil(answer, i)
      assert.are.same({ "invalid", false }, { err.kind, err.sent }, err.message)
    end
    assert.are.equal(0, (rig.server:count()))
  end)

  it("names no key, password or query in its messages", function()
    local headers = { ["API-KEY"] = "SECRET" }
    local errs = {
      select(2, http.get("http://me:SECRET@127.0.0.1:1/path?token=SECRET#SECRET", { headers = headers })),
      select(2, http.get("http://me:SECRET/x@127.0.0.1:1/path", { headers = headers })),
      select(2, http.get("http://127.0.0.1:1/", { proxy = "bogus://me:SECRET@127.0.0.1:1" })),
      select(2, http.get("http://127.0.0.1:1/", { proxy = "http://me:SECRET@127.0.0.1:1" })),
      select(2, http.get("SECRET://127.0.0.1:1/")),
      select(2, http.get("http://127.0.0.1:1/", { headers = { ["API-KEY"] = "SECRET\n" } })),
    }
    assert.are.equal(6, #errs)
    for _, err in ipairs(errs) do
      assert.is_nil(tostring(err):find "SECRET", tostring(err))
    end
    assert.matches("^network: GET http://127.0.0.1:1: ", tostring(errs[1]))
  end)
end)

describe("redirects", function()
  it("are answers like others, unless some are allowed", function()
    local url = serve("redirect:/next", "echo")
    local answer = assert(http.get(url))
    assert.are.same({ 302, "/next", "Gone" }, { answer.status, answer.headers.location, answer.body })
    assert.are.equal(1, (rig.server:count()))
  end)

  it("are followed as often as allowed", function()
    local url = serve("redirect:/b?c=d", "redirect:e", "echo")
    local answer = assert(http.get(url .. "/a/x", { max_redirects = 2, headers = { ["API-KEY"] = "KEY" } }))
    assert.matches("^GET /e HTTP/1.1", answer.body)
    assert.is_truthy(answer.body:find("API-KEY: KEY", 1, true)) -- the same origin all the way
    rig.server:next("redirect:/b", "redirect:/c")
    assert.are.equal(302, assert(http.get(url, { max_redirects = 1 })).status)
    assert.are.equal("/b", rig.server:requests()[5].path)
  end)

  it("don't take the headers to another origin", function()
    local elsewhere <close> = fault_server.start(nil, "echo")
    local url = serve("redirect:" .. elsewhere.url .. "/there", "ok")
    local answer = assert(http.get(url, { max_redirects = 1, headers = { ["API-KEY"] = "KEY" } }))
    assert.matches("^GET /there HTTP/1.1", answer.body)
    assert.is_nil(answer.body:find "KEY")
    -- Nor does the next request on that handle lose them.
    rig.server:next("echo")
    assert.is_truthy(assert(http.get(url, { max_redirects = 1, headers = { ["API-KEY"] = "KEY" } })).body:find "KEY")
  end)

  it("are not followed by a POST, nor out of HTTP", function()
    local url = serve("redirect:/b", "redirect:ftp://127.0.0.1/", "redirect:file:///etc/passwd", "redirect:http://[")
    assert.are.equal(302, assert(http.post(url, "body", { max_redirects = 5 })).status)
    for _ = 1, 3 do
      assert.are.equal(302, assert(http.get(url, { max_redirects = 5 })).status)
    end
    assert.are.equal(4, (rig.server:count()))
  end)

  it("are followed by streams too", function()
    local stream <close> = assert(http.stream { url = serve("redirect:/b", "body:10"), max_redirects = 1 })
    assert.are.same({ 200, 10 }, { stream.status, #stream:read() })
    assert.is_nil(stream:read())
  end)
end)

describe("TLS", function()
  it("is refused when the certificate is not trusted, and accepted with its CA file", function()
    local secure <close> = tls_server.start()
    local answer, err = http.get(secure.url)
    assert.is_nil(answer)
    assert.are.same({ "tls", false }, { err.kind, err.sent })
    assert.matches("self.signed", err.message)
    assert.are.equal(200, assert(http.get(secure.url, { ca_file = secure.certificate })).status)
    local _, again = http.get(secure.url) -- also after a handle has trusted it
    assert.are.equal("tls", again.kind)
    local _, no_file = http.get(secure.url, { ca_file = "/nonexistent/ca.pem" })
    assert.are.same({ "tls", false }, { no_file.kind, no_file.sent })
  end)

  it("is refused when the certificate is for somebody else", function()
    local secure <close> = tls_server.start "DNS:somebody.example"
    local _, err = http.get(secure.url, { ca_file = secure.certificate })
    assert.are.same({ "tls", false }, { err.kind, err.sent })
  end)
end)

describe("a proxy", function()
  it("gets the request for the server", function()
    local answer = assert(http.get("http://shop.invalid/path?q", { proxy = serve "ok" }))
    assert.are.equal(200, answer.status)
    assert.are.equal("http://shop.invalid/path?q", rig.server:requests()[1].path)
  end)

  it("that refuses a tunnel fails the request, unsent", function()
    local answer, err = http.post("https://shop.invalid/", "body", { proxy = serve "status:403" })
    assert.is_nil(answer)
    assert.are.same({ "network", false }, { err.kind, err.sent })
    assert.are.equal("CONNECT", rig.server:requests()[1].method)
  end)
end)

describe("http.stream", function()
  it("gives the head first and the body in pieces", function()
    local stream = assert(http.stream { url = serve "chunked:300000" })
    assert.are.equal(200, stream.status)
    assert.are.equal("chunked", stream.headers["transfer-encoding"])
    local size = 0
    for chunk in stream.read, stream do
      size = size + #chunk
    end
    assert.are.equal(300000, size)
    assert.is_nil(stream:read()) -- and again
    stream:close()
  end)

  it("does not take what nobody reads, and loses nothing of it", function()
    local size = 60 * 1000 * 1000
    local url = serve("body:" .. size)
    local stream <close> = assert(http.stream { url = url, max_bytes = size })
    -- As much comes on another connection meanwhile, and is read.
    local other <close> = assert(http.stream { url = url, max_bytes = size })
    repeat until not other:read()
    assert.is_true(rig.server:bytes_sent() - size < size / 2) -- the kernel's buffers hold a few MB
    local seen, line = 0, ("0123456789abcdef"):rep(3) .. "0123456789abcde\n"
    for chunk in stream.read, stream do
      local at = seen % 64
      assert.is_true(chunk == line:rep(#chunk // 64 + 2):sub(at + 1, at + #chunk))
      seen = seen + #chunk
    end
    assert.are.equal(size, seen)
  end)

  it("fails in the middle as a request does", function()
    for action, kind in pairs { ["half-reset"] = "network", ["half-stall"] = "timeout", endless = "too_large" } do
      local stream <close> = assert(http.stream { url = serve(action), timeout = 0.2, max_bytes = 100000 })
      local chunk, err
      repeat
        chunk, err = stream:read()
      until not chunk
      assert.are.same({ kind, true }, { err.kind, err.sent })
      assert.are.equal(err, select(2, stream:read()))
    end
  end)

  it("fails before its head as a request does", function()
    local stream, err = http.stream { url = serve "stall", timeout = 0.1 }
    assert.is_nil(stream)
    assert.are.same({ "timeout", true }, { err.kind, err.sent })
  end)

  it("ends when it is closed or forgotten", function()
    local url = serve "endless"
    local stream = assert(http.stream { url = url })
    stream:read()
    stream:close()
    stream:close()
    assert.are.equal("cancelled", select(2, stream:read()).kind)
    for _ = 1, 20 do
      assert(http.stream { url = url }):read()
    end
    collectgarbage()
    collectgarbage()
    assert.are.equal(0, core.counts().requests)
  end)

  it("does not hold up other requests", function()
    local url = serve "endless"
    local streams = {}
    for i = 1, 300 do
      streams[i] = assert(http.stream { url = url })
    end
    rig.server:next("ok", "ok")
    assert.are.equal(200, assert(http.get(url, { timeout = 5 })).status)
    for _, stream in ipairs(streams) do
      stream:close()
    end
  end)
end)

describe("texts in URLs", function()
  it("are encoded and decoded byte by byte", function()
    local every = {}
    for byte = 0, 255 do
      every[#every + 1] = string.char(byte)
    end
    local text = table.concat(every)
    assert.are.equal(text, http.url_decode(http.url_encode(text)))
    assert.are.equal("wamid.A%2BB%2FC%3D%3D", http.url_encode "wamid.A+B/C==")
    assert.are.equal("50%, a+b é", http.url_decode "50%, a+b %C3%A9")
  end)

  it("are read from a query", function()
    assert.are.same({ a = "1 2", b = "", c = "x=y&z", [""] = "" }, http.parse_query "a=1+2&b&c=x%3Dy%26z&=&&")
    assert.are.same({}, http.parse_query "")
    assert.are.same({ a = "2" }, http.parse_query "a=1&a=2")
  end)
end)
