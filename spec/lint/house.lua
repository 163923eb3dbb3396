-- SPDX-License-Identifier: MIT
-- The folders of the house; run by `make lint`:
--   directions  a file requires and includes only what lies in its own folder or below it,
--   names       a private name (with a leading _) is used in the folder that defines it and nowhere else,
--   map         docs/architecture.md lists the folders that there are,
--   sizes       no folder has more than 20 files beside each other, and half of the files have fewer than 200 lines.

local tree = dofile "spec/lint/tree.lua"

local MOST_FILES, MEDIAN = 20, 200

-- ---- directions ----------------------------------------------------------------------------------------------------

-- The folders of lua/cunnekt, from bottom to top. lua/cunnekt/init.lua, which loads everything when it is first used, is
-- above all of them but the programs.
local lua_folders = {
  "base", "time", "provider", "store", "engine", "bot", "dialog", "jobs", "operate", "service", "transcript", "sandbox", "testing", "cli",
}

-- The folders of src: which of the others each may include, and which libraries' headers it must not.
local no_lua = { "lua.h", "lauxlib.h", "lualib.h" }
local c_folders = {
  base = { includes = {}, never = no_lua },
  terminal = { includes = { base = true }, never = no_lua },
  json = { includes = { base = true }, never = no_lua },
  http = { includes = { base = true }, never = no_lua },
  whatsapp = { includes = { base = true, json = true }, never = no_lua },
  store = { includes = { base = true, json = true, whatsapp = true }, never = no_lua },
  engine = { includes = { base = true, whatsapp = true }, never = no_lua },
  webhook = { includes = { base = true, json = true, whatsapp = true, store = true }, never = no_lua },
  bind = {
    includes = { base = true, terminal = true, json = true, http = true, whatsapp = true, store = true, engine = true, webhook = true },
    never = { "curl/curl.h", "microhttpd.h", "sqlite3.h" },
  },
  host = { includes = { base = true, bind = true }, never = {} },
}

local height_of = {}
for height, folder in ipairs(lua_folders) do
  height_of[folder] = height
end

local libraries = { core = true }

local function check_requires(path, lines)
  local folder = path:match "^lua/cunnekt/(%w+)/"
  local height = folder and height_of[folder]
  if folder and not height then
    return tree.report(path, 1, ("the folder %s has no place in spec/lint/house.lua"):format(folder))
  end
  for number, line in ipairs(lines) do
    -- Only what is required as the file is loaded ties it; the rest is looked up when it is used.
    local wanted = line:match "^local [%w_, ]+ = require%s*%(?[\"']cunnekt%.([%w_]+)"
    local below = wanted and height_of[wanted]
    if wanted and not below and not libraries[wanted] then
      tree.report(path, number, ("cunnekt.%s is no folder of ours"):format(wanted))
    elseif below and height and below > height then
      tree.report(path, number, ("%s lies above %s"):format(wanted, folder))
    end
  end
end

local function check_includes(path, lines)
  local folder = path:match "^src/(%w+)/"
  local rules = c_folders[folder]
  if not rules then
    return tree.report(path, 1, ("src/%s has no place in spec/lint/house.lua"):format(folder))
  end
  for number, line in ipairs(lines) do
    local name = line:match '^%s*#%s*include%s*[<"]([^>"]+)[>"]'
    local other = name and name:match "^(%w+)/"
    if other and c_folders[other] and other ~= folder and not rules.includes[other] then
      tree.report(path, number, ("%s must not include %s"):format(folder, name))
    end
    for _, never in ipairs(rules.never) do
      if name == never then
        tree.report(path, number, ("%s must not include %s"):format(folder, name))
      end
    end
  end
end

-- ---- names ---------------------------------------------------------------------------------------------------------

-- The line without strings and comments, in which a name is no name.
local function code_of(line)
  return (line:gsub("%-%-.*$", ""):gsub('"[^"]*"', '""'):gsub("'[^']*'", "''"))
end

-- Private fields and methods that a file defines: assigned, or written as keys of a table.
local function note_definitions(lines, names)
  for _, line in ipairs(lines) do
    local code = code_of(line)
    for name in code:gmatch "[%w_%]]%.(_%a[%w_]*)%s*=[^=]" do
      names[name] = true
    end
    for name in code:gmatch "[{,]%s*(_%a[%w_]*)%s*=[^=]" do
      names[name] = true
    end
    local key = code:match "^%s+(_%a[%w_]*)%s*=[^=]"
    local method = code:match "^function [%w_]+[.:](_%a[%w_]*)"
    local set = line:match 'rawset%(self, "(_%a[%w_]*)"'
    -- Several targets of one assignment.
    for name in (code:match "^%s+([^=]*)=[^=]" or ""):gmatch "%.(_%a[%w_]*)" do
      names[name] = true
    end
    for _, name in pairs { key or false, method or false, set or false } do
      if name then
        names[name] = true
      end
    end
  end
end

local public_names = { _VERSION = true, _G = true, _ENV = true, _meta = true }

local function check_names(files, names_of)
  for path, lines in pairs(files) do
    local names = names_of[tree.folder_of(path)]
    for number, line in ipairs(lines) do
      for name in code_of(line):gmatch "[%w_%]%)][.:](_%a[%w_]*)" do
        if not names[name] and not public_names[name] then
          tree.report(path, number, ("%s is private to another folder"):format(name))
        end
      end
    end
  end
end

-- ---- map and sizes -------------------------------------------------------------------------------------------------

local function check_map(counts)
  local page, listed = "docs/architecture.md", {}
  for number, line in ipairs(tree.lines_of(page)) do
    local folder = line:match "^| `([%w_/]+)/` |"
    if folder then
      listed[folder] = true
      if not counts[folder] then
        tree.report(page, number, ("there is no folder %s"):format(folder))
      end
    end
  end
  for folder in pairs(counts) do
    if not listed[folder] then
      tree.report(page, 1, ("the map lacks the folder %s"):format(folder))
    end
  end
end

local function check_sizes(counts, lengths)
  for folder, count in pairs(counts) do
    if count > MOST_FILES then
      tree.report(folder, 1, ("%d files beside each other; at most %d are allowed"):format(count, MOST_FILES))
    end
  end
  table.sort(lengths)
  local median = lengths[#lengths // 2 + 1]
  if median >= MEDIAN then
    tree.report("lua, src", 1, ("half of the files have %d lines or more; %d is the limit"):format(median, MEDIAN))
  end
end

-- ---- everything ----------------------------------------------------------------------------------------------------

local lua_files, names_of, counts, lengths = {}, {}, {}, {}

local function count(path, lines)
  local folder = path:match "^(.*)/"
  counts[folder] = (counts[folder] or 0) + 1
  lengths[#lengths + 1] = #lines
end

for _, path in ipairs(tree.files "'lua/*.lua'") do
  local lines = tree.lines_of(path)
  count(path, lines)
  if not path:find "/_meta/" then
    local folder = tree.folder_of(path)
    names_of[folder] = names_of[folder] or {}
    note_definitions(lines, names_of[folder])
    lua_files[path] = lines
    check_requires(path, lines)
  end
end
check_names(lua_files, names_of)
for _, path in ipairs(tree.files "'src/*.c' 'src/*.h'") do
  local lines = tree.lines_of(path)
  count(path, lines)
  check_includes(path, lines)
end
counts["lua/cunnekt/_meta"] = counts["lua/cunnekt/_meta"] or nil
check_map(counts)
check_sizes(counts, lengths)
tree.finish()
