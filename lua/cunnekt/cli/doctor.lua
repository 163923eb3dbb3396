-- SPDX-License-Identifier: MIT
-- `cunnekt doctor`: checks settings, store, host and machine, and prints one sentence about each. The checks themselves are
-- in operate/doctor.lua; this file reads the options and prints.

local examine = require("cunnekt.operate.doctor").examine
local json = require "cunnekt.base.json"
local run = require "cunnekt.cli.run"
local usage = require "cunnekt.cli.usage"

local doctor = {}

doctor.help = [[
NAME
       cunnekt doctor - check settings, store and host, and say what is wrong

SYNOPSIS
       cunnekt doctor [SCRIPT] [--online] [OPTIONS]

DESCRIPTION
       Checks the settings and where each comes from, the key, the store (its
       version, integrity, size and dead letters), the host that runs on it, the
       disk, the clock and the libraries, and prints one sentence about each.
       Nothing is changed. Secrets are never shown.

       A line begins with ok, with note for what you should know, or with WRONG
       for what keeps the bot from working.

       Run it as the host's user, with the host's environment. Options that
       SCRIPT gives to cunnekt.bot are not known here.

OPTIONS
       --online
              Also check whether Cunnekt's API can be reached, and compare the
              time with it. No message is sent, and no key.

       --store NAME
              The store, sqlite:FILE. By default CUNNEKT_STORE, the setting in
              cunnekt.conf.lua, or cunnekt.db, beside SCRIPT or else in the
              working folder.

       --config FILE
              Read the settings from FILE.

       --json Print JSON: is_well, and findings with level, about and text.

EXIT STATUS
       0      nothing is wrong
       1      something is
       2      the command line was not understood

EXAMPLES
       cunnekt doctor shop/bot.lua --online
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

---@param args string[]
---@return integer code
function doctor.run(args)
  local parsed, code = usage.parse("doctor", doctor.help, function(parser)
    parser:argument("script"):args "?"
    parser:flag "--online"
    parser:flag "--json"
    parser:option "--store"
    parser:option "--config"
  end, args)
  if not parsed then
    return code or 2
  end
  local problem = parsed.script and usage.unreadable(parsed.script)
  local folder = parsed.script and run.folder_of(parsed.script)
  code = problem and usage.mistake("doctor", problem) or usage.apply_settings("doctor", parsed, { "store" }, folder)
  if code then
    return code
  end
  local findings = examine { version = require("cunnekt").version, is_online = parsed.online or false }
  return report(findings, parsed.json)
end

return doctor
