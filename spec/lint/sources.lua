-- SPDX-License-Identifier: MIT
-- Each source by itself, what no other linter knows; run by `make lint` (house.lua has what concerns the folders):
--   length       no file has more than 500 lines,
--   tags         a struct, union or enum of C is defined once, private ones included, so that a name means one thing,
--   annotations  every public Lua function has its LuaCATS comment, every function of the C module its stub,
--   licence      every source names it.

local tree = dofile "spec/lint/tree.lua"

local LONGEST = 500

-- ---- tags of C -----------------------------------------------------------------------------------------------------

local tags = {}

local function check_tags(path, lines)
  for number, line in ipairs(lines) do
    local kind, name = line:match "^%s*([a-z ]-)%s+([%w_]+)%s*{"
    kind = kind and (" " .. kind):match " (%l+)$"
    if kind == "struct" or kind == "union" or kind == "enum" then
      local here = ("%s:%d"):format(path, number)
      if tags[name] then
        tree.report(path, number, ("%s %s is defined at %s, too"):format(kind, name, tags[name]))
      end
      tags[name] = tags[name] or here
    end
  end
end

-- ---- length, licence -----------------------------------------------------------------------------------------------

local function check_file(path, lines)
  if #lines > LONGEST then
    tree.report(path, #lines, ("%d lines; at most %d are allowed"):format(#lines, LONGEST))
  end
  for number = 1, 3 do
    if (lines[number] or ""):find("SPDX-License-Identifier: MIT", 1, true) then
      return
    end
  end
  tree.report(path, 1, "no line `SPDX-License-Identifier: MIT` among the first three")
end

-- ---- annotations ---------------------------------------------------------------------------------------------------

-- The names of the parameters, without those that are nobody's business.
local function parameters(list)
  local names = {}
  for name in list:gmatch "[%a_][%w_]*" do
    if name:sub(1, 1) ~= "_" then
      names[#names + 1] = name
    end
  end
  return names
end

-- The comment above a line, as one text.
local function comment_above(lines, number)
  local text = {}
  local at = number - 1
  while lines[at] and lines[at]:find "^%-%-%-" do
    table.insert(text, 1, lines[at])
    at = at - 1
  end
  return table.concat(text, "\n")
end

-- The command line and the sandbox are programs: what their files say to each other is nobody else's business.
local function has_public_functions(path)
  return not path:find "^lua/cunnekt/cli/" and not path:find "^lua/cunnekt/sandbox/."
end

-- Functions that others call: of the module's own table, and of the metatables' tables named x_methods.
local function check_annotations(path, lines)
  local module = (lines[#lines] or ""):match "^return ([%a_][%w_]*)$" or "?"
  for number, line in ipairs(lines) do
    local owner, name, list = line:match "^function ([%a_][%w_]*)[.:]([%a_][%w_]*)%((.-)%)"
    local is_public = owner and name:sub(1, 1) ~= "_" and (owner == module or owner:find "_methods$")
    if is_public then
      local comment = comment_above(lines, number)
      if comment == "" then
        tree.report(path, number, ("%s has no --- comment"):format(name))
      end
      for _, parameter in ipairs(parameters(list)) do
        if parameter ~= "self" and not comment:find("@param " .. parameter .. "%f[%W]") then
          tree.report(path, number, ("%s: parameter %s has no @param"):format(name, parameter))
        end
      end
      if list:find("...", 1, true) and not comment:find("@param ...", 1, true) then
        tree.report(path, number, ("%s: ... has no @param"):format(name))
      end
    end
  end
end

-- ---- everything ----------------------------------------------------------------------------------------------------

for _, path in ipairs(tree.files "'lua/*.lua'") do
  local lines = tree.lines_of(path)
  check_file(path, lines)
  if not path:find "^lua/cunnekt/_meta/" then
    if has_public_functions(path) then
      check_annotations(path, lines)
    end
  end
end
for _, path in ipairs(tree.files "'src/*.c' 'src/*.h'") do
  local lines = tree.lines_of(path)
  check_file(path, lines)
  check_tags(path, lines)
end
for _, path in ipairs(tree.files "'spec/*.lua' 'spec/*.c' 'spec/*.h' 'src/*.lua' 'examples/*.lua' 'examples/*.sh' 'make/*.sh'") do
  check_file(path, tree.lines_of(path))
end

tree.finish()
