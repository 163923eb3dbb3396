-- SPDX-License-Identifier: MIT
local json = require "cunnekt.base.json"
local paths = require "cunnekt.sandbox.paths"

describe("a field's path", function()
  local body

  before_each(function()
    body = {
      metadata = { phone_number_id = "1" },
      messages = { { id = "a", text = { body = "hi" }, location = { latitude = 1 } } },
    }
  end)

  it("counts positions from 0", function()
    assert.is_true(paths.set(body, "messages.0.text.body", "bye"))
    assert.equal("bye", body.messages[1].text.body)
    assert.is_true(paths.set(body, "messages[0].id", "b"))
    assert.equal("b", body.messages[1].id)
  end)

  it("starts in the first message when it is no field of the body", function()
    paths.set(body, "text.body", "bye")
    assert.equal("bye", body.messages[1].text.body)
    paths.set(body, "metadata.phone_number_id", "2")
    assert.equal("2", body.metadata.phone_number_id)
  end)

  it("makes what is missing on the way", function()
    paths.set(body, "context.referred.id", "x")
    assert.equal("x", body.messages[1].context.referred.id)
  end)

  it("removes a field, and an item of a list", function()
    paths.set(body, "messages.0.text", json.null)
    assert.is_nil(body.messages[1].text)
    paths.set(body, "messages.0", json.null)
    assert.same({}, body.messages)
  end)

  it("keeps the type of a number", function()
    paths.set(body, "location.latitude", "1.5")
    assert.equal(1.5, body.messages[1].location.latitude)
    paths.set(body, "location.latitude", "north")
    assert.equal("north", body.messages[1].location.latitude)
  end)

  it("must name something", function()
    assert.is_false(paths.set(body, "", "x"))
  end)

  it("is one of several, which are set in their order", function()
    paths.set_all(body, { ["text.body"] = "b", text = {} })
    assert.equal("b", body.messages[1].text.body)
  end)
end)
