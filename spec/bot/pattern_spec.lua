-- SPDX-License-Identifier: MIT
-- Lua reads a pattern only as far as a text leads it: bot:on("text", "50%") started, and failed at the first customer who wrote
-- "50 please", in our files and five times. So the whole pattern is read before.

local pattern = require "cunnekt.bot.pattern"

local malformed = {
  "50%", "Tea [large", "Tea (small", "x%f", "x%fa", "a%b", "a%bx", "a)", "a%1", "(a%1)", "(a)%2", "%0", "[^", "[]", "[^]", "[a%", "[%]",
  ("()"):rep(33), "a[%", "%f[a",
}
local fine = {
  "", "^hi", "hi$", "$", "^", "[]]", "[^]]", "[%]]", "[%a-z]", "()a()", "(a)%1", "((a)(b))%3", "%b()", "%f[%w]%w+", "%%", "50%%", "a-b", "[[]",
  "[(]", "%(", ("()"):rep(32), "\0%z", "[a%%]", "%f[^%w]",
}

-- Whether Lua raises for a pattern with some text: the words of the patterns themselves, and mixtures of their signs.
local function fails_somewhere(text, texts)
  for _, one in ipairs(texts) do
    if not pcall(string.find, one, text) then
      return true
    end
  end
  return false
end

describe("a pattern", function()
  it("is refused where it is none, whatever a customer may write", function()
    for _, text in ipairs(malformed) do
      assert.truthy(pattern.problem(text), text)
      local quoted = pattern.quote(text)
      assert.is_nil(pattern.problem(quoted))
      assert.equal(1, (text:find(quoted)))
    end
    assert.equal("'50%' is not a Lua pattern: malformed pattern (ends with '%'); for these words write '50%%'", pattern.problem "50%")
  end)

  it("is taken where it is one", function()
    for _, text in ipairs(fine) do
      assert.is_nil(pattern.problem(text), text)
    end
  end)

  it("never fails later when it was taken", function()
    local signs = { "a", "b", "%", "(", ")", "[", "]", "^", "$", "-", "*", ".", "1", "f" }
    local seed = 1
    local function draw(most)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed // 65536 % most + 1
    end
    local texts = { "", "a", "ab", "aab1", "a%b()[1]", "((a))", "aaaa", "b[a]^$-*.1f" }
    for _ = 1, 20000 do
      local parts = {}
      for i = 1, draw(6) do
        parts[i] = signs[draw(#signs)]
      end
      local text = table.concat(parts)
      if fails_somewhere(text, texts) then
        assert.truthy(pattern.problem(text), text)
      end
    end
  end)
end)
