-- SPDX-License-Identifier: MIT
-- The pages link to what is there: files, and headings of pages.

local lfs = require "lfs"
local process = require "spec.support.process"

local function pages()
  local list = { "README.md", "CONTRIBUTING.md" }
  for _, folder in ipairs { "docs", "docs/howto" } do
    for name in lfs.dir(folder) do
      if name:find "%.md$" then
        list[#list + 1] = folder .. "/" .. name
      end
    end
  end
  table.sort(list)
  return list
end

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
  for _, page in ipairs(pages()) do
    it("lead somewhere: " .. page, function()
      for link in prose_of(page):gsub("`[^`\n]*`", ""):gmatch "%]%(([^)%s]+)%)" do
        assert.is_nil(problem_of(page, link), link)
      end
    end)
  end

  it("would be missed", function()
    assert.equal("there is no docs/nothing.md", problem_of("docs/script.md", "nothing.md"))
    assert.equal("README.md has no heading #nothing", problem_of("docs/script.md", "../README.md#nothing"))
    assert.is_nil(problem_of("docs/script.md", "#dialogs"))
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

  it("are there for each page and each how-to", function()
    local readme = process.read "README.md"
    for _, page in ipairs(pages()) do
      local is_how_to = page:find "^docs/howto/" and not page:find "README"
      local list, link = is_how_to and process.read "docs/howto/README.md" or readme, is_how_to and page:match "[^/]+$" or page
      assert.truthy(page == "README.md" or list:find(("(%s)"):format(link), 1, true), page)
    end
  end)
end)
