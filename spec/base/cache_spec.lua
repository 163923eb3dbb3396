-- SPDX-License-Identifier: MIT
local cache = require "cunnekt.base.cache"

describe("a cache", function()
  it("gives back what was put into it last", function()
    local kept = cache.new(10)
    kept:put("a", 1)
    kept:put("a", 2)
    assert.equal(2, kept:get "a")
    assert.is_nil(kept:get "b")
  end)

  it("may keep false", function()
    local kept = cache.new(10)
    kept:put("a", false)
    assert.is_false(kept:get "a")
  end)

  it("never holds more than its capacity", function()
    local kept, count = cache.new(10), 0
    for i = 1, 1000 do
      kept:put(i, i)
    end
    for i = 1, 1000 do
      count = count + (kept:get(i) and 1 or 0)
    end
    assert.is_true(count >= 5 and count <= 10, count)
  end)

  it("keeps what is used, and drops what is not", function()
    local kept = cache.new(10)
    kept:put("used", 1)
    kept:put("unused", 1)
    for i = 1, 100 do
      kept:put(i, i)
      assert.equal(1, kept:get "used")
    end
    assert.is_nil(kept:get "unused")
  end)
end)
