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

local function add_key(add, values, is_running)
  if values.api_key then
    return add("ok", "key", "there is an API key")
  end
  local level = is_running and "note" or "wrong"
  add(level, "key", "there is no API key: set CUNNEKT_API_KEY, unless the script gives it to cunnekt.bot")
end

-- ---- the machine ---------------------------------------------------------------------------------------------------

local function add_libraries(add, version, sqlite)
  local libraries = { _VERSION }
  for name, its in pairs(core.libraries()) do
    libraries[#libraries + 1] = its:lower():find(name:gsub("^lib", ""), 1, true) and its or ("%s %s"):format(name, its)
  end
  libraries[#libraries + 1] = sqlite and "SQLite " .. sqlite
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
  local ok, values, sources = pcall(settings.load, { getenv = options.getenv })
  if not ok then
    add("wrong", "settings", "%s", values)
    return findings
  end
  doctor_settings.list(add, values, sources)
  doctor_settings.check(add, values, sources, options.variables or {})
  local found = check_store(add, values.store, options.script)
  add_key(add, values, found.is_running)
  if not options.is_copy then
    addresses.check_listen(add, values, found)
  end
  add_clock(add)
  add_libraries(add, options.version, found.sqlite)
  if options.is_online then
    addresses.check_api(add, values)
  end
  if options.public then
    addresses.check_public(add, options.public, values)
  end
  return findings
end

return doctor
