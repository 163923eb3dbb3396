-- SPDX-License-Identifier: MIT
-- The virtual network, through what uses it: http, and a listener.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local network = require "cunnekt.base.network"
local task = require "cunnekt.base.task"

describe("a virtual network", function()
  local virtual, time, foreign

  before_each(function()
    time = clock.virtual():install()
    virtual = network.virtual(function(request)
      foreign = request
      return request.url:find "known" and { status = 201, body = "far", headers = { "X-Place: far" } } or { kind = "tls", message = "no" }
    end):install()
  end)

  after_each(function()
    virtual.uninstall()
    time:uninstall()
  end)

  local function request(opts)
    return task.run(cunnekt.http.request, opts)
  end

  it("brings requests to listeners of this machine, and answers back", function()
    local listener = assert(network.listen({}, function(exchange, method, path, query, body)
      exchange:answer(200, table.concat({ method, path, query, body, exchange:header "x-a", exchange:header "Host" }, " "), { "X-B: c" })
    end))
    local answer = assert(request {
      method = "POST", url = ("http://a.localhost:%d/p?q=1"):format(listener:port()), body = "text", headers = { ["X-A"] = "b" },
    })
    assert.are.equal(("POST /p q=1 text b a.localhost:%d"):format(listener:port()), answer.body)
    assert.are.equal("c", answer.headers["x-b"])
    assert.is_nil((network.listen({ port = listener:port() }, function() end)))
    listener:close()
    local _, err = request { url = ("http://127.0.0.1:%d/"):format(listener:port()) }
    assert.are.equal("tls", err.kind) -- nobody is there now
  end)

  it("asks for everything else, and lets nothing out", function()
    local answer = assert(request { url = "https://known.example/x", json = { a = 1 }, method = "POST" })
    assert.are.same({ 201, "far", "far" }, { answer.status, answer.body, answer.headers["x-place"] })
    assert.are.equal('{"a":1}', foreign.body)
    local _, err = request { url = "https://other.example/" }
    assert.are.equal("tls", err.kind)
    assert.are.equal(0, core.counts().requests)
  end)

  it("keeps limits and timeouts, by the virtual clock", function()
    local _, err = request { url = "http://known/", max_bytes = 2 }
    assert.are.equal("too_large", err.kind)
    local held
    local listener = assert(network.listen({}, function(exchange)
      held = exchange
    end))
    local t = task.spawn(cunnekt.http.request, { url = ("http://localhost:%d/"):format(listener:port()), timeout = 5 })
    while core.step(true) do
    end
    assert.is_false(t.is_done)
    time:advance(5)
    while core.step(true) do
    end
    assert.are.equal("timeout", t.results[2].kind)
    assert.is_false(held:answer(200))
  end)

  it("reads streams", function()
    local body = task.run(function()
      local stream = assert(cunnekt.http.stream { url = "http://known/" })
      local chunk = stream:read()
      return chunk, stream:read()
    end)
    assert.are.equal("far", body)
  end)

  it("is gone when it is uninstalled", function()
    virtual.uninstall()
    assert.are.equal(core.request, network.request)
    assert.are.equal(core.listen, network.listen)
    assert.are.equal(core.endpoint, network.endpoint)
  end)
end)
