-- SPDX-License-Identifier: MIT
-- The webhook's address. What is answered to requests is in spec/bot/bot_spec.lua.

local core = require "cunnekt.core"
local sandbox = require "cunnekt.sandbox"
local server = require "cunnekt.service.webhook_server"

describe("an address that is taken", function()
  local holder

  before_each(function()
    holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
  end)

  after_each(function()
    holder:close()
  end)

  -- It was said twice in one sentence once.
  it("is named once, with the reason", function()
    local address = "127.0.0.1:" .. holder:port()
    local wanted = ("network: cannot listen on %s: Address already in use"):format(address)
    local opened, err = server.open({ listen = address }, {})
    assert.is_nil(opened)
    assert.equal(wanted .. "; stop the program that has it, or choose another one (CUNNEKT_LISTEN=HOST:PORT)", tostring(err))
    opened, err = sandbox.new { port = holder:port() }
    assert.is_nil(opened)
    assert.equal(wanted, tostring(err))
  end)
end)
