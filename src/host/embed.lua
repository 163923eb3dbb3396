-- SPDX-License-Identifier: MIT
-- Writes the host's Lua files as C on standard output: embed.lua text|bytecode NAME=FILE …, where NAME is the path that
-- tracebacks show (cunnekt/bot/init.lua) and FILE is where it is. Bytecode keeps names and lines, and loads ten times as
-- fast. NAME=MODULE? is looked up as `require` does, and left out with a note on standard error when it is not installed.
-- The output has arrays of numbers, because C compilers may refuse long string literals.

local function read(path)
  local file = assert(io.open(path, "rb"))
  local source = file:read("a")
  file:close()
  return source
end

local form = table.remove(arg, 1)
assert(form == "text" or form == "bytecode", "the first argument is text or bytecode")

-- A file that Lua refuses would break the host at run time: it breaks the build instead.
local function compiled(name, source)
  local fn = assert(load(source, "@" .. name, "t"))
  return form == "text" and source or string.dump(fn)
end

local function module_name(name)
  return (name:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local function bytes(source)
  local lines = {}
  for from = 1, #source, 24 do
    lines[#lines + 1] = table.concat({ source:byte(from, from + 23) }, ",")
  end
  return table.concat(lines, ",\n")
end

local function find(name, file)
  local module = file:match("^(.*)%?$")
  if not module then
    return file
  end
  local path = package.searchpath(module, package.path)
  if not path then
    io.stderr:write(("cunnekt: %s is not installed here; the host will look for it when it runs\n"):format(name))
  end
  return path
end

local entries = {}
io.write("/* Made by src/host/embed.lua. */\n", '#include "host/embedded.h"\n\n')
for _, word in ipairs(arg) do
  local name, file = word:match("^(.-)=(.*)$")
  local path = find(name, file)
  if path then
    local id = ("file_%d"):format(#entries)
    io.write(("static const unsigned char %s[] = {\n%s};\n"):format(id, bytes(compiled(name, read(path)))))
    entries[#entries + 1] = ('  {"%s", "@%s", %s, sizeof %s},\n'):format(module_name(name), name, id, id)
  end
end
io.write("\nconst struct cnk_embedded cnk_embedded_files[] = {\n", table.concat(entries), "  {0},\n};\n")
