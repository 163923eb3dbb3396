-- SPDX-License-Identifier: MIT
-- What a browser sends for a page of another site, said byte by byte to each local address. A page could tell the sandbox by a
-- form to fetch any address, and write to a bot as its customers.
local core = require "cunnekt.core"
local kept_bot = require "spec.support.rigs.kept_bot"
local sandbox = require "cunnekt.sandbox"
local service = require "cunnekt.service"
local wire = require "spec.support.wire"

local JSON = "Content-Type: application/json\r\n"
local PLAIN = "Content-Type: text/plain\r\n"

-- Fields of requests that a page of another site can make a browser send, `%d` being the port.
local foreign = {
  { "a form", "Host: 127.0.0.1:%d\r\nOrigin: http://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n" },
  { "plain text", "Host: 127.0.0.1:%d\r\nOrigin: http://evil.example\r\n" .. PLAIN },
  { "JSON that it could not send", "Host: 127.0.0.1:%d\r\nOrigin: http://evil.example\r\n" .. JSON },
  { "a sandboxed frame", "Host: 127.0.0.1:%d\r\nOrigin: null\r\n" .. JSON },
  { "another port of this machine", "Host: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:1\r\n" .. JSON },
  { "the same host by another name", "Host: 127.0.0.1:%d\r\nOrigin: http://localhost:%d\r\n" .. JSON },
  { "an image", "Host: 127.0.0.1:%d\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n" .. JSON },
  { "a page of the same domain", "Host: localhost:%d\r\nSec-Fetch-Site: same-site\r\n" .. JSON },
}

local rebound = {
  { "its own name", "Host: evil.example:%d\r\nOrigin: http://evil.example:%d\r\nSec-Fetch-Site: same-origin\r\n" .. JSON },
  { "its own name in a GET", "Host: evil.example\r\nSec-Fetch-Site: same-origin\r\n" .. JSON },
  { "a name that looks like an address", "Host: 127.0.0.1.evil.example:%d\r\n" .. JSON },
  { "a name that looks like localhost", "Host: localhost.evil.example\r\n" .. JSON },
  { "a name in digits", "Host: 127.0.0.1.5:%d\r\n" .. JSON },
}

local own = {
  { "a program", "Host: 127.0.0.1:%d\r\n" .. JSON },
  { "a program by name", "Host: LOCALHOST:%d\r\n" .. JSON },
  { "a program by IPv6", "Host: [::1]:%d\r\n" .. JSON },
  { "a page of its own", "Host: localhost:%d\r\nOrigin: http://localhost:%d\r\nSec-Fetch-Site: same-origin\r\n" .. JSON },
  { "a person", "Host: shop.localhost\r\nSec-Fetch-Site: none\r\n" .. JSON:gsub("json", "JSON ; charset=utf-8") },
}

local function ask(port, method, path, fields, body)
  local head = fields:gsub("%%d", tostring(port))
  return wire.ask(port, ("%s %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s"):format(method, path, head, #body, body)).status
end

describe("the sandbox", function()
  local box
  local calls = {
    { "POST", "/v1/sendreplymessage", '{"mobile":"919999999999","type":"text","text":"x"}', "API-KEY: any\r\n" },
    { "POST", "/control/messages", '{"text":"hi"}' },
    { "POST", "/control/statuses", '{"id":"wamid.x","status":"read"}' },
    { "POST", "/control/settings", '{"webhook":"http://127.0.0.1:1/"}' },
    { "POST", "/control/clock", '{"advance":1}' },
    { "POST", "/control/faults", '{"kind":"reset"}' },
    { "DELETE", "/control/faults", "" },
    { "DELETE", "/control/messages", "" },
    { "GET", "/control/messages", "" },
    { "GET", "/control/state", "" },
    { "GET", "/", "" },
  }

  before_each(function()
    box = assert(sandbox.new())
  end)

  after_each(function()
    box:close()
  end)

  local function state_of()
    return core.hex(core.sha256_of(require("cunnekt.base.canonical").text {
      box.state.last, #box._faults:list(), tostring(box._webhooks.url), box.state.counts,
    }))
  end

  for _, list in ipairs { foreign, rebound } do
    for _, case in ipairs(list) do
      it("changes and tells nothing for " .. case[1], function()
        local before = state_of()
        for _, call in ipairs(calls) do
          assert.equal(403, ask(box.port, call[1], call[2], case[2] .. (call[4] or ""), call[3]), call[2])
        end
        assert.equal(before, state_of())
      end)
    end
  end

  it("takes JSON only where something is changed", function()
    local before = state_of()
    for _, call in ipairs(calls) do
      if call[1] == "POST" and not call[4] then
        for _, kind in ipairs { PLAIN, "", "Content-Type: text/plain; a=application/json\r\n", "Content-Type: application/jsonp\r\n" } do
          assert.equal(415, ask(box.port, "POST", call[2], "Host: 127.0.0.1\r\n" .. kind, call[3]))
        end
      end
    end
    assert.equal(before, state_of())
  end)

  it("would be changed by all of them without the check", function()
    local local_page = require "cunnekt.base.local_page"
    local refusal = local_page.refusal
    local_page.refusal = function() end
    for _, list in ipairs { foreign, rebound } do
      for _, case in ipairs(list) do
        local before = state_of()
        ask(box.port, "POST", "/control/messages", case[2], '{"text":"hi"}')
        assert.not_equal(before, state_of(), case[1])
      end
    end
    local_page.refusal = refusal
  end)

  for _, case in ipairs(own) do
    it("serves " .. case[1], function()
      for _, call in ipairs(calls) do
        assert.equal(200, ask(box.port, call[1], call[2], case[2] .. (call[4] or ""), call[3]), call[2])
      end
    end)
  end
end)

describe("a bot's addresses", function()
  local kept

  after_each(function()
    kept:close()
  end)

  local function port_of(text)
    return math.tointeger(text:match ":(%d+)$")
  end

  it("tell pages of other sites nothing on the admin address", function()
    kept = kept_bot.new { admin = "127.0.0.1:0" }
    local port = port_of(kept:start():admin_address())
    for _, list in ipairs { foreign, rebound } do
      for _, case in ipairs(list) do
        assert.equal(403, ask(port, "GET", "/metrics", case[2], ""), case[1])
      end
    end
    for _, case in ipairs(own) do
      assert.equal(200, ask(port, "GET", "/metrics", case[2], ""), case[1])
    end
  end)

  it("are asked by any name where they are on a network", function()
    kept = kept_bot.new { admin = "0.0.0.0:0" }
    local port = port_of(kept:start():admin_address())
    assert.equal(200, ask(port, "GET", "/metrics", "Host: bot.internal:9090\r\n", ""))
    assert.equal(403, ask(port, "GET", "/metrics", "Host: bot.internal\r\nOrigin: http://evil.example\r\n", ""))
  end)

  it("take no webhooks from pages of other sites", function()
    kept = kept_bot.new()
    local port = port_of(kept:start():address())
    local inbox = service.of(kept.bot).inbox
    for _, case in ipairs(foreign) do
      -- A browser sends the Origin with every POST.
      local fields = case[2]:find "Origin" and case[2] or case[2] .. "Origin: http://evil.example\r\n"
      assert.equal(403, ask(port, "POST", "/webhook", fields, '{"messages":[{"from":"91","type":"text"}]}'), case[1])
    end
    assert.equal(0, inbox:count())
    assert.equal(200, ask(port, "POST", "/webhook", "Host: bot.example.com\r\n", "{}"))
  end)
end)
