-- SPDX-License-Identifier: MIT
-- The sandbox's memory by itself; over HTTP it is in sandbox_spec.lua.

local clock = require "cunnekt.time.clock"
local state = require "cunnekt.sandbox.state"

describe("the sandbox's memory", function()
  local virtual, kept

  before_each(function()
    virtual = clock.virtual():install()
    kept = state.new { history = 3, is_open = false }
  end)

  after_each(function()
    virtual:uninstall()
  end)

  local function add(id, contact, more)
    local entry = { direction = "in", contact = contact or "91", id = id, type = "text" }
    for name, value in pairs(more or {}) do
      entry[name] = value
    end
    return kept:add(entry)
  end

  it("keeps the last messages, and counts all", function()
    for i = 1, 5 do
      add("m" .. i)
    end
    assert.is_nil(kept:find "m2")
    assert.equal(3, kept:find("m3").n)
    assert.same({ 3, 4, 5 }, { kept:since(0, nil, 10)[1].n, kept:since(3, nil, 10)[1].n, kept.last })
    assert.equal(5, kept.counts["in"])
  end)

  it("finds the messages of one customer, as many as are wanted", function()
    add("m1", "91")
    add("m2", "92")
    add("m3", "91")
    assert.equal(2, #kept:since(0, "91", 10))
    assert.equal("m1", kept:since(0, "91", 1)[1].id)
  end)

  it("opens the window for a day when a customer writes", function()
    assert.equal(0, kept:window "91")
    kept:hear("91", "Asha")
    assert.equal(86400, kept:window "91")
    virtual:advance(86000)
    assert.equal(400, kept:window "91")
    kept:advance(400)
    assert.equal(0, kept:window "91")
  end)

  it("forgets customers some days after they wrote", function()
    kept:hear("91", "Asha")
    virtual:advance(3 * 86400)
    kept:hear("92", "Ravi")
    assert.is_nil(kept:contact("91").name)
    assert.equal("Ravi", kept:contact("92").name)
  end)

  it("calls its watchers for each change, until they are gone", function()
    local calls = 0
    local function watcher()
      calls = calls + 1
    end
    kept:watch(watcher)
    add "m1"
    kept:note_status("m1", "read")
    kept:note_status("unknown", "read")
    kept:unwatch(watcher)
    add "m2"
    assert.equal(2, calls)
  end)

  it("shows a file's size instead of its bytes", function()
    local file = { data = "bytes", sha256 = "x", mime_type = "text/plain" }
    local view = state.view(add("m1", "91", { file = file }))
    assert.same({ size = 5, sha256 = "x", mime_type = "text/plain" }, view.media)
    assert.is_nil(view.file)
  end)

  it("goes on counting when it is cleared", function()
    add "m1"
    kept:clear()
    assert.is_nil(kept:find "m1")
    assert.equal(2, add("m2").n)
  end)
end)
