-- SPDX-License-Identifier: MIT
-- Writes the named statements of SQL files as C on standard output: embed.lua FILE … (texts.h has the shape). A name is a line
-- `-- name: NAME`; other lines that begin with -- are comments. A statement ends with ; at the end of a line, and a name may
-- have several. A migration (schema.sql) stays one text, for it runs as a whole.

-- CNK_SQL_PARAMETERS_MOST of texts.h.
local most_parameters = 8

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

-- The names after `:` in order, each once.
local function parameters_of(text, known)
  local list = known or {}
  for name in text:gsub("'[^']*'", "''"):gmatch ":([%a_]+)" do
    if not list[name] then
      list[#list + 1], list[name] = name, true
    end
  end
  return list
end

local function split(body)
  local parts = {}
  for part in (body .. "\n"):gmatch "(.-);%s*\n" do
    parts[#parts + 1] = part:gsub("^%s+", "")
  end
  return parts
end

local function read(path)
  local sections, current = {}, nil
  for line in io.lines(path) do
    local name = line:match "^%-%- name: (%S+)$"
    if name then
      current = { name = name, lines = {} }
      sections[#sections + 1] = current
    elseif not line:match "^%s*%-%-" and line:match "%S" then
      assert(current, path .. " begins with a statement that has no name")
      table.insert(current.lines, line)
    end
  end
  return sections
end

local names, entries = {}, {}

local function add(file, name, text, parameters, own)
  local list = "NULL"
  if #parameters > 0 then
    list = ("parameters_%d"):format(#names + 1)
    local words = {}
    for i, parameter in ipairs(parameters) do
      words[i] = quoted(parameter)
    end
    names[#names + 1] = ("static const char *const %s[] = {%s};"):format(list, table.concat(words, ", "))
  end
  entries[#entries + 1] = ("  {%s, %s, %s, sizeof %s, %s, %d, %d},"):format(
    quoted(file), name and quoted(name) or "NULL", quoted(text), quoted(text), list, #parameters, own
  )
end

for _, path in ipairs(arg) do
  local file = path:match "([%w_]+)%.sql$"
  for _, section in ipairs(read(path)) do
    local body = table.concat(section.lines, "\n")
    local parts = file == "schema" and { body } or split(body)
    assert(#parts > 0, section.name .. " has no statement that ends with ;")
    -- The first part has the parameters of all, by which a caller gives them.
    local all = {}
    for _, part in ipairs(parts) do
      parameters_of(part, all)
    end
    for i, part in ipairs(parts) do
      local own = parameters_of(part)
      assert(#own <= most_parameters, section.name .. " has more parameters than a session takes")
      add(file, i == 1 and section.name or nil, part, i == 1 and all or own, #own)
    end
  end
end

print "/* Made by embed.lua. */"
print '#include "store/sql/texts.h"\n'
print(table.concat(names, "\n"))
print "\nconst struct cnk_sql_text cnk_sql_texts[] = {"
print(table.concat(entries, "\n"))
print "};"
print "const unsigned cnk_sql_count = sizeof cnk_sql_texts / sizeof *cnk_sql_texts;"
