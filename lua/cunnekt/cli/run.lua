-- SPDX-License-Identifier: MIT
-- `cunnekt run`: runs a script as a task, serves the bots that it made but did not run, and ends when all work is done. It
-- owns the global `arg`; the script is loaded by service/script.lua.

local blame = require "cunnekt.base.blame"
local core = require "cunnekt.core"
local location = require "cunnekt.store.location"
local log = require "cunnekt.base.log"
local once = require "cunnekt.base.once"
local script = require "cunnekt.service.script"
local signals = require "cunnekt.service.signals"
local task = require "cunnekt.base.task"
local usage = require "cunnekt.cli.usage"
local words = require "cunnekt.base.words"

local run = {}

run.help = [[
NAME
       cunnekt run - run a script

SYNOPSIS
       cunnekt run [OPTIONS] SCRIPT [ARGUMENTS]

DESCRIPTION
       Runs the Lua file SCRIPT; - reads it from standard input. ARGUMENTS reach
       the script as ... and in the table arg. A bot that the script makes is
       served until it is stopped, whether or not the script calls bot:run. A
       script that makes no bot ends when its work is done.

       require finds files beside the script, wherever it is run from.

       What cunnekt check finds in SCRIPT is logged as warnings first.

       SIGTERM, SIGINT or SIGHUP stops a bot: it accepts nothing new, finishes
       what it has begun, and exits with 0. A second SIGTERM or SIGINT exits
       immediately. Started by nohup, it ignores SIGHUP.

OPTIONS
       --listen HOST:PORT
              Where webhooks come in (127.0.0.1:8080).

       --admin HOST:PORT
              Where monitoring finds GET /healthz, /readyz and /metrics; nowhere
              by default. Do not make it public.

       --webhook-path PATH
              The path they come to (/webhook).

       --base-url URL
              Cunnekt's API (https://app2.cunnekt.com/v1).

       --phone-number-id ID
              The business number that the bot writes first from, if there are
              several or none is known yet: the provider's id of it.

       --rate N, --pair-rate N
              Messages a second, for the number (80) and for one contact (one in
              6 s, with bursts to 45); 0 is no limit.

       --store NAME
              Where the bot keeps its state: sqlite:FILE (sqlite:cunnekt.db),
              postgres://USER@HOST/DATABASE, or memory:. A relative FILE is
              beside the script.

       --take-over S
              Seconds without a sign of life after which a host that stands by
              takes over a database of PostgreSQL (15).

       --timeout S, --connect-timeout S, --retries N, --ca-file FILE,
       --proxy URL, --mobile-format digits|plus, --default-country CODE
              As the options of cunnekt.client.

       --verbose
              Log each event, where it goes, each reply and each send, with
              times and ids; customers' numbers are shortened.

       --log text|json
              How lines of the log look: text (default), or one object each.

       --config FILE
              Read these settings from FILE instead of cunnekt.conf.lua beside
              the script.

ENVIRONMENT
       CUNNEKT_API_KEY
              The key of the API. It is never an option.

       CUNNEKT_WEBHOOK_SECRET
              Serves webhooks at /webhook/SECRET and nowhere else.

       CUNNEKT_APP_SECRET
              Checks the signature X-Hub-Signature-256 of each webhook.

       CUNNEKT_VERIFY_TOKEN
              Answers the GET handshake.

       CUNNEKT_LOG
              debug, as --verbose; json; or both, with a comma between them.

       CUNNEKT_LISTEN, CUNNEKT_ADMIN, CUNNEKT_WEBHOOK_PATH, CUNNEKT_BASE_URL,
       CUNNEKT_PHONE_NUMBER_ID, CUNNEKT_RATE, CUNNEKT_PAIR_RATE, CUNNEKT_STORE,
       CUNNEKT_TAKE_OVER
              As the options of these names, which win.

EXIT STATUS
       0      the script ended, or its bot was stopped
       1      the script raised an error, with a traceback on standard error, or
              a bot could not listen on its address; no other bot goes on then
       2      the command line was not understood, or SCRIPT cannot be read
       Or what the script gives to os.exit.

EXAMPLES
       CUNNEKT_API_KEY=… cunnekt run bot.lua
       cunnekt run --listen 0.0.0.0:8080 --verbose shop/bot.lua
]]

---Splits the command line at SCRIPT: what follows are the script's own arguments.
---@param args string[]
---@param flags string[] the options that take a value
---@return string[] before
---@return integer at where SCRIPT stands
function run.split(args, flags)
  local takes_value = {}
  for _, flag in ipairs(flags) do
    takes_value[flag] = true
  end
  local i = 1
  while args[i] do
    local word = args[i]
    if word == "--" then
      return { table.unpack(args, 1, i - 1) }, i + 1
    elseif word == "-" or word:sub(1, 1) ~= "-" then
      return { table.unpack(args, 1, i - 1) }, i
    end
    i = i + (takes_value[word] and 2 or 1)
  end
  return args, i
end

---Sets the global `arg` as the plain interpreter does: the script is at 0, what is before it at negative places.
---@param name string the command's
---@param before string[] its options
---@param path string the script's
---@param rest string[]
function run.set_arg(name, before, path, rest)
  local all = { [0] = path, table.unpack(rest) }
  local place = -1
  for i = #before, 1, -1 do
    all[place] = before[i]
    place = place - 1
  end
  all[place], all[place - 1] = name, arg[0]
  _G.arg = all
end

run.folder_of = script.folder_of

local function complain(failure)
  log.fatal(blame.text(failure))
  return 1
end

-- What a script leaves: bots to serve, and timers, requests and tasks that have not ended. A signal that stopped the bots ends
-- the rest.
local function finish(goes_on)
  local service = package.loaded["cunnekt.service"]
  if service then
    service.serve_unserved()
  end
  while not signals.is_ending and (not goes_on or goes_on()) and core.step(true) do
  end
end

-- A failure of a task that the script does not wait for is printed, and becomes the exit code at the end.
local function watch_tasks()
  local watch = { has_failed = false }
  function task.on_failure(failure)
    watch.has_failed = true
    complain(failure)
  end
  return watch
end

-- Lines of a check that are logged at a start.
local max_warnings = 20

-- The warnings that the check before had not. One is the same when its line has moved. `known` gets how many there are now of each.
local function only_new(path, lines, known)
  local before, new, code = {}, {}, {}
  for key, count in pairs(known) do
    before[key], known[key] = count, nil
  end
  local file = io.open(path, "rb")
  for line in file and file:lines() or function() end do
    code[#code + 1] = words.trim(line)
  end
  if file then
    file:close()
  end
  for _, line in ipairs(lines) do
    local number = tonumber(line:sub(#path + 1):match "^:(%d+)")
    local key = line:gsub("%d+", "0") .. "\n" .. (code[number] or "")
    known[key] = (known[key] or 0) + 1
    new[#new + 1] = known[key] > (before[key] or 0) and line or nil
  end
  return new
end

---What `cunnekt check` finds in a script, as warnings; and what is wrong with one that does not compile. Nothing in here keeps a
---script from running.
---@param path string
---@param known? table<string, integer> what an earlier check has found and filled in, which is only counted
---@return string[] warnings
---@return string? problem
function run.check(path, known)
  local ok, lines, is_broken = pcall(once.use, "cunnekt.cli.check", function(check)
    return check.lines(path)
  end)
  if not ok then
    log.debug("check", "failed", lines)
    return {}
  elseif is_broken then
    return {}, table.concat(lines, "\n")
  end
  local new = known and only_new(path, lines, known) or lines
  local warnings = table.move(new, 1, max_warnings, 1, {})
  if #new > #warnings then
    warnings[#warnings + 1] = ("%d more: cunnekt check %s"):format(#new - #warnings, path)
  end
  if #lines > #new then
    local count = words.count(#lines - #new, "warning")
    warnings[#warnings + 1] = ("%s from before %s: cunnekt check %s"):format(count, #lines - #new == 1 and "remains" or "remain", path)
  end
  return warnings
end

local function check_first(path, find)
  local warnings, problem = find(path)
  for _, line in ipairs(warnings) do
    log.warn("%s", line)
  end
  return problem
end

---Runs a script to its end. For `cunnekt dev` too.
---@param path string "-" for standard input
---@param args string[]
---@param host? {main: cunnekt.task?, goes_on: (fun(): boolean)?, load: (fun(path: string): function?, string?)?, check: (fun(path: string): string[], string?)?} `load`: in place of script.load, as `check` is of run.check; gets the task of the script itself, which may be cancelled; `goes_on`: whether what the script has begun may go on when it has ended
---@return integer code 0; 1 when it raised an error, which is on stderr then
function run.script(path, args, host)
  host = host or {}
  -- What a bot prints is a log: through a pipe, as to systemd, each line has to arrive when it is printed.
  io.stdout:setvbuf "line"
  local explained = path ~= "-" and check_first(path, host.check or run.check) or nil
  local chunk, problem = (host.load or script.load)(path)
  if not chunk then
    return complain(explained or problem)
  end
  local watch, main = watch_tasks(), nil
  local has_ended, ok, failure = pcall(task.run, function()
    main = task.running()
    host.main = main
    return xpcall(chunk, script.traceback, table.unpack(args))
  end)
  if not has_ended then
    return complain(ok)
  elseif not ok and not main.is_cancelled then
    return complain(failure)
  end
  ok, failure = pcall(finish, host.goes_on)
  if not ok then
    return complain(failure)
  end
  return watch.has_failed and 1 or 0
end

-- Reads the options before SCRIPT: `parsed`, the `names` of settings among them, which of them take a value (`flags`), the words
-- themselves (`before`), and where SCRIPT stands (`at`). Otherwise nil and the exit code.
local function read_options(args)
  local names = usage.setting_names()
  local flags = usage.setting_flags(names)
  flags[#flags + 1] = "--log"
  local before, at = run.split(args, flags)
  local parsed, code = usage.parse("run", run.help, function(parser)
    usage.declare_settings(parser, names)
    usage.declare_log(parser)
  end, before)
  if not parsed then
    return nil, code or 2
  end
  return { parsed = parsed, names = names, flags = flags, before = before, at = at }
end

---Reads a service of systemd, and sets for the whole process the settings that it gives to `cunnekt run`; those of its environment are
---not among them.
---@param command string that wants to know
---@param parsed table what usage.parse gave: `unit`; `store` and `config`, which win
---@return cunnekt.doctor.unit? its_unit with its `script`
---@return integer? code the exit code, when there is none
function run.apply_unit(command, parsed)
  local its_unit, problem = require("cunnekt.operate.doctor.unit").read(parsed.unit)
  if not its_unit then
    return nil, usage.mistake(command, problem)
  end
  local options, code = read_options(its_unit.args)
  if not options then
    return nil, code
  end
  location.set_state_folder(its_unit.state_folder)
  its_unit.script = its_unit.args[options.at]
  local flags = options.parsed
  flags.store, flags.config = parsed.store or flags.store, parsed.config or flags.config
  code = usage.apply_settings(command, flags, options.names, its_unit.script and run.folder_of(its_unit.script), true)
  return not code and its_unit or nil, code
end

---Says which arguments of a script are options of the command, at the wrong place.
---@param rest string[]
---@param flags string[] the command's options that take a value
function run.warn_of_misplaced(rest, flags)
  local is_own = { ["--verbose"] = true }
  for _, flag in ipairs(flags) do
    is_own[flag] = true
  end
  for _, word in ipairs(rest) do
    local flag = word:match "^%-%-[^=]+"
    if word == "--" then
      return
    elseif flag and is_own[flag] then
      log.warn("%s comes before the script; after it, it is an argument of the script", flag)
    end
  end
end

---@param args string[]
---@return integer code
function run.run(args)
  local options, code = read_options(args)
  code = options and usage.apply_log("run", options.parsed) or code
  if not options or code then
    return code or 2
  end
  local path, rest = args[options.at], { table.unpack(args, options.at + 1) }
  if not path then
    return usage.mistake("run", "a script is missing")
  end
  local problem = path ~= "-" and usage.unreadable(path)
  code = problem and usage.mistake("run", problem) or usage.apply_settings("run", options.parsed, options.names, run.folder_of(path))
  if code then
    return code
  end
  run.set_arg("run", options.before, path, rest)
  run.warn_of_misplaced(rest, options.flags)
  return run.script(path, rest)
end

return run
