-- SPDX-License-Identifier: MIT
-- What `cunnekt doctor` looks at. Each check adds findings, {level = "ok" | "note" | "wrong", about =, text =}: a sentence
-- for a person. None changes anything, and none shows a secret.

local clock = require "cunnekt.time.clock"
local control = require "cunnekt.operate"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local operate = require "cunnekt.cli.operate"
local schema = require "cunnekt.store.schema"
local settings = require "cunnekt.provider.settings"
local store = require "cunnekt.store"

local checks = {}

-- Bytes: a disk with less is about to be full; a log so long is not being worked into the database.
local least_free, longest_log = 100 * 1024 * 1024, 256 * 1024 * 1024
-- Seconds: a clock that is off by more closes service windows that are open.
local most_skew = 60

local function size(bytes)
  for _, unit in ipairs { { 1 << 30, "GiB" }, { 1 << 20, "MiB" }, { 1 << 10, "KiB" } } do
    if bytes >= unit[1] then
      return ("%.1f %s"):format(bytes / unit[1], unit[2])
    end
  end
  return ("%d bytes"):format(bytes)
end

local function is_open_to_others(path)
  local found = core.stat(path)
  return found ~= nil and found.mode & tonumber("077", 8) ~= 0
end

-- ---- settings ----------------------------------------------------------------------------------------------------

-- Users and passwords within an address are nobody's business.
local function plain_value(value)
  return (tostring(value):gsub("://[^/@%s]*@", "://…@"))
end

local source_words = {
  flag = "from the command line",
  environment = "from the environment",
  conf = "from cunnekt.conf.lua",
  default = "by default",
}

local function add_settings(add, values, sources)
  local names = {}
  for name in pairs(settings.known) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, is_secret = values[name], settings.known[name].is_secret
    if value ~= nil then
      local shown = is_secret and "set, and not shown here" or plain_value(value)
      add("ok", "settings", "%s is %s, %s", name, shown, source_words[sources[name]] or sources[name])
    end
  end
end

local function is_loopback(address)
  return address:find "^127%." or address:find "^localhost:" or address:find "^%[::1%]:"
end

local function add_risks(add, values, sources)
  if not values.app_secret and not values.webhook_secret then
    add("note", "settings", "neither CUNNEKT_WEBHOOK_SECRET nor CUNNEKT_APP_SECRET is set: whoever finds the address can post events")
  end
  if values.admin and not is_loopback(values.admin) then
    add("note", "settings", "the admin address %s can be reached from other machines; keep it behind a firewall", values.admin)
  end
  if values.base_url:find "^[hH][tT][tT][pP]:" and not is_loopback(values.base_url:match "^%w+://(.*)") then
    add("wrong", "settings", "base_url has no https: key and messages can be read on their way")
  end
  for name, source in pairs(sources) do
    if source == "conf" and settings.known[name].is_secret and is_open_to_others(settings.conf_path()) then
      add("wrong", "settings", "cunnekt.conf.lua holds %s and can be read by other users; chmod 600 it", name)
    end
  end
end

local function add_key(add, values, is_running)
  if values.api_key then
    return add("ok", "key", "there is an API key")
  end
  local level = is_running and "note" or "wrong"
  add(level, "key", "there is no API key: set CUNNEKT_API_KEY, unless the script gives it to cunnekt.bot")
end

-- ---- the store and its host --------------------------------------------------------------------------------------

local function add_disk(add, path, bytes)
  local folder = path:match "^(.*)/[^/]*$" or "."
  local free, message = core.disk_free(folder == "" and "/" or folder)
  if not free then
    add("wrong", "disk", "the folder of the store cannot be used: %s", message)
  elseif free < least_free then
    add("wrong", "disk", "only %s are free on the store's disk; when it is full, webhooks are refused", size(free))
  elseif free < 2 * bytes then
    add("note", "disk", "%s are free on the store's disk, less than the store and a copy of it need", size(free))
  else
    add("ok", "disk", "%s are free on the store's disk", size(free))
  end
end

local function add_host(add, about)
  if not about.is_running then
    return add("note", "host", "no host runs on the store")
  end
  local age = operate.ago(about.started_at)
  add("ok", "host", "a host runs on the store: process %d, for %s, listening on %s", about.pid, age, about.listen)
  if about.unready then
    add("wrong", "host", "the host takes no events now: %s", about.unready)
  end
end

local function add_counts(add, about)
  local waiting = ("%s for %s turn"):format(operate.count(about.pending, "event"), about.pending == 1 and "its" or "their")
  add("ok", "store", "waiting: %s, %s to be sent", waiting, operate.count(about.queued, "message"))
  if not about.is_running and about.pending + about.queued > 0 then
    add("note", "store", "nobody handles what waits, for no host runs")
  end
  if about.dead > 0 then
    local aside = operate.count(about.dead, "event")
    add("note", "store", "%s %s set aside; see cunnekt events list", aside, about.dead == 1 and "was" or "were")
  end
  for _, state in ipairs { "unknown", "rejected", "failed" } do
    if about[state] > 0 then
      local count, verb = operate.count(about[state], "message"), about[state] == 1 and "is" or "are"
      add("note", "store", "%s %s %s; see cunnekt outbox list --state %s", count, verb, state, state)
    end
  end
  if not about.is_writable then
    add("wrong", "store", "the store cannot be written")
  end
end

local function add_check(add, found)
  add("ok", "store", "the store is of version %d and has %s", found.version, size(found.bytes))
  if not found.problems then
    add("note", "store", "its integrity was not checked, for it is large and in use; check a copy made by cunnekt backup")
  elseif #found.problems == 0 then
    add("ok", "store", "its integrity was checked and is sound")
  end
  for _, problem in ipairs(found.problems or {}) do
    add("wrong", "store", "the store is damaged: %s", problem)
  end
  if found.wal_bytes > longest_log then
    add("note", "store", "its write-ahead log has %s, which a program that reads the database may hold", size(found.wal_bytes))
  end
  if found.latest_time and found.latest_time > clock.now() + most_skew then
    add("wrong", "clock", "the clock was put back: the store has seen a time %d s later", math.floor(found.latest_time - clock.now()))
  end
end

-- Whether the store may be opened as it is, without bringing it up to date.
local function has_right_version(add, url)
  local version, err = store.version(url)
  if not version then
    add("wrong", "store", "the store cannot be opened: %s", err.message)
  elseif version < schema.version then
    add("note", "store", "the store is of version %d; the next start brings it to %d", version, schema.version)
  elseif version > schema.version then
    add("wrong", "store", "the store is of version %d, and this program knows only %d: it is too old", version, schema.version)
  end
  return version == schema.version
end

local function look_into(add, session)
  local about, err = session:call "host.about"
  local found
  if about then
    found, err = session:call "store.check"
  end
  session:close()
  if not found then
    add("wrong", "store", "the store cannot be read: %s", err.message)
    return nil
  end
  add_host(add, about)
  add_check(add, found)
  add_counts(add, about)
  return { is_running = about.is_running, bytes = found.bytes, sqlite = found.sqlite }
end

local function add_store(add, url)
  local path, err = store.path(url)
  if not path or path == ":memory:" then
    add(path and "note" or "wrong", "store", "%s", path and "the store memory: is gone with its host" or err.message)
    return {}
  elseif not core.stat(path) then
    add("note", "store", "there is no store %s yet; the first run makes it", path)
    add_disk(add, path, 0)
    return {}
  elseif is_open_to_others(path) then
    add("note", "store", "the store can be read by other users of this machine; chmod 600 it, for customers' sake")
  end
  -- A host that runs has brought it up to date.
  local found = {}
  if control.is_running(path) or has_right_version(add, url) then
    local session
    session, err = control.reach(url)
    if session then
      found = look_into(add, session) or {}
    else
      add("wrong", "store", "%s", err.message)
    end
  end
  add_disk(add, path, found.bytes or (core.stat(path) or {}).size or 0)
  return found
end

-- ---- the machine -------------------------------------------------------------------------------------------------

local function add_libraries(add, sqlite)
  local words = { _VERSION }
  for name, version in pairs(core.libraries()) do
    words[#words + 1] = version:lower():find(name:gsub("^lib", ""), 1, true) and version or ("%s %s"):format(name, version)
  end
  words[#words + 1] = sqlite and "SQLite " .. sqlite
  table.sort(words)
  add("ok", "libraries", "cunnekt %s with %s", require("cunnekt").version, table.concat(words, ", "))
end

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

-- "Sun, 06 Nov 1994 08:49:37 GMT" as seconds since 1970, by counting days (Howard Hinnant's civil calendar).
local function read_date(text)
  local day, name, year, hour, minute, second = (text or ""):match "(%d+) (%a+) (%d+) (%d+):(%d+):(%d+) GMT"
  local month = months[name]
  if not month then
    return nil
  end
  year = tonumber(year) - (month <= 2 and 1 or 0)
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + tonumber(day) - 1
  local days = 365 * year + year // 4 - year // 100 + year // 400 + day_of_year - 719468
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

-- Some moment before this program was written.
local earliest_now = 1735689600

local function add_clock(add)
  local now = clock.now()
  if now < earliest_now or now > earliest_now + 30 * 365 * 86400 then
    add("wrong", "clock", "the clock says %s, which cannot be", os.date("!%Y-%m-%d", math.floor(now)))
  else
    add("ok", "clock", "the clock says %s UTC", os.date("!%Y-%m-%d %H:%M:%S", math.floor(now)))
  end
end

local function add_online(add, values)
  local shown = plain_value(values.base_url)
  local answer, err = http.get(values.base_url, { timeout = 15, ca_file = values.ca_file, proxy = values.proxy })
  if not answer then
    return add("wrong", "online", "%s cannot be reached: %s", shown, err.message)
  end
  add("ok", "online", "%s can be reached (it answered %d to a plain request)", shown, answer.status)
  local theirs = read_date(answer.headers.date)
  if theirs and math.abs(theirs - clock.now()) > most_skew then
    add("wrong", "clock", "the clock is off by %d s from the API's", math.floor(clock.now() - theirs))
  end
end

---Looks at everything. Waits.
---@param options {is_online: boolean}
---@return table[] findings
function checks.all(options)
  local findings = {}
  local function add(level, about, format, ...)
    findings[#findings + 1] = { level = level, about = about, text = format:format(...) }
  end
  local ok, values, sources = pcall(settings.load)
  if not ok then
    add("wrong", "settings", "%s", values)
    return findings
  end
  add_settings(add, values, sources)
  add_risks(add, values, sources)
  local found = add_store(add, values.store)
  add_key(add, values, found.is_running)
  add_clock(add)
  add_libraries(add, found.sqlite)
  if options.is_online then
    add_online(add, values)
  end
  return findings
end

return checks
