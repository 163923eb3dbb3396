-- SPDX-License-Identifier: MIT
-- The host's standard library: guarded, and otherwise as Lua's own. The plain interpreter runs the same scripts, and says the
-- same.

local process = require "spec.support.process"

describe("the host's standard library", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function run(text)
    return process.cunnekt { "run", process.write(folder.path .. "/script.lua", text) }
  end

  local function check_same(text)
    local result = run(text)
    local plain = process.run { os.getenv "CUNNEKT_LUA" or "lua5.4", folder.path .. "/script.lua" }
    assert.equal("", result.err)
    assert.equal(plain.out, result.out)
    assert.is_true(#plain.out > 0)
  end

  it("resumes, wraps and closes coroutines as Lua does", function()
    check_same [[
      local co = coroutine.create(function(...)
        local back = coroutine.yield(select("#", ...), ...)
        error { back }
      end)
      print(coroutine.resume(co, 1, nil, 3))
      local ok, err = coroutine.resume(co, "back")
      print(ok, err[1], coroutine.status(co), coroutine.resume(co))
      print(pcall(coroutine.wrap(function() error "in wrap" end)))
      print(pcall(coroutine.wrap(function()
        local _ <close> = setmetatable({}, { __close = function() error("in close", 0) end })
        error "in wrap"
      end)))
      local closed = {}
      local waiting = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function(_, e) closed[#closed + 1] = tostring(e) end })
        coroutine.yield()
      end)
      coroutine.resume(waiting)
      print(coroutine.close(waiting), closed[1], coroutine.status(waiting), coroutine.close(waiting))
      print(coroutine.close(coroutine.create(print)))
      print(pcall(coroutine.close, coroutine.running()))
      print(pcall(coroutine.resume, 1))
      print(pcall(coroutine.wrap, 1))
      for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do io.write(i, " ") end
      print()
    ]]
  end)

  it("lets a coroutine yield across xpcall, and calls its handler once with the error", function()
    check_same [[
      local function handler(e) return "handled " .. tostring(e) end
      local co = coroutine.wrap(function()
        print(xpcall(function(a, b) return a, coroutine.yield(b), nil end, handler, 1, 2))
        print(xpcall(function() coroutine.yield "again"; error("late", 0) end, handler))
        print(xpcall(error, handler, "early"))
        print(xpcall(print, handler, 1, nil, 3))
        print(pcall(xpcall, print))
      end)
      print(co())
      print(co "x")
      co()
    ]]
  end)

  it("sets metatables as Lua does", function()
    check_same [[
      local t = setmetatable({}, { __index = { a = 1 } })
      print(t.a, setmetatable(t, nil) == t, t.a)
      print(pcall(setmetatable, setmetatable({}, { __metatable = "no" }), {}))
      print(pcall(setmetatable, 1, {}))
      print(pcall(setmetatable, {}))
      print(pcall(setmetatable, {}, 1))
      setmetatable({}, { __gc = function() print "collected" end })
      debug.setmetatable({}, { __gc = function() print "collected" end })
      collectgarbage()
    ]]
  end)

  it("loads as Lua does, bytecode too, outside of handlers", function()
    check_same [[
      print(load("return ...", "=x")(1))
      print(load("return a", "=x", "t", { a = 2 })())
      print(pcall(load("return a.b", "=x", "t", nil)))
      print(load "return +", (load("x y", "@z.lua")))
      print(load(string.dump(function() return 3 end))())
      local n = 0
      print(load(function() n = n + 1; return n == 1 and "return 4" or nil end)())
    ]]
  end)

  it("ends the program with os.exit outside of handlers", function()
    assert.equal(7, run("os.exit(7)").code)
  end)

  it("takes no chunk name of its own files for a script", function()
    assert.matches("a chunk name that begins with '@cunnekt/' is reserved", run("load('', '@cunnekt/x.lua')").err)
  end)
end)
