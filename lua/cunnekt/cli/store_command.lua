-- SPDX-License-Identifier: MIT
-- What the commands on a store share (events, outbox, dialogs, values, backup): their common options, the session on the store, and
-- output as JSON, columns or fields. What they do is in operate/, and what each prints in its own file.

local format = require "cunnekt.time.format"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local operate = require "cunnekt.operate"
local run = require "cunnekt.cli.run"
local settings = require "cunnekt.provider.settings"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local store_command = {}

---The part of a help page about the options that choose the store.
store_command.store_help = [[
       --store NAME
              The store, sqlite:FILE or postgres://USER@HOST/DATABASE, without
              a password. By default CUNNEKT_STORE, the setting in
              cunnekt.conf.lua, or cunnekt.db in the working folder.

       --script SCRIPT
              The bot's script: the store and cunnekt.conf.lua are beside it.

       --unit NAME
              The store of the service NAME of systemd, with the settings of its
              unit and its environment file, as for cunnekt doctor. Needs root,
              as environment files do.

       --config FILE
              Read the settings from FILE.
]]

---And about the options for output.
store_command.shown_help = [[
       --json Print JSON, for other programs.

       --reveal
              Show telephone numbers, ids and texts. Without it numbers look
              like 9199…99 and texts are left out, since terminals are logged.
]]

---@param parser table argparse's
function store_command.define_store(parser)
  parser:option "--store"
  parser:option "--script"
  parser:option "--unit"
  parser:option "--config"
end

---@param parser table argparse's
function store_command.define_shown(parser)
  parser:flag "--json"
  parser:flag "--reveal"
end

-- ---- arguments ------------------------------------------------------------------------------------------------------

---A whole number above 0; for argparse.
---@param text string
---@return integer? number
---@return string? problem
function store_command.number(text)
  local number = text:match "^%d+$" and math.tointeger(tonumber(text))
  if not number or number < 1 then
    return nil, ("'%s' is not a number"):format(text)
  end
  return number
end

---@param parser table argparse's
function store_command.define_filters(parser)
  parser:option "--contact"
  parser:option("--older"):convert(format.read_age)
  parser:option("--newer"):convert(format.read_age)
end

-- The verb that the first argument names; or nil and the exit code.
local function verb_of(command, args, verbs, names)
  local verb = args[1]
  if not verb or verb:find "^%-" then
    return nil, usage.mistake(command, "say what to do: one of " .. table.concat(names, ", "))
  elseif not verbs[verb] then
    return nil, usage.mistake(command, ("unknown '%s %s'%s"):format(command, verb, usage.hint(verb, names)))
  end
  return verb
end

---Runs one of a command's verbs: the first argument names it.
---@param command string
---@param help string
---@param args string[]
---@param verbs table<string, {define: fun(parser: table), run: fun(parsed: table): integer}>
---@param order string[] their names, as the usage shows them
---@return integer code
function store_command.run_verb(command, help, args, verbs, order)
  local name, code = verb_of(command, args, verbs, order)
  if not name then
    return code or 2
  end
  local parsed
  parsed, code = usage.parse(command, help, function(parser)
    verbs[name].define(parser)
    store_command.define_shown(parser)
    store_command.define_store(parser)
  end, { table.unpack(args, 2) })
  if not parsed then
    return code or 2
  end
  return verbs[name].run(parsed)
end

-- ---- the session ----------------------------------------------------------------------------------------------------

---Prints why the command failed.
---@param command string
---@param err cunnekt.error
---@return integer code
function store_command.fail(command, err)
  io.stderr:write(("cunnekt %s: %s\n"):format(command, err.message))
  return 1
end

-- Applies the settings of a service; gives the exit code, when it cannot be read.
local function apply_unit(command, parsed)
  if parsed.script then
    return usage.mistake(command, "--unit names the script already; leave --script out")
  end
  local its_unit, code = run.apply_unit(command, parsed)
  if not its_unit then
    return code or 2
  end
  local problem = not parsed.store and its_unit.problems[1]
  parsed.getenv = function(name)
    return its_unit.environment[name]
  end
  return problem and usage.mistake(command, ("the environment file of the service cannot be read: %s; run this with sudo"):format(problem)) or nil
end

local function apply_script(command, parsed)
  local problem = parsed.script and usage.unreadable(parsed.script)
  return problem and usage.mistake(command, problem)
    or usage.apply_settings(command, parsed, { "store" }, parsed.script and run.folder_of(parsed.script))
end

---The store that the options and settings choose.
---@param command string
---@param parsed table gets `getenv` where the environment is a service's
---@return string? url
---@return integer? code exit code, when an option or setting is wrong
function store_command.find_store(command, parsed)
  local apply = parsed.unit and apply_unit or apply_script
  local code = apply(command, parsed)
  if code then
    return nil, code
  end
  local ok, values = pcall(settings.load, { names = { store = true }, getenv = parsed.getenv })
  if not ok then
    return nil, usage.mistake(command, values)
  end
  return values.store
end

-- The customer whom the operator means, with the default country of the settings. With a + no other country is read into it by the
-- operation, which may have another default.
local function read_contact(parsed, args)
  local ok, values = pcall(settings.load, { names = { default_country = true }, getenv = parsed.getenv })
  if not ok then
    return nil, values
  end
  local opts = { default_country = values.default_country, mobile_format = "plus" }
  local contact, err = identity.meant(args.contact, opts, parsed.contact and "--contact" or "NUMBER")
  return contact, err and err.message
end

---Opens a session on that store; prints why it cannot.
---@param command string
---@param parsed table
---@param is_read_only? boolean a store that no host has is left as it is, also in its version
---@return cunnekt.operate.session? session
---@return integer? code
function store_command.open(command, parsed, is_read_only)
  local url, code = store_command.find_store(command, parsed)
  if not url then
    return nil, code
  end
  local session, err = operate.reach(url, is_read_only)
  if not session then
    if err.kind == "invalid" then
      return nil, usage.mistake(command, err.message)
    end
    return nil, store_command.fail(command, err)
  elseif session.unready then
    io.stderr:write(("cunnekt %s: the host accepts no events now: %s\n"):format(command, session.unready))
  end
  return session
end

---Runs an operation on that store, and prints its result.
---@param command string
---@param parsed table
---@param name string the operation
---@param args table taken
---@param print_result fun(result: table, session: cunnekt.operate.session): integer? for people; gives the exit code, 0 by default
---@param code_of? fun(result: table): integer? the exit code where JSON is printed
---@return integer code
function store_command.run(command, parsed, name, args, print_result, code_of)
  local session, code = store_command.open(command, parsed)
  if not session then
    return code or 1
  end
  if args.contact then
    local problem
    args.contact, problem = read_contact(parsed, args)
    if not args.contact then
      session:close()
      return usage.mistake(command, problem)
    end
  end
  local result, err = session:call(name, args)
  session:close()
  if not result then
    return store_command.fail(command, err)
  elseif parsed.json then
    io.stdout:write(json.encode(result), "\n")
    return code_of and code_of(result) or 0
  end
  return print_result(result, session) or 0
end

-- ---- output ---------------------------------------------------------------------------------------------------------

---Prints rows in columns below their headings; a missing value is a dash.
---@param headings string[]
---@param rows table[]
function store_command.print_columns(headings, rows)
  local widths, lines = {}, { headings, table.unpack(rows) }
  for _, line in ipairs(lines) do
    for i = 1, #headings do
      line[i] = words.plain(line[i] == nil and "-" or line[i])
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

---Prints fields, one per line; those without a value are left out.
---@param fields table[] name and value
function store_command.print_fields(fields)
  for _, field in ipairs(fields) do
    if field[2] ~= nil then
      print(("%-11s %s"):format(field[1] .. ":", words.plain(field[2])))
    end
  end
end

---Says on stderr what was not done, where there is any.
---@param command string
---@param sentence string with %s for the numbers
---@param numbers integer[]
function store_command.complain(command, sentence, numbers)
  if #numbers > 0 then
    io.stderr:write(("cunnekt %s: %s\n"):format(command, sentence:format(words.list(numbers))))
  end
end

---Says which ones were not retried because a person has their conversation.
---@param command string
---@param numbers integer[]? nil: of a host of an older version
function store_command.complain_of_paused(command, numbers)
  store_command.complain(command, "a person has the conversation, so resume it first (cunnekt dialogs resume): %s", numbers or {})
end

return store_command
