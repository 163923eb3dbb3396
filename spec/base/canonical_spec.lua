-- SPDX-License-Identifier: MIT
local canonical = require "cunnekt.base.canonical"

describe("the canonical text of a value", function()
  it("does not depend on the order in which keys were set", function()
    local one, other = {}, {}
    for i = 1, 100 do
      one["key" .. i], other["key" .. 101 - i] = i, 101 - i
    end
    assert.equal(canonical.text(one), canonical.text(other))
  end)

  it("differs for values that differ", function()
    local values = { 1, 1.5, "1", true, "true", {}, { 1 }, { "1" }, { { 1 } }, { a = 1 }, { a = "1" }, { b = 1 }, { 1, 2 }, "" }
    local seen = {}
    for i, value in ipairs(values) do
      local text = canonical.text(value)
      assert.is_nil(seen[text], ("value %d equals value %s"):format(i, seen[text]))
      seen[text] = i
    end
  end)

  it("keeps line breaks and quotes of strings apart from its own marks", function()
    assert.not_equal(canonical.text { 'a",' }, canonical.text { "a", "" })
    assert.not_equal(canonical.text "a\nb", canonical.text "a\\nb")
  end)

  it("escapes as Lua's %q does, at every place of a text", function()
    for byte = 0, 255 do
      for before = 0, 17 do
        local text = ("x"):rep(before) .. string.char(byte) .. ("7y"):rep(5)
        assert.equal(("%q"):format(text), canonical.text(text))
      end
    end
  end)

  it("lists keys with numbers first", function()
    assert.same({ 1, 2, 10, "a", "b" }, canonical.keys { b = 1, a = 1, [10] = 1, 1, 1 })
  end)
end)
