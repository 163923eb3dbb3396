-- SPDX-License-Identifier: MIT
-- The links of all pages in Markdown: files and headings that they lead to are there. Links to other sites are looked at for
-- their form only, since nothing here uses the network.

local prose = dofile "spec/lint/pages/prose.lua"
local tree = dofile "spec/lint/tree.lua"

-- ---- what can be linked to ---------------------------------------------------------------------------------------------

local files, folders, anchors = {}, {}, {}
for _, path in ipairs(tree.files ".") do
  files[path] = true
  local folder = path:match "^(.*)/"
  while folder do
    folders[folder], folder = true, folder:match "^(.*)/"
  end
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- The names of a page's headings, as GitHub makes them: a second heading of a name gets a number.
local function anchors_in(text)
  local set, count = {}, {}
  for heading in ("\n" .. prose.outside_of_blocks(text)):gmatch "\n#+ ([^\n]+)" do
    local name = heading:lower():gsub("%[(.-)%]%(.-%)", "%1"):gsub("[^%w\128-\255 _-]", ""):gsub(" ", "-")
    set[count[name] and ("%s-%d"):format(name, count[name]) or name] = true
    count[name] = (count[name] or 0) + 1
  end
  for id in text:gmatch '<a id="(.-)">' do
    set[id] = true
  end
  return set
end

local function anchors_of(path)
  anchors[path] = anchors[path] or anchors_in(read(path))
  return anchors[path]
end

-- ---- links -------------------------------------------------------------------------------------------------------------

-- The target of a relative link, from the folder of its page.
local function resolve(page, path)
  local target = (page:match "^(.*/)" or "") .. path:gsub("/$", "")
  local count
  repeat
    target, count = target:gsub("[^/]+/%.%./", "", 1)
  until count == 0
  return target
end

-- What is wrong with a link of a page, if anything.
local function problem_of(page, link)
  if link:find "^%a[%w+.-]*:" then
    local is_fit = link:find "^https://[%w-]+%.[%w.-]+$" or link:find "^https://[%w-]+%.[%w.-]+[/#?][%w/#?=&._~:%%@+,()-]*$"
    return not is_fit and not link:find "^http://127%.0%.0%.1" and ("'%s' is no address that begins with https://"):format(link) or nil
  end
  local path, anchor = link:match "^([^#]*)#?(.*)$"
  local target = path == "" and page or resolve(page, path)
  if not files[target] and not folders[target] then
    return ("there is no %s"):format(target)
  elseif anchor ~= "" and not (files[target] and anchors_of(target)[anchor]) then
    return ("%s has no heading #%s"):format(target, anchor)
  end
  return nil
end

-- Calls a function with each link of a text, and its line.
local function each_link(text, fn)
  local number = 0
  for line in prose.outside_of_blocks(text):gmatch "(.-)\n" do
    number = number + 1
    line = line:gsub("`[^`]*`", " ")
    for link in line:gmatch "%]%(([^)]+)%)" do
      fn(link, number)
    end
    for link in line:gmatch '[ ]src="([^"]+)"' do
      fn(link, number)
    end
    for link in line:gmatch '[ ]srcset="([^"]+)"' do
      fn(link, number)
    end
  end
end

for _, page in ipairs(tree.files "'*.md'") do
  each_link(read(page), function(link, line)
    local problem = problem_of(page, link)
    if problem then
      tree.report(page, line, problem)
    end
  end)
end

-- ---- the control -------------------------------------------------------------------------------------------------------

local found = {}
local sample = [[
[a](README.md) [b](docs/nothing.md) `[c](nothing)`
[d](README.md#nothing) [e](docs/reference/dialogs.md#guarantees)
```
[f](nothing)
```
<img src="docs/nothing.svg"> [g](http://example.org) [h](https://example.org/a b)
]]
each_link(sample, function(link, line)
  found[#found + 1] = problem_of("README.md", link) and ("%d:%s"):format(line, link)
end)
local wanted = "1:docs/nothing.md 2:README.md#nothing 6:http://example.org 6:https://example.org/a b 6:docs/nothing.svg"
if table.concat(found, " ") ~= wanted then
  tree.report("spec/lint/pages/links.lua", 1, "the control finds " .. table.concat(found, " "))
end

tree.finish()
