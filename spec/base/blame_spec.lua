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

  it("finds the nearest line of a script", function()
    local place
    local chunk = assert(load("local find = ...\nfind()", "@bot.lua"))
    chunk(function()
      place = blame.place(1)
    end)
    assert.matches("blame_spec.lua:%d+$", place)
  end)
end)
