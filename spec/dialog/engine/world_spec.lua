-- SPDX-License-Identifier: MIT
-- The environment of a script: Lua's own outside of runs; in a run time, chance and order are the run's, and what cannot be
-- done again is refused.

local task = require "cunnekt.base.task"
local world = require "cunnekt.dialog.engine.world"

-- A run as far as the environment needs it; its chance is a list.
local function new_run(fields)
  local run = { is_dialog = true, at = 1700000000.9, draws = { 0, 0.5, 0.999 }, is_back = false }
  for name, value in pairs(fields or {}) do
    run[name] = value
  end
  function run:random()
    return table.remove(self.draws, 1)
  end
  function run:is_rebuilding()
    return self.is_back
  end
  function run.step(_, kind, subject, fn)
    run.stepped = { kind, subject }
    return fn(), false
  end
  return run
end

-- Runs a chunk in an environment, as code of a run or of none.
local function run_in(env, run, text, ...)
  local chunk, args, results = assert(load(text, "=script", "t", env)), table.pack(...), nil
  task.spawn(function()
    task.running().run = run
    results = table.pack(pcall(chunk, table.unpack(args, 1, args.n)))
  end)
  return table.unpack(results, 2, results.n)
end

describe("the environment of a script", function()
  local env

  before_each(function()
    env = world.new(setmetatable({}, { __index = _G }))
  end)

  describe("outside of runs", function()
    it("has Lua's own time, chance and order", function()
      local before = os.time()
      assert.is_true(run_in(env, nil, "return os.time()") - before <= 2)
      assert.equal(os.date("%c", 0), run_in(env, nil, "return os.date('%c', 0)"))
      local draw = run_in(env, nil, "return math.random()")
      assert.is_true(draw >= 0 and draw < 1)
      assert.equal(1, run_in(env, nil, "return math.random(1)"))
      assert.equal(5, run_in(env, nil, "return math.random(5, 5)"))
      assert.equal(next, run_in(env, nil, "return (select(1, pairs {}))"))
    end)

    it("lets files and programs be used", function()
      assert.equal("file", run_in(env, nil, "local f = io.open('/dev/null') local t = io.type(f) f:close() return t"))
      assert.is_string(run_in(env, nil, "local name = os.tmpname() os.remove(name) return name"))
    end)

    it("has what Lua's libraries have", function()
      assert.equal(math.pi, run_in(env, nil, "return math.pi"))
      assert.equal(string, run_in(env, nil, "return string"))
    end)
  end)

  describe("in a run", function()
    it("stands still in time", function()
      assert.equal(1700000000, run_in(env, new_run(), "return os.time()"))
      assert.equal("2023-11-14", run_in(env, new_run(), "return os.date '!%Y-%m-%d'"))
      assert.equal(1700000000.9, run_in(env, new_run(), "return os.clock()"))
    end)

    it("still computes with other times", function()
      assert.equal(os.time { year = 2020, month = 1, day = 1 }, run_in(env, new_run(), "return os.time { year = 2020, month = 1, day = 1 }"))
      assert.equal("1970-01-01", run_in(env, new_run(), "return os.date('!%Y-%m-%d', 0)"))
    end)

    it("has the run's chance, over all of a range", function()
      assert.are.same({ 0, 0.5 }, { run_in(env, new_run(), "return math.random(), math.random()") })
      assert.are.same({ 1, 4, 6 }, { run_in(env, new_run(), "return math.random(6), math.random(6), math.random(6)") })
      assert.are.same({ -3, 0, 3 }, { run_in(env, new_run(), "return math.random(-3, 3), math.random(-3, 3), math.random(-3, 3)") })
    end)

    it("has all integers for 0, and for ranges that are wider than a draw", function()
      local draws = { draws = { 0.75, 0.5, 0.25, 0 } }
      assert.are.same({ -(1 << 62) + (1 << 31), 1 << 62 }, { run_in(env, new_run(draws), "return math.random(0), math.random(0)") })
      draws = { draws = { 0.5, 0.5, 0.5, 0.5, 0.999, 0.5, 0.125, 0 } }
      local whole = "return math.random(math.mininteger, math.maxinteger), math.random(0, 1 << 61), math.random(0, 1 << 61)"
      assert.are.same({ 1 << 31, 1 << 31, 1 << 61 }, { run_in(env, new_run(draws), whole) })
    end)

    it("refuses ranges as Lua does", function()
      assert.matches("^script:1: .*interval is empty", run_in(env, new_run(), "return (math.random(-1))"))
      assert.matches("interval is empty", run_in(env, new_run(), "return math.random(5, 4)"))
      assert.matches("no integer representation", run_in(env, new_run(), "return math.random(1.5)"))
    end)

    it("cannot be seeded", function()
      assert.equal(0, run_in(env, new_run(), "math.randomseed(7) return math.random()"))
    end)

    it("goes through tables in an order that depends on their keys alone", function()
      local text = [[
        local order = {}
        for key, value in pairs { zebra = 1, a = 2, [10] = 3, [9] = 4, [true] = 5, m = 6 } do
          order[#order + 1] = tostring(key) .. value
        end
        return table.concat(order, " ")
      ]]
      assert.equal("true5 94 103 a2 m6 zebra1", run_in(env, new_run(), text))
      local by_next = [[
        local t, order, key, value = { b = 1, c = 2, a = 3 }, {}, nil, nil
        repeat
          key, value = next(t, key)
          order[#order + 1] = key
        until not key
        return table.concat(order)
      ]]
      assert.equal("abc", run_in(env, new_run(), by_next))
    end)

    it("lets a loop remove what it comes by, and skips what is gone", function()
      local text = [[
        local t, seen = { a = 1, b = 2, c = 3 }, {}
        for key in pairs(t) do
          seen[#seen + 1] = key
          t[key], t.b = nil, nil
        end
        return table.concat(seen)
      ]]
      assert.equal("ac", run_in(env, new_run(), text))
    end)

    it("lets a loop by next remove what it comes by, as Lua does", function()
      local text = [[
        local t, seen = { a = 1, b = 2, c = 3 }, {}
        for key in next, t do
          seen[#seen + 1] = key
          t[key] = nil
        end
        return table.concat(seen) .. tostring(next(t))
      ]]
      assert.equal("abcnil", run_in(env, new_run(), text))
      local drained = [[
        local t, seen = { b = 1, a = 2, c = 3 }, {}
        while next(t) do
          local key = next(t)
          seen[#seen + 1], t[key] = key, nil
        end
        return table.concat(seen)
      ]]
      assert.equal("abc", run_in(env, new_run(), drained))
    end)

    it("finds the first key whatever it is", function()
      assert.is_false(run_in(env, new_run(), "local key = next { a = 1, [false] = 2, [true] = 3, [1] = 4 } return key"))
    end)

    it("sees keys that are new when a loop by next begins", function()
      local text = [[
        local t, seen = { b = 1 }, {}
        for key in next, t do seen[#seen + 1] = key break end
        for key in next, t do seen[#seen + 1] = key end
        t.a, t.c = 2, 3
        for key in next, t do
          for inner in next, t do seen[#seen + 1] = inner end
          seen[#seen + 1] = key:upper()
        end
        return table.concat(seen)
      ]]
      assert.equal("bbabcAabcBabcC", run_in(env, new_run(), text))
    end)

    it("goes through a large table by next as quickly as by pairs", function()
      local text = [[
        local t, steps = {}, 0
        for i = 1, 4000 do t["item" .. i] = i end
        for _ in next, t do steps = steps + 1 end
        return steps
      ]]
      local instructions, count = 0, 1000
      local results
      task.spawn(function()
        task.running().run = new_run()
        debug.sethook(function()
          instructions = instructions + count
        end, "", count)
        results = table.pack(load(text, "=script", "t", env)())
        debug.sethook()
      end)
      assert.equal(4000, results[1])
      assert.is_true(instructions < 5000000, instructions)
    end)

    it("uses a table's own __pairs, and empty tables as they are", function()
      assert.equal("own", run_in(env, new_run(), [[
        local t = setmetatable({}, { __pairs = function() return function(_, k) return not k and "own" or nil end end })
        for key in pairs(t) do return key end
      ]]))
      assert.is_nil(run_in(env, new_run(), "return next {}"))
    end)

    it("refuses an order that nobody could repeat", function()
      assert.matches("^script:1: .*keys that are tables or functions", run_in(env, new_run(), "for _ in pairs { [{}] = 1, [print] = 2 } do end"))
      assert.matches("^script:1: .*keys that are tables or functions", run_in(env, new_run(), "local key = next { [{}] = 1, [print] = 2 } return key"))
      assert.equal("fine", run_in(env, new_run(), "for _ in pairs { [{}] = 1 } do end return 'fine'"))
    end)

    it("refuses what cannot be done again, and names the way", function()
      for _, call in ipairs {
        "io.open 'x'", "io.popen 'x'", "io.lines 'x'", "io.read()", "io.tmpfile()", "os.execute 'true'", "os.remove 'x'",
        "os.rename('x', 'y')", "os.tmpname()", "dofile 'x'", "loadfile 'x'",
      } do
        local problem = run_in(env, new_run(), "local result = " .. call .. " return result")
        assert.matches("^script:1: ", problem)
        assert.truthy(problem:find(call:match "^[%w.]+", 1, true), problem)
        assert.matches("chat:step", problem)
      end
    end)

    it("notes what a handler did that cannot be done again", function()
      local handler = new_run { is_dialog = false }
      run_in(env, handler, "local f = io.open '/dev/null' f:close()")
      assert.equal("io.open", handler.tainted)
    end)

    it("lets everything be done in a step, with Lua's own time and chance", function()
      local run = new_run { is_in_step = true }
      assert.equal("file", run_in(env, run, "local f = io.open('/dev/null') local t = io.type(f) f:close() return t"))
      assert.is_true(run_in(env, run, "return os.time()") > 1700000000)
      run_in(env, run, "math.random()")
      assert.equal(3, #run.draws)
    end)

    it("asks for the environment in a step", function()
      local run = new_run()
      assert.equal(os.getenv "PATH", run_in(env, run, "return os.getenv 'PATH'"))
      assert.are.same({ "getenv", "PATH" }, run.stepped)
    end)

    it("prints nothing while it is rebuilt", function()
      local printed, real = 0, print
      _G.print = function()
        printed = printed + 1
      end
      finally(function()
        _G.print = real
      end)
      local env_with_print = world.new()
      run_in(env_with_print, new_run { is_back = true }, "print 'x'")
      run_in(env_with_print, new_run(), "print 'x'")
      assert.equal(1, printed)
    end)
  end)

  -- ---- globals ---------------------------------------------------------------------------------------------------------

  it("puts a script's globals into what it stands over, and remembers their names", function()
    local base = {}
    local its_env = world.new(base)
    run_in(its_env, nil, "shop, shelf = 1, 2")
    assert.are.same({ shop = 1, shelf = 2 }, base)
    assert.are.same({ shop = true, shelf = true }, world.globals_of(its_env))
    assert.is_nil(world.globals_of(base))
    assert.is_nil(world.globals_of(nil))
  end)
end)

-- The functions here have Lua's own globals, as those of a script that a plain interpreter loaded.
local function helper()
  return os.time()
end

describe("a function that is adopted", function()
  it("runs in such an environment, with those that it uses", function()
    local list = { deep = { helper } }
    local function fn()
      return os.time(), helper(), list.deep[1]()
    end
    world.adopt(fn)
    local times
    task.spawn(function()
      task.running().run = new_run()
      times = { fn() }
    end)
    assert.are.same({ 1700000000, 1700000000, 1700000000 }, times)
    assert.is_true(fn() > 1700000000)
  end)

  it("may refer to itself, and be adopted twice", function()
    local fn
    function fn(n)
      return n == 0 and os.time() or fn(n - 1)
    end
    world.adopt(fn)
    world.adopt(fn)
    assert.is_true(fn(3) > 1700000000)
  end)

  it("is the script's where it is neither ours nor C", function()
    assert.is_true(world.is_of_script(helper))
    assert.is_false(world.is_of_script(print))
    assert.is_false(world.is_of_script(world.adopt))
  end)

  it("leaves Lua's libraries and ours alone", function()
    local seen = world.mark_libraries {}
    assert.are.same({ true, true, nil }, { seen[string], seen[world], seen[helper] })
    local clock = require "cunnekt.time.clock"
    world.adopt(function()
      return clock, string
    end)
    assert.is_function(clock.random)
  end)
end)
