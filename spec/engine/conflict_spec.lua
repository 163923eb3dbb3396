-- SPDX-License-Identifier: MIT
-- Conflicts that the store finds: versions that a turn carries over a commit in its middle, events that are gone, and two
-- engines on one store. What turns of one engine do to each other is in turns_that_meet_spec.lua.

local engine_rig = require "spec.support.rigs.engine_rig"
local recovery = require "cunnekt.store.recovery"
local state = require "cunnekt.bot.state"
local task = require "cunnekt.base.task"
local values = require "cunnekt.bot.values"

local contact = "1:919999999999"

describe("a conflict", function()
  local it_, store

  before_each(function()
    it_ = engine_rig.new()
    store = it_.store
  end)

  after_each(function()
    it_:close()
  end)

  -- Runs another turn from within one, and waits for its end.
  local function other_turn(fn, turns)
    local failure = task.await(function(done)
      (turns or it_.turns):run(nil, fn, function(err)
        done(err or false)
      end)
    end)
    assert(not failure, failure)
  end

  local function load(engine)
    return state.new(engine or it_.engine, contact):load()
  end

  local function stored_state()
    return store:conversation(contact).state
  end

  describe("after a commit in the middle of a turn", function()
    local function change_twice(first, between, last)
      local err = it_:turn(nil, function(current)
        local value = load()
        first(value, current)
        current:commit_more()
        if between then
          other_turn(between)
        end
        value.c = last or 3
      end)
      return err and err.kind
    end

    local function set_a(value)
      value.a = 1
    end

    local function set_b()
      load().b = 2
    end

    it("is none where nobody changed the state that the turn has written", function()
      assert.is_nil(change_twice(set_a))
      assert.equal(3, load().c)
    end)

    it("is one where another turn did, whose change stays", function()
      assert.equal("conflict", change_twice(set_a, set_b))
      assert.are.same({ a = 1, b = 2 }, load())
    end)

    it("is one where the turn had only read the state before", function()
      local function write_another(_, current)
        current:buffer("values").key = "1"
      end
      assert.is_nil(change_twice(write_another))
      assert.equal("conflict", change_twice(write_another, set_b, 4))
      assert.are.same({ b = 2, c = 3 }, load())
    end)
  end)

  it("is one where a value was read twice, and another turn wrote it in between", function()
    local bot_store, runs, seen = values.new(it_.engine), 0, nil
    assert.is_nil(it_:turn(nil, function()
      runs = runs + 1
      local first = bot_store:get("n", 0)
      if runs == 1 then
        other_turn(function()
          bot_store:set("n", 10)
        end)
      end
      seen = { first, bot_store:get("n", 0) }
      bot_store:set("seen", seen)
    end))
    assert.are.same({ 2, { 10, 10 } }, { runs, seen })
  end)

  it("is one where a chat holds what another chat of the same contact has read", function()
    local runs = 0
    assert.is_nil(it_:turn(nil, function()
      runs = runs + 1
      local first, second = load(), load()
      assert.equal(first, second)
      if runs == 1 then
        other_turn(function()
          load().n = 10
        end)
      end
      second.n = (second.n or 0) + 1
    end))
    assert.are.same({ 2, '{"n":11}' }, { runs, stored_state() })
  end)

  it("is found between two engines on one store, of states and values", function()
    local second = require("cunnekt.engine").new { store = store, client = it_.engine.client, options = {
      concurrency = 10, queue = 100, sends = 10, unknown = "hold", on_failure = "wait",
    }, handles = require "cunnekt.bot.sent" }
    second:connect { on_turn = function() end, on_commit = function() end, on_answer = function() end, on_failure = function() end }
    local bot_store, other_store, runs = values.new(it_.engine), values.new(second), 0
    assert.is_nil(it_:turn(nil, function()
      runs = runs + 1
      local value, n = load(), bot_store:get("n", 0)
      if runs == 1 then
        other_turn(function()
          load(second).n = 10
        end, second.turns)
      elseif runs == 2 then
        other_turn(function()
          other_store:set("n", 5)
        end, second.turns)
      end
      value.n = (value.n or 0) + 1
      bot_store:set("n", n + 1)
    end))
    assert.are.same({ 3, '{"n":11}', 6 }, { runs, stored_state(), bot_store:get "n" })
    second.inbox:stop()
    second.outbox:stop()
  end)

  -- ---- events that are gone ------------------------------------------------------------------------------------------

  describe("with an operator who drops the event", function()
    it("ends the turn, which has no effect", function()
      local record, runs = it_:accept(contact, "\1{}"), 0
      local err, rest = it_:turn(record, function(current)
        runs = runs + 1
        current:buffer("values").key = "1"
        current:send(it_:row(contact, "never"))
        assert.are.same({ record.id }, store:repair("drop_pending_event", { ids = { record.id } }))
      end)
      assert.are.same({ nil, nil, 1 }, { err, rest, runs })
      it_:settle()
      assert.are.same({ {}, {} }, { it_:texts(), recovery.events(store) })
      assert.is_nil((store:value "key"))
    end)

    local function text(words)
      return ([[{"metadata":{"phone_number_id":"1"},"messages":[{"id":"%s","from":"919999999999","timestamp":"1700000000",
        "type":"text","text":{"body":"%s"}}]}]]):format(words, words)
    end

    -- Turns that join three texts; while the first of them runs, one is dropped.
    local function join_and_drop(which)
      local seen, ids = {}, {}
      it_:close()
      it_ = engine_rig.new {
        on_turn = function(record, done)
          it_.turns:run(record, function()
            local event = assert(it_.inbox:take(record))
            store:value "anything" -- the others are queued meanwhile
            it_.inbox:join(record, event, function()
              return true
            end)
            seen[#seen + 1] = event.text
            if #seen == 1 then
              store:repair("drop_pending_event", { ids = { ids[which] } })
            end
          end, function(err)
            assert(not err, err)
            done()
          end)
        end,
      }
      store = it_.store
      local records = {}
      for i, words in ipairs { "a", "b", "c" } do
        records[i] = it_:accept(contact, text(words))
        ids[i] = records[i].id
      end
      it_.inbox:enqueue(records)
      it_:step_until(function()
        return it_.inbox:count() == 0
      end)
      assert.are.same({}, recovery.events(store))
      return seen
    end

    it("handles the others of joined texts again, without that one", function()
      assert.are.same({ "a\nb\nc", "a\nc" }, join_and_drop(2))
    end)

    it("handles the texts that were joined to it", function()
      assert.are.same({ "a\nb\nc", "b\nc" }, join_and_drop(1))
    end)
  end)
end)
