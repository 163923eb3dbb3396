-- SPDX-License-Identifier: MIT
-- The pages in Markdown, by path.

local lfs = require "lfs"

local pages = {}

local function of_folder(folder, list)
  for name in lfs.dir(folder) do
    if name:find "%.md$" then
      list[#list + 1] = folder .. "/" .. name
    end
  end
  return list
end

local function sorted(list)
  table.sort(list)
  return list
end

---The pages of the reference.
---@return string[]
function pages.reference()
  return sorted(of_folder("docs/reference", {}))
end

---The pages whose Lua blocks are played.
---@return string[]
function pages.of_scripts()
  return sorted(of_folder("docs/howto", of_folder("docs/reference", { "README.md" })))
end

---All pages that the project keeps up; the change log tells of what was.
---@return string[]
function pages.all()
  return sorted(of_folder("docs", of_folder("docs/howto", of_folder("docs/reference", { "README.md", "CONTRIBUTING.md" }))))
end

return pages
