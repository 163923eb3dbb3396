-- SPDX-License-Identifier: MIT
-- Matchers that look like words, or like another language's regular expression, and are Lua patterns that find something else: a shop
-- that wrote bot:on("text", "check-in", …) never heard of anybody's check-in.

local rules = require "cunnekt.cli.check.rules"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

local function check(code)
  local found = {}
  for i, problem in ipairs(rules.check(HEAD .. code, "")) do
    found[i] = problem.message
  end
  return found
end

local function of_text(text)
  return check(("bot:on('text', %q, function() end)"):format(text))
end

describe("cunnekt check, of matchers,", function()
  it("names words that a sign makes another pattern", function()
    for text, written in pairs {
      ["check-in"] = "check%-in", ["Wi-Fi"] = "Wi%-Fi", ["Tea (large)"] = "Tea %(large%)", ["50% off"] = "50%% off",
      ["100%ig"] = "100%%ig", ["Check-in?"] = "Check%-in%?", ["menú-día"] = "menú%-día", ["Open? (Sunday)"] = "Open%? %(Sunday%)",
    } do
      local said = of_text(text)
      assert.equal(1, #said, text)
      assert.matches(("^bot:on: '.*' does not find these words, since . is a sign of Lua patterns; write '%s'$"):format((written:gsub("%p", "%%%0"))), said[1])
      assert.is_nil(text:find(text))
      assert.truthy(text:find(written))
    end
  end)

  it("names the signs of regular expressions", function()
    assert.same({ "bot:on: 'hello|hallo': Lua patterns have no | for one or the other; give a list: { \"…\", \"…\" }" }, of_text "hello|hallo")
    assert.same({ "bot:on: '\\d+': Lua patterns have % where others have \\, as in %d+" }, of_text "\\d+")
    assert.matches("no %(%?…%)", of_text("(?i)hello")[1])
    assert.matches("no |", of_text("^(hi|hey) there")[1])
  end)

  it("looks into lists and filters, and at captions", function()
    assert.matches("check%%%-in", check(("bot:on('text', { 'hi', %q }, function() end)"):format "check-in")[1])
    assert.matches("^filter.text: 'check%-in' does not", check(("bot:on('text', cunnekt.filter.text %q, function() end)"):format "check-in")[1])
    assert.matches("^bot:on: 'my x%-ray'", check(("bot:on('image', %q, function() end)"):format "my x-ray")[1])
  end)

  it("leaves alone what is meant as a pattern, finds its own text, or is an id", function()
    for _, text in ipairs {
      "hello", "^check-in", "colou?r", "hel+o", "a.-b", "%d%d-%d%d", "[%w_-]+@", "(large)", "How much?", "check%-in", "a%|b", "[a|b]", "^(%d+)$",
      "https?://", "hi.", "a|", "|", "¯\\_", "-5", "%s*hi",
    } do
      assert.same({}, of_text(text), text)
    end
    assert.same({}, check("bot:on('button', 'check-in', function() end) bot:on('message', 'check-in', function() end)"))
  end)
end)
