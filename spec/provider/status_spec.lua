-- SPDX-License-Identifier: MIT
-- The names and numbers are persisted: a spec that has to change here wants a migration of the store.

local status = require "cunnekt.provider.status"

describe("the states of a message", function()
  it("have the numbers that stores on disks have", function()
    assert.same({ queued = 0, sending = 1, unknown = 2, rejected = 3, failed = 4, expired = 5 }, status.outbox_numbers)
    assert.same({ accepted = 0, sent = 1, delivered = 2, read = 3, played = 4, failed = 9 }, status.ranks)
  end)

  it("are in the outbox each with a number", function()
    local count = 0
    for _ in pairs(status.outbox_numbers) do
      count = count + 1
    end
    assert.equal(count, #status.in_outbox)
    for _, name in ipairs(status.in_outbox) do
      assert.equal("integer", math.type(status.outbox_numbers[name]))
    end
  end)

  it("are shown without exception", function()
    local shown = status.set(status.shown)
    for _, list in ipairs { status.in_outbox, status.reported, status.awaitable, status.dead_letters } do
      for _, name in ipairs(list) do
        assert.is_true(shown[name], name)
      end
    end
  end)

  it("rise on the way to the customer", function()
    local last = -math.huge
    for _, name in ipairs { "queued", "sending", "unknown", "accepted", "sent", "delivered", "read", "played" } do
      assert.is_true(status.progress[name] > last, name)
      last = status.progress[name]
    end
  end)

  it("reach what lies below them", function()
    assert.is_true(status.has_reached("read", "delivered"))
    assert.is_true(status.has_reached("accepted", "accepted"))
    assert.is_false(status.has_reached("sent", "delivered"))
    for _, name in ipairs { "queued", "sending", "unknown", "rejected", "failed", "dropped", "of the future" } do
      assert.is_false(status.has_reached(name, "accepted"), name)
    end
  end)

  it("tell where waiting is no use, and what needs an operator", function()
    for _, name in ipairs { "unknown", "rejected", "failed" } do
      assert.is_true(status.has_failed(name))
      assert.is_true(status.is_dead_letter(name))
    end
    assert.is_true(status.has_failed "dropped")
    assert.is_false(status.is_dead_letter "dropped")
    assert.is_nil(status.final.unknown) -- a status may still settle it
    for _, name in ipairs { "queued", "sending", "accepted", "read" } do
      assert.is_false(status.has_failed(name))
      assert.is_false(status.is_dead_letter(name))
    end
  end)
end)

describe("statuses", function()
  it("count by the furthest, whatever their order", function()
    assert.equal("read", status.furthest { { status = "read" }, { status = "sent" }, { status = "delivered" } })
    assert.equal("failed", status.furthest { { status = "failed" }, { status = "sent" } })
    assert.is_nil(status.furthest { { status = "of the future" } })
    assert.is_nil(status.furthest {})
  end)

  it("give the provider's reason for a failure", function()
    assert.same({ "Undeliverable", 131026 }, { status.reason { errors = { { title = "Undeliverable", code = 131026 } } } })
    assert.equal("no such number", (status.reason { errors = { { message = "no such number" } } }))
    assert.same({ "the provider reports a failure" }, { status.reason {} })
  end)
end)
