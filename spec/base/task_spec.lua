-- SPDX-License-Identifier: MIT
local core = require "cunnekt.core"
local clock = require "cunnekt.time.clock"
local task = require "cunnekt.base.task"

local function later(seconds, ...)
  local values = table.pack(...)
  return task.await(function(done)
    clock.after(seconds, function()
      done(table.unpack(values, 1, values.n))
    end)
  end)
end

describe("task", function()
  it("waits in the main program by stepping the loop", function()
    assert.are.same({ 1, nil, 3 }, { later(0.001, 1, nil, 3) })
  end)

  it("lets other tasks go on while one waits", function()
    local order, go_on = {}, nil
    task.run(function()
      local slow = task.spawn(function()
        task.await(function(done)
          go_on = done
        end)
        order[#order + 1] = "slow"
      end)
      later(0.001)
      order[#order + 1] = "fast"
      go_on()
      task.join(slow)
    end)
    assert.are.same({ "fast", "slow" }, order)
  end)

  it("waits inside a coroutine that the script made itself", function()
    local got
    task.run(function()
      local own = coroutine.wrap(function()
        coroutine.yield(later(0.001, "inner"))
      end)
      got = own()
    end)
    assert.equal("inner", got)
  end)

  it("returns what was given at once, without a wait", function()
    task.run(function()
      assert.equal("now", task.await(function(done)
        done "now"
        done "again"
      end))
    end)
  end)

  it("raises in run what its function raised", function()
    assert.error_matches(function()
      task.run(function()
        later(0.001)
        error "broken"
      end)
    end, "broken")
  end)

  it("reports a task that failed while nobody waited for it, with its traceback", function()
    local heard
    local before = task.on_failure
    task.on_failure = function(failure)
      heard = failure
    end
    finally(function()
      task.on_failure = before
    end)
    task.spawn(function()
      error "lost"
    end)
    assert.matches("lost", heard)
    assert.matches("traceback", heard)
  end)

  it("cancels what a task waits for, and runs its close variables", function()
    local has_closed, was_cancelled = false, false
    local t = task.spawn(function()
      local guard <close> = setmetatable({}, {
        __close = function()
          has_closed = true
        end,
      })
      task.await(function()
        return function()
          was_cancelled = true
        end
      end)
      return guard
    end)
    task.cancel(t)
    task.cancel(t)
    assert.is_true(has_closed)
    assert.is_true(was_cancelled)
    assert.is_true(t.is_done)
  end)

  it("waits for a method, and takes no answer that comes after it was cancelled", function()
    local asked = {}
    local object = {}
    function object.ask(_, value, done, ...)
      local given = table.pack(...)
      asked[value] = { done = done, given = given }
      return {
        close = function()
          asked[value].is_closed = true
        end,
      }
    end
    local function answer(value, ...)
      local all = table.move({ ... }, 1, select("#", ...), asked[value].given.n + 1, { table.unpack(asked[value].given) })
      asked[value].done(table.unpack(all))
    end
    local got
    local kept = task.spawn(function()
      local first = task.await_method(object, "ask", "first")
      got = { first, task.await_method(object, "ask", "second") }
    end)
    local dropped = task.spawn(function()
      task.await_method(object, "ask", "third")
      got = "too much"
    end)
    task.cancel(dropped)
    assert.is_true(asked.third.is_closed)
    answer("third", 200)
    answer("first", 200)
    answer("first", 200) -- a second one is nobody's
    assert.is_nil(got)
    answer("second", nil, "network")
    assert.are.same({ 200, nil, "network" }, got)
    assert.is_true(kept.is_done)
  end)

  it("says so when it waits for what nothing can bring about", function()
    assert.error_matches(function()
      task.await(function() end)
    end, "no running operation")
    assert.error_matches(function()
      task.run(function()
        task.await(function() end)
      end)
    end, "no running operation")
  end)

  it("gives the results of a task to everyone who joins it", function()
    task.run(function()
      local t = task.spawn(function()
        later(0.001)
        return "result"
      end)
      assert.equal("result", task.join(t))
      assert.equal("result", task.join(t))
    end)
  end)

  it("keeps a timer that nobody holds, and drops one that was closed", function()
    local fired = {}
    core.timer(0.001, function()
      fired[#fired + 1] = "kept"
    end)
    local closed = core.timer(0.001, function()
      fired[#fired + 1] = "closed"
    end)
    closed:close()
    closed:close()
    collectgarbage()
    collectgarbage()
    later(0.005)
    assert.are.same({ "kept" }, fired)
    assert.equal(0, core.counts().timers)
  end)

  it("goes on after an error in a callback, and reports it", function()
    local heard
    core.on_error(function(message)
      heard = message
    end)
    core.timer(0, function()
      error "in a callback"
    end)
    later(0.002)
    assert.matches("in a callback", heard)
  end)

  -- ---- strands -----------------------------------------------------------------------------------------------------

  -- A strand that resumes another one; `note` hears what happens in which.
  local function nested(note, inner)
    return function()
      note("outer", task.can_yield())
      local how = task.resume(task.new_strand(), inner)
      note(how, task.can_yield())
      later(0.001)
      note("outer again", task.can_yield())
    end
  end

  it("runs a strand within a strand; both may wait, and the inner one may be suspended", function()
    local seen, inner = {}, nil
    local function note(what, may_wait)
      seen[#seen + 1] = what .. (may_wait and "" or ": cannot wait")
    end
    task.run(function()
      assert.equal("ended", (task.resume(task.new_strand(), nested(note, function()
        inner = coroutine.running()
        later(0.001)
        note("inner", task.can_yield())
        note(task.suspend(), task.can_yield())
      end))))
      note("task", task.can_yield())
      assert.equal("ended", (task.resume(inner, "resumed")))
    end)
    assert.are.same({ "outer", "inner", "suspended", "outer again", "task", "resumed" }, seen)
  end)

  it("closes both when the task is cancelled", function()
    local closed = {}
    local function guard(name)
      return setmetatable({}, {
        __close = function()
          closed[#closed + 1] = name
        end,
      })
    end
    local t = task.spawn(function()
      task.resume(task.new_strand(), function()
        local _ <close> = guard "outer"
        task.resume(task.new_strand(), function()
          local _ <close> = guard "inner"
          task.await(function() end)
        end)
      end)
    end)
    task.cancel(t)
    assert.are.same({ "inner", "outer" }, closed)
  end)
end)
