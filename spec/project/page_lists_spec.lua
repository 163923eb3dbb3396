-- SPDX-License-Identifier: MIT
-- What the lists of the pages hold: every example, every page. (Whether links lead somewhere: spec/lint/pages/links.lua.)

local cli = require "cunnekt.cli"
local lfs = require "lfs"
local pages = require "spec.support.pages"
local process = require "spec.support.process"

describe("the lists of the pages", function()
  it("have each example, with what it shows", function()
    local readme = process.read "README.md"
    for name in lfs.dir "examples" do
      if name:find "%.lua$" and name ~= "demo_player.lua" then
        local row = ("| [%s](examples/%s) | "):format(name, name)
        local _, last = readme:find(row, 1, true)
        assert.truthy(last, name)
        assert.matches("^%w", readme:sub(last + 1))
      end
    end
  end)

  it("have each page, in the list of its folder", function()
    for _, page in ipairs(pages.all()) do
      local folder, name = page:match "^(docs/%l+/)(.*)$"
      local list, link = "README.md", page
      if folder and name ~= "README.md" then
        list, link = folder .. "README.md", name
      end
      assert.truthy(page == "README.md" or process.read(list):find(("(%s)"):format(link), 1, true), page)
    end
  end)

  it("have each command of the program", function()
    local page = process.read "docs/reference/commands.md"
    for _, name in ipairs(cli.names()) do
      assert.matches("\n| `cunnekt " .. name .. "%f[^%w]", page)
    end
  end)

  it("list short pages", function()
    for _, page in ipairs(pages.all()) do
      local _, lines = process.read(page):gsub("\n", "")
      assert.is_true(lines <= 500, page)
    end
  end)
end)
