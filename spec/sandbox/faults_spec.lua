-- SPDX-License-Identifier: MIT
-- The sandbox's faults, as a client meets them. The client repeats nothing here, so that each send meets one fault.

local bot_double = require "spec.support.rigs.bot_double"
local client = require "cunnekt.provider.client"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local sandbox = require "cunnekt.sandbox"

local NUMBER = "919999999999"

describe("a fault of the sandbox", function()
  local box, bot, sender

  local function make_client(timeout)
    return client.new {
      api_key = "any", base_url = box.url .. "/v1", retries = 0, rate = 0, pair_rate = 0, timeout = timeout,
    }
  end

  before_each(function()
    bot = bot_double.new()
    box = assert(sandbox.new { webhook = bot.url })
    sender = make_client(30)
  end)

  after_each(function()
    box:close()
    bot.close()
  end)

  local function add(rule)
    local answer = assert(http.request { method = "POST", url = box.url .. "/control/faults", json = rule })
    assert.equal(200, answer.status, answer.body)
  end

  -- What the sandbox took, in its own eyes.
  local function taken()
    return box.state.counts.out
  end

  local function statuses(count)
    local seen = {}
    for i, event in ipairs(bot.wait_for(count)) do
      seen[i] = event.status
    end
    return seen
  end

  it("hits only the sends it is meant for", function()
    add { kind = "status", status = 500, after = 1, count = 2 }
    local outcomes = {}
    for i = 1, 4 do
      local sent = sender:send_text(NUMBER, "x")
      outcomes[i] = sent ~= nil
    end
    assert.same({ true, false, false, true }, outcomes)
    assert.equal(2, taken())
  end)

  it("can be meant for one contact", function()
    add { kind = "status", to = "918888888888" }
    assert.is_truthy(sender:send_text(NUMBER, "x"))
    assert.is_nil((sender:send_template("918888888888", "hello")))
  end)

  it("answers with a status, a code and Retry-After", function()
    add { kind = "status", status = 429, code = 130429, retry_after = 7 }
    local _, err = sender:send_text(NUMBER, "x")
    assert.equal("rate_limited", err.kind)
    assert.equal(429, err.status)
    assert.equal(130429, err.code)
    assert.equal(7, err.retry_after)
    assert.equal(0, taken())
  end)

  it("answers with an error although it took the message", function()
    add { kind = "status", status = 500, accept = true }
    local sent = sender:send_text(NUMBER, "x")
    assert.is_nil(sent)
    assert.equal(1, taken())
    assert.same({ "sent", "delivered", "read" }, statuses(3))
  end)

  for _, kind in ipairs { "drop", "reset", "slow", "delay" } do
    it(kind .. " leaves the client without an answer, and the message taken", function()
      add { kind = kind, seconds = kind ~= "reset" and 0.3 or nil }
      local sent, err = make_client(0.1):send_text(NUMBER, "x")
      assert.is_nil(sent)
      assert.equal("unknown_outcome", err.kind)
      assert.same({ "sent", "delivered", "read" }, statuses(3))
      assert.equal(1, taken())
    end)
  end

  it("reset can lose the message as well", function()
    add { kind = "reset", accept = false }
    local sent = sender:send_text(NUMBER, "x")
    assert.is_nil(sent)
    assert.equal(0, taken())
  end)

  it("delay lets statuses come before the answer", function()
    add { kind = "delay", seconds = 0.1 }
    local sent = assert(sender:send_text(NUMBER, "x"))
    assert.equal(3, #bot.events)
    assert.equal(sent.message_id, bot.events[1].id)
  end)

  for _, kind in ipairs { "garbage", "empty" } do
    it(kind .. " answers 200 with nothing to go by", function()
      add { kind = kind }
      local sent, err = sender:send_text(NUMBER, "x")
      assert.is_true(sent == nil or sent.message_id == nil, tostring(err))
      assert.equal(1, taken())
    end)
  end

  it("failed takes the message, and fails it later", function()
    add { kind = "failed", code = 131049, title = "Not now" }
    local sent = assert(sender:send_text(NUMBER, "x"))
    local event = bot.wait_for(1)[1]
    assert.equal("failed", event.status)
    assert.equal(sent.message_id, event.id)
    assert.equal(131049, event.errors[1].code)
    assert.equal("Not now", event.errors[1].title)
  end)

  it("reorder turns the statuses round", function()
    add { kind = "reorder" }
    assert(sender:send_text(NUMBER, "x"))
    assert.same({ "read", "delivered", "sent" }, statuses(3))
  end)

  it("duplicate posts webhooks twice", function()
    add { kind = "duplicate", count = 2 }
    assert(sender:send_text(NUMBER, "x"))
    assert.same({ "sent", "sent", "delivered", "delivered", "read" }, statuses(5))
  end)

  it("can be listed and taken back", function()
    add { kind = "status", count = 5 }
    local answer = assert(http.get(box.url .. "/control/faults"))
    assert.equal(5, json.decode(answer.body).faults[1].count)
    assert(http.request { method = "DELETE", url = box.url .. "/control/faults" })
    assert.is_truthy(sender:send_text(NUMBER, "x"))
  end)
end)
