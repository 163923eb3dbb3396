-- SPDX-License-Identifier: MIT
-- Turns side by side that change the same values. What one turn makes effective, and what its failure drops, is in
-- turn_spec.lua.

local inside = require("cunnekt.service").of
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local engine_rig = require "spec.support.rigs.engine_rig"
local state = require "cunnekt.bot.state"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"

describe("two turns", function()
  local it_, store

  before_each(function()
    it_ = engine_rig.new()
    store = it_.store
  end)

  after_each(function()
    it_:close()
  end)

  -- Begins a turn that calls `read`, waits until it is let go, and calls `write`; gives how to let it go, how often it ran,
  -- and what came of it.
  local function slow(read, write)
    local slow_one = { runs = 0 }
    it_.turns:run(nil, function(current)
      slow_one.runs = slow_one.runs + 1
      local value = read(current)
      if slow_one.runs == 1 then
        task.await(function(done)
          slow_one.go = done
        end)
      end
      write(current, value)
    end, function(err)
      slow_one.is_over, slow_one.err = true, err
    end)
    it_:step_until(function()
      return slow_one.go
    end)
    return slow_one
  end

  local function finish(slow_one)
    slow_one.go()
    it_:step_until(function()
      return slow_one.is_over
    end)
    assert.is_nil(slow_one.err)
    return slow_one.runs
  end

  local function read_value(key)
    return function(current)
      local text, version = store:value(key)
      current:record_read("value", key, version)
      return tonumber(text or "0")
    end
  end

  local function write_value(key)
    return function(current, value)
      current:buffer("values")[key] = tostring(value + 1)
    end
  end

  local function quick(fn)
    assert.is_nil(it_:turn(nil, fn))
  end

  local function set(key, text)
    quick(function(current)
      current:buffer("values")[key] = text
    end)
  end

  it("that change the same value are done one after the other", function()
    local first = slow(read_value "n", write_value "n")
    set("n", "10")
    assert.equal(2, finish(first))
    assert.equal("11", store:value "n")
  end)

  it("that change other values do not meet", function()
    local first = slow(read_value "n", write_value "n")
    set("m", "10")
    assert.equal(1, finish(first))
    assert.are.same({ "1", "10" }, { store:value "n", (store:value "m") })
  end)

  it("of which one only reads what the other changes: the reader runs again", function()
    local first = slow(read_value "n", write_value "copy")
    set("n", "10")
    assert.equal(2, finish(first))
    assert.equal("11", store:value "copy")
  end)

  it("of which one deletes what the other read do meet", function()
    set("n", "10")
    local first = slow(read_value "n", write_value "n")
    quick(function(current)
      current:buffer("values").n = false
    end)
    assert.equal(2, finish(first))
    assert.equal("1", store:value "n")
  end)

  it("that write without reading do not meet: the later one holds", function()
    local first = slow(function() end, function(current)
      current:buffer("values").n = '"slow"'
    end)
    set("n", '"quick"')
    assert.equal(1, finish(first))
    assert.equal('"slow"', store:value "n")
  end)

  it("that change the same state are done one after the other", function()
    local function read()
      return state.new(it_.engine, contact):load()
    end
    local first = slow(read, function(_, value)
      value.n = (value.n or 0) + 1
    end)
    quick(function()
      read().n = 10
    end)
    assert.equal(2, finish(first))
    assert.equal('{"n":11}', store:conversation(contact).state)
  end)

  it("that read the same state do not meet", function()
    local function read()
      return state.new(it_.engine, contact):load()
    end
    local first = slow(read, function() end)
    quick(function()
      read()
    end)
    assert.equal(1, finish(first))
  end)

  it("of which one ran again send what the last run said, once", function()
    local first = slow(read_value "n", function(current, value)
      current:send(it_:row(contact, "n is " .. value))
      current:buffer("values").n = "0"
    end)
    set("n", "10")
    finish(first)
    it_:settle()
    assert.are.same({ "n is 10" }, it_:texts())
  end)

  it("of which one has committed in the middle do not run again: the other's change is a conflict", function()
    local outcome
    local go
    it_.turns:run(nil, function(current)
      current:buffer("values").mine = "1"
      current:commit_more()
      read_value "n" (current)
      task.await(function(done)
        go = done
      end)
      current:buffer("values").n = "1"
    end, function(err)
      outcome = err
    end)
    it_:step_until(function()
      return go
    end)
    set("n", "10")
    go()
    it_:step_until(function()
      return outcome
    end)
    assert.equal("conflict", outcome.kind)
    assert.are.same({ "1", "10" }, { store:value "mine", (store:value "n") })
  end)

  it("give up when they are in each other's way again and again", function()
    local runs = 0
    local err = it_:turn(nil, function(current)
      runs = runs + 1
      read_value "n" (current)
      -- Another turn, each time.
      local is_done
      it_.turns:run(nil, function(other)
        other:buffer("values").n = tostring(runs)
      end, function()
        is_done()
      end)
      task.await(function(done)
        is_done = done
      end)
      current:buffer("values").n = "0"
    end)
    assert.equal("conflict", err.kind)
    assert.equal(100, runs)
    assert.equal("100", store:value "n")
  end)
end)

describe("turns that meet", function()
  local bot

  before_each(function()
    bot = cunnekt.bot { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:" }
  end)

  after_each(function()
    bot:stop(1)
  end)

  local function settle()
    local deadline = core.real_monotonic() + 10
    while inside(bot).engine.turns:count() > 0 do
      assert(core.real_monotonic() < deadline, "a turn does not end")
      core.step(true)
    end
  end

  local function count()
    inside(bot).engine.turns:run(nil, function()
      local its_state = bot:chat("919999999999").state
      its_state.count = (its_state.count or 0) + 1
    end, function(err)
      assert(not err, err)
    end)
  end

  -- The second turn began while the first one's commit was under way, read the old state from memory, and wrote over the
  -- new one: of 200 counts 28 were left.
  it("lose no change of a state that is read while it is being written", function()
    count() -- so that the state is in memory
    settle()
    count()
    count()
    settle()
    assert.equal(3, bot:chat("919999999999").state.count)
  end)

  -- Every turn that met another one used to begin anew at once, and they met again: 300 of them ran 45,150 times.
  it("go on one after the other once they have met, and nobody is left out", function()
    local runs = 0
    for _ = 1, 300 do
      inside(bot).engine.turns:run(nil, function()
        runs = runs + 1
        bot.store:increment "n"
      end, function(err)
        assert(not err, err)
      end)
    end
    settle()
    assert.equal(300, bot.store:get "n")
    assert.is_true(runs <= 600, ("%d runs for 300 turns"):format(runs))
  end)
end)
