-- SPDX-License-Identifier: MIT
-- What no other linter knows of this project; run by `make lint`:
--   layers       a file requires and includes only what lies below it,
--   length       no file has more than 500 lines,
--   tags         a struct, union or enum of C is defined once, private ones included, so that a name means one thing,
--   annotations  every public Lua function has its LuaCATS comment, every function of the C module its stub,
--   licence      every source names it.

local LONGEST = 500

-- ---- what lies on what ---------------------------------------------------------------------------------------------

-- Lua modules from bottom to top; a module may require those of its own layer and below. A name ending in * stands for
-- every module that begins so; the first that fits counts.
local lua_layers = {
  { "cunnekt.core", "cjson", "argparse" },
  { "cunnekt.base.errors", "cunnekt.base.options", "cunnekt.time.calendar", "cunnekt.time.units", "cunnekt.base.heap" },
  { "cunnekt.time*", "cunnekt.base.log", "cunnekt.jobs.timing" },
  { "cunnekt.base*", "cunnekt.engine.lanes", "cunnekt.engine.counts" },
  { "cunnekt.provider.http", "cunnekt.provider.settings", "cunnekt.provider.identity", "cunnekt.provider.limits", "cunnekt.provider.status" },
  { "cunnekt.provider*" },
  { "cunnekt.bot", "cunnekt.bot.*", "cunnekt.engine*", "cunnekt.jobs*", "cunnekt.service*", "cunnekt.store*", "cunnekt.operate*", "cunnekt.dialog*" },
  { "cunnekt" },
  { "cunnekt.transcript*" },
  { "cunnekt.sandbox*" },
  { "cunnekt.cli*" },
}

-- Folders of C: which of the others each may include, and which libraries' headers it must not.
local no_lua = { "lua.h", "lauxlib.h", "lualib.h" }
local c_layers = {
  base = { includes = {}, never = no_lua },
  json = { includes = { base = true }, never = no_lua },
  http = { includes = { base = true }, never = no_lua },
  whatsapp = { includes = { base = true, json = true }, never = no_lua },
  store = { includes = { base = true }, never = no_lua },
  bind = {
    includes = { base = true, json = true, http = true, whatsapp = true, store = true },
    never = { "curl/curl.h", "microhttpd.h", "sqlite3.h" },
  },
  host = { includes = { base = true, bind = true }, never = {} },
}

-- ---- reading -------------------------------------------------------------------------------------------------------

local problems = 0

local function report(path, line, message)
  problems = problems + 1
  print(("%s:%d: %s"):format(path, line, message))
end

local function files(pattern)
  local pipe = assert(io.popen(("git ls-files --cached --others --exclude-standard -- %s"):format(pattern)))
  local paths = {}
  for path in pipe:lines() do
    local file = io.open(path)
    if file then
      file:close()
      paths[#paths + 1] = path
    end
  end
  pipe:close()
  return paths
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

-- ---- layers --------------------------------------------------------------------------------------------------------

local function layer_of(module)
  for height, names in ipairs(lua_layers) do
    for _, name in ipairs(names) do
      local prefix = name:match "^(.*)%*$"
      if module == name or (prefix and module:sub(1, #prefix) == prefix) then
        return height
      end
    end
  end
  return nil
end

local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local function check_requires(path, lines)
  local module = module_of(path)
  local height = layer_of(module)
  if not height then
    return report(path, 1, module .. " has no place among the layers of spec/lint/layers.lua")
  end
  for number, line in ipairs(lines) do
    -- Only what is required as the file is loaded ties it: the rest is looked up when it is used.
    local wanted = line:match "^local [%w_, ]+ = require%s*%(?[\"']([%w_.]+)"
    local below = wanted and layer_of(wanted)
    if wanted and not below then
      report(path, number, wanted .. " is no module of ours, and no library that we use")
    elseif below and below > height then
      report(path, number, ("%s lies above %s"):format(wanted, module))
    end
  end
end

local function check_includes(path, lines)
  local folder = path:match "^src/(%w+)/"
  local layer = c_layers[folder]
  if not layer then
    return report(path, 1, "src/" .. tostring(folder) .. " has no place among the layers of spec/lint/layers.lua")
  end
  for number, line in ipairs(lines) do
    local name = line:match '^%s*#%s*include%s*[<"]([^>"]+)[>"]'
    local other = name and name:match "^(%w+)/"
    if other and c_layers[other] and other ~= folder and not layer.includes[other] then
      report(path, number, ("%s must not include %s"):format(folder, name))
    end
    for _, never in ipairs(layer.never) do
      if name == never then
        report(path, number, ("%s must not include %s"):format(folder, name))
      end
    end
  end
end

-- ---- tags of C -----------------------------------------------------------------------------------------------------

local tags = {}

local function check_tags(path, lines)
  for number, line in ipairs(lines) do
    local kind, name = line:match "^%s*([a-z ]-)%s+([%w_]+)%s*{"
    kind = kind and (" " .. kind):match " (%l+)$"
    if kind == "struct" or kind == "union" or kind == "enum" then
      local here = ("%s:%d"):format(path, number)
      if tags[name] then
        report(path, number, ("%s %s is defined at %s, too"):format(kind, name, tags[name]))
      end
      tags[name] = tags[name] or here
    end
  end
end

-- ---- length, licence -----------------------------------------------------------------------------------------------

local function check_file(path, lines)
  if #lines > LONGEST then
    report(path, #lines, ("%d lines; at most %d are allowed"):format(#lines, LONGEST))
  end
  for number = 1, 3 do
    if (lines[number] or ""):find("SPDX-License-Identifier: MIT", 1, true) then
      return
    end
  end
  report(path, 1, "no line `SPDX-License-Identifier: MIT` among the first three")
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
        report(path, number, ("%s has no --- comment"):format(name))
      end
      for _, parameter in ipairs(parameters(list)) do
        if parameter ~= "self" and not comment:find("@param " .. parameter .. "%f[%W]") then
          report(path, number, ("%s: parameter %s has no @param"):format(name, parameter))
        end
      end
      if list:find("...", 1, true) and not comment:find("@param ...", 1, true) then
        report(path, number, ("%s: ... has no @param"):format(name))
      end
    end
  end
end

-- ---- everything ----------------------------------------------------------------------------------------------------

for _, path in ipairs(files "'lua/*.lua'") do
  local lines = lines_of(path)
  check_file(path, lines)
  if not path:find "^lua/cunnekt/_meta/" then
    check_requires(path, lines)
    if has_public_functions(path) then
      check_annotations(path, lines)
    end
  end
end
for _, path in ipairs(files "'src/*.c' 'src/*.h'") do
  local lines = lines_of(path)
  check_file(path, lines)
  check_includes(path, lines)
  check_tags(path, lines)
end
for _, path in ipairs(files "'spec/*.lua' 'spec/*.c' 'spec/*.h' 'src/*.lua' 'examples/*.lua' 'examples/*.sh' 'make/*.sh'") do
  check_file(path, lines_of(path))
end

if problems > 0 then
  print(("%d problems"):format(problems))
  os.exit(1)
end
