-- SPDX-License-Identifier: MIT
local blame = require "cunnekt.base.blame"
local options = require "cunnekt.base.options"

-- What a script has raised, described.
local function describe_failure(code, ...)
  local chunk = assert(load(code, "@bot.lua"))
  local found
  -- In a coroutine, where nothing of this file is below the script.
  coroutine.wrap(xpcall)(chunk, function(failure)
    -- The host puts a function of its own between what has failed and a handler of a script.
    local above = debug.getinfo(2, "Sf")
    found = { blame.describe(failure, above.what == "C" and above.func ~= error and 3 or 2) }
  end, ...)
  return table.unpack(found)
end

describe("blame", function()
  it("leaves out of a traceback what is ours", function()
    local _, traceback = describe_failure("local check = ...\nlocal function deep() check('f', 1, {}) end\ndeep()", options.check)
    assert.matches("^.*stack traceback:\n\tbot.lua:2: in .*deep.*\n\tbot.lua:3: in main chunk", traceback)
    assert.not_matches("options.lua", traceback)
  end)

  it("names the script's line in place of one of ours", function()
    -- The level names options.lua itself.
    local text = describe_failure("local check = ...\ncheck('f', 1, {}, 1)", options.check)
    assert.equal("bot.lua:2: f: options must be a table, got number", text)
  end)

  it("says when the sentence is enough", function()
    local _, _, is_enough = describe_failure("local check = ...\ncheck('f', 1, {}, 2)", options.check)
    assert.is_true(is_enough)
    _, _, is_enough = describe_failure "error 'mine'"
    assert.is_falsy(is_enough)
  end)

  it("keeps all of a fault of ours", function()
    local text, traceback = describe_failure("local suggest = ...\nsuggest(nil, {})", options.suggest)
    assert.matches("options.lua:%d+: attempt", text)
    assert.matches("options.lua:%d+: in ", traceback)
  end)

  it("bounds the traceback of a recursion", function()
    local _, traceback = describe_failure "local function f(n) if n == 0 then error 'deep' end f(n - 1) return n end\nf(500)"
    local count = select(2, traceback:gsub("\n", "\n"))
    assert.is_true(count <= 23)
    assert.matches("%.%.%.", traceback)
  end)

  it("shows what is in a table that was raised, shortly and in an order of its own, not its address", function()
    local is_same = { code = 5, text = "no\ntea", ["a b"] = true, f = print, 1, "two", inner = { { {} }, { { 1 } } } }
    assert.equal('{ 1, "two", ["a b"] = true, code = 5, f = a function, inner = { { {} }, { { … } } }, text = "no tea" }', blame.text(is_same))
    local many, deep = {}, {}
    for i = 1, 5000 do
      many[i] = ("é"):rep(50)
    end
    deep.deep = deep
    assert.is_true(#blame.text(many) <= 310)
    assert.is_truthy(utf8.len(blame.text(many)))
    assert.equal("{ deep = { deep = { deep = { … } } } }", blame.text(deep))
    assert.equal("a sentence", blame.text(setmetatable({}, { __tostring = function() return "a sentence" end })))
    assert.equal("an error that is an empty table", blame.text {})
  end)

  it("says something of what is neither a text nor a table", function()
    assert.equal("an error without a value", (describe_failure "error()"))
    assert.equal("an error without a value", (describe_failure "error(nil)"))
    assert.equal("an error that is a function", (describe_failure "error(print)"))
    assert.equal("an error that is false", (describe_failure "error(false)"))
    assert.equal("7", (describe_failure "error(7)"))
  end)

  it("finds the nearest line of a script", function()
    local place
    local chunk = assert(load("local find = ...\nfind()", "@bot.lua"))
    chunk(function()
      place = blame.place(1)
    end)
    assert.matches("blame_spec.lua:%d+$", place)
  end)
end)
