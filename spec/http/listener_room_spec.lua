-- SPDX-License-Identifier: MIT
-- Clients that take room from others. One chunk's head of 20,000 bytes kept the loop at 100 % for 30 s, 98 unfinished bodies
-- for a wrong path starved good requests, and clients that had ended in the middle of a head held their connections for 10 s.
-- Deadlines are an hour here, so that what ends, ends for another reason.
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local wire = require "spec.support.wire"

local HOUR = 3600000
local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
local BODY = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
local CHUNKED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

describe("a listener's room", function()
  local listener, seen, clients, time

  local function listen(options)
    for _, name in ipairs { "header", "body", "idle" } do
      options[name .. "_timeout_ms"] = options[name .. "_timeout_ms"] or HOUR
    end
    listener = assert(core.listen(options, function(exchange, _, path, _, body)
      seen[#seen + 1] = path
      exchange:answer(200, tostring(#body))
    end))
  end

  local function connect(text)
    local client = wire.connect(listener:port())
    clients[#clients + 1] = client
    return client:send(text or "")
  end

  local function settle()
    for _ = 1, 50 do
      core.step(false)
    end
  end

  before_each(function()
    seen, clients = {}, {}
  end)

  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
    listener:close()
    if time then
      time:uninstall()
    end
    listener, time = nil, nil
  end)

  describe("and framing that never ends:", function()
    local long = {
      { "an extension", "5;" .. ("a"):rep(20000) },
      { "an extension of many parts", "5" .. (";a=b"):rep(5000) },
      { "zeros", ("0"):rep(20000) },
      { "an extension of the last chunk", "0;" .. ("a"):rep(20000) },
      { "an extension of a second chunk", "5\r\nhello\r\n5;" .. ("a"):rep(20000) },
    }
    for _, case in ipairs(long) do
      it(case[1] .. " is refused, whole and part by part", function()
        listen {}
        assert.equal(400, connect(CHUNKED .. case[2]):answer().status)
        local client = connect(CHUNKED)
        local at = 1
        wire.step_until(function()
          client.raw:send(case[2]:sub(at, at + 199))
          at = at + 200
          return not client:poll() or at > #case[2]
        end)
        assert.equal(400, client:answer().status)
        assert.same({}, seen)
      end)
    end

    it("trailer fields are refused", function()
      listen {}
      -- By the library, or on a busy machine first by the look at bodies that are stuck.
      local refusals = { [431] = true, [400] = true }
      assert.is_true(refusals[connect(CHUNKED .. "0\r\nX-A: " .. ("a"):rep(20000)):answer().status])
      assert.is_true(refusals[connect(CHUNKED .. "0\r\n" .. ("X-A: b\r\n"):rep(4000)):answer().status])
    end)

    it("a head that waits for its end leaves the loop at rest", function()
      listen {}
      local client = connect(CHUNKED .. "5;")
      for _ = 1, 300 do -- as far as the buffer goes, and no further
        client.raw:send(("a"):rep(50))
        settle()
        if not client:poll() then
          break
        end
      end
      local steps, is_over = 0, false
      core.real_timer(0.05, function()
        is_over = true
      end)
      while not is_over do
        core.step(true)
        steps = steps + 1
      end
      assert.is_true(steps < 500, ("%d steps"):format(steps))
    end)

    it("an extension that ends is taken", function()
      listen {}
      assert.equal("5", connect(CHUNKED .. "5;" .. ("a"):rep(4000) .. "\r\nhello\r\n0\r\n\r\n"):answer().body)
    end)
  end)

  -- The library sleeps through an end that comes together with bytes.
  describe("and clients that have ended:", function()
    local halves = {
      { "nothing", "" },
      { "half a request line", "GET / HT" },
      { "half a head", "GET / HTTP/1.1\r\nHost: a\r\nX-" },
      { "half a body", BODY .. "abc" },
      { "half a chunk", CHUNKED .. "5\r\nab" },
      { "half a chunk's head", CHUNKED .. "5" },
      { "half a trailer", CHUNKED .. "0\r\nX-" },
      { "half of a body that is refused", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\nabc" },
    }
    for _, half in ipairs(halves) do
      it("after " .. half[1] .. " they are cut at once", function()
        listen {}
        local together, apart = connect(half[2]), connect(half[2])
        together:finish()
        settle()
        apart:finish()
        together:rest()
        apart:rest()
        local idle = connect(GET .. half[2])
        idle:finish()
        assert.equal(200, idle:answer().status)
        idle:rest()
        assert.same({ "/" }, seen)
      end)
    end

    it("whatever they have asked is answered first", function()
      listen {}
      local client = connect(GET:rep(50))
      client:finish()
      local _, count = client:rest():gsub("HTTP/1.1 200", "")
      assert.equal(50, count)
      local body = connect(BODY .. ("x"):rep(100))
      body:finish()
      assert.equal("100", body:answer().body)
      body:rest()
    end)
  end)

  describe("when all connections are in use", function()
    local slow_ways = { "", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\nX-", BODY .. "abc", CHUNKED .. "5\r\n", GET }

    for _, slow in ipairs(slow_ways) do
      it(("goes to those who ask, from those who say %q"):format(slow:sub(1, 40)), function()
        listen { max_connections = 8 }
        for _ = 1, 30 do
          connect(slow)
        end
        assert.equal(200, connect(GET):answer().status)
      end)
    end

    it("is taken from those who are slow only, unfinished heads first", function()
      time = clock.virtual():install()
      listen { max_connections = 4 }
      local body, idle, head, late = connect(BODY), connect(GET), connect "GET", connect ""
      assert.equal(200, idle:answer().status)
      local first = connect(GET)
      settle()
      assert.same({ "/" }, seen)
      time:advance(0.2)
      assert.equal(200, first:answer().status)
      head:rest()
      assert.is_true(late:poll())
      assert.equal(200, connect(GET):answer().status)
      late:rest()
      time:advance(0.2)
      assert.is_true(idle:poll())
      assert.equal(200, connect(GET):answer().status)
      idle:rest()
      assert.equal("100", body:send(("x"):rep(100)):answer().body)
    end)

    it("stays theirs while nobody waits for it", function()
      time = clock.virtual():install()
      listen { max_connections = 2 }
      local one, two = connect "GET /one", connect "GET /two"
      settle()
      time:advance(60)
      settle()
      one:send " HTTP/1.1\r\nHost: a\r\n\r\n"
      two:send " HTTP/1.1\r\nHost: a\r\n\r\n"
      assert.equal(200, one:answer().status)
      assert.equal(200, two:answer().status)
    end)
  end)

  it("for bodies is taken from those that are slow", function()
    time = clock.virtual():install()
    listen { max_body = 2000, max_bodies = 5000 }
    local request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n"
    local slow = {}
    for i = 1, 3 do
      slow[i] = connect(request .. ("x"):rep(1500))
      settle()
    end
    assert.equal(503, connect(request .. ("x"):rep(2000)):answer().status)
    time:advance(0.2)
    assert.equal("2000", connect(request .. ("x"):rep(2000)):answer().body)
    assert.equal(408, slow[1]:answer().status)
    slow[1]:rest()
    assert.equal("2000", slow[2]:send(("x"):rep(500)):answer().body)
  end)

  describe("where one path takes bodies", function()
    before_each(function()
      listen { body_path = "/in/s3cret", max_body = 5000, max_bodies = 5000 }
    end)

    it("is not given to bodies for another, which are refused as they begin", function()
      for _, path in ipairs { "/", "/in/s3cre", "/in/s3crets", "/in/s3creT", "/in/s3cret/", "/in%2Fs3cret" } do
        local head = ("POST %s HTTP/1.1\r\nHost: a\r\n"):format(path)
        assert.equal(404, connect(head .. "Content-Length: 5000\r\n\r\n" .. ("x"):rep(4000)):answer().status)
        assert.equal(404, connect(head .. "Content-Length: 99999999\r\n\r\nx"):answer().status)
        assert.equal(404, connect(head .. "Transfer-Encoding: chunked\r\n\r\n"):answer().status)
        assert.equal(404, connect(head .. "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"):answer().status)
      end
      assert.same({}, seen)
      for _, target in ipairs { "/in/s3cret", "/in/s3cret?a=b", "http://a/in/s3cret" } do
        assert.equal("5000", wire.ask(listener:port(), wire.post(target, ("x"):rep(5000))).body)
      end
    end)

    it("lets the client of a refused body say all, and read why", function()
      local head = "POST /other HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      local client = connect(head)
      for _ = 1, 40 do
        client:send("10000\r\n" .. ("x"):rep(65536) .. "\r\n")
        settle()
      end
      client:send "0\r\n\r\n"
      assert.equal(404, client:answer().status)
      assert.equal("", client:rest())
    end)

    it("leaves requests without a body to the handler", function()
      assert.equal(200, connect(GET):answer().status)
      assert.equal(200, wire.ask(listener:port(), wire.post("/other", "")).status)
      assert.same({ "/", "/other" }, seen)
    end)
  end)

  it("is not given to bodies without the field that vouches for them", function()
    listen { body_field = "X-Signature", max_body = 5000 }
    assert.equal(401, connect(BODY):answer().status)
    assert.equal(401, connect(CHUNKED):answer().status)
    assert.equal(401, connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n"):answer().status)
    assert.equal(200, connect(GET):answer().status)
    assert.equal("3", wire.ask(listener:port(), wire.post("/", "abc", "x-signature: any\r\n")).body)
    assert.same({ "/", "/" }, seen)
  end)
end)
