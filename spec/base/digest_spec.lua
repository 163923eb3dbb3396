-- SPDX-License-Identifier: MIT
-- Digests and encodings, against published vectors (FIPS 180-4, RFC 4231, RFC 4648).
local core = require("cunnekt.core")

local function sha256(data)
  return core.hex(core.sha256():update(data):digest())
end

describe("sha256", function()
  local vectors = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    {
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    },
    { ("a"):rep(1000000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
  }

  it("gives the published digests", function()
    for _, vector in ipairs(vectors) do
      assert.equal(vector[2], sha256(vector[1]))
      assert.equal(vector[2], core.hex(core.sha256_of(vector[1])))
    end
  end)

  it("does not care how the data is cut", function()
    local data = ("The quick brown fox jumps over the lazy dog"):rep(50)
    local hash = core.sha256()
    local at = 1
    while at <= #data do
      local size = math.random(0, 99)
      hash:update(data:sub(at, at + size - 1))
      at = at + size
    end
    assert.equal(sha256(data), core.hex(hash:digest()))
  end)

  it("refuses to go on after the digest was taken", function()
    local hash = core.sha256()
    hash:digest()
    assert.has_error(function() hash:update("x") end)
    assert.has_error(function() hash:digest() end)
  end)

  it("can be dropped in the middle", function()
    for _ = 1, 100 do
      local _ <close> = core.sha256():update("x")
    end
    collectgarbage()
  end)
end)

describe("hmac_sha256", function()
  local function hmac(key, data)
    return core.hex(core.hmac_sha256(key, data))
  end

  it("gives the published codes", function()
    assert.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", hmac(("\x0b"):rep(20), "Hi There"))
    assert.equal(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      hmac("Jefe", "what do ya want for nothing?")
    )
    assert.equal(
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      hmac(("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First")
    )
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", hmac("", ""))
  end)
end)

describe("equal", function()
  it("compares bytes, whatever the lengths", function()
    assert.is_true(core.equal("", ""))
    assert.is_true(core.equal("secret\0a", "secret\0a"))
    assert.is_false(core.equal("secret\0a", "secret\0b"))
    assert.is_false(core.equal("secret", "secret\0"))
    assert.is_false(core.equal("secret", "secre"))
    assert.is_false(core.equal("", "x"))
  end)
end)

describe("base64", function()
  local vectors = {
    [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    ["\xfb\xff\xfe"] = "+//+",
  }

  it("gives and takes the published encodings", function()
    for data, text in pairs(vectors) do
      assert.equal(text, core.base64_encode(data))
      assert.equal(data, core.base64_decode(text))
    end
  end)

  it("brings any bytes back", function()
    for size = 0, 300 do
      local data = core.random_bytes(size)
      assert.equal(data, core.base64_decode(core.base64_encode(data)))
    end
  end)

  it("refuses everything that is not strictly base64", function()
    for _, text in ipairs({
      "Z", "Zg", "Zg=", "Zg===", "=", "====", "=Zg=", "Zg==Zg==", "Zm8=Zm8=", "Zm9v\n", "Zm 9v", "Zm-v", "Zm_v",
      "Zh==", "Zm9=", "Zm9\0", "Zg=g", "\xff\xff\xff\xff",
    }) do
      assert.is_nil(core.base64_decode(text), text)
    end
  end)
end)

describe("hex", function()
  it("writes two lower-case digits a byte", function()
    assert.equal("", core.hex(""))
    assert.equal("00ff10ab", core.hex("\x00\xff\x10\xab"))
  end)
end)

describe("random_bytes", function()
  it("gives as many as asked for, and others each time", function()
    assert.equal("", core.random_bytes(0))
    assert.equal(32, #core.random_bytes(32))
    assert.not_equal(core.random_bytes(32), core.random_bytes(32))
    assert.has_error(function() core.random_bytes(-1) end)
  end)
end)
