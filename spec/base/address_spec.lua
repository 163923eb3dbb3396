-- SPDX-License-Identifier: MIT
local address = require "cunnekt.base.address"

describe("an address to listen on", function()
  it("is split into host and port", function()
    assert.same({ "127.0.0.1", 8080 }, { address.parse "127.0.0.1:8080" })
    assert.same({ "localhost", 1 }, { address.parse "localhost:1" })
    assert.same({ "::1", 8080 }, { address.parse "[::1]:8080" })
    assert.same({ "::ffff:127.0.0.1", 8080 }, { address.parse "[::ffff:127.0.0.1]:8080" })
  end)

  it("is on the loopback when it names no host", function()
    assert.same({ "127.0.0.1", 0 }, { address.parse ":0" })
  end)

  it("is refused when it is none, with the text and an example", function()
    for _, text in ipairs { "", "8080", "localhost", "::1:8080", "127.0.0.1:65536", "127.0.0.1:x" } do
      local host, err = address.parse(text)
      assert.is_nil(host)
      assert.equal("invalid", err.kind)
      assert.equal(("'%s' is not an address like 127.0.0.1:8080"):format(text), err.message)
    end
  end)

  it("comes back as it was", function()
    for _, text in ipairs { "127.0.0.1:8080", "[::1]:8080", "localhost:0" } do
      assert.equal(text, address.format(address.parse(text)))
    end
  end)
end)
