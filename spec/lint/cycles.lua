-- SPDX-License-Identifier: MIT
-- No two C files may use each other, directly or around a corner: what one cannot be read, tested or moved without the
-- other is one unit in two files. Reads what `nm -A -P` says of the object files, so that what counts is what the
-- linker sees; a function that is only handed on as a pointer counts as well. Run by `make lint-cycles`:
--
--   nm -A -P build/obj/src/*/*.o | lua5.4 spec/lint/cycles.lua

local defined_in, wanted, files = {}, {}, {}

for line in io.lines() do
  local object, name, kind = line:match "^(%S+): (%S+) (%a)"
  local file = object and object:gsub("^.*/obj/", ""):gsub("%.o$", ".c")
  if file and not wanted[file] then
    files[#files + 1], wanted[file] = file, {}
  end
  if file and kind == "U" then
    table.insert(wanted[file], name)
  elseif file and kind:find "%u" then
    defined_in[name] = file
  end
end
table.sort(files)

-- uses[a][b] is the name of something in b that a uses.
local uses = {}
for _, file in ipairs(files) do
  uses[file] = {}
  table.sort(wanted[file])
  for _, name in ipairs(wanted[file]) do
    local other = defined_in[name]
    if other and other ~= file then
      uses[file][other] = uses[file][other] or name
    end
  end
end

-- The shortest way from `from` back to itself, as a list of files; nil when there is none.
local function way_back(from)
  local before, queue, at = {}, { from }, 1
  while queue[at] do
    local file = queue[at]
    at = at + 1
    for _, other in ipairs(files) do
      if uses[file][other] and other == from then
        local way = { from }
        while file do
          table.insert(way, 1, file)
          file = before[file]
        end
        return way
      elseif uses[file][other] and not before[other] then
        before[other] = file
        queue[#queue + 1] = other
      end
    end
  end
end

local problems, told = 0, {}
for _, file in ipairs(files) do
  local way = not told[file] and way_back(file)
  if way then
    problems = problems + 1
    print(("%s: uses itself through others:"):format(file))
    for i = 1, #way - 1 do
      told[way[i]] = true
      print(("  %s uses %s of %s"):format(way[i], uses[way[i]][way[i + 1]], way[i + 1]))
    end
  end
end

if #files == 0 then
  print "no object files were given"
  os.exit(1)
elseif problems > 0 then
  os.exit(1)
end
