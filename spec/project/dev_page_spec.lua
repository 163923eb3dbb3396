-- SPDX-License-Identifier: MIT
-- The session on the page of `cunnekt dev` is typed, and must be as it is shown.

local process = require "spec.support.process"

local page = "docs/dev.md"

-- `…` stands for anything within a line.
local function as_pattern(shown)
  return (shown:gsub("[%p%%]", "%%%0"):gsub("…", "[^\n]-"))
end

describe("the page of cunnekt dev", function()
  it("shows a session as it is", function()
    local text = process.read(page)
    local script = text:match "```lua\n(.-)```"
    local typed, shown = text:match "<!%-%- typed: (.-) %-%->\n```console\n%$ cunnekt dev bot%.lua\n(.-)```"
    local folder = process.folder()
    process.write(folder.path .. "/bot.lua", script)
    local result = process.cunnekt({ "dev", "bot.lua" }, {
      cwd = folder.path, env = { CUNNEKT_LISTEN = "127.0.0.1:0" }, stdin = typed:gsub("; ", "\n") .. "\n",
    })
    assert.equal(0, result.code, result.err)
    assert.matches("^cunnekt: listening on", result.err)
    local printed = result.out:gsub("(/quit%.\n)", "%1" .. result.err, 1)
    assert.matches("^" .. as_pattern(shown) .. "$", printed)
  end)

  it("lists every command", function()
    local text = process.read(page)
    for _, name in ipairs(require("cunnekt.cli.dev.commands").names()) do
      assert.is_truthy(text:find("`/" .. name, 1, true), "/" .. name .. " is missing")
    end
  end)
end)
