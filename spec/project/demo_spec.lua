-- SPDX-License-Identifier: MIT
-- `make demo` does what it says, and notices when it does not.

local process = require "spec.support.process"

describe("the demo", function()
  local function play(folder)
    return process.run({ "sh", folder .. "/demo.sh" }, { env = { CUNNEKT_HOST = process.host } })
  end

  it("plays the conversation to its end", function()
    local result = play "examples"
    assert.equal(0, result.code, result.err)
    local at = 1
    for _, words in ipairs {
      "Hi", "Hello Vivek! How was your order?", "(Not good)", "What went wrong?", "(The wrong thing)",
      "Noted: The wrong thing.", "[Open form]", "form sent", "Thank you for your 2 of 5", "bill 4711.pdf",
      "refund_on_its_way", "\u{2713}\u{2713} read", "was downloaded", "cunnekt dev examples/feedback.lua",
    } do
      local _, last = result.out:find(words, at, true)
      assert.is_truthy(last, words .. " is missing in:\n" .. result.out)
      at = last
    end
  end)

  -- The files of the demo in another folder, with one of them changed.
  local function changed(name, from, to)
    local folder = process.folder()
    for _, file in ipairs { "demo.sh", "demo_player.lua", "feedback.lua" } do
      local text = process.read("examples/" .. file)
      if file == name then
        local at, last = text:find(from, 1, true)
        assert.is_truthy(at)
        text = text:sub(1, at - 1) .. to .. text:sub(last + 1)
      end
      process.write(folder.path .. "/" .. file, text)
    end
    return folder
  end

  it("says what it expected of a bot that answers otherwise", function()
    local folder = changed("feedback.lua", "Noted: %s.", "Never mind %s.")
    local result = play(folder.path)
    assert.equal(1, result.code)
    assert.matches("demo: expected a text with 'Noted: The wrong thing.', got a text: Never mind", result.err)
  end)

  it("fails when the bot does not start", function()
    local folder = changed("feedback.lua", "cunnekt.bot()", "cunnekt.bto()")
    local result = play(folder.path)
    assert.equal(1, result.code)
    assert.matches("feedback.lua:4", result.err)
    assert.matches("ended before it said where it listens", result.err)
  end)

  it("leaves no process behind", function()
    local folder = changed("feedback.lua", "Noted: %s.", "Never mind %s.")
    play(folder.path)
    local pipe = assert(io.popen("ps -e -o args 2>/dev/null | grep -F " .. folder.path .. " | grep -v grep"))
    assert.equal("", pipe:read "a")
    pipe:close()
  end)
end)
