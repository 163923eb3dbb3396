-- SPDX-License-Identifier: MIT
-- How words that customers type are compared.

local typed = require "cunnekt.bot.typed"

describe("typed words", function()
  it("are compared without capitals and without the space around them", function()
    assert.equal("stop it", typed.plain " \t\nStop IT \r\n")
  end)

  it("are nothing where there is no text", function()
    assert.equal("", typed.plain(nil))
    assert.equal("", typed.plain "")
    assert.equal("", typed.plain "  \n ")
  end)

  it("keep the space and the bytes between them", function()
    assert.equal("a  b\0c", typed.plain "A  b\0C")
    assert.equal("zur\u{fc}ck", typed.plain " zur\u{fc}ck")
  end)

  it("are the same in capitals of any alphabet", function()
    assert.equal(typed.plain "отмена", typed.plain "ОТМЕНА ")
    assert.is_true(typed.is_same({ text = " menu\u{301}" }, "MENÚ"))
    assert.is_false(typed.is_same({ text = "menu" }, "MENÚ"))
  end)

  it("are found anywhere in a text where they are no pattern", function()
    local is_found = typed.finder "menú"
    for text, wanted in pairs { ["El MENÚ, por favor"] = true, ["menu\u{301}s"] = true, ["menu"] = false, [""] = false } do
      assert.equal(wanted, is_found { text = text })
    end
    assert.is_false(is_found {})
  end)

  it("are compared as they stand where they are one", function()
    assert.is_false(typed.finder "^menú" { text = "MENÚ" })
    assert.is_true(typed.finder "^men." { text = "menú" })
    assert.is_true(typed.finder "\u{200b}" { text = "a\u{200b}" })
    assert.is_false(typed.finder "\u{200b}" { text = "a" })
  end)

  it("are compared by the rules of a journal that knew small letters of ASCII alone", function()
    assert.is_false(typed.finder "hi" { text = "Hi", _rules = 1 })
    assert.is_true(typed.finder "hi" { text = "oh hi", _rules = 1 })
    assert.is_false(typed.is_same({ text = "MENÚ", _rules = 1 }, "menú"))
    assert.is_true(typed.is_same({ text = " MENU", _rules = 1 }, "menu"))
  end)

  -- Phones add the full stop by themselves: "Stop." unsubscribed nobody.
  it("are bare without the signs around them", function()
    for text, bare in pairs {
      ["Stop."] = "stop", ["STOP!!"] = "stop", ["stop 🙏"] = "stop", ["*Stop*"] = "stop", ["\"stop\""] = "stop", ["रद्द।"] = "रद्द", ["stop ！"] = "stop",
      ["opt-out."] = "opt-out",
    } do
      assert.equal(typed.plain(bare), typed.bare { text = text }, text)
    end
    for _, text in ipairs { "stop", "?", "...", "🙏", "/start", ("x"):rep(64) .. "." } do
      assert.is_nil(typed.bare { text = text }, text)
    end
    assert.is_nil(typed.bare {})
    assert.is_nil(typed.bare { text = "Stop.", _rules = 2 })
  end)

  -- The pattern that cut the space off took a step for each pair of spaces: a text with 200,000 of them, which anybody may
  -- post to a webhook without a secret, held the bot up for minutes.
  for name, text in pairs {
    within = "x" .. (" "):rep(200000) .. "y", around = (" "):rep(200000) .. "x" .. ("\n"):rep(200000), alone = (" "):rep(200000),
  } do
    it("are found among any amount of space in no time: " .. name, function()
      local began = os.clock()
      typed.plain(text)
      assert.is_true(os.clock() - began < 1)
    end)
  end
end)
