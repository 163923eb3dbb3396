-- SPDX-License-Identifier: MIT
-- Messages over kept connections: when one is used again, when a request is written anew, deadlines and limits. TLS and proxies
-- are in endpoint_tls_spec.lua, how requests fail is in http_faults_spec.lua, how answers are read in reply_spec.lua.

local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"
local http = require "cunnekt.provider.http"
local http_rig = require "spec.support.rigs.http_rig"
local raw_peer = require "spec.support.raw_peer"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local rig = http_rig.new()
local serve, times, post_message = rig.serve, http_rig.times, http_rig.post_message
local start, finish = http_rig.start_message, http_rig.finish_message

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local LARGE = ("0123456789abcdef"):rep(256 * 1024)

describe("an endpoint", function()
  local function takes(options)
    return core.endpoint(options) ~= nil
  end

  it("takes POSTs whose answer is read whole", function()
    assert.is_true(takes { method = "POST", url = "https://shop.example/v1" })
    assert.is_true(takes { method = "POST", url = "http://127.0.0.1:80/", headers = { "API-KEY: x" }, max_redirects = 3 })
    assert.is_true(takes { method = "POST", url = "https://shop.example", proxy = "http://proxy.example:3128" })
    assert.is_true(takes { method = "POST", url = "http://shop.example", proxy = "" })
  end)

  it("leaves everything else to core.request", function()
    local others = {
      { url = "https://shop.example" },
      { method = "PUT" },
      { stream = true },
      { min_speed = 1 },
      { url = "http://shop.example", proxy = "http://proxy.example:3128" }, -- which wants to be asked in the clear
      { url = "https://user@shop.example" },
      { url = "https://sh\xc3\xb6p.example" },
      { url = "http://[fe80::1%25eth0]/" },
      { headers = { "Connection: close" } },
      { headers = { "host: other.example" } },
      { headers = { "Expect: 100-continue" } },
      -- These cannot be used, and core.request says why.
      { url = "ftp://shop.example" },
      { url = "https://shop.example:port/" },
      { headers = { "X-A: a\r\nX-B: b" } },
      { headers = { "Content-Length: 1" } },
    }
    for i, options in ipairs(others) do
      options.method = options.method or i > 1 and "POST" or "GET"
      options.url = options.url or "https://shop.example"
      assert.is_false(takes(options), i)
    end
  end)

  it("is what http.prepare uses, or libcurl where it must", function()
    local url = serve("ok", "ok", "status:418", "ok")
    local function post(options)
      options.method, options.min_speed = "POST", 0
      local prepared = http.prepare(options)
      return prepared.read(prepared.post "body")
    end
    assert.are.equal(200, assert(post { url = url }).status)
    assert.are.equal("application/json", assert(post { url = url }).headers["content-type"])
    assert.are.equal(418, assert(post { url = "http://shop.invalid/x", proxy = url }).status)
    assert.are.equal("http://shop.invalid/x", rig.server:requests()[3].path)
    local refused = select(2, post { url = "ftp://shop.invalid/" })
    assert.are.same({ "invalid", false }, { refused.kind, refused.sent })
  end)

  it("writes the head that libcurl writes", function()
    local headers = { "API-KEY: k y", "X-Empty:", "X-Space: ", "Content-Type: application/json" }
    local url = serve "echo"
    for _, host in ipairs { url, (url:gsub("127.0.0.1", "LocalHost")) } do
      for _, path in ipairs { "", "/", "/a/../b/./c?x=1&y=%20#fragment", "?x", "/?" } do
        for _, accept in ipairs { {}, { "Accept: application/json" } } do
          local options = { method = "POST", url = host .. path, body = "some\0bytes", headers = {} }
          table.move(headers, 1, #headers, 1, options.headers)
          options.headers[#options.headers + 1] = accept[1]
          local _, expected = task.await(function(done)
            return core.request(options, done)
          end)
          assert.are.equal(expected, assert(post_message(options.url, options.body, options)).body)
        end
      end
    end
  end)

  it("may be closed while messages are under way", function()
    local url = serve "delay:50"
    local endpoint = core.endpoint { method = "POST", url = url }
    local status
    endpoint:post("body", function(code)
      status = code
    end)
    endpoint:close()
    endpoint:close()
    assert.has_error(function() endpoint:post("body", print) end, "the endpoint is closed")
    wire.step_until(function()
      return status
    end)
    assert.are.equal(200, status)
  end)

  it("has had its head checked by others, and takes any body", function()
    local url = serve "echo"
    for _, body in ipairs { "", "\r\n\r\n", ("x"):rep(16384), ("y"):rep(100001) } do
      local answer = assert(post_message(url, body, { max_bytes = 1000000 }))
      assert.are.equal(body, answer.body:match "\r\n\r\n(.*)$")
    end
    assert.are.same({ 4, 1 }, { rig.server:count() })
  end)
end)

describe("a kept connection", function()
  local peer

  before_each(function()
    peer = raw_peer.listen()
  end)

  after_each(function()
    peer:close()
  end)

  local function send(body, opts)
    opts = opts or {}
    opts.unix = peer.path
    return start("http://shop.example/v1", body or "body", opts)
  end

  -- A message that was answered; gives its connection.
  local function exchange()
    local it = send "first"
    local link = peer:request()
    link:send(OK)
    assert(finish(it, peer))
    return link
  end

  it("is used by messages of all endpoints of a server", function()
    local link = exchange()
    for _, url in ipairs { "http://shop.example/v2", "http://SHOP.example/v1" } do
      local it = start(url, "body", { unix = peer.path })
      local other = peer:request()
      other:send(OK)
      assert(finish(it, peer))
      assert.are.equal(url:find "SHOP" == nil, other == link)
    end
  end)

  it("is not used when the server has closed it, whether that was noticed or not", function()
    exchange():close()
    assert.are.equal(200, (function()
      local it = send()
      peer:request():send(OK) -- on a new one
      return finish(it, peer).status
    end)())
    peer.links[2]:close()
    assert.are.equal(0, peer:open())
    exchange()
  end)

  it("is not used when the server said something unasked", function()
    exchange():send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    local it = send()
    local link, request = peer:request()
    assert.are.equal("body", request.body)
    assert.are.equal(peer.links[2], link)
    link:send(OK)
    assert.are.equal(200, finish(it, peer).status)
    exchange():send "x"
    assert.are.equal(0, peer:open()) -- nor kept
  end)

  it("is replaced when it takes not one byte", function()
    local link = exchange()
    link:deafen() -- a look finds nothing, and a write fails
    local it = send "second"
    local other, request = peer:request()
    assert.are.equal("second", request.body)
    assert.are_not.equal(link, other)
    assert.is_nil(link:take())
    other:send(OK)
    assert.are.equal(200, finish(it, peer).status)
  end)

  it("is replaced once", function()
    local link = exchange()
    local held = start("http://shop.example/v1", "held", { unix = peer.path })
    local second = peer:request() -- the same; a second connection is needed
    assert.are.equal(link, second)
    local other = send "other"
    local third = peer:request()
    for _, one in ipairs { second, third } do
      one:send(OK)
    end
    finish(held, peer)
    finish(other, peer)
    second:deafen()
    third:deafen()
    local it = send "last" -- not over the other idle one, which may have ended as well, but over a new one
    local fourth = peer:request()
    assert.are.equal(peer.links[3], fourth)
    fourth:send(OK)
    assert.are.equal(200, finish(it, peer).status)
  end)

  it("that took a part of the request is not replaced", function()
    local link = exchange()
    peer.is_deaf = true
    local it = send(LARGE)
    for _ = 1, 20 do
      core.step(false)
    end
    link:close()
    local answer, err = finish(it, peer)
    assert.is_nil(answer)
    assert.are.same({ "network", true }, { err.kind, err.sent })
    assert.are.equal(1, #peer.links)
  end)

  it("that took a part, and then fails to take more, is not replaced", function()
    local link = exchange()
    peer.is_deaf = true
    local it = send(LARGE)
    for _ = 1, 20 do
      core.step(false)
    end
    for _ = 1, 10 do
      link.raw:receive() -- makes room
    end
    link:deafen()
    local answer, err = finish(it)
    assert.is_nil(answer)
    assert.are.same({ "network", true }, { err.kind, err.sent })
    peer:poll()
    assert.are.equal(1, #peer.links)
  end)

  -- With TLS a part of its first piece could have left.
  it("that has no room for the first byte is not replaced, and the request counts as sent", function()
    local body = ("x"):rep(10000)
    -- Sends a message that nobody reads; gives it when it has had its chance to be written.
    local function send_unread()
      local it = send(body)
      core.step(false)
      core.step(false)
      return it
    end
    for before = 0, 100 do
      local link = exchange()
      peer.is_deaf = true
      for _ = 1, before do
        local it = send_unread()
        link:send(OK)
        assert(finish(it))
      end
      peer.is_deaf = false
      if not link.raw:send "" then -- the last one was answered before it was written: there was no room for all of it
        assert.is_true(before > 1)
        return
      end
      local it = send_unread()
      link:close()
      local answer, err = finish(it, peer)
      assert.is_nil(answer)
      assert.are.same({ "network", true }, { err.kind, err.sent }, before)
    end
    error "the connection is never full"
  end)

  it("that has room for a part only gets the rest later, and the server all of it", function()
    peer.is_deaf = true
    local it = send(LARGE)
    for _ = 1, 20 do
      core.step(false)
    end
    assert.is_nil(it.is_over)
    peer.is_deaf = false
    local link, request = peer:request()
    assert.is_true(request.body == LARGE)
    link:send(OK)
    assert.are.equal(200, finish(it, peer).status)
    assert.are.equal(link, exchange())
  end)

  it("gives an answer that came before the request was written", function()
    for _, ends in ipairs { false, true } do
      peer.is_deaf = true
      local it = send(LARGE)
      for _ = 1, 20 do
        core.step(false)
      end
      local before = #peer.links
      peer:poll()
      local link = peer.links[before + 1]
      link:send("HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno")
      if ends then
        link:close()
      end
      local answer, err = finish(it)
      assert.are.same({ 413, "no" }, { answer and answer.status, answer and answer.body }, err and err.message)
      peer.is_deaf = false
      assert.are.equal(0, peer:open()) -- and is not used again
    end
  end)

  it("is closed after 20 idle seconds, and not used when that comes too late", function()
    local clock <close> = setmetatable({ virtual = core.virtual_clock() }, {
      __close = function(self)
        self.virtual:uninstall()
      end,
    })
    clock.virtual:install()
    local link = exchange()
    clock.virtual:advance(15)
    assert.are.equal(link, exchange())
    clock.virtual:advance(19.9)
    assert.are.equal(1, peer:open())
    clock.virtual:advance(0.2)
    assert.are.equal(0, peer:open())
    local other = exchange()
    clock.virtual:uninstall() -- its time says nothing of that one
    assert.are_not.equal(other, exchange())
  end)

  it("keeps no script going", function()
    local script = ([[
      local core = require "cunnekt.core"
      local endpoint = core.endpoint { method = "POST", url = "%s" }
      local left = 3
      for _ = 1, 3 do endpoint:post("body", function(status) assert(status == 200); left = left - 1 end) end
      assert(core.counts().requests == 3)
      collectgarbage()
      while core.step(true) do end
      assert(left == 0 and core.counts().requests == 0)
    ]]):format(serve "delay:50")
    assert.is_true(http_rig.run_script(script))
  end)
end)

describe("a message", function()
  it("has a deadline on the loop's clock, whatever it waits for", function()
    local peer = raw_peer.listen()
    local clock = core.virtual_clock()
    finally(function()
      clock:uninstall()
      peer:close()
    end)
    clock:install()
    local function timed_out(answer, seconds)
      local it = start("http://shop.example/", "body", { unix = peer.path, timeout = 30 })
      local link = peer:request()
      link:send(answer)
      for _ = 1, 5 do
        core.step(false)
      end
      clock:advance(seconds)
      core.step(false)
      assert.is_nil(it.is_over)
      clock:advance(30 - seconds)
      local _, err = finish(it, peer)
      assert.are.same({ "timeout", true }, { err.kind, err.sent })
      return err.message
    end
    assert.matches("timed out after 30000 ms with 0 bytes", timed_out("", 29.9))
    assert.matches("timed out after 30000 ms with 1 bytes", timed_out(OK:sub(1, -2), 1))
    local it = start("http://shop.example/", "body", { unix = peer.path, timeout = 30 })
    peer:request():send(OK)
    assert.are.equal(200, finish(it, peer).status)
    clock:advance(100)
    assert.are.equal(0, core.counts().requests)
  end)

  it("waits for its turn behind 256 others, and then goes over one of their connections", function()
    local url, good = serve "ok", 0
    times(1000, function(i)
      local answer = assert(post_message(url .. "/" .. i % 7, ("body "):rep(i)))
      good = good + (answer.status == 200 and 1 or 0)
    end)
    local requests, connections = rig.server:count()
    assert.are.same({ 1000, 1000 }, { good, requests })
    assert.is_true(connections <= 256)
  end)

  it("goes over as many connections as there are messages under way", function()
    local endpoint = core.endpoint { method = "POST", url = serve "ok" }
    times(64, function()
      for _ = 1, 20 do
        assert.are.equal(200, (task.await(function(done)
          return endpoint:post("body", done)
        end)))
      end
    end)
    local requests, connections = rig.server:count()
    assert.are.equal(64 * 20, requests)
    assert.is_true(connections <= 64)
  end)

  it("takes the place of another server's idle connection when there are too many", function()
    local elsewhere <close> = fault_server.start(nil, "ok")
    local url = serve "ok"
    times(256, function()
      assert(post_message(url, "body"))
    end)
    times(256, function()
      assert.are.equal(200, assert(post_message(elsewhere.url, "body")).status)
    end)
  end)

  it("leaves nothing behind at the end of a state, whatever is under way", function()
    local script = [[
      local core = require "cunnekt.core"
      local endpoint = core.endpoint { method = "POST", url = "%s" }
      local held, first = { endpoint }, nil
      held[2] = endpoint:post("x", function(status) first = status end)
      while not first do core.step(true) end
      for i = 1, 300 do held[#held + 1] = endpoint:post(("x"):rep(i * 1000), print) end
      for _ = 1, 20 do core.step(false) end
      setmetatable(held, { __gc = function() pcall(endpoint.post, endpoint, "x", print); core.step(false) end })
      if ... then held, endpoint = nil, nil end
    ]]
    for _, argument in ipairs { "", "1" } do
      local url = serve("ok", "stall", "half-stall", "deaf", "stall")
      assert.is_true(http_rig.run_script(script:format(url), argument))
    end
  end)
end)
