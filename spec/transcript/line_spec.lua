-- SPDX-License-Identifier: MIT
-- How a chat looks in the terminal. Entries are those of the sandbox's GET /control/messages.

local transcript = require "cunnekt.transcript.line"

local function incoming(kind, message, more)
  local entry = { direction = "in", type = kind, name = "Asha", contact = "919999999999", message = message, statuses = {} }
  for name, value in pairs(more or {}) do
    entry[name] = value
  end
  return entry
end

local function outgoing(kind, payload, statuses)
  payload.type = payload.type or kind
  return { direction = "out", type = kind, contact = "919999999999", payload = payload, statuses = statuses or {} }
end

describe("a customer's message", function()
  it("stands on the left, under the customer's name", function()
    assert.equal("  Asha\n  │ hello", transcript.format(incoming("text", { text = { body = "hello" } }), "bot"))
  end)

  it("stands under the number of somebody without a name", function()
    local entry = incoming("text", { text = { body = "hello" } })
    entry.name = nil
    assert.matches("^  919999999999\n", transcript.format(entry, "bot"))
  end)

  local cases = {
    { "button", { interactive = { button_reply = { title = "Yes" } } }, { "(Yes)" } },
    { "list", { interactive = { list_reply = { title = "Tea" } } }, { "(Tea)" } },
    { "quick_reply", { button = { text = "Stop" } }, { "(Stop)" } },
    {
      "form", { interactive = { nfm_reply = { response_json = '{"rating":"5","flow_token":"x","name":"A"}' } } },
      { "form sent", "  name: A", "  rating: 5" },
    },
    { "location", { location = { latitude = 28.6, longitude = 77.2, name = "Here" } }, { "location 28.6, 77.2", "Here" } },
    { "reaction", { reaction = {} }, { "reaction removed" } },
    { "system", { system = { body = "User A changed" } }, { "User A changed" } },
    { "hologram", { hologram = {} }, { "<hologram>" } },
  }
  for _, case in ipairs(cases) do
    it("is described when it is of the type " .. case[1], function()
      assert.same(case[3], transcript.describe(incoming(case[1], case[2])))
    end)
  end

  it("names its file, with type, size and caption", function()
    local message = { document = { filename = "bill.pdf", mime_type = "application/pdf", caption = "mine" } }
    local entry = incoming("document", message, { media = { size = 7 } })
    assert.same({ "bill.pdf <application/pdf, 7 bytes>", "mine" }, transcript.describe(entry))
  end)

  it("is named by its type when it lacks what that promises", function()
    assert.same({ "<button>" }, transcript.describe(incoming("button", {})))
  end)
end)

describe("a message of the bot", function()
  it("stands on the right, under the bot's name", function()
    local text = transcript.format(outgoing("text", { text = "hi" }), "bot")
    assert.equal((" "):rep(30) .. "bot\n" .. (" "):rep(30) .. "┃ hi", text)
  end)

  local cases = {
    {
      "button",
      { header = { text = "H" }, body = "B", buttons = { { reply = { title = "Yes" } }, { reply = { title = "No" } } } },
      { "H", "B", "[Yes] [No]" },
    },
    {
      "list", { body = "B", list_title = "Choose", list = { { title = "Tea", description = "hot" }, { title = "Cake" } } },
      { "B", "[Choose]", "  - Tea: hot", "  - Cake" },
    },
    { "flow", { body = "B", form_cta = "Open", form_id = "42" }, { "B", "[Open] form 42" } },
    { "cta_url", { body = "B", button_text = "Go", button_url = "https://x" }, { "B", "[Go] https://x" } },
    { "image", { type = "image", image = "https://x/a.jpg", caption = "C" }, { "image <https://x/a.jpg>", "C" } },
    {
      "template", { templateid = "4711", template = { components = { { parameters = { { text = "Asha" } } }, { cards = { {}, {} } } } } },
      { "template 4711", "  Asha", "  2 cards" },
    },
  }
  for _, case in ipairs(cases) do
    it("is described when it is of the type " .. case[1], function()
      assert.same(case[3], transcript.describe(outgoing(case[1], case[2])))
    end)
  end

  it("has ticks for the furthest of its statuses", function()
    assert.equal("", transcript.ticks {})
    assert.equal("✓", transcript.ticks { { status = "sent" } })
    assert.equal("✓✓", transcript.ticks { { status = "delivered" }, { status = "sent" } })
    assert.equal("✓✓ read", transcript.ticks { { status = "read" }, { status = "delivered" } })
    assert.equal("✓✓ played", transcript.ticks { { status = "played" } })
    assert.equal("✗ failed", transcript.ticks { { status = "sent" }, { status = "failed" } })
    assert.equal("", transcript.ticks { { status = "of the future" } })
    assert.matches("┃ hi  ✓✓$", transcript.format(outgoing("text", { text = "hi" }, { { status = "delivered" } }), "bot"))
  end)
end)

describe("the look of a message", function()
  local buttons = outgoing("button", { body = "B", buttons = { { reply = { title = "Yes" } }, { reply = { title = "No" } } } })
  local list = outgoing("list", { body = "B", list_title = "Choose", list = { { title = "Tea", description = "hot" }, { title = "Cake" } } })

  it("has numbers for its choices where they are asked for", function()
    assert.same({ "B", "[1 Yes] [2 No]" }, transcript.describe(buttons, 1))
    assert.same({ "B", "[Choose]", "  3 Tea: hot", "  4 Cake" }, transcript.describe(list, 3))
  end)

  it("fits the terminal, whatever its width, with wide characters too", function()
    local core = require "cunnekt.core"
    local entry = outgoing("text", { text = ("中文 "):rep(40) .. ("x"):rep(200) }, { { status = "read" } })
    for _, columns in ipairs { 24, 40, 60, 80, 100, 120 } do
      for line in transcript.format(entry, "bot", { columns = columns }):gmatch "[^\n]+" do
        assert.is_true(core.columns(line) <= columns, ("%d columns: %s"):format(columns, line))
      end
    end
  end)

  it("has colours where they are asked for", function()
    local function paint(what, text)
      return ("<%s:%s>"):format(what, text)
    end
    local entry = incoming("text", { text = { body = "hi" } })
    assert.equal("  <name:Asha>\n  <bar:│> hi", transcript.format(entry, "bot", { paint = paint }))
  end)
end)

describe("a long or hostile text", function()
  it("is broken at blanks, counted in characters", function()
    local entry = incoming("text", { text = { body = ("é"):rep(40) .. " " .. ("a"):rep(40) } })
    assert.equal(("  Asha\n  │ %s\n  │ %s"):format(("é"):rep(40), ("a"):rep(40)), transcript.format(entry, "bot"))
  end)

  it("cannot move the cursor", function()
    local entry = incoming("text", { text = { body = "a\27[2Jb" } }, { name = "As\7ha" })
    assert.equal("  As ha\n  │ a [2Jb", transcript.format(entry, "bot"))
  end)
end)
