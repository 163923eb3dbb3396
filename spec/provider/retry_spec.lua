-- SPDX-License-Identifier: MIT
-- Retry-After as it stands in answers is in answer_spec.lua.

local clock = require "cunnekt.time.clock"
local retry = require "cunnekt.provider.retry"

describe("the pause before another attempt", function()
  local random = clock.random

  after_each(function()
    clock.random = random
  end)

  -- What a policy draws at least and at most.
  local function range(policy, ...)
    local bounds = {}
    for i, chance in ipairs { 0, 1 } do
      clock.random = function()
        return chance
      end
      bounds[i] = policy(...)
    end
    return bounds
  end

  it("of a request is random, doubles, and ends at half a minute", function()
    assert.same({ 0.0, 0.5 }, range(retry.request, 1))
    assert.same({ 0.0, 2.0 }, range(retry.request, 3))
    assert.same({ 0.0, 30.0 }, range(retry.request, 7))
    assert.same({ 0.0, 30.0 }, range(retry.request, 10000))
  end)

  it("of a message is a second, doubles, and ends at five minutes", function()
    assert.same({ 0.5, 1.0 }, range(retry.message, 1))
    assert.same({ 8.0, 16.0 }, range(retry.message, 5))
    assert.same({ 150.0, 300.0 }, range(retry.message, 10))
    assert.same({ 150.0, 300.0 }, range(retry.message, 10000))
  end)

  it("of a turn is a second, then four times longer each time", function()
    assert.same({ 0.5, 1.0 }, range(retry.turn, 1))
    assert.same({ 2.0, 4.0 }, range(retry.turn, 2))
    assert.same({ 128.0, 256.0 }, range(retry.turn, 5))
  end)

  it("of a webhook starts as the sandbox is told, a quarter more or less", function()
    assert.same({ 0.75, 1.25 }, range(retry.webhook, 1, 1))
    assert.same({ 0.03, 0.05 }, range(retry.webhook, 3, 0.01))
    assert.same({ 225.0, 375.0 }, range(retry.webhook, 20, 1))
  end)

  it("of a contact who gets too much is what Meta asks for, and not for ever", function()
    assert.same({ 1.0, 1.0 }, range(retry.pair, 0))
    assert.same({ 64.0, 64.0 }, range(retry.pair, 3))
    assert.same({ 4096.0, 4096.0 }, range(retry.pair, 100))
  end)
end)
