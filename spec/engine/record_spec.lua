-- SPDX-License-Identifier: MIT
-- How events are stored: their bodies, read back, and the texts that are joined into one. The bytes are pinned in
-- spec/store/formats_spec.lua.

local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local record = require "cunnekt.engine.record"

local function text_body(text, more)
  local message = { id = "wamid." .. #text, from = "919999999999", timestamp = "1700000000", type = "text", text = { body = text } }
  for name, value in pairs(more or {}) do
    message[name] = value
  end
  return json.encode { metadata = { phone_number_id = "1" }, messages = { message } }
end

describe("a record", function()
  it("of our own is read back with all that it held", function()
    local own = record.own("1:2", { status = "dialog_signal", name = "paid", value = { a = { 1, "ä\0" } } })
    assert.are.same({ "1:2", 0 }, { own.contact, own.attempts })
    assert.are.same({ kind = "own", status = "dialog_signal", name = "paid", value = { a = { 1, "ä\0" } } }, record.read_body(own.body))
  end)

  it("of our own gives its error back as an error", function()
    local own = record.own("1:2", { status = "rejected", err = errors.new("rejected", "no such number", { code = 100 }) })
    local err = record.read_body(own.body).err
    assert.is_true(errors.is(err))
    assert.equal("rejected: no such number (code 100)", tostring(err))
  end)

  it("of our own refuses what JSON cannot hold", function()
    assert.has_error(function()
      record.own("1:2", { status = "dialog_signal", value = print })
    end)
  end)

  it("of a webhook is that webhook's event", function()
    local event = record.read_body(text_body "hi")
    assert.are.same({ "message", "text", "hi" }, { event.kind, event.type, event.text })
  end)

  it("of a webhook that nobody understands is an unknown event", function()
    assert.equal("unknown", record.read_body('{"a":1}').kind)
    assert.equal("unknown", record.read_body("[]").kind)
  end)

  it("that is damaged is refused with an error that says so", function()
    for _, body in ipairs { "", "{", "\1", "\1{", "\1null", "\0" } do
      local ok, err = pcall(record.read_body, body)
      assert.is_false(ok, ("%q"):format(body))
      assert.equal("corrupt: an event in the store cannot be read", tostring(err))
    end
  end)

  it("has the bodies of the texts that were joined to it, in order", function()
    assert.are.same({ "a" }, record.bodies_of { body = "a" })
    assert.are.same({ "a", "b", "c" }, record.bodies_of { body = "a", joined = { { body = "b" }, { body = "c" } } })
  end)
end)

describe("the bodies of a turn", function()
  it("give one event", function()
    local event = record.read_bodies { text_body "hi" }
    assert.are.same({ "hi", nil }, { event.text, event.joined })
  end)

  it("give the joined event of several, each as it was", function()
    local event = record.read_bodies { text_body "one", text_body "", text_body "three" }
    assert.equal("one\n\nthree", event.text)
    assert.are.same({ event, "three" }, { event.joined[1], event.joined[3].text })
  end)

  it("give no event where there are none", function()
    assert.is_nil(record.read_bodies {})
  end)
end)
