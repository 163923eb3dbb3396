-- SPDX-License-Identifier: MIT
-- One run and its journal: what is done the first time is recalled the next, and a script that does something else now is
-- noticed. Whole dialogs are in spec/dialog.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local record_of = require "cunnekt.engine.record"
local recovery = require "cunnekt.store.recovery"
local run = require "cunnekt.dialog.engine.run"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local function never()
  error "this was done again"
end

describe("a run", function()
  local it_, time, owner

  before_each(function()
    time = clock.virtual(1700000000):install()
    it_ = engine_rig.new()
    it_.turns:connect(function(change)
      if change.run then
        change.run:on_committed()
      end
    end)
    owner = {
      describe = function(_, current)
        current.code = current.code or "a.b"
      end,
      on_committed = function(self, current)
        self.committed = current
      end,
      release_kept = function() end,
    }
  end)

  after_each(function()
    it_:close()
    time:uninstall()
  end)

  local function new(fields)
    local all = { id = it_.store:next_id(), name = "it", contact = "1:2", at = clock.now(), is_dialog = true, owner = owner }
    for name, value in pairs(fields or {}) do
      all[name] = value
    end
    return run.new(all)
  end

  -- Runs `fn` as code of the run, in a turn; gives the turn's failure.
  local function within(current, fn)
    return (it_:turn(nil, function(its_turn)
      local running = task.running()
      running.run, its_turn.run = current, current
      fn(its_turn)
    end))
  end

  local function must(current, fn)
    local err = within(current, fn)
    assert(not err, err and err.traceback or tostring(err))
  end

  -- The steps of a run as the store would have them, for another one that is rebuilt.
  local function journal_of(current)
    local steps = {}
    for _, step in ipairs(current:take_pending()) do
      steps[step.n] = { mark = step.mark, result = step.result }
    end
    return steps
  end

  -- Does something in a run, and once more in one that is rebuilt from its journal.
  local function twice(fn)
    local first = new()
    must(first, fn)
    local second = new { replay = journal_of(first), seed = first.seed }
    second.is_stored = false -- it is in no store, and need not leave it
    must(second, fn)
    return first, second
  end

  -- ---- steps ---------------------------------------------------------------------------------------------------------

  it("does a step once, and gives the same the next time", function()
    for _, value in ipairs { 7, "x", "\xff\0", true, false, { a = { 1, "\xff" } }, json.array {} } do
      local given, is_recalled, count = {}, {}, 0
      twice(function()
        local current = task.running().run
        given[#given + 1], is_recalled[#is_recalled + 1] = current:step("get", "key", function()
          count = count + 1
          return value
        end)
      end)
      assert.are.same({ { value, value }, { false, true }, 1 }, { given, is_recalled, count })
    end
  end)

  it("gives nothing where a step gave nothing", function()
    local results = {}
    twice(function()
      results[#results + 1] = table.pack(task.running().run:step("x", "y", function() end))
    end)
    assert.are.same({ { n = 2, nil, false }, { n = 2, nil, true } }, results)
  end)

  it("ends a run whose journal is damaged, whatever the script catches", function()
    local first, is_caught = new(), nil
    local function step()
      return task.running().run:step("get", "key", function()
        return 7
      end)
    end
    must(first, step)
    local steps = journal_of(first)
    steps[1].result = steps[1].result:sub(1, -2)
    local second = new { replay = steps, seed = first.seed }
    within(second, function()
      is_caught = not pcall(step)
    end)
    assert.is_true(is_caught)
    assert.equal("diverged", second.fatal.kind)
    assert.matches("^the dialog 'it' cannot continue at step 1: the journal of a dialog has a step that cannot be read: ", second.fatal.message)
  end)

  it("raises what a step raised, each time", function()
    for _, value in ipairs { "no luck", { code = 7 }, false, errors.new("timeout", "late") } do
      local raised = {}
      twice(function()
        local ok, failure = pcall(task.running().run.step, task.running().run, "x", "y", function()
          error(value, 0)
        end)
        raised[#raised + 1] = { ok, failure }
      end)
      assert.are.same({ { false, value }, { false, value } }, raised)
    end
  end)

  it("gives a table that the script may change, without changing the journal", function()
    local value = { list = { 1 } }
    local first = new()
    must(first, function()
      local given = first:step("x", "y", function()
        return value
      end)
      given.list[1], value.list[1] = "changed", "changed, too"
    end)
    assert.equal('{"v":{"list":[1]}}', journal_of(first)[1].result)
  end)

  it("raises where a step gives what cannot be kept, each time", function()
    local problems = {}
    twice(function()
      local _, problem = pcall(task.running().run.step, task.running().run, "x", "y", function()
        return { print }
      end)
      problems[#problems + 1] = problem
    end)
    assert.matches("the result of a call of kind x cannot be stored", problems[1])
    assert.equal(problems[1], problems[2])
  end)

  it("does a step within a step as a part of it", function()
    local first = twice(function()
      local current = task.running().run
      current:step("outer", "x", function()
        return current:step("inner", "y", function()
          return 5
        end)
      end)
    end)
    assert.equal(1, first.n)
  end)

  it("has steps whose subject is JSON with the same mark, done or recalled", function()
    twice(function()
      task.running().run:step("send", '{"b":1,"a":[1,{"c":null}]}', function()
        return { id = 1 }
      end, { is_json = true, is_internal = true })
    end)
  end)

  -- ---- a script that does something else now -----------------------------------------------------------------------------

  local function diverge(was, is_now)
    local first = new()
    must(first, function()
      was(first)
    end)
    local second = new { replay = journal_of(first) }
    return within(second, function()
      is_now(second)
    end), second
  end

  local function step(current, kind, subject, fn)
    return current:step(kind, subject, fn or function()
      return 1
    end)
  end

  it("notices another step, and says which", function()
    local err = diverge(function(current)
      step(current, "get", "a")
      step(current, "get", "b")
    end, function(current)
      step(current, "get", "a", never)
      step(current, "http", "c", never)
    end)
    assert.are.same({ "diverged", 2, 'get "b"', 'http "c"' }, { err.kind, err.step, err.was, err.is_now })
    assert.equal("the dialog 'it' differs from its journal: step 2 was 'get', and is now 'http'", err.message)
  end)

  it("notices another subject, and says nothing of it but to who looks into the store", function()
    local err = diverge(function(current)
      step(current, "get", "919999999999")
    end, function(current)
      step(current, "get", "918888888888")
    end)
    assert.equal("the dialog 'it' differs from its journal at step 1, 'get'", err.message)
    assert.equal('get "918888888888"', err.is_now)
  end)

  it("notices long subjects that differ at their end only", function()
    local long = ("x"):rep(100000)
    local err = diverge(function(current)
      step(current, "step", long .. "a")
    end, function(current)
      step(current, "step", long .. "b")
    end)
    assert.equal("diverged", err.kind)
    assert.is_true(#err.was < 200)
  end)

  it("compares subjects by what they hold, not by the order of their keys", function()
    local keys = { "d", "a", "c", "b" }
    local forth, back = {}, {}
    for i = 1, #keys do
      forth[keys[i]], back[keys[#keys + 1 - i]] = true, true
    end
    assert.equal(journal.mark("wait", forth), journal.mark("wait", back))
    assert.are_not.equal(journal.mark("x", { 1 }), journal.mark("x", { "1" }))
    assert.are_not.equal(journal.mark("x", "a\0b"), journal.mark("x", "a\0c"))
  end)

  it("notices that the script ends before it came to where it stood", function()
    local first = new()
    must(first, function()
      step(first, "get", "a")
    end)
    local second = new { replay = journal_of(first) }
    local ok, err = pcall(second.check_end, second)
    assert.are.same({ false, "diverged", "end" }, { ok, err.kind, err.is_now })
    second = new()
    second:check_end()
  end)

  it("gets no further than its next step when the script catches that", function()
    local _, second = diverge(function(current)
      step(current, "get", "a")
    end, function(current)
      pcall(step, current, "http", "x", never)
      assert.is_false((pcall(step, current, "get", "a", never)))
      error "caught"
    end)
    assert.equal("diverged", second.fatal.kind)
  end)

  it("passes on what is not the script's to catch, whatever the script does", function()
    for _, kind in ipairs { "store", "conflict", "back", "evicted" } do
      local current, failure = new(), errors.new(kind, "x")
      must(current, function()
        pcall(current.step, current, "get", "a", function()
          error(failure, 0)
        end)
      end)
      assert.equal(failure, current.fatal)
    end
  end)

  -- ---- time and chance -----------------------------------------------------------------------------------------------------

  it("stands still in time but for steps that take some, and so again", function()
    local times = {}
    twice(function()
      local current = task.running().run
      local list = { current.at }
      current:step("get", "a", function()
        time:advance(5)
        return 1
      end)
      list[2] = current.at
      current:step("http", "b", function()
        time:advance(7)
        return 1
      end, { takes_time = true })
      list[3] = current.at
      times[#times + 1] = list
    end)
    assert.are.same({ 1700000000, 1700000000, 1700000012 }, times[1])
    assert.equal(times[1][3], times[2][3])
  end)

  it("draws the same numbers again, and no other run the same", function()
    local first = new()
    local draws = { first:random(), first:random(), first:random() }
    local again = new { seed = first:find_seed() }
    assert.are.same(draws, { again:random(), again:random(), again:random() })
    assert.are_not.same(draws, (function()
      local other = new()
      return { other:random(), other:random(), other:random() }
    end)())
    for _, draw in ipairs(draws) do
      assert.is_true(draw >= 0 and draw < 1)
    end
  end)

  it("draws evenly", function()
    local current, sum = new { seed = "a seed" }, 0
    for _ = 1, 10000 do
      sum = sum + current:random()
    end
    assert.is_true(math.abs(sum / 10000 - 0.5) < 0.02)
  end)

  -- ---- with its turn -------------------------------------------------------------------------------------------------------

  it("that never waits is never stored", function()
    must(new(), function(its_turn)
      step(its_turn.run, "get", "a")
    end)
    assert.equal(0, stored_dialogs.count(it_.store))
  end)

  it("that waits is stored with its journal, and ends with it", function()
    local current = new()
    must(current, function()
      step(current, "get", "a")
      current.waiting = { types = { text = true }, n = 2 }
    end)
    assert.are.same({ true, 1, current }, { current.is_stored, current.stored_n, owner.committed })
    assert.equal('get "a"', stored_dialogs.journal(it_.store, current.id)[1].mark)
    current.waiting = nil
    must(current, function() end)
    assert.are.same({ 0, {} }, { stored_dialogs.count(it_.store), stored_dialogs.journal(it_.store, current.id) })
  end)

  it("commits after a call that must not be asked for again, once it may have to be rebuilt", function()
    local current, is_there = new(), nil
    must(current, function()
      current:step("http", "x", function()
        return 1
      end, { commits = true })
      is_there = stored_dialogs.journal(it_.store, current.id)[1] ~= nil
    end)
    assert.is_true(is_there)
    -- A handler may never have to be rebuilt.
    local handler = new { is_dialog = false }
    must(handler, function()
      handler:step("http", "x", function()
        return 1
      end, { commits = true })
    end)
    assert.are.same({}, stored_dialogs.journal(it_.store, handler.id))
  end)

  it("leaves an event in the place of its own that continues it, after a commit in the middle", function()
    local record = it_:accept("1:2", "a")
    local body
    local current = new()
    it_:turn(record, function(its_turn)
      task.running().run, its_turn.run = current, current
      its_turn:commit_more()
      body = it_.store:event_body(record.id)
    end)
    local event = record_of.read_body(body)
    assert.are.same({ "dialog_resume", current.id, current.seed }, { event.status, event.run, event.seed })
    assert.are.same({}, recovery.events(it_.store))
  end)

  it("that did what cannot be done again cannot wait", function()
    local current = new { is_dialog = false, tainted = "io.open" }
    local err = within(current, function(its_turn)
      its_turn:commit_more()
    end)
    assert.matches("a handler that used io.open cannot wait afterwards", err.message)
  end)

  it("drops its coroutine, whose closing variables can do nothing more", function()
    local current, closed, problem = new(), 0, nil
    must(current, function()
      current.strand = task.new_strand()
      task.resume(current.strand, function()
        local _ <close> = setmetatable({}, {
          __close = function()
            closed = closed + 1
            problem = select(2, pcall(step, task.running().run, "get", "a", never))
          end,
        })
        task.suspend()
      end)
    end)
    current:drop()
    current:drop()
    assert.are.same({ 1, "evicted" }, { closed, problem.kind })
  end)
end)
