-- SPDX-License-Identifier: MIT
-- The stop of a service: nothing new begins, what is under way ends within the grace time, and the rest is there at the next
-- start.

local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local fake_client = require "spec.support.fake_client"
local lists = require "cunnekt.store.lists"
local rig = require "spec.support.rigs.service_rig"
local task = require "cunnekt.base.task"

local customer = rig.customer

describe("a stop", function()
  local it_, heard, release

  before_each(function()
    it_, heard, release = rig.new(), {}, nil
  end)

  after_each(function()
    it_:close()
  end)

  -- A bot that holds the turn of "slow" until it is released.
  local function define(bot)
    bot:on("text", function(msg)
      if msg.text == "slow" then
        task.await(function(done)
          release = done
        end)
      end
      heard[#heard + 1] = msg.text
      msg:reply_text("heard " .. msg.text)
    end)
  end

  local function begin_to_stop(grace)
    return task.spawn(it_.bot.stop, it_.bot, grace)
  end

  local function wait_for(t)
    it_:step_until(function()
      it_.clock:advance(0.1)
      return t.is_done
    end)
    return task.join(t)
  end

  it("of a bot that does nothing is clean and at once", function()
    it_:serve(define)
    local before = core.monotonic()
    assert.is_true(it_.bot:stop(10))
    assert.equal(before, core.monotonic())
  end)

  it("lets a turn end that is under way, and sends what it says", function()
    it_:serve(define)
    it_:say "slow"
    local stopping = begin_to_stop(10)
    assert.is_false(stopping.is_done)
    release()
    assert.is_true(wait_for(stopping))
    assert.are.same({ { "slow" }, { "heard slow" } }, { heard, it_.delivered })
  end)

  it("begins no event that waits; the next start does", function()
    it_:serve(define)
    it_:say "slow"
    it_:say "second"
    local stopping = begin_to_stop(10)
    release()
    wait_for(stopping)
    assert.are.same({ "slow" }, heard)
    it_:serve(define)
    it_:settle()
    assert.are.same({ "slow", "second" }, heard)
  end)

  it("cuts off what takes longer than the grace time, and nothing of that holds", function()
    it_:serve(define)
    it_:say "slow"
    assert.is_false(wait_for(begin_to_stop(2)))
    assert.are.same({ {}, {} }, { heard, it_.delivered })
    local old = release
    it_:serve(define)
    it_:step_until(function()
      return release ~= old
    end)
    old() -- the turn of the life before must not do anything any more
    release()
    it_:settle()
    assert.are.same({ "heard slow" }, it_.delivered)
  end)

  it("of a store in memory handles everything first, for nothing can be kept", function()
    it_:serve(define, { store = "memory:" })
    it_:say "slow"
    it_:say "second"
    local stopping = begin_to_stop(10)
    release()
    assert.is_true(wait_for(stopping))
    assert.are.same({ "slow", "second" }, heard)
  end)

  it("takes no webhook any more", function()
    it_:serve(define)
    local url = "http://" .. it_.bot:address() .. "/webhook"
    it_:say "slow"
    local stopping = begin_to_stop(10)
    local answer, err
    local asking = task.spawn(function()
      answer, err = cunnekt.http.post(url, it_:body "late", { timeout = 1, connect_timeout = 1 })
    end)
    it_:step_until(function()
      it_.clock:advance(0.1)
      return asking.is_done
    end)
    assert.is_nil(answer and answer.status == 200 or nil)
    assert.is_true(err ~= nil or answer.status ~= 200)
    release()
    wait_for(stopping)
  end)

  it("lets a message end that is being sent", function()
    it_:serve(define)
    local answer
    fake_client.transmits(it_.bot.client, function()
      return task.await(function(done)
        answer = done
      end)
    end)
    it_:say "x"
    it_:step_until(function()
      return answer
    end)
    local stopping = begin_to_stop(10)
    answer { message_id = "wamid.late", status = 200 }
    assert.is_true(wait_for(stopping))
    it_:new_bot()
    assert.equal("accepted", lists.message(it_.service.store, "wamid.late").state)
  end)

  it("runs no job any more", function()
    it_:serve(function(bot)
      bot:every(1, "tick", function()
        heard[#heard + 1] = "tick"
      end)
      define(bot)
    end)
    it_:say "slow"
    local stopping = begin_to_stop(100)
    for _ = 1, 20 do
      it_.clock:advance(1)
      core.step(false)
    end
    release()
    wait_for(stopping)
    assert.are.same({ "slow" }, heard)
  end)

  it("evicts the dialogs, which continue at the next start", function()
    local function ask(bot)
      bot:dialog("it", function(chat)
        chat:reply_text("end " .. chat:ask("?").text)
      end)
    end
    it_:serve(ask)
    it_:say "x"
    it_:settle()
    assert(it_.bot:start(customer, "it"))
    it_:settle()
    local old = it_.service.dialogs
    it_:stop()
    assert.equal(0, old.resident:count())
    it_:serve(ask)
    it_:say "y"
    it_:settle()
    assert.are.same({ "?", "end y" }, it_.delivered)
  end)

  it("closes everything that was open", function()
    local before = core.counts()
    it_:serve(define, { admin = "127.0.0.1:0" })
    it_:stop()
    collectgarbage()
    assert.are.same({ before.listeners, before.timers, before.exchanges }, {
      core.counts().listeners, core.counts().timers, core.counts().exchanges,
    })
    local ok, err = it_.bot.store:set("a", 1)
    assert.are.same({ nil, "store" }, { ok, err.kind })
  end)

  it("may come from a handler", function()
    it_:serve(function(bot)
      bot:on("text", function(msg)
        msg:reply_text "good bye"
        task.spawn(bot.stop, bot, 5)
      end)
    end)
    it_:say "x"
    it_:step_until(function()
      it_.clock:advance(0.1)
      return it_.service.is_clean
    end)
    assert.are.same({ "good bye" }, it_.delivered)
  end)
end)
