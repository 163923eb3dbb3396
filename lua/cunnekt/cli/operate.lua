-- SPDX-License-Identifier: MIT
-- What the commands that look into a store share: finding it, ages, columns, and saying what went wrong.

local clock = require "cunnekt.time.clock"
local control = require "cunnekt.operate"
local json = require "cunnekt.base.json"
local run = require "cunnekt.cli.run"
local settings = require "cunnekt.provider.settings"
local usage = require "cunnekt.cli.usage"

local operate = {}

---The part of a help page on how a store is found.
operate.store_help = [[
       --store NAME
              The store, sqlite:FILE. By default CUNNEKT_STORE, what stands in
              cunnekt.conf.lua, or cunnekt.db in the working folder.

       --script SCRIPT
              The bot's script: the store and cunnekt.conf.lua are beside it.

       --config FILE
              Read the settings from FILE.
]]

---And on what is shown.
operate.shown_help = [[
       --json Print JSON, for machines.

       --reveal
              Show telephone numbers, ids and texts. Without it numbers are like
              9199…99 and texts are left out, since terminals are logged.
]]

---@param parser table argparse's
function operate.define_store(parser)
  parser:option "--store"
  parser:option "--script"
  parser:option "--config"
end

---@param parser table argparse's
function operate.define_shown(parser)
  parser:flag "--json"
  parser:flag "--reveal"
end

-- ---- arguments ---------------------------------------------------------------------------------------------------

local units = { s = 1, m = 60, h = 3600, d = 86400 }

---"90", "15m", "2h", "3d" as seconds; for argparse.
---@param text string
---@return number? seconds
---@return string? problem
function operate.age(text)
  local number, unit = text:match "^(%d+%.?%d*)([smhd]?)$"
  if not number then
    return nil, ("'%s' is not an age such as 90s, 15m, 2h or 3d"):format(text)
  end
  return tonumber(number) * (units[unit] or 1)
end

---A whole number above 0; for argparse.
---@param text string
---@return integer? number
---@return string? problem
function operate.number(text)
  local number = text:match "^%d+$" and math.tointeger(tonumber(text))
  if not number or number < 1 then
    return nil, ("'%s' is not a number"):format(text)
  end
  return number
end

---@param parser table argparse's
function operate.define_filters(parser)
  parser:option "--contact"
  parser:option("--older"):convert(operate.age)
  parser:option("--newer"):convert(operate.age)
end

---Reads the first argument, which says what to do.
---@param command string
---@param args string[]
---@param verbs table<string, any>
---@param names string[] the same, in order
---@return string? verb
---@return integer? code exit code, when there is none
function operate.verb(command, args, verbs, names)
  local verb = args[1]
  if not verb or verb:find "^%-" then
    return nil, usage.mistake(command, "say what to do: one of " .. table.concat(names, ", "))
  elseif not verbs[verb] then
    return nil, usage.mistake(command, ("unknown '%s %s'%s"):format(command, verb, usage.hint(verb, names)))
  end
  return verb
end

-- ---- the store ---------------------------------------------------------------------------------------------------

---Says what failed.
---@param command string
---@param err cunnekt.error
---@return integer code
function operate.fail(command, err)
  io.stderr:write(("cunnekt %s: %s\n"):format(command, err.message))
  return 1
end

---Finds the store that is meant.
---@param command string
---@param parsed table
---@return string? url
---@return integer? code exit code, when it cannot be found
function operate.find_store(command, parsed)
  local problem = parsed.script and usage.unreadable(parsed.script)
  local code = problem and usage.mistake(command, problem)
    or usage.apply_settings(command, parsed, { "store" }, parsed.script and run.folder_of(parsed.script))
  if code then
    return nil, code
  end
  local ok, values = pcall(settings.load, { names = { store = true } })
  if not ok then
    return nil, usage.mistake(command, values)
  end
  return values.store
end

---Opens the way to the store that is meant, and says why it cannot.
---@param command string
---@param parsed table
---@return cunnekt.control.session? session
---@return integer? code
function operate.open(command, parsed)
  local url, code = operate.find_store(command, parsed)
  if not url then
    return nil, code
  end
  local session, err = control.reach(url)
  if not session then
    if err.kind == "invalid" then
      return nil, usage.mistake(command, err.message)
    end
    return nil, operate.fail(command, err)
  end
  return session
end

---Runs an operation on the store that is meant, and prints its result.
---@param command string
---@param parsed table
---@param name string the operation
---@param args table
---@param print_result fun(result: table, session: cunnekt.control.session): integer? for people; gives the exit code, 0 by default
---@param code_of? fun(result: table): integer? the exit code where JSON is printed
---@return integer code
function operate.run(command, parsed, name, args, print_result, code_of)
  local session, code = operate.open(command, parsed)
  if not session then
    return code or 1
  end
  local result, err = session:call(name, args)
  session:close()
  if not result then
    return operate.fail(command, err)
  elseif parsed.json then
    io.stdout:write(json.encode(result), "\n")
    return code_of and code_of(result) or 0
  end
  return print_result(result, session) or 0
end

-- ---- output ------------------------------------------------------------------------------------------------------

---How long ago a time is, in the largest unit that leaves no 0.
---@param at number? seconds since 1970
---@return string
function operate.ago(at)
  if not at then
    return "-"
  end
  local seconds = math.max(0, clock.now() - at)
  for _, unit in ipairs { "d", "h", "m" } do
    if seconds >= 2 * units[unit] then
      return ("%d%s"):format(seconds // units[unit], unit)
    end
  end
  return ("%ds"):format(seconds // 1)
end

---@param at number seconds since 1970
---@return string
function operate.time(at)
  return os.date("%Y-%m-%d %H:%M:%S", math.floor(at)) --[[@as string]]
end

-- What a terminal may be given: no line breaks, nothing that moves its cursor.
local function plain(text)
  return (tostring(text):gsub("[%c\x7f]", " "))
end

---Prints rows below their headings, in columns; what is missing is a dash.
---@param headings string[]
---@param rows table[]
function operate.print_columns(headings, rows)
  local widths, lines = {}, { headings, table.unpack(rows) }
  for _, line in ipairs(lines) do
    for i = 1, #headings do
      line[i] = plain(line[i] == nil and "-" or line[i])
      widths[i] = math.max(widths[i] or 0, utf8.len(line[i]) or #line[i])
    end
  end
  for _, line in ipairs(lines) do
    local cells = {}
    for i = 1, #headings do
      local missing = widths[i] - (utf8.len(line[i]) or #line[i])
      cells[i] = i < #headings and line[i] .. (" "):rep(missing) or line[i]
    end
    print((table.concat(cells, "  "):gsub("%s+$", "")))
  end
end

---Prints fields, one a line; those that are missing are left out.
---@param fields table[] name and value
function operate.print_fields(fields)
  for _, field in ipairs(fields) do
    if field[2] ~= nil then
      print(("%-11s %s"):format(field[1] .. ":", plain(field[2])))
    end
  end
end

---"17, 19 and 23"
---@param numbers any[]
---@return string
function operate.enumerate(numbers)
  local words = {}
  for i, number in ipairs(numbers) do
    words[i] = tostring(number)
  end
  if #words < 2 then
    return words[1] or ""
  elseif #words > 20 then
    return ("%s, … and %s"):format(table.concat(words, ", ", 1, 10), words[#words])
  end
  return ("%s and %s"):format(table.concat(words, ", ", 1, #words - 1), words[#words])
end

---"1 event", "2 events"
---@param count integer
---@param word string
---@return string
function operate.count(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

return operate
