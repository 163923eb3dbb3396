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

-- `make demo` before that: what it installs and builds. Instead of compilers and apt there are scripts that say what those would.
describe("make demo", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function program(name, text)
    process.write(folder.path .. "/" .. name, "#!/bin/sh\n" .. text)
    process.run { "chmod", "755", folder.path .. "/" .. name }
  end

  -- `make demo`, with a make that does this.
  local function demo(make, opts)
    opts = opts or {}
    program("make", make)
    local words = { "sh", "make/demo.sh", folder.path .. "/make", opts.host or process.host, table.unpack(opts.packages or {}) }
    if opts.is_terminal then
      local quoted = {}
      for i, word in ipairs(words) do
        quoted[i] = process.quote(word)
      end
      words = { "script", "-qec", table.concat(quoted, " "), "/dev/null" }
    end
    return process.run(words, { env = { PATH = folder.path .. ":" .. os.getenv "PATH" } })
  end

  it("shows the conversation, and not the compiler", function()
    local result = demo "echo cc -c -o a.o a.c"
    assert.equal(0, result.code, result.err)
    assert.matches("^A customer, Vivek, writes to the bot", result.out)
    assert.matches("cunnekt new shop.*cunnekt dev shop/bot.lua.*docs/tutorial.md\n$", result.out)
    assert.is_nil((result.out .. result.err):find("a.o", 1, true))
  end)

  it("has one line of progress on a terminal, and one elsewhere", function()
    local slow = "for i in 1 2 3; do echo cc -c -o $i.o $i.c; sleep 0.3; done"
    local result = demo(slow, { is_terminal = true })
    assert.equal(0, result.code, result.out)
    local line = result.out:match "^(.-)\r\n"
    assert.matches("\rbuilding cunnekt: [123] files\rbuilding cunnekt: ", line)
    assert.matches("\rbuilding cunnekt: 3 files in %d+ s%s*$", line)
    result = demo("exit 3", { host = folder.path .. "/not-yet" })
    assert.matches("^building cunnekt: %d+ files\n$", result.out)
  end)

  it("shows what the compiler says when it fails", function()
    local result = demo "echo cc -c -o a.o a.c; echo 'a.c:1:5: error: no'; exit 2"
    assert.equal(2, result.code)
    assert.equal("a.c:1:5: error: no\ncunnekt: the build failed; what the compiler says is above\n", result.err)
    assert.equal("", result.out)
  end)

  it("says which packages it installs, and what apt says only when that fails", function()
    program("dpkg-query", "exit 1")
    program("id", "echo 0")
    program("apt-get", 'echo "apt: $*"')
    local result = demo("true", { packages = { "gcc", "lua5.4" } })
    assert.equal(0, result.code, result.err)
    assert.matches("^cunnekt: installing gcc lua5.4\nA customer", result.out)
    program("apt-get", 'echo "apt: no network"; exit 100')
    result = demo("true", { packages = { "gcc" } })
    assert.equal(1, result.code)
    assert.matches("apt: no network\n.*cunnekt: apt%-get could not install gcc\n$", result.err)
    assert.equal("cunnekt: installing gcc\n", result.out)
  end)

  it("says what to run where only root may install", function()
    program("dpkg-query", "exit 1")
    program("id", "echo 1000")
    program("sudo", "exit 1")
    program("apt-get", "exit 1")
    local result = demo("true", { packages = { "gcc" } })
    assert.equal(1, result.code)
    assert.matches("run this, then make again: sudo apt%-get install %-%-no%-install%-recommends gcc\n", result.err)
  end)
end)
