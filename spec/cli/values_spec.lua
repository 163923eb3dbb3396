-- SPDX-License-Identifier: MIT
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"

describe("cunnekt values", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function run(...)
    local result = kept:run("values", ...)
    assert.equal(0, result.code, result.err)
    return result.out
  end

  it("lists keys with numbers shortened, by a running host and by none", function()
    local bot = kept:start()
    assert.equal("none\n", run "list")
    assert(bot.store:set("cart:919999999999", { "secret wish" }))
    assert(bot.store:set("seats", 5))
    for _ = 1, 2 do
      assert.equal("KEY           BYTES\ncart:9199…99  15\nseats         1\n", run "list")
      assert.equal("KEY    BYTES\nseats  1\n", run("list", "se"))
      assert.equal("none\n", run("list", "x"))
      assert.equal(run "list", run("list", ""))
      assert.matches("\ncart:919999999999  15\n", run("list", "--reveal"))
      assert.matches("^KEY +BYTES\ncart:9199…99 +15\nThere are more; %-%-limit N", run("list", "--limit", "1"))
      local listed = json.decode(run("list", "--json"))
      assert.are.same({ values = { { key = "cart:9199…99", bytes = 15 }, { key = "seats", bytes = 1 } }, has_more = false }, listed)
      kept:stop()
    end
  end)

  it("shows the value that was named, by a running host and by none", function()
    local bot = kept:start()
    assert(bot.store:set("cart:919999999999", { "918888888888" }))
    assert(bot.store:set("text", "two\nlines"))
    for _ = 1, 2 do
      assert.equal('["918888888888"]\n', run("get", "cart:919999999999"))
      assert.equal('"two\\nlines"\n', run("get", "text"))
      assert.are.same({ key = "text", value = "two\nlines" }, json.decode(run("get", "text", "--json")))
      local result = kept:run("values", "get", "none")
      assert.are.same({ 1, "", "cunnekt values: there is no value 'none'\n" }, { result.code, result.out, result.err })
      kept:stop()
    end
  end)

  it("sets JSON, and a string where it is none, so that scripts read it", function()
    local cases = {
      { "5", 5 }, { "-5", -5 }, { "-.5", "-.5" }, { "0.5", 0.5 }, { "true", true }, { "false", false }, { '{"a":[1,2]}', { a = { 1, 2 } } },
      { "[]", {} }, { "hello", "hello" }, { '"5"', "5" }, { "", "" }, { "tru", "tru" }, { "नमस्ते", "नमस्ते" }, { "01", "01" }, { "nil", "nil" },
    }
    for round = 1, 2 do
      if round == 1 then
        kept:start()
      end
      for i, case in ipairs(cases) do
        local key = ("%d:%d"):format(round, i)
        assert.equal("set " .. key .. "\n", run("set", key, case[1]))
      end
      kept:stop()
    end
    local bot = kept:start()
    for round = 1, 2 do
      for i, case in ipairs(cases) do
        assert.are.same(case[2], bot.store:get(("%d:%d"):format(round, i)), case[1])
      end
    end
  end)

  it("is seen by the handlers of a running host at once", function()
    kept:start(function(bot)
      bot:on("text", function(msg)
        msg:reply_text("seats: " .. bot.store:get("seats", "none"))
      end)
    end)
    local texts = { "seats: none", "seats: 5", "seats: none" }
    for i, value in ipairs { "-", "5", "null" } do
      if i > 1 then
        assert.equal((value == "5" and "set" or "deleted") .. " seats\n", run("set", "seats", value))
      end
      kept:say "how many?"
      kept:settle()
      local entries = kept.sandbox.state:since(0, nil, 1000)
      local last
      for _, entry in ipairs(entries) do
        last = entry.direction == "out" and entry.payload.text or last
      end
      assert.equal(texts[i], last)
    end
  end)

  it("sets negative numbers beside options, and keys that look like one", function()
    kept:start()
    assert.are.same({ key = "n", is_deleted = false }, json.decode(run("set", "n", "-7", "--json", "--store", kept.url)))
    assert.equal("-7\n", run("get", "n"))
    assert.equal("set -1\n", run("set", "--", "-1", "-2"))
    assert.equal("-2\n", run("get", "-1"))
  end)

  it("exits with 1 where there is no store, and with 2 for a mistake on the command line", function()
    assert.equal(1, kept:run("values", "set", "a", "1").code)
    kept:start()
    for _, case in ipairs {
      { {}, "say what to do: one of list, get, set" },
      { { "delete", "a" }, "unknown 'values delete'" },
      { { "get" }, "missing argument 'key'" },
      { { "set", "a" }, "missing argument 'value'" },
      { { "set", "a", "1", "2" }, "too many arguments" },
      { { "get", "" }, "the key is empty" },
      { { "list", "\xff" }, "the key is not UTF%-8" },
      { { "get", "\xff" }, "the key is not UTF%-8" },
      { { "list", "--limit", "x" }, "'x' is not a number" },
    } do
      local result = kept:run("values", table.unpack(case[1]))
      assert.equal(2, result.code, table.concat(case[1], " "))
      assert.matches(case[2], result.err)
    end
  end)
end)
