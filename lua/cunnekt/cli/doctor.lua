-- SPDX-License-Identifier: MIT
-- `cunnekt doctor`: checks settings, store, host and machine, and prints one sentence about each. The checks themselves are
-- in operate/doctor/; this file reads the options and prints.

local examine = require("cunnekt.operate.doctor").examine
local json = require "cunnekt.base.json"
local keys = require "cunnekt.cli.check.keys"
local run = require "cunnekt.cli.run"
local unit = require "cunnekt.operate.doctor.unit"
local usage = require "cunnekt.cli.usage"
local whole_file = require "cunnekt.base.whole_file"

local doctor = {}

doctor.help = [[
NAME
       cunnekt doctor - check settings, store and host, and say what is wrong

SYNOPSIS
       cunnekt doctor [SCRIPT] [OPTIONS]
       cunnekt doctor --unit NAME [OPTIONS]

DESCRIPTION
       Checks the settings and where each comes from, the key and the other
       secrets, the addresses to listen on, the store (its files, version,
       integrity and size, what waits in it, dead letters, paused conversations,
       dialogs that need an older script), the host that runs on it, the disk,
       the clock and the libraries, and prints one sentence about each. Nothing
       is changed. Secrets are never shown.

       A line begins with ok, with note for what you should know, or with WRONG
       for what keeps the bot from working.

       Run it with --unit where the bot is a service, else as the host's user,
       with the host's environment. Options that SCRIPT gives to cunnekt.bot are
       not known here, but that it gives api_key is seen.

OPTIONS
       --unit NAME
              Check what the service NAME of systemd runs, with the settings of
              its unit and its environment file. NAME may be the path of a unit.
              Needs root, as environment files do.

       --online
              Also ask Cunnekt's API: whether it can be reached, whether it
              takes the key, and what time it has. It is asked for the media
              of a message that does not exist; nothing is sent. The key goes
              to https addresses and this machine only.

       --public URL
              Also ask the bot's public address, such as
              https://bot.example.com, whether it leads to the bot. Nothing is
              posted.

       --store NAME
              The store, sqlite:FILE or postgres://USER@HOST/DATABASE, without
              a password. By default CUNNEKT_STORE, the setting in
              cunnekt.conf.lua, or cunnekt.db, beside SCRIPT or else in the
              working folder. The addresses to listen on are not checked then.

       --config FILE
              Read the settings from FILE.

       --json Print JSON: is_well, and findings with level, about and text.

EXIT STATUS
       0      nothing is wrong
       1      something is
       2      the command line was not understood

EXAMPLES
       sudo cunnekt doctor --unit cunnekt-shop --online
       cunnekt doctor shop/bot.lua --public https://bot.example.com
       cunnekt doctor --store sqlite:/var/backups/shop-Mon.db
]]

local labels = { ok = "ok    ", note = "note  ", wrong = "WRONG " }

local function report(findings, is_json)
  local is_well = true
  for _, finding in ipairs(findings) do
    is_well = is_well and finding.level ~= "wrong"
    if not is_json then
      print(labels[finding.level] .. finding.text)
    end
  end
  if is_json then
    io.stdout:write(json.encode { is_well = is_well, findings = json.array(findings) }, "\n")
  end
  return is_well and 0 or 1
end

-- ---- what is checked -----------------------------------------------------------------------------------------------

-- The names of this process's variables that may be meant as settings. Elsewhere than on Linux nobody says them.
local function own_variables()
  local file = io.open("/proc/self/environ", "rb")
  local names = {}
  for name in (file and file:read "a" or ""):gmatch "%f[^%z%c](CUNNEKT_[^=%z]*)=" do
    names[#names + 1] = name
  end
  if file then
    file:close()
  end
  table.sort(names)
  return names
end

local function variables_of(its_unit)
  if not its_unit then
    return own_variables()
  end
  local names = {}
  for name in pairs(its_unit.environment) do
    names[#names + 1] = name:find "^CUNNEKT_" and name or nil
  end
  table.sort(names)
  return names
end

local function read_script(parsed)
  local problem = parsed.script and usage.unreadable(parsed.script)
  local folder = parsed.script and run.folder_of(parsed.script)
  return problem and usage.mistake("doctor", problem) or usage.apply_settings("doctor", parsed, { "store" }, folder)
end

local function examine_all(parsed, its_unit)
  local script, getenv = parsed.script, nil
  local findings = {}
  if its_unit then
    script = its_unit.script
    getenv = function(name)
      return its_unit.environment[name]
    end
    findings = unit.findings(its_unit, script)
    local problem = script and usage.unreadable(script)
    if problem or not script then
      local text = ("%s names no script that can be read%s"):format(its_unit.path, problem and ": " .. problem or "")
      table.insert(findings, { level = "wrong", about = "unit", text = text })
    end
  end
  local more = examine {
    version = require("cunnekt").version, is_online = parsed.online, public = parsed.public,
    script = script, script_key = keys.find(script and whole_file.read(script) or ""), getenv = getenv, variables = variables_of(its_unit), is_copy = parsed.store ~= nil,
  }
  return table.move(more, 1, #more, #findings + 1, findings)
end

---@param args string[]
---@return integer code
function doctor.run(args)
  local parsed, code = usage.parse("doctor", doctor.help, function(parser)
    parser:argument("script"):args "?"
    parser:flag "--online"
    parser:flag "--json"
    parser:option "--unit"
    parser:option "--public"
    parser:option "--store"
    parser:option "--config"
  end, args)
  if not parsed then
    return code or 2
  elseif parsed.unit and parsed.script then
    return usage.mistake("doctor", "--unit names the script already; leave it out")
  elseif parsed.public and not parsed.public:find "^[hH][tT][tT][pP][sS]?://[^%s/?#]+/?$" then
    return usage.mistake("doctor", "--public takes an address without a path, such as https://bot.example.com")
  end
  local its_unit
  if parsed.unit then
    its_unit, code = run.apply_unit("doctor", parsed)
  else
    code = read_script(parsed)
  end
  return code or report(examine_all(parsed, its_unit), parsed.json)
end

return doctor
