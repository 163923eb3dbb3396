-- SPDX-License-Identifier: MIT
-- The form in which words that people type are compared, in any alphabet.

local core = require "cunnekt.core"

describe("folded words", function()
  -- What people type, what the script has.
  local same = {
    ["capitals"] = { "MENÚ", "menú" },
    ["decomposed accents"] = { "menu\u{301}", "MENÚ" },
    ["Portuguese"] = { "NÃO", "não" },
    ["Cyrillic"] = { "ОТМЕНА", "отмена" },
    ["Greek capitals"] = { "ΣΊΣΥΦΟΣ", "σίσυφος" },
    ["a final sigma"] = { "σίσυφοσ", "σίσυφος" },
    ["a sharp s"] = { "STRASSE", "straße" },
    ["a capital sharp s"] = { "STRAẞE", "strasse" },
    ["a Turkish i with its dot"] = { "İPTAL", "iptal" },
    ["a Turkish i with its dot, decomposed"] = { "I\u{307}ptal", "iptal" },
    ["a Turkish i without one"] = { "ÇIKIŞ", "çıkış" },
    ["full-width letters"] = { "ＭＥＮＵ", "menu" },
    ["half-width kana"] = { "ﾒﾆｭｰ", "メニュー" },
    ["Arabic presentation forms"] = { "\u{fee3}\u{feae}\u{feA3}\u{fe92}\u{fe8e}", "مرحبا" },
    ["ligatures"] = { "\u{fb01}n", "FIN" },
    ["Hangul in parts"] = { "\u{1100}\u{1161}", "\u{ac00}" },
    ["marks in another order"] = { "q\u{323}\u{307}", "q\u{307}\u{323}" },
    ["marks for the direction of writing"] = { "\u{200f}مرحبا\u{200e}", "مرحبا" },
    ["what nobody sees"] = { "me\u{200b}nu\u{feff}\u{ad}", "menu" },
    ["no-break blanks"] = { "my\u{a0}order\u{202f}", "my order" },
    ["ideographic and other blanks around"] = { "\u{3000}\u{2028}\u{85}菜单\u{1680}\t", "菜单" },
    ["an emoji with and without its variant"] = { "\u{2764}\u{fe0f}", "\u{2764}" },
  }
  for name, pair in pairs(same) do
    it("are the same: " .. name, function()
      assert.equal(core.fold(pair[2], true), core.fold(pair[1], true))
    end)
  end

  local others = { ["an accent"] = { "menu", "menú" }, ["a tilde"] = { "nao", "não" }, ["a letter"] = { "отмени", "отмена" } }
  for name, pair in pairs(others) do
    it("are different: " .. name, function()
      assert.not_equal(core.fold(pair[2], true), core.fold(pair[1], true))
    end)
  end

  it("are what they were where they are folded already, and fold once", function()
    for _, pair in pairs(same) do
      local folded = core.fold(pair[1], true)
      assert.equal(folded, core.fold(folded, true))
    end
    assert.equal("", core.fold "")
    assert.equal("a  b\0c", core.fold "A  b\0C")
  end)

  it("keep the blanks around them, unless they are to go", function()
    assert.equal(" menú ", core.fold "\u{a0}MENÚ ")
    assert.equal("menú", core.fold("\u{a0}MENÚ ", true))
    assert.equal("", core.fold(" \n\u{3000}", true))
  end)

  it("are small letters of ASCII alone where the text is not UTF-8, or too long", function()
    for _, bad in ipairs { "\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80" } do
      assert.equal("stop Ü" .. bad, core.fold(" STOP Ü" .. bad .. " ", true))
    end
    local most = 64 * 1024
    assert.equal(("ü"):rep(most // 2), core.fold(("Ü"):rep(most // 2)))
    assert.equal(("Üa"):rep(most), core.fold(("ÜA"):rep(most)))
  end)

  -- Marks are put in order, and a text of marks alone took a time that grew with the square of its size.
  it("take no time that a customer could make long", function()
    local worst = { ("\u{301}\u{323}"):rep(16000), ("\u{fdfa}"):rep(21000), ("\u{1d160}"):rep(16000), (" \u{85}"):rep(300000), ("A"):rep(4000000) }
    local began = os.clock()
    for _, text in ipairs(worst) do
      core.fold(text, true)
    end
    assert.is_true(os.clock() - began < 2)
  end)

  it("never fail, whatever the bytes are", function()
    math.randomseed(7)
    for _ = 1, 2000 do
      local bytes, characters = {}, {}
      for i = 1, math.random(0, 40) do
        bytes[i] = string.char(math.random(0, 255))
        local one = math.random(0, 0x10ffff)
        characters[i] = (one < 0xd800 or one > 0xdfff) and utf8.char(one) or "x"
      end
      assert.is_string(core.fold(table.concat(bytes), true))
      assert.is_truthy(utf8.len(core.fold(table.concat(characters), true)))
    end
  end)
end)
