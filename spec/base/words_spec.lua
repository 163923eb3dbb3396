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

  it("take the first line of a text", function()
    assert.equal("one", words.first_line "one\ntwo")
    assert.equal("", words.first_line "")
  end)
end)
