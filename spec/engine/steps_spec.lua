-- SPDX-License-Identifier: MIT
-- Steps: done once and kept where code belongs to a run, and just done elsewhere. The run is the spec's own; the real one
-- is in dialog/engine/run.lua.

local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local steps = require "cunnekt.engine.steps"
local task = require "cunnekt.base.task"

-- A run that notes its steps, and gives the results in `recalled` instead of doing them.
local function new_run(recalled)
  local run = { steps = {}, recalled = recalled or {}, is_dialog = true }
  function run:step(kind, subject, fn, opts)
    table.insert(self.steps, { kind, subject, opts })
    local kept = self.recalled[#self.steps]
    if kept ~= nil then
      return kept, true
    end
    return fn(), false
  end
  return run
end

-- Runs `fn` as code of a run, or of none.
local function within_run(run, fn)
  local t = task.spawn(function()
    task.running().run = run
    return pcall(fn)
  end)
  assert(t.is_done)
  assert(table.unpack(t.results, 1, t.results.n))
  return table.unpack(t.results, 2, t.results.n)
end

local function never()
  error "this was done again"
end

describe("a step", function()
  it("outside of runs is just done", function()
    assert.is_nil(steps.current())
    assert.are.same({ "done", false }, { steps.step("http", "x", function() return "done" end) })
    assert.equal(1, select("#", steps.within("http", "x", function() return "done", "more" end)))
  end)

  it("in a task without a run is just done", function()
    within_run(nil, function()
      assert.is_nil(steps.current())
      assert.equal("done", steps.within("http", "x", function() return "done" end))
    end)
  end)

  it("raises what is raised in it", function()
    assert.error_matches(function()
      steps.step("http", "x", function() error("no luck", 0) end)
    end, "no luck")
  end)

  it("in a run is the run's", function()
    local run, opts = new_run(), { is_internal = true }
    within_run(run, function()
      assert.equal(run, steps.current())
      assert.are.same({ 7, false }, { steps.step("get", { "a" }, function() return 7 end, opts) })
    end)
    assert.are.same({ { "get", { "a" }, opts } }, run.steps)
  end)

  it("in a run that is rebuilt is not done again", function()
    within_run(new_run { "kept" }, function()
      assert.are.same({ "kept", true }, { steps.step("get", "a", never) })
    end)
  end)
end)

describe("a waiting call", function()
  it("outside of runs is just done", function()
    assert.are.same({ "answer", "err" }, { task.record("http", "x", function() return "answer", "err" end) })
  end)

  it("in a run is a step that takes time and is committed", function()
    local run = new_run()
    within_run(run, function()
      assert.equal("answer", task.record("http", { "GET" }, function() return "answer" end))
    end)
    assert.are.same({ { "http", { "GET" }, { is_internal = true, takes_time = true, commits = true } } }, run.steps)
  end)

  it("gives what it gave, with its failure, when it is recalled", function()
    local kept = {}
    local run = new_run()
    local step = run.step
    function run:step(...)
      local result = step(self, ...)
      kept[#kept + 1] = json.decode(json.encode(result))
      return result, false
    end
    local function call(fn)
      return task.record("http", "x", fn)
    end
    within_run(run, function()
      call(function() return { status = 200 } end)
      call(function() return nil, errors.new("timeout", "late", { sent = true }) end)
      call(function() return nil end)
    end)
    within_run(new_run(kept), function()
      assert.are.same({ status = 200 }, (call(never)))
      local answer, err = call(never)
      assert.is_nil(answer)
      assert.is_true(errors.is(err))
      assert.are.same({ "timeout", true }, { err.kind, err.sent })
      assert.are.same({ n = 2 }, table.pack(call(never)))
    end)
  end)

  it("is kept as it was, whatever the script does to its answer", function()
    local run, kept = new_run(), nil
    local step = run.step
    function run:step(...)
      kept = step(self, ...)
      return kept, false
    end
    within_run(run, function()
      local answer = task.record("http", "x", function() return { list = { 1 } } end)
      answer.list[1] = "changed"
    end)
    assert.are.same({ list = { 1 } }, kept.v)
  end)

  it("in a larger step is part of that", function()
    local run = new_run()
    run.is_in_step = true
    within_run(run, function()
      assert.equal("answer", task.record("http", "x", function() return "answer" end))
    end)
    assert.are.same({}, run.steps)
  end)
end)

describe("what cannot be journaled", function()
  local function refuse()
    task.refuse "io.open"
  end

  it("is nobody's business outside of runs, and in a larger step", function()
    refuse()
    local run = new_run()
    run.is_in_step = true
    within_run(run, refuse)
    assert.is_nil(run.tainted)
  end)

  it("is refused in a dialog, with the way to do it", function()
    within_run(new_run(), function()
      local ok, problem = pcall(refuse)
      assert.is_false(ok)
      assert.matches("io.open cannot be repeated when the dialog is rebuilt: do it in chat:step", problem)
    end)
  end)

  it("is refused in a handler that has waited", function()
    local run = new_run()
    run.is_dialog, run.is_stored = false, true
    within_run(run, function()
      assert.is_false((pcall(refuse)))
    end)
  end)

  it("is noted of a handler that has not waited yet: the first thing", function()
    local run = new_run()
    run.is_dialog = false
    within_run(run, function()
      refuse()
      task.refuse "os.remove"
    end)
    assert.equal("io.open", run.tainted)
  end)
end)

describe("a wait", function()
  local function problem_of(run, fn)
    local _, problem = pcall(within_run, run, fn or function()
      steps.waiting_run "chat:ask"
    end)
    return problem
  end

  it("is possible in the coroutine of a run", function()
    local run = new_run()
    within_run(run, function()
      assert.equal(run, steps.waiting_run "chat:ask")
    end)
  end)

  it("is refused outside of runs", function()
    assert.matches("chat:ask: only works in a handler or a dialog", problem_of(nil))
  end)

  it("is refused in a larger step", function()
    local run = new_run()
    run.is_in_step = true
    assert.matches("chat:ask: cannot be used inside chat:step", problem_of(run))
  end)

  it("is refused in a coroutine of the script's own", function()
    assert.matches("chat:ask: cannot be used in a coroutine of the script", problem_of(new_run(), function()
      assert(coroutine.resume(coroutine.create(function()
        steps.waiting_run "chat:ask"
      end)))
    end))
  end)

  it("is refused in a function that a function of C calls, and says what to do", function()
    assert.matches("chat:ask: cannot be used in a function that string.gsub, table.sort or the like calls; let that one only collect, and wait in a loop", problem_of(new_run(), function()
      return (("a b"):gsub("%a", function()
        steps.waiting_run "chat:ask"
      end))
    end))
  end)
end)
