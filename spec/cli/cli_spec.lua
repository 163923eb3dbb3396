-- SPDX-License-Identifier: MIT
local process = require "spec.support.process"

describe("the command line", function()
  local cunnekt = process.cunnekt

  it("prints its help on standard output", function()
    for _, args in ipairs { { "-h" }, { "--help" }, { "help" } } do
      local result = cunnekt(args)
      assert.equal(0, result.code)
      assert.equal("", result.err)
      assert.matches("^NAME\n       cunnekt %- ", result.out)
      assert.matches("\n       run +run a script", result.out)
    end
  end)

  it("prints its version on standard output", function()
    local result = cunnekt { "-V" }
    assert.equal(0, result.code)
    assert.matches("^cunnekt %d+%.%d+%.%d+ %(Lua 5%.4%)\n$", result.out)
    assert.equal(result.out, cunnekt({ "--version" }).out)
  end)

  it("explains every command that it lists, in the manner of man", function()
    local list = cunnekt({ "-h" }).out:match "COMMANDS\n(.-)\n\n"
    local count = 0
    for name in list:gmatch "\n? +(%l+) [^\n]+" do
      count = count + 1
      local page = cunnekt({ name, "--help" }).out
      for _, section in ipairs { "NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES" } do
        local _, times = ("\n" .. page):gsub("\n" .. section .. "\n", "")
        assert.equal(1, times, ("%s in the page of %s"):format(section, name))
      end
      assert.matches("cunnekt " .. name .. " %- ", page)
      assert.equal(page, cunnekt({ "help", name }).out)
      for line in page:gmatch "[^\n]+" do
        assert.is_true(utf8.len(line) <= 80, line)
      end
    end
    assert.is_true(count >= 6)
  end)

  -- arguments, and what is said on standard error
  local mistakes = {
    { {}, "a command is missing" },
    { { "rum" }, "unknown command 'rum' %(did you mean 'run'%?%)" },
    { { "bot.lua" }, "did you mean 'run bot.lua'%?" },
    { { "--hepl" }, "unknown option '%-%-hepl' %(did you mean '%-%-help'%?%)" },
    { { "help", "snd" }, "did you mean 'send'%?" },
    { { "run" }, "cunnekt run: a script is missing" },
    { { "run", "/no/such/script.lua" }, "cannot read /no/such/script.lua: No such file" },
    { { "run", "/" }, "cannot read /: Is a directory" },
    { { "run", "--listne", "x", "y" }, "unknown option '%-%-listne' %(did you mean '%-%-listen'%?%)" },
    { { "run", "--rate", "fast", "-" }, "%-%-rate: 'fast' is not a number" },
    { { "run", "--config", "/no/such", "-" }, "cannot read /no/such" },
    { { "check" }, "missing argument 'script'" },
    { { "send" }, "a kind of message is missing" },
    { { "send", "--json", "text", "91", "x" }, "a kind of message is missing before '%-%-json'" },
    { { "send", "txet", "91", "x" }, "unknown kind 'txet' %(did you mean 'text'%?%)" },
    { { "send", "text", "91" }, "missing argument 'text'" },
    { { "send", "buttons", "91", "--body", "x", "--button", "good" }, "%-%-button takes ID=TITLE, got 'good'" },
    { { "send", "raw", "/no/such.json" }, "cannot read /no/such.json" },
  }

  for _, case in ipairs(mistakes) do
    it("does not understand: cunnekt " .. table.concat(case[1], " "), function()
      local result = cunnekt(case[1])
      assert.equal(2, result.code)
      assert.equal("", result.out)
      assert.matches(case[2], result.err)
      assert.matches("\nTry 'cunnekt.* %-h'%.\n$", result.err)
    end)
  end

  it("starts nothing with a secret that is set and empty", function()
    local folder = process.folder()
    process.write(folder.path .. "/bot.lua", 'require("cunnekt").bot { store = "memory:", listen = "127.0.0.1:0" }')
    for _, variable in ipairs { "CUNNEKT_WEBHOOK_SECRET", "CUNNEKT_APP_SECRET", "CUNNEKT_VERIFY_TOKEN" } do
      for _, command in ipairs { "run", "dev" } do
        local result = cunnekt({ command, "bot.lua" }, { cwd = folder.path, env = { [variable] = "" } })
        assert.not_equal(0, result.code)
        assert.matches(variable .. ": is empty; give it a value, or do not set it at all", result.err)
        assert.not_matches("listening", result.err)
      end
    end
  end)

  it("refuses a secret as an option, without repeating it", function()
    for _, word in ipairs { "--api-key", "--app-secret=hush" } do
      local result = cunnekt { "run", word, "hush", "x.lua" }
      assert.equal(2, result.code)
      assert.matches("a secret does not belong on a command line; set CUNNEKT_A", result.err)
      assert.not_matches("hush", result.err)
    end
  end)
end)
