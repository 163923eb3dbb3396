-- SPDX-License-Identifier: MIT
-- Every option of every call is in a table of the reference, with the type and the default of its annotation: none is missing, none
-- invented. So are the fields of events and of what calls return. A table says in a comment above it which class it shows; one
-- class may have several.

local bot_options = require "cunnekt.service.options"
local pages = require "spec.support.pages"
local process = require "spec.support.process"
local public = require "cunnekt.cli.check.public"
local settings = require "cunnekt.provider.settings"

-- ---- the annotations -------------------------------------------------------------------------------------------------

-- Classes that calls return or that handlers get; they have methods, or fields that nobody gives.
local function is_of_options(name)
  local class = public[name]
  local is_given = class and not class.functions and not class.alias
  return is_given and not (name:find "^cunnekt%.webhook" or name:find "^cunnekt%.event" or name:find "%.prepared$" or name == "cunnekt.handled"
    or name == "cunnekt.job" or name == "cunnekt.error" or name == "cunnekt.filter" or name == "cunnekt.task" or name == "cunnekt")
end

-- The classes of options that a type names, with their parents and those of their fields.
local function add_classes(text, found)
  for name in text:gmatch "cunnekt[%w_.]*" do
    name = name:gsub("%.+$", "")
    if not found[name] and is_of_options(name) then
      found[name] = true
      add_classes(table.concat(public[name].parents or {}, " "), found)
      for _, its_type in pairs(public[name].fields or {}) do
        add_classes(its_type, found)
      end
    end
  end
end

-- The classes whose fields a script reads. `kind` is the head of their section.
local function classes_of_fields()
  local found = {}
  for name in pairs(public) do
    found[name] = name:find "^cunnekt%.webhook%." and name ~= "cunnekt.webhook.event" or nil
  end
  for _, name in ipairs {
    "cunnekt.message", "cunnekt.event.status", "cunnekt.event.own", "cunnekt.error", "cunnekt.sent", "cunnekt.job", "cunnekt.sent_answer",
    "cunnekt.download.result", "cunnekt.chat",
  } do
    found[name] = true
  end
  return found
end

local function fields_of(class)
  local fields = {}
  for name, its_type in pairs(public[class].fields or {}) do
    fields[name] = (name ~= "kind" or class == "cunnekt.error") and its_type or nil
  end
  return fields
end

-- What the annotations say: class → field → what is said about it.
local function read_annotations()
  local all, pipe = {}, io.popen "find lua -name '*.lua'"
  for path in pipe:lines() do
    local class
    -- A field may go on in the next line.
    for line in (process.read(path) .. "\n"):gsub("(%-%-%-@field[^\n]*)\n%-%-%-([^@])", "%1 %2"):gmatch "(.-)\n" do
      class = line:find "^%-%-%-" and (line:match "^%-%-%-@class ([%w_.]+)" or class) or nil
      local name, mark, rest = line:match "^%-%-%-@field ([%w_]+)(%??) (.*)$"
      if class and name then
        all[class] = all[class] or {}
        all[class][name] = { about = rest, is_required = mark == "" }
      end
    end
  end
  pipe:close()
  return all
end

-- A type as a reader of a table needs it: a set of words.
local function words_of(its_type)
  local set = {}
  its_type = its_type:match "^%((.*)%)|nil$" or its_type:gsub("%?$", "")
  if its_type:find "^fun%(" then
    return { ["function"] = true }
  end
  for one in (its_type .. "|"):gsub("%b{}", "table"):gsub("<[^>]*>", ""):gsub("fun%(.*$", "function|"):gmatch "([^|]+)|" do
    local word = one:find "%[%]$" and "list" or one
    if word:find "^cunnekt%.sent" then
      word = "handle"
    elseif word:find "^cunnekt" then
      word = "table"
    end
    set[word] = true
  end
  return set
end

-- ---- the tables ------------------------------------------------------------------------------------------------------

local function cells_of(line)
  local cells = {}
  for cell in line:gsub("\\|", "\1"):gsub("^| ?", ""):gmatch "(.-)%s*|%s?" do
    cells[#cells + 1] = (cell:gsub("\1", "|"))
  end
  return cells
end

-- The rows of all tables, "options" or "fields": class → name → the cells by their heads.
local function read_tables(texts, kind)
  local tables = {}
  for page, text in pairs(texts) do
    for class, body in text:gmatch("<!%-%- " .. kind .. ": ([%w_.]+) %-%->\n(.-)\n%f[^|\n]") do
      tables[class] = tables[class] or {}
      local heads
      for line in (body .. "\n"):gmatch "(|[^\n]*)\n" do
        local cells = cells_of(line)
        if not heads then
          heads = cells
        elseif not line:find "^| %-%-%-" then
          local row = { page = page }
          for i, head in ipairs(heads) do
            row[head] = cells[i] or ""
          end
          local name = cells[1]:match "^`([%w_]+)`$"
          assert(name, ("%s: not a name: %s"):format(page, cells[1]))
          assert(not tables[class][name], ("%s: %s is there twice"):format(page, name))
          tables[class][name] = row
        end
      end
    end
  end
  return tables
end

local function set_of_cell(cell)
  local set = {}
  for word in cell:gsub("%s*%(.*%)$", ""):gsub(" or ", ", "):gmatch "[^,%s]+" do
    set[word:gsub("`", "")] = true
  end
  return set
end

-- ---- the comparison --------------------------------------------------------------------------------------------------

local function is_within(a, b)
  for key in pairs(a) do
    if not b[key] then
      return false
    end
  end
  return true
end

local function is_same(a, b)
  return is_within(a, b) and is_within(b, a)
end

-- The default that an annotation names: `"hold" by default`, or `"keep", default`.
local function default_of(about)
  return about:match "([^;,]*) by%s+default" or about:match '("%l+"), default' or about:match "%(default%)"
end

local function check_row(where, field, row, its_type, problems)
  local says = row["what it does"]
  local function complain(what, ...)
    problems[#problems + 1] = ("%s: %s"):format(where, what:format(...))
  end
  local is_text = not says and its_type:find '^%(?"' and row.type == "string" -- the words are in the text
  if not is_text and not is_same(words_of(its_type), set_of_cell(row.type)) then
    complain("the type is %s, not %s", its_type, row.type)
  end
  local unit = field.about:match "^%S+%s+(seconds)" or field.about:match "^%S+%s+(bytes)"
  if unit and not row.type:find("(" .. unit, 1, true) then
    complain("the type has no unit (%s)", unit)
  end
  if not says then
    return -- a field
  elseif says == "" then
    complain "nothing is said about it"
  end
  local default = default_of(field.about)
  local is_literal = default and (default:match '"[^"]*"$' or default:match "%d[%d.,]*")
  local is_required = field.is_required and not its_type:find "%?$"
  if is_required ~= (row.default == "required") then
    complain(is_required and "it is required" or "it is not required")
  elseif default and default:find "CUNNEKT_" then
    return -- a setting: the next test compares it with the program
  elseif not default ~= (row.default == "" or row.default == "required") then
    complain("the annotation says of the default: %s; the table: %s", default or "nothing", row.default)
  elseif is_literal and not row.default:find(is_literal:gsub('^"', ""):gsub('"$', ""), 1, true) then
    complain("the default is %s, not %s", is_literal, row.default)
  end
end

-- What is wrong with the tables.
local function problems_of(tables, classes, annotations)
  local problems = {}
  for class in pairs(classes) do
    local fields, rows = annotations[class] or {}, tables[class] or {}
    for name, its_type in pairs(fields_of(class)) do
      local where = class .. "." .. name
      if not rows[name] then
        problems[#problems + 1] = where .. ": is in no table"
      else
        check_row(where, assert(fields[name], where), rows[name], its_type, problems)
      end
    end
    for name in pairs(rows) do
      if not fields_of(class)[name] then
        problems[#problems + 1] = ("%s.%s: there is no such name"):format(class, name)
      end
    end
  end
  for class in pairs(tables) do
    if not classes[class] then
      problems[#problems + 1] = class .. ": a table of what is no such class"
    end
  end
  table.sort(problems)
  return problems
end

describe("the tables of options", function()
  local classes, texts, annotations = {}, {}, read_annotations()

  setup(function()
    for _, class in pairs(public) do
      for name, fn in pairs(class.functions or {}) do
        for _, param in ipairs(name:find "^_" and {} or fn.params) do
          add_classes(param[2], classes)
        end
      end
    end
    add_classes(public.cunnekt.fields.bot .. public.cunnekt.fields.client, classes)
    for _, path in ipairs(pages.reference()) do
      texts[path] = process.read(path)
    end
  end)

  it("hold every option of every call, with its type and its default, and no other", function()
    assert.equal("", table.concat(problems_of(read_tables(texts, "options"), classes, annotations), "\n"))
    local count = 0
    for _ in pairs(classes) do
      count = count + 1
    end
    assert.is_true(count > 30)
  end)

  it("are beside tables of all fields of events and results", function()
    assert.equal("", table.concat(problems_of(read_tables(texts, "fields"), classes_of_fields(), annotations), "\n"))
  end)

  it("name the variables and the defaults that the program takes", function()
    local tables = read_tables(texts, "options")
    for name, setting in pairs(settings.known) do
      local row = tables[setting.is_client and "cunnekt.client.options" or "cunnekt.bot.options"][name]
      assert.equal(setting.env and ("`%s`"):format(setting.env) or "", row.variable, name)
      if setting.default and name ~= "pair_rate" then
        assert.truthy(row.default:find(tostring(setting.default), 1, true), name)
      end
      assert.equal(setting.is_secret == true, row["what it does"]:find "^secret; " ~= nil, name)
    end
    local own = bot_options.split({}, 1)
    for name in pairs(bot_options.types) do
      local default = own[name]
      assert.truthy(default == nil or tables["cunnekt.bot.options"][name].default:find(tostring(default), 1, true), name)
    end
  end)

  it("are beside a table of all names of events", function()
    local page = texts["docs/reference/receiving.md"]
    for name in public["cunnekt.event_name"].alias:gmatch '"([%w_]+)"' do
      assert.truthy(page:find(("`%s`"):format(name), 1, true), name)
    end
  end)

  -- The control: each kind of slip is found.
  it("would be missed if they were wrong", function()
    local function problems_with(path, from, to)
      local changed = {}
      for page, its_text in pairs(texts) do
        changed[page] = its_text
      end
      local first, last = assert(changed[path]:find(from, 1, true))
      changed[path] = changed[path]:sub(1, first - 1) .. to .. changed[path]:sub(last + 1)
      return table.concat(problems_of(read_tables(changed, "options"), classes, annotations), "\n")
    end
    local page = "docs/reference/questions.md"
    assert.matches("collect_options.quiet: is in no table", problems_with(page, "`quiet`", "`quite`"))
    assert.matches("collect_options.quite: there is no such name", problems_with(page, "`quiet`", "`quite`"))
    assert.matches("quiet: the type is", problems_with(page, "`quiet` | number", "`quiet` | string"))
    assert.matches("quiet: the type has no unit", problems_with(page, "`quiet` | number (seconds)", "`quiet` | number"))
    assert.matches("quiet: the default is 5, not 6", problems_with(page, "(seconds) | 5", "(seconds) | 6"))
    assert.matches("reminder.after: it is required", problems_with(page, "`after` | number (seconds) | required", "`after` | number (seconds) | "))
  end)
end)
