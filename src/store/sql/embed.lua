-- SPDX-License-Identifier: MIT
-- Writes the named statements of SQL files as C on standard output: embed.lua FILE … (texts.h has the shape). A name is a line
-- `-- name: NAME`; a statement ends with ; at the end of a line, and a name may have several. A migration (schema.sql and
-- schema_postgres.sql) stays one text, for it runs as a whole. Two more lines have a meaning; other ones that begin with -- are comments:
--
--   -- postgres:             what follows is PostgreSQL's, where more differs than is translated here
--   -- types: NAME=LETTER …  of parameters whose name does not say it

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
      list[#list + 1], list[name] = name, #list + 1
    end
  end
  return list
end

-- What kind of value a parameter takes, by the letters of session.h. SQLite does not care, PostgreSQL must know.
local types = {}
for letter, list in pairs {
  t = "contact common key prefix digest name message_id script",
  i = "id at limit seq states ranks has_bodies is_bulk is_broken parked dialog",
  r = "before after now due until window earliest latest",
} do
  for name in list:gmatch "%S+" do
    types[name] = letter
  end
end

local function types_of(section, parameters)
  local letters = {}
  for i, name in ipairs(parameters) do
    letters[i] = assert(section.types[name] or types[name], name .. " in " .. section.name .. " has no type")
  end
  return table.concat(letters)
end

-- A statement as PostgreSQL takes it.
local function translated(text, parameters)
  local count = 0
  text = text:gsub("X'(%x+)'", "'\\x%1'::bytea"):gsub("AS BLOB%)", "AS bytea)")
  text = text:gsub("%?(%d*)", function(number)
    count = count + 1
    return "$" .. (number ~= "" and number or count)
  end)
  return (text:gsub("([^:]):([%a_]+)", function(before, name)
    return parameters[name] and ("%s$%d"):format(before, parameters[name]) or nil
  end))
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
      current = { name = name, lines = {}, types = {} }
      sections[#sections + 1] = current
    elseif line == "-- postgres:" then
      current.postgres = {}
    elseif line:match "^%-%- types: " then
      for parameter, letter in line:gmatch "(%w+)=(%a)" do
        current.types[parameter] = letter
      end
    elseif not line:match "^%s*%-%-" and line:match "%S" then
      assert(current, path .. " begins with a statement that has no name")
      table.insert(current.postgres or current.lines, line)
    end
  end
  return sections
end

local names, entries = {}, {}

local function add(file, name, text, postgres, letters, parameters, own)
  local list = "NULL"
  if #parameters > 0 then
    list = ("parameters_%d"):format(#names + 1)
    local words = {}
    for i, parameter in ipairs(parameters) do
      words[i] = quoted(parameter)
    end
    names[#names + 1] = ("static const char *const %s[] = {%s};"):format(list, table.concat(words, ", "))
  end
  entries[#entries + 1] = ("  {%s, %s, %s, sizeof %s, %s, %s, %s, %d, %d},"):format(
    quoted(file), name and quoted(name) or "NULL", quoted(text), quoted(text), quoted(postgres), quoted(letters), list,
    #parameters, own
  )
end

for _, path in ipairs(arg) do
  local file = path:match "([%w_]+)%.sql$"
  for _, section in ipairs(read(path)) do
    local body = table.concat(section.lines, "\n")
    local is_whole = file:find "^schema" ~= nil
    local parts = is_whole and { body } or split(body)
    assert(#parts > 0, section.name .. " has no statement that ends with ;")
    local variants = section.postgres and split(table.concat(section.postgres, "\n")) or parts
    assert(#variants == #parts, section.name .. " has more parts in one dialect")
    -- The first part has the parameters of all, by which a caller gives them.
    local all = {}
    for _, part in ipairs(is_whole and {} or parts) do
      parameters_of(part, all)
    end
    for i, part in ipairs(parts) do
      local own = is_whole and {} or parameters_of(part)
      assert(#own <= most_parameters, section.name .. " has more parameters than a session takes")
      local postgres = is_whole and part or translated(variants[i], own)
      local given = i == 1 and all or own
      add(file, i == 1 and section.name or nil, part, postgres, types_of(section, given), given, #own)
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
