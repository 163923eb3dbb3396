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
