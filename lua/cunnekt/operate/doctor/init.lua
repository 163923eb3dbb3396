-- SPDX-License-Identifier: MIT
-- The checks of `cunnekt doctor`: settings, store, host and machine. Each adds findings, {level = "ok" | "note" | "wrong",
-- about =, text =}, one sentence for people each: what, where, what to do. None changes anything, and none shows a secret.

local addresses = require "cunnekt.operate.doctor.addresses"
local check_store = require("cunnekt.operate.doctor.store").check
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local doctor_settings = require "cunnekt.operate.doctor.settings"
local format = require "cunnekt.time.format"
local settings = require "cunnekt.provider.settings"
local units = require "cunnekt.time.units"

local doctor = {}

local function add_key(add, values, is_running, given)
  if values.api_key then
    return add("ok", "key", "there is an API key")
  elseif given then
    local advice = given.is_literal and "; it is better in CUNNEKT_API_KEY than in the script" or ""
    return add("note", "key", "the settings have no API key; line %d of the script gives %s one, which is not known here%s",
      given.line, given.name, advice)
  end
  local level = is_running and "note" or "wrong"
  add(level, "key", "there is no API key: set CUNNEKT_API_KEY, unless the script gives it to cunnekt.bot")
end

-- ---- the machine ---------------------------------------------------------------------------------------------------

local function add_libraries(add, version, engine)
  local libraries = { _VERSION }
  for name, its in pairs(core.libraries()) do
    libraries[#libraries + 1] = its:lower():find(name:gsub("^lib", ""), 1, true) and its or ("%s %s"):format(name, its)
  end
  libraries[#libraries + 1] = engine
  table.sort(libraries)
  add("ok", "libraries", "cunnekt %s with %s", version, table.concat(libraries, ", "))
end

-- 2025, before which this program was not written; and thirty years, for which no installation of it lasts.
local earliest_now, longest_life = 1735689600, 30 * 365 * units.day

local function add_clock(add)
  local now = clock.now()
  if now < earliest_now or now > earliest_now + longest_life then
    add("wrong", "clock", "the clock says %s UTC, which cannot be right", format.utc_time(now))
  else
    add("ok", "clock", "the clock says %s UTC", format.utc_time(now))
  end
end

-- ---- the settings --------------------------------------------------------------------------------------------------

-- All settings. Those that are wrong have their default, if there is one, for what does not ask for them; a cunnekt.conf.lua that
-- cannot be read may have meant any that is from nowhere else.
local function load_settings(add, getenv)
  local wrong, problems, has_conf = {}, {}, true
  local values, sources = settings.load {
    getenv = getenv,
    on_problem = function(message, name)
      problems[#problems + 1] = message
      wrong[name or ""], has_conf = true, has_conf and name ~= nil
    end,
  }
  table.sort(problems)
  for _, message in ipairs(problems) do
    add("wrong", "settings", "%s", message)
  end
  for name, setting in pairs(settings.known) do
    wrong[name] = wrong[name] or not has_conf and (sources[name] or "default") == "default"
    if wrong[name] and values[name] == nil then
      values[name] = setting.default
    end
  end
  return values, sources, wrong
end

local function is_any(wrong, ...)
  for _, name in ipairs { ... } do
    if wrong[name] then
      return true
    end
  end
  return false
end

-- ---- all of it -----------------------------------------------------------------------------------------------------

---@class cunnekt.doctor.finding
---@field level "ok"|"note"|"wrong"
---@field about string
---@field text string

---@class cunnekt.doctor.options
---@field version string of this program
---@field is_online? boolean the API is asked, too
---@field public? string the public address, which is asked, too
---@field script? string its path
---@field script_key? {line: integer, name: string, is_literal: boolean} where its text gives a key to cunnekt.bot
---@field is_copy? boolean the store may be a copy, while its bot has the addresses
---@field getenv? fun(name: string): string? os.getenv by default
---@field variables? string[] names of the variables that begin with CUNNEKT_

---Checks everything. Waits.
---@param options cunnekt.doctor.options
---@return cunnekt.doctor.finding[]
function doctor.examine(options)
  local findings = {}
  local function add(level, about, sentence, ...)
    findings[#findings + 1] = { level = level, about = about, text = sentence:format(...) }
  end
  local values, sources, wrong = load_settings(add, options.getenv)
  doctor_settings.list(add, values, sources, wrong)
  doctor_settings.check(add, values, sources, wrong, options.variables or {})
  local found = not is_any(wrong, "store") and check_store(add, values.store, options.script) or {}
  if not wrong.api_key then
    add_key(add, values, found.is_running, options.script_key)
  end
  if not options.is_copy and not is_any(wrong, "listen", "admin") then
    addresses.check_listen(add, values, found)
  end
  add_clock(add)
  add_libraries(add, options.version, found.engine)
  if options.is_online and not is_any(wrong, "base_url", "api_key", "proxy", "ca_file") then
    addresses.check_api(add, values)
  end
  if options.public and not is_any(wrong, "webhook_path", "webhook_secret", "ca_file") then
    addresses.check_public(add, options.public, values)
  end
  return findings
end

return doctor
