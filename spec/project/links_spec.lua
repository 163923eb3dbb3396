-- SPDX-License-Identifier: MIT
-- The pages link to what is there: files, and headings of pages.

local lfs = require "lfs"
local pages = require "spec.support.pages"
local process = require "spec.support.process"

-- The text without its code.
local function prose_of(path)
  return (("\n" .. process.read(path)):gsub("\n%s*```.-\n%s*```", "\n"))
end

-- What can be linked to in a page, as GitHub names it.
local function anchors_of(path)
  local anchors = {}
  for heading in prose_of(path):gmatch "\n#+ ([^\n]+)" do
    local name = heading:lower():gsub("%[(.-)%]%(.-%)", "%1"):gsub("[^%w _-]", ""):gsub(" ", "-")
    anchors[name] = true
  end
  for id in process.read(path):gmatch '<a id="(.-)">' do
    anchors[id] = true
  end
  return anchors
end

-- What is wrong with a link in a page.
local function problem_of(page, link)
  if link:find "^https?:" then
    return nil
  end
  local path, anchor = link:match "^([^#]*)#?(.*)$"
  local target = path == "" and page or (page:match "^(.*/)" or "") .. path
  while target:find "[^/]+/%.%./" do
    target = target:gsub("[^/]+/%.%./", "", 1)
  end
  if not lfs.attributes(target, "mode") then
    return "there is no " .. target
  elseif anchor ~= "" and not anchors_of(target)[anchor] then
    return ("%s has no heading #%s"):format(target, anchor)
  end
  return nil
end

describe("the links of the docs", function()
  for _, page in ipairs(pages.all()) do
    it("lead somewhere: " .. page, function()
      for link in prose_of(page):gsub("`[^`\n]*`", ""):gmatch "%]%(([^)%s]+)%)" do
        assert.is_nil(problem_of(page, link), link)
      end
    end)
  end

  it("would be missed", function()
    assert.equal("there is no docs/nothing.md", problem_of("docs/reference/dialogs.md", "../nothing.md"))
    assert.equal("README.md has no heading #nothing", problem_of("docs/reference/dialogs.md", "../../README.md#nothing"))
    assert.is_nil(problem_of("docs/reference/dialogs.md", "#guarantees"))
  end)

  it("are there for each example, with what it shows", function()
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

  it("are there for each page, in the list of its folder", function()
    for _, page in ipairs(pages.all()) do
      local folder, name = page:match "^(docs/%l+/)(.*)$"
      local list, link = "README.md", page
      if folder and name ~= "README.md" then
        list, link = folder .. "README.md", name
      end
      assert.truthy(page == "README.md" or process.read(list):find(("(%s)"):format(link), 1, true), page)
    end
  end)

  it("are short pages", function()
    for _, page in ipairs(pages.all()) do
      local _, lines = process.read(page):gsub("\n", "")
      assert.is_true(lines <= 500, page)
    end
  end)
end)
