-- SPDX-License-Identifier: MIT
-- Messages over TLS, and through the tunnel of a proxy.

local core = require "cunnekt.core"
local http_rig = require "spec.support.rigs.http_rig"
local tls_server = require "spec.support.tls_server"
local wire = require "spec.support.wire"

local rig = http_rig.new()
local serve, post_message = rig.serve, http_rig.post_message
local start, finish = http_rig.start_message, http_rig.finish_message

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
-- More than the buffers of a connection hold, which may be some megabytes.
local LARGE = ("0123456789abcdef"):rep(512 * 1024)

describe("a message over TLS", function()
  it("fails unsent when the certificate is not trusted", function()
    local secure <close> = tls_server.start()
    local _, err = post_message(secure.url, "body")
    assert.are.same({ "tls", false }, { err.kind, err.sent })
    assert.matches("self.signed", err.message)
    local other <close> = tls_server.start "DNS:somebody.example"
    _, err = post_message(other.url, "body", { ca_file = other.certificate })
    assert.are.same({ "tls", false }, { err.kind, err.sent })
    _, err = post_message(other.url, "body", { ca_file = "/nonexistent/ca.pem" })
    assert.are.same({ "tls", false }, { err.kind, err.sent })
  end)

  -- Starts one, and waits until the server has it.
  local function send(secure, body, opts)
    opts = opts or {}
    opts.ca_file = secure.certificate
    local it = start(secure.url, body, opts)
    return it, function()
      wire.step_until(function()
        return secure:received():find(body, 1, true)
      end, "the request")
    end
  end

  it("is answered, and the next goes over the same connection", function()
    local secure <close> = tls_server.start_silent()
    for i = 1, 3 do
      local it, wait = send(secure, "body number " .. i)
      wait()
      secure:send(OK)
      assert.are.equal("ok", assert(finish(it)).body)
    end
    assert.are.equal(1, select(2, secure:received():gsub("BEGIN SSL SESSION", "")))
    local it, wait = send(secure, "no answer", { timeout = 0.2 })
    wait()
    local _, err = finish(it)
    assert.are.same({ "timeout", true }, { err.kind, err.sent })
  end)

  it("is written whole when the server reads slowly", function()
    local secure <close> = tls_server.start_silent()
    local it, wait = send(secure, "the first")
    wait()
    secure:send(OK)
    assert(finish(it))
    secure:signal "STOP"
    local body = LARGE .. "the end"
    it = start(secure.url, body, { ca_file = secure.certificate })
    for _ = 1, 50 do
      core.step(false)
    end
    assert.is_nil(it.is_over)
    secure:signal "CONT"
    wire.step_until(function()
      return secure:received_bytes() > #body
    end, "the whole request")
    assert.is_truthy(secure:received():find(body, 1, true))
    secure:send(OK)
    assert.are.equal(200, assert(finish(it)).status)
  end)

  it("is not repeated when the server ends amid it", function()
    local secure <close> = tls_server.start_silent()
    local it, wait = send(secure, "the first")
    wait()
    secure:send(OK)
    assert(finish(it))
    secure:signal "STOP"
    it = start(secure.url, LARGE, { ca_file = secure.certificate })
    for _ = 1, 50 do
      core.step(false)
    end
    secure:close()
    local _, err = finish(it)
    assert.are.same({ "network", true }, { err.kind, err.sent })
  end)

  it("goes through the tunnel of a proxy", function()
    local secure <close> = tls_server.start_silent()
    local proxy = rig.serve_with({ upstream = secure.port }, "tunnel")
    for i = 1, 2 do
      local it, wait = send(secure, "through " .. i, { proxy = proxy })
      wait()
      secure:send(OK)
      assert.are.equal("ok", assert(finish(it)).body)
    end
    assert.are.equal("CONNECT", rig.server:requests()[1].method)
    assert.are.same({ 1, 1 }, { rig.server:count() })
  end)

  it("fails unsent when the proxy refuses a tunnel, or cannot be reached", function()
    local answer, err = post_message("https://shop.invalid/", "body", { proxy = serve "status:403" })
    assert.is_nil(answer)
    assert.are.same({ "network", false }, { err.kind, err.sent })
    local _, unreached = post_message("https://shop.invalid/", "body", { proxy = "http://me:SECRET@127.0.0.1:1" })
    assert.are.same({ "network", false }, { unreached.kind, unreached.sent })
    assert.is_nil(unreached.message:find "SECRET")
  end)
end)
