-- SPDX-License-Identifier: MIT
-- A handler that fails at a status, a call or a change of preferences must not hold up the customer's next message: only
-- messages wait for each other.

local talk = require "spec.support.rigs.talk"

local begin, said = talk.begin, talk.said
local customer = talk.customer

describe("a failed event that is no message", function()
  after_each(talk.finish)

  local heard

  -- A bot that fails at each event of `what` until `is_good`.
  local function begin_failing(what, opts)
    heard = { attempts = 0, is_good = false }
    begin(function(bot)
      bot:on(what, function(event)
        heard.attempts = heard.attempts + 1
        if not heard.is_good then
          error "no luck"
        end
        if event.kind == "message" then
          event.chat:reply_text("good: " .. event.text)
        end
      end)
    end, opts)
  end

  local function act(kind, fields)
    fields = fields or {}
    fields.type = kind
    talk.all:act(customer, fields)
    talk.all:settle()
  end

  for _, kind in ipairs { "failed", "read", "call", "user_preferences", "payment", "echo", "state_sync" } do
    it("is overtaken by the messages after it, and tried again apart: " .. kind, function()
      begin_failing(kind)
      act "text"
      act(kind, { id = "wamid.X" })
      assert.equal(1, heard.attempts)
      act("text", { text = "two" })
      act("text", { text = "three" })
      assert.are.same({ "handler: hello", "handler: two", "handler: three" }, said())
      talk.all:pass(2)
      assert.equal(2, heard.attempts)
      heard.is_good = true
      talk.all:pass(6)
      assert.equal(3, heard.attempts)
      talk.all:pass(1000)
      assert.equal(3, heard.attempts)
    end)
  end

  it("is handled again after a restart, and becomes a dead letter after its last attempt", function()
    begin_failing("failed", { attempts = 3 })
    act("failed", { id = "wamid.X" })
    talk.all:kill()
    talk.all:settle()
    act("text", { text = "two" })
    assert.are.same({ "handler: two" }, said())
    talk.all:pass(1000)
    assert.is_true(heard.attempts >= 3)
    assert.are.same({ "handler: two" }, said())
    local attempts = heard.attempts
    talk.all:pass(1000)
    assert.equal(attempts, heard.attempts)
  end)

  it("leaves the order of messages as it is: those behind one that failed wait", function()
    begin_failing "text"
    act("text", { text = "one" })
    act "read"
    act("location", {})
    assert.are.same({}, said())
    heard.is_good = true
    talk.all:pass(2)
    assert.are.same({ "good: one", "handler: location" }, said())
  end)
end)
