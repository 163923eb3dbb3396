-- SPDX-License-Identifier: MIT
-- What a handler gets, how answers reach clients, and how connections end.
local core = require "cunnekt.core"
local wire = require "spec.support.wire"

local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

describe("a listener", function()
  local listener, handler, seen

  local function listen(options)
    seen = {}
    handler = function(exchange)
      exchange:answer(200)
    end
    listener = assert(core.listen(options or {}, function(exchange, ...)
      seen[#seen + 1] = table.pack(...)
      handler(exchange, ...)
    end))
    return listener:port()
  end

  after_each(function()
    if listener then
      listener:close()
    end
    listener, handler = nil, nil
  end)

  it("hands over method, path, query and body as the client wrote them", function()
    local port = listen()
    wire.ask(port, wire.post("/a%20b/?x=1&y=%2f+z?", "body\0"))
    assert.same({ "POST", "/a%20b/", "x=1&y=%2f+z?", "body\0", n = 4 }, seen[1])
    wire.ask(port, "DELETE /x? HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.same({ "DELETE", "/x", "", "", n = 4 }, seen[2])
    wire.ask(port, "GET http://host:80/y?q HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.same({ "GET", "/y", "q", "", n = 4 }, seen[3])
    wire.ask(port, "GET http://host HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.same({ "GET", "/", nil, "", n = 4 }, seen[4])
    wire.ask(port, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.same({ "OPTIONS", "*", nil, "", n = 4 }, seen[5])
    wire.ask(port, "GET /go?to=http://x/ HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.same({ "GET", "/go", "to=http://x/", "", n = 4 }, seen[6])
  end)

  it("shows header fields whatever their case, the first of several, and the client's address", function()
    local port = listen()
    local got
    handler = function(exchange)
      got = { exchange:header "x-hub-signature-256", exchange:header "X-Twice", exchange:header "X-None" or "none" }
      got.peer = exchange:peer()
      exchange:answer(204)
      assert.is_nil(exchange:header "X-Twice")
      assert.is_nil(exchange:peer())
    end
    wire.ask(port, wire.post("/", "", "X-Hub-Signature-256: sha256=ab\r\nX-Twice: 1\r\nX-Twice: 2\r\n"))
    assert.same({ "sha256=ab", "1", "none", peer = "127.0.0.1" }, got)
  end)

  it("answers with status, body and fields", function()
    local port = listen()
    handler = function(exchange)
      assert.is_true(exchange:answer(503, "busy\0\n", { "Retry-After: 7", "X-A:b" }))
    end
    local answer = wire.ask(port, GET)
    assert.equal(503, answer.status)
    assert.equal("busy\0\n", answer.body)
    assert.truthy(answer.head:find("\r\nRetry-After: 7\r\n", 1, true))
    assert.truthy(answer.head:find("\r\nX-A: b\r\n", 1, true))
  end)

  it("answers large bodies to the byte", function()
    local port = listen()
    local body = core.random_bytes(1 << 20)
    handler = function(exchange)
      exchange:answer(200, body)
    end
    assert.is_true(wire.ask(port, GET).body == body)
  end)

  it("leaves the body out for HEAD", function()
    local port = listen()
    handler = function(exchange)
      exchange:answer(200, "hello")
    end
    local client <close> = wire.connect(port)
    client:send "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    local got = client:rest()
    assert.truthy(got:find("Content-Length: 5", 1, true))
    assert.truthy(got:find "\r\n\r\n$")
  end)

  it("refuses answers that cannot be sent, and can still be answered then", function()
    local port = listen()
    handler = function(exchange)
      for _, fields in ipairs {
        { "no colon" }, { ": x" }, { "X A: x" }, { "X-A: b\r\nX-B: c" }, { "X-A: b\nc" }, { "X-A: \0" }, { 7 },
        { "Content-Length: 7" }, { "transfer-encoding: chunked" },
      } do
        assert.has_error(function() exchange:answer(200, "x", fields) end)
      end
      assert.has_error(function() exchange:answer(99) end)
      assert.has_error(function() exchange:answer(101) end)
      assert.has_error(function() exchange:answer(1000) end)
      assert.has_error(function() exchange:answer(200, {}) end)
      exchange:answer(200, "fine")
      assert.has_error(function() exchange:answer(200) end)
    end
    assert.equal("fine", wire.ask(port, GET).body)
  end)

  it("answers 500 for an exchange that was dropped", function()
    local port = listen()
    handler = function() end
    local client <close> = wire.connect(port)
    client:send(GET)
    wire.step_until(function() return #seen == 1 end)
    collectgarbage()
    collectgarbage()
    assert.equal(500, client:answer().status)
    client:send(GET) -- and the connection goes on
    wire.step_until(function() return #seen == 2 end)
    collectgarbage()
    assert.equal(500, client:answer().status)
  end)

  it("answers 500 when the handler raises, and reports the error", function()
    local port = listen()
    local reported
    core.on_error(function(message) reported = message end)
    handler = function() error "in the handler" end
    local client <close> = wire.connect(port)
    client:send(GET)
    wire.step_until(function() return reported end)
    collectgarbage()
    assert.equal(500, client:answer().status)
    assert.truthy(reported:find("in the handler", 1, true))
    core.on_error(function(message) io.stderr:write(message, "\n") end)
  end)

  it("takes answers later, from a timer, in any order", function()
    local port = listen()
    local held = {}
    handler = function(exchange, _, path)
      held[path] = exchange
    end
    local clients = {}
    for i = 1, 20 do
      clients[i] = wire.connect(port):send(wire.post("/" .. i, "x"))
    end
    wire.step_until(function() return #seen == 20 end)
    for _ = 1, 100 do -- long enough to be set aside by the library
      core.timer(0.001, function() end)
      core.step(true)
    end
    for i = 20, 1, -1 do
      core.timer(0, function()
        assert.is_true(held["/" .. i]:answer(200, tostring(i)))
      end)
    end
    for i = 1, 20 do
      assert.equal(tostring(i), clients[i]:answer().body)
      clients[i]:send(wire.post("/again", "x")) -- the connection is as good as before
    end
    wire.step_until(function() return #seen == 40 end)
    for i = 1, 20 do
      clients[i]:close()
    end
  end)

  it("may be stepped from within a handler", function()
    local port = listen()
    handler = function(exchange, _, path)
      if path == "/outer" then
        local inner = wire.ask(port, wire.post("/inner", ""))
        exchange:answer(200, "outer around " .. inner.body)
      else
        exchange:answer(200, "inner")
      end
    end
    assert.equal("outer around inner", wire.ask(port, wire.post("/outer", "")).body)
  end)

  it("keeps connections alive, and answers pipelined requests in order", function()
    local port = listen()
    handler = function(exchange, _, path)
      core.timer(path == "/1" and 0.005 or 0, function() exchange:answer(200, path) end)
    end
    local client <close> = wire.connect(port)
    local requests = {}
    for i = 1, 50 do
      requests[i] = wire.post("/" .. i, ("x"):rep(i * 37))
    end
    client:send(table.concat(requests))
    for i = 1, 50 do
      assert.equal("/" .. i, client:answer().body)
      assert.equal(i * 37, #seen[i][4])
    end
  end)

  it("closes when the client asks for it", function()
    local port = listen()
    local client <close> = wire.connect(port)
    client:send "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert.truthy(client:rest():find "^HTTP/1.1 200 ")
    local old <close> = wire.connect(port)
    old:send "GET / HTTP/1.0\r\n\r\n"
    assert.truthy(old:rest():find "^HTTP/1.1 200 ")
  end)

  it("answers a client that has said all it had to say", function()
    local port = listen()
    local client <close> = wire.connect(port)
    client:send(GET)
    client:finish()
    assert.equal(200, client:answer().status)
  end)

  it("says false, and nothing worse, when the client has left before its answer", function()
    local port = listen()
    local held
    handler = function(exchange) held = exchange end
    for _, is_long in ipairs { false, true } do
      held = nil
      local client = wire.connect(port)
      client:send(GET)
      wire.step_until(function() return held end)
      for _ = 1, is_long and 100 or 1 do
        core.timer(is_long and 0.001 or 0, function() end)
        core.step(true)
      end
      client:reset()
      wire.step_until(function() return is_long or not held:peer() end)
      assert.is_false(held:answer(200, "too late"))
      assert.has_error(function() held:answer(200) end)
    end
  end)

  it("forgets requests whose client left in the middle", function()
    local port = listen()
    local request = wire.post("/", ("x"):rep(50))
    for i = 1, #request - 1, 7 do
      local client = wire.connect(port)
      client:send(request:sub(1, i))
      core.step(false)
      if i % 2 == 0 then client:close() else client:reset() end
      core.step(false)
    end
    assert.equal(200, wire.ask(port, GET).status)
    assert.equal(1, #seen)
  end)

  it("answers exchanges of a listener that was closed with false", function()
    local port = listen()
    local held = {}
    handler = function(exchange) held[#held + 1] = exchange end
    local one <close> = wire.connect(port)
    local two <close> = wire.connect(port)
    one:send(GET)
    wire.step_until(function() return #held == 1 end)
    for _ = 1, 100 do
      core.timer(0.001, function() end)
      core.step(true)
    end
    two:send(GET)
    wire.step_until(function() return #held == 2 end)
    listener:close()
    listener:close()
    assert.equal("", one:rest())
    assert.equal("", two:rest())
    assert.is_false(held[1]:answer(200))
    assert.is_nil(held[2]:header "Host")
    assert.has_error(function() listener:port() end)
  end)

  it("gives its port back when paused, and finishes what is under way", function()
    local port = listen()
    local held
    handler = function(exchange, _, path)
      if path == "/held" then held = exchange else exchange:answer(200) end
    end
    local idle <close> = wire.connect(port)
    local busy <close> = wire.connect(port)
    idle:send(GET)
    assert.equal(200, idle:answer().status)
    busy:send(wire.post("/held", ""))
    wire.step_until(function() return held end)
    listener:pause()
    listener:pause()
    assert.equal("", idle:rest())
    local second = assert(core.listen({ port = port }, function() end))
    second:close()
    held:answer(200, "done")
    local got = busy:rest()
    assert.truthy(got:find "done$")
    assert.truthy(got:find("Connection: close", 1, true))
  end)

  it("listens on IPv6, and names the client's address", function()
    local port = listen { host = "::1" }
    local peer
    handler = function(exchange)
      peer = exchange:peer()
      exchange:answer(200)
    end
    local client <close> = wire.connect(port, "::1")
    client:send(GET)
    assert.equal(200, client:answer().status)
    assert.equal("::1", peer)
    assert.equal("::1", listener:address())
    listener:close()
    port = listen { host = "::" }
    handler = function(exchange)
      peer = exchange:peer()
      exchange:answer(200)
    end
    wire.ask(port, GET)
    assert.equal("127.0.0.1", peer)
  end)

  it("says why it cannot listen", function()
    local port = listen()
    local failed, message = core.listen({ port = port }, function() end)
    assert.is_nil(failed)
    assert.equal(("cannot listen on 127.0.0.1:%d: Address already in use"):format(port), message)
    assert.truthy(select(2, core.listen({ host = "example.org" }, function() end)):find("not an IP address", 1, true))
    assert.truthy(select(2, core.listen({ port = 65536 }, function() end)):find("not an IP address and a port", 1, true))
    assert.has_error(function() core.listen({ port = "80x" }, function() end) end)
    assert.has_error(function() core.listen({ max_body = -1 }, function() end) end)
    assert.has_error(function() core.listen({}) end)
  end)

  it("serves on when nobody holds it", function()
    local port = assert(core.listen({}, function(exchange)
      exchange:answer(200, "still here")
    end)):port()
    collectgarbage()
    collectgarbage()
    local closer = core.counts().listeners
    assert.equal("still here", wire.ask(port, GET).body)
    assert.equal(closer, core.counts().listeners)
    for _, value in pairs(debug.getregistry()) do
      if type(value) == "userdata" and tostring(value):find "^cunnekt.listener" and pcall(value.port, value) then
        value:close()
      end
    end
  end)
end)

describe("a listener's limits", function()
  local listener, seen

  local function listen(options)
    seen = 0
    listener = assert(core.listen(options, function(exchange)
      seen = seen + 1
      exchange:answer(200)
    end))
    return listener:port()
  end

  after_each(function()
    listener:close()
  end)

  it("serve a thousand connections at once", function()
    local port = listen { max_connections = 1100 }
    local clients = {}
    for i = 1, 1000 do
      clients[i] = wire.connect(port)
      if i % 100 == 0 then
        for _ = 1, 20 do core.step(false) end
      end
    end
    for _ = 1, 3 do
      for i = 1, 1000 do clients[i]:send(wire.post("/", ("x"):rep(473))) end
      for i = 1, 1000 do assert.equal(200, clients[i]:answer().status) end
    end
    assert.equal(3000, seen)
    for i = 1, 1000 do clients[i]:close() end
  end)

  it("keep further connections waiting, and take them when others end", function()
    local port = listen { max_connections = 2 }
    local one, two, three = wire.connect(port), wire.connect(port), wire.connect(port)
    one:send(GET)
    two:send(GET)
    assert.equal(200, one:answer().status)
    assert.equal(200, two:answer().status)
    three:send(GET)
    for _ = 1, 20 do core.step(false) end
    assert.equal(2, seen)
    one:close()
    assert.equal(200, three:answer().status)
    two:close()
    three:close()
  end)

  it("cut connections beyond those of one address", function()
    local port = listen { max_per_address = 2 }
    local one = wire.connect(port)
    local two <close> = wire.connect(port)
    local three <close> = wire.connect(port)
    one:send(GET)
    assert.equal(200, one:answer().status)
    two:send(GET)
    assert.equal(200, two:answer().status)
    three:send(GET)
    assert.equal("", three:rest())
    one:close()
    for _ = 1, 20 do core.step(false) end
    local four <close> = wire.connect(port)
    four:send(GET)
    assert.equal(200, four:answer().status)
  end)

  -- Drips until cut, so that a deadline counted from the last byte would never come.
  local function drip(client, data, forever)
    local at = 0
    return wire.step_until(function()
      at = at < #data and at + 1 or at
      client.raw:send(at <= #data and data:sub(at, at) or forever)
      if at == #data then data = data .. forever end
      return not client:poll() and (client.got == "" and "cut" or client.got)
    end, "the cut")
  end

  it("cut a client that says nothing", function()
    local port = listen { header_timeout_ms = 30 }
    local client <close> = wire.connect(port)
    assert.equal("", client:rest())
  end)

  it("cut a head that drips", function()
    local port = listen { header_timeout_ms = 60 }
    local client <close> = wire.connect(port)
    assert.truthy(drip(client, "GET / HTTP/1.1\r\nX-", "a"):find "^HTTP/1.1 408 ")
    local silent <close> = wire.connect(port)
    assert.equal("cut", drip(silent, "GET /", "a"))
    assert.equal(0, seen)
  end)

  it("cut a body that drips", function()
    local port = listen { body_timeout_ms = 60 }
    local client <close> = wire.connect(port)
    client:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    assert.truthy(drip(client, "x", "x"):find "^HTTP/1.1 408 ")
    assert.equal(0, seen)
  end)

  it("cut an idle connection, but not one that waits for its answer", function()
    local port = listen { idle_timeout_ms = 30, header_timeout_ms = 30, body_timeout_ms = 30 }
    local client <close> = wire.connect(port)
    client:send(GET)
    assert.equal(200, client:answer().status)
    assert.equal("", client:rest())
    listener:close()
    listener = assert(core.listen({ idle_timeout_ms = 20, header_timeout_ms = 20, body_timeout_ms = 20 }, function(exchange)
      core.timer(0.2, function() exchange:answer(200, "at last") end)
    end))
    assert.equal("at last", wire.ask(listener:port(), GET).body)
  end)

  it("cut a client that does not take its answer", function()
    local port = listen { body_timeout_ms = 60 }
    listener:close()
    listener = assert(core.listen({ port = port, body_timeout_ms = 60 }, function(exchange)
      exchange:answer(200, ("x"):rep(20 << 20))
    end))
    local client <close> = wire.connect(port)
    client:send(GET)
    wire.step_until(function() return client.raw:wait(0) end)
    local start = core.monotonic()
    wire.step_until(function() return core.monotonic() > start + 0.15 end)
    assert.is_true(#client:rest() < 20 << 20)
  end)
end)
