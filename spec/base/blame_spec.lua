-- SPDX-License-Identifier: MIT
local blame = require "cunnekt.base.blame"
local options = require "cunnekt.base.options"

-- The host puts a function of its own between what has failed and a handler of a script.
local begins_at = 2
xpcall(error, function()
  begins_at = debug.getinfo(2, "f").func == error and 2 or 3
end)

-- What a script has raised, described.
local function describe_failure(code, ...)
  local chunk = assert(load(code, "@bot.lua"))
  local found
  -- In a coroutine, where nothing of this file is below the script.
  coroutine.wrap(xpcall)(chunk, function(failure)
    found = { blame.describe(failure, begins_at) }
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

  -- Each coroutine.wrap that an error passes through puts the place of its caller before it.
  it("says once where an error was raised that has passed through coroutine.wrap", function()
    for code, said in pairs {
      ["coroutine.wrap(function()\nerror 'oops'\nend)()"] = "bot.lua:2: oops",
      ["coroutine.wrap(function()\ncoroutine.wrap(function()\nlocal x = nil + 1\nend)()\nend)()"] = "bot.lua:3: attempt to perform arithmetic on a nil value",
      ["for _ in coroutine.wrap(function()\nerror '10:30: late'\nend) do end"] = "bot.lua:2: 10:30: late",
      ["coroutine.wrap(function()\nerror('10:30: late', 0)\nend)()"] = "bot.lua:1: 10:30: late",
      ["local f = coroutine.wrap(print)\nf()\nf()"] = "bot.lua:3: cannot resume dead coroutine",
      ["error 'bot.lua:1: mine'"] = "bot.lua:1: bot.lua:1: mine",
    } do
      local text, traceback = describe_failure(code)
      assert.equal(said, text)
      assert.equal(text, traceback:match "^[^\n]*")
    end
    local co = coroutine.create(load("coroutine.wrap(function()\nerror 'oops'\nend)()", "@bot.lua"))
    assert.matches("^bot.lua:2: oops\nstack traceback:\n\tbot.lua:1: in [^\n]*$", blame.traceback(co, select(2, coroutine.resume(co))))
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
