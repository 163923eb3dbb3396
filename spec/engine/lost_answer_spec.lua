-- SPDX-License-Identifier: MIT
-- The answer to a message is lost, and statuses tell what became of it: mostly they come while the answer is still awaited.

local bot_rig = require "spec.support.rigs.bot_rig"
local inside = require("cunnekt.service").of
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"

describe("a message whose answer is lost", function()
  local kept, handle

  before_each(function()
    kept, handle = kept_bot.new { timeout = 0.5, retries = 0 }, nil
  end)

  after_each(function()
    kept:close()
  end)

  local function start(define, delivery)
    kept:start(function(bot)
      bot:on("text", function(msg)
        handle = msg:reply_text("hi", delivery)
      end)
      if define then
        define(bot)
      end
    end)
  end

  local function hear_statuses(bot)
    bot:on("status", function() end)
  end

  -- What WhatsApp reports, each in a webhook of its own.
  local function report(...)
    local stored = 0
    for _, name in ipairs { ... } do
      local body = bot_rig.body_of { type = name, id = "wamid.X1" }
      assert(inside(kept.bot).inbox:accept(body, function(err)
        stored = stored + (err and 0 or 1)
      end))
    end
    local count = select("#", ...)
    kept:wait_for("the statuses", function()
      return stored == count
    end)
  end

  -- The customer writes, and the provider says nothing of the reply.
  local function lose_an_answer()
    kept:fault { kind = "drop", count = 1, seconds = 60, accept = false }
    kept:say "hello"
    kept:wait_for("the message", function()
      return handle and handle.state == "sending"
    end)
  end

  local function time_out()
    kept:wait_for("the end of the request", function()
      return inside(kept.bot).outbox:active() == 0
    end)
    kept:settle()
  end

  local function shown()
    local result = kept:run("outbox", "list", "--state", "all", "--json")
    assert.equal(0, result.code, result.err)
    local listed = json.decode(result.out).messages
    assert.equal(1, #listed)
    return { listed[1].state, listed[1].error or "no error" }
  end

  for name, define in pairs { ["with a handler of statuses"] = hear_statuses, ["without one"] = false } do
    describe(name, function()
      it("has failed, if WhatsApp said so before the time-out, and can be sent again", function()
        start(define)
        lose_an_answer()
        report("sent", "failed")
        time_out()
        assert.are.same({ "failed", "Message undeliverable (code 131026)" }, shown())
        assert.are.same({ "failed", "wamid.X1", 131026 }, { handle.state, handle.message_id, handle.err.code })
        local result = kept:run("outbox", "retry", tostring(handle.id))
        assert.equal(0, result.code, result.err)
        kept:wait_for_messages("read", 1)
      end)

      it("is as far as the furthest status, whatever the order", function()
        start(define)
        lose_an_answer()
        report("read", "sent", "delivered")
        time_out()
        assert.are.same({ "read", "no error" }, shown())
        assert.equal("read", handle.state)
      end)

      it("moves on with statuses of both sides of the time-out", function()
        start(define)
        lose_an_answer()
        report "sent"
        time_out()
        report("read", "delivered")
        kept:settle()
        assert.are.same({ "read", "no error" }, shown())
      end)

      it("is settled by those after the time-out alone", function()
        start(define)
        lose_an_answer()
        time_out()
        assert.equal("unknown", shown()[1])
        report("sent", "failed")
        kept:settle()
        assert.equal("failed", shown()[1])
        assert.equal("failed", handle.state)
      end)
    end)
  end

  it("is settled also where it was a bulk message", function()
    start(nil, { priority = "bulk" })
    lose_an_answer()
    report("sent", "delivered")
    time_out()
    assert.equal("delivered", shown()[1])
  end)

  it("is settled at the next start by what came before the stop", function()
    start()
    lose_an_answer()
    report("sent", "failed")
    kept:stop() -- before the time-out
    start()
    kept:settle()
    assert.equal("failed", shown()[1])
  end)

  it("stays unknown while another one to its customer is unknown as well", function()
    start(function(bot)
      bot:on("text", function(msg)
        msg:reply_text "again"
      end)
    end)
    lose_an_answer()
    time_out()
    lose_an_answer()
    report("sent", "failed")
    time_out()
    local listed = json.decode(kept:run("outbox", "list", "--json").out).messages
    assert.are.same({ "unknown", "unknown" }, { listed[1].state, listed[2].state })
  end)
end)
