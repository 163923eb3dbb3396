-- SPDX-License-Identifier: MIT
local align = require "cunnekt.testing.align"
local update = require "cunnekt.testing.update"
local wildcard = require "cunnekt.testing.wildcard"

describe("update.apply", function()
  it("replaces, drops and adds lines in the form of those beside them", function()
    local text = "-- customer: a\n\t--- bot: b\n-- customer: c\nlocal x"
    assert.are.equal("-- customer: a\n\t--- bot to Ravi: new\n\t--- bot: two\n-- customer: c\nlocal x", update.apply(text, {
      { line = 2, text = "new", who = "Ravi" }, { after = 2, text = "two" },
    }))
    assert.are.equal("-- customer: a\n-- customer: c\nlocal x", update.apply(text, { { line = 2 } }))
    assert.are.equal("-- customer: a\n-- customer: c\n-- bot: d\n-- bot: e\nlocal x", update.apply(text, {
      { line = 2 }, { after = 3, text = "d" }, { after = 3, text = "e" },
    }))
    assert.are.equal("customer: a\nbot: b", update.apply("customer: a", { { after = 1, text = "b" } }))
    assert.are.equal("customer: a\r\nbot: b\r\n", update.apply("customer: a\r\n", { { after = 1, text = "b" } }))
    assert.are.equal("--customer: a\n--bot: b", update.apply("--customer: a\n", { { after = 1, text = "b" } }):sub(1, -2))
    assert.are.equal(text, update.apply(text, {}))
  end)

  -- The mark went with the first line, and hid the form of that one from the next.
  it("keeps a byte order mark before the first line, whatever becomes of that", function()
    local mark = "\xef\xbb\xbf"
    assert.are.equal(mark .. "-- bot: b\n-- customer: c\n", update.apply(mark .. "-- bot: a\n-- customer: c\n", { { line = 1, text = "b" } }))
    assert.are.equal(mark .. "-- customer: c\n", update.apply(mark .. "-- bot: a\n-- customer: c\n", { { line = 1 } }))
    assert.are.equal(mark .. "-- customer: c\n-- bot: d", update.apply(mark .. "-- customer: c", { { after = 1, text = "d" } }))
  end)
end)

describe("align", function()
  local function aligned(left, right)
    local out = {}
    for i, pair in ipairs(align(left, right, rawequal)) do
      out[i] = (pair[1] or "-") .. (pair[2] or "-") .. (pair.is_equal and "=" or "")
    end
    return table.concat(out, " ")
  end

  it("finds what stayed, and puts beside each other what changed", function()
    assert.are.equal("", aligned({}, {}))
    assert.are.equal("aa= bx cc=", aligned({ "a", "b", "c" }, { "a", "x", "c" }))
    assert.are.equal("-a bb= c-", aligned({ "b", "c" }, { "a", "b" }))
    assert.are.equal("aa= -b -c", aligned({ "a" }, { "a", "b", "c" }))
  end)
end)

describe("wildcard.matcher", function()
  it("takes … for any text, and everything else as it is", function()
    for expected, texts in pairs {
      ["a.b%"] = { ["a.b%"] = true, ["axb%"] = false, ["a.b%c"] = false },
      ["…"] = { [""] = true, ["x"] = true },
      ["a…"] = { ["a"] = true, ["ab"] = true, ["ba"] = false },
      ["a…a"] = { ["a"] = false, ["aa"] = true, ["a b a"] = true },
      ["…b…c"] = { ["abc"] = true, ["bcb"] = false, ["cbc"] = true, ["bc"] = true },
      ["ना…"] = { ["नाम"] = true, ["न"] = false },
    } do
      local matches = wildcard.matcher(expected)
      for text, is_match in pairs(texts) do
        assert.are.equal(is_match, matches(text), expected .. " / " .. text)
      end
    end
  end)
end)
