-- SPDX-License-Identifier: MIT
local words = require "cunnekt.base.words"

describe("numbers and lists as words", function()
  it("have a plural for all but one", function()
    assert.equal("0 events", words.count(0, "event"))
    assert.equal("1 event", words.count(1, "event"))
    assert.equal("2 events", words.count(2, "event"))
  end)

  it("are joined as in a sentence", function()
    assert.equal("", words.list {})
    assert.equal("17", words.list { 17 })
    assert.equal("17 and 19", words.list { 17, 19 })
    assert.equal("17, 19 and 23", words.list { 17, 19, 23 })
  end)

  it("are cut when they are many", function()
    local numbers = {}
    for i = 1, 21 do
      numbers[i] = i
    end
    assert.equal("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … and 21", words.list(numbers))
  end)

  it("give sizes in the largest unit that fits", function()
    assert.equal("1023 bytes", words.size(1023))
    assert.equal("1.0 KiB", words.size(1024))
    assert.equal("1.5 MiB", words.size(3 << 19))
    assert.equal("2.0 GiB", words.size(2 << 30))
  end)

  it("leave nothing in a text that moves a cursor", function()
    assert.equal("a b [2J c", words.plain "a\nb\27[2J\127c")
    assert.equal("7", words.plain(7))
  end)

  it("are wrapped at blanks, by the columns that they take", function()
    assert.same({ "one two", "three" }, words.wrap("one two three", 8))
    assert.same({ "中文 中", "文" }, words.wrap("中文 中 文", 7))
    assert.same({ "e\u{301}e\u{301} e" }, words.wrap("e\u{301}e\u{301} e", 4)) -- a mark takes no column
    assert.same({ "" }, words.wrap("", 4))
  end)

  it("are broken anywhere when a word is wider than the line", function()
    assert.same({ "abcd", "efgh", "i" }, words.wrap("abcdefghi", 4))
    assert.same({ "中文", "字" }, words.wrap("中文字", 5))
    assert.same({ "中", "文" }, words.wrap("中文", 1)) -- one at least, so that it ends
    assert.same({ "a", "bcde", "f g" }, words.wrap("a bcdef g", 4))
  end)

  it("keep the blanks at their beginning in each piece", function()
    assert.same({ "  a", "  b" }, words.wrap("  a b", 4))
  end)

  it("take the first line of a text", function()
    assert.equal("one", words.first_line "one\ntwo")
    assert.equal("", words.first_line "")
  end)
end)
