-- SPDX-License-Identifier: MIT
-- The checks of `cunnekt doctor`: settings, store, host and machine. Each adds findings, {level = "ok" | "note" | "wrong",
-- about =, text =}, one sentence for people each. None changes anything, and none shows a secret. The store is asked by the
-- operations of host.lua, so a running host answers for itself.

local canonical = require "cunnekt.base.canonical"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local format = require "cunnekt.time.format"
local formats = require "cunnekt.store.formats"
local http = require "cunnekt.provider.http"
local operate = require "cunnekt.operate"
local settings = require "cunnekt.provider.settings"
local status = require "cunnekt.provider.status"
local store = require "cunnekt.store"
local units = require "cunnekt.time.units"
local words = require "cunnekt.base.words"

local doctor = {}

-- Bytes: a disk with less free is about to be full; a longer write-ahead log is not being checkpointed.
local min_free, max_log = 100 * 1024 * 1024, 256 * 1024 * 1024
-- Seconds: a clock that is off by more closes service windows that are still open.
local max_skew = 60

local function is_open_to_others(path)
  local found = core.stat(path)
  return found ~= nil and found.mode & tonumber("077", 8) ~= 0
end

-- ---- settings ------------------------------------------------------------------------------------------------------

local source_words = {
  flag = "from the command line",
  environment = "from the environment",
  conf = "from cunnekt.conf.lua",
  default = "by default",
}

local function add_settings(add, values, sources)
  for _, name in ipairs(canonical.keys(settings.known)) do
    local value = values[name]
    if value ~= nil then
      local shown = settings.shown(name, value)
      add("ok", "settings", "%s is %s, %s", name, shown, source_words[sources[name]] or sources[name])
    end
  end
end

local function is_loopback(address)
  return address:find "^127%." or address:find "^localhost:" or address:find "^%[::1%]:"
end

local function add_risks(add, values, sources)
  if not values.app_secret and not values.webhook_secret then
    local secrets = "neither CUNNEKT_WEBHOOK_SECRET nor CUNNEKT_APP_SECRET is set"
    add("note", "settings", "%s: whoever finds the address can post events", secrets)
  end
  if values.admin and not is_loopback(values.admin) then
    add("note", "settings", "the admin address %s can be reached from other machines; keep it behind a firewall", values.admin)
  end
  if values.base_url:find "^[hH][tT][tT][pP]:" and not is_loopback(values.base_url:match "^%w+://(.*)") then
    add("wrong", "settings", "base_url is not https: the key and all messages can be read on the way")
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

-- ---- the store and its host ----------------------------------------------------------------------------------------

local function add_disk(add, path, bytes)
  local folder = path:match "^(.*)/[^/]*$" or "."
  local free, message = core.disk_free(folder == "" and "/" or folder)
  if not free then
    add("wrong", "disk", "the folder of the store cannot be used: %s", message)
  elseif free < min_free then
    add("wrong", "disk", "only %s are free on the store's disk; when it is full, webhooks are refused", words.size(free))
  elseif free < 2 * bytes then
    add("note", "disk", "%s are free on the store's disk, less than the store and a copy of it need", words.size(free))
  else
    add("ok", "disk", "%s are free on the store's disk", words.size(free))
  end
end

local function add_host(add, about)
  if not about.is_running then
    return add("note", "host", "no host runs on the store")
  end
  local age = format.age(about.started_at)
  add("ok", "host", "a host runs on the store: process %d, for %s, listening on %s", about.pid, age, about.listen)
  if about.unready then
    add("wrong", "host", "the host accepts no events now: %s", about.unready)
  end
end

local function add_counts(add, about)
  local events, messages = words.count(about.pending, "event"), words.count(about.queued, "message")
  add("ok", "store", "waiting: %s to be handled, %s to be sent", events, messages)
  if not about.is_running and about.pending + about.queued > 0 then
    add("note", "store", "no host runs, so nothing of that is handled or sent")
  end
  if about.dead > 0 then
    add("note", "store", "%s; see cunnekt events list", words.count(about.dead, "dead letter"))
  end
  for _, state in ipairs(status.dead_letters) do
    if about[state] > 0 then
      local count, verb = words.count(about[state], "message"), about[state] == 1 and "is" or "are"
      add("note", "store", "%s %s %s; see cunnekt outbox list --state %s", count, verb, state, state)
    end
  end
  if not about.is_writable then
    add("wrong", "store", "the store cannot be written")
  end
end

local function add_check(add, found)
  add("ok", "store", "the store is of version %d and has %s", found.version, words.size(found.bytes))
  if found.version < formats.schema_version then
    add("note", "store", "the store is of version %d; the next start brings it to %d", found.version, formats.schema_version)
  end
  if not found.problems then
    add("note", "store", "its integrity was not checked, since it is large and in use; check a copy made by cunnekt backup")
  elseif #found.problems == 0 then
    add("ok", "store", "its integrity was checked and is sound")
  end
  for _, problem in ipairs(found.problems or {}) do
    add("wrong", "store", "the store is damaged: %s", problem)
  end
  if found.wal_bytes > max_log then
    local size = words.size(found.wal_bytes)
    add("note", "store", "its write-ahead log has %s; a program that keeps the database open may be the cause", size)
  end
  if found.latest_time and found.latest_time > clock.now() + max_skew then
    local seconds = math.floor(found.latest_time - clock.now())
    add("wrong", "clock", "the clock was set back: the store has seen a time %d s later", seconds)
  end
end

local function inspect(add, session)
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

local function add_unreachable(add, path, err)
  if err.kind == "not_found" then
    add("note", "store", "there is no store %s yet; the first run makes it", path)
  elseif err.message:find "^the store" then
    add("wrong", "store", "%s", err.message)
  else
    add("wrong", "store", "the store cannot be opened: %s", err.message)
  end
end

local function add_store(add, url)
  local path, err = store.path(url)
  if not path or path == ":memory:" then
    add(path and "note" or "wrong", "store", "%s", path and "the store memory: ends with its host" or err.message)
    return {}
  elseif is_open_to_others(path) then
    add("note", "store", "other users of this machine can read the store, with customers' numbers and texts; chmod 600 it")
  end
  local found = {}
  local session
  session, err = operate.reach(url, true)
  if not session then
    add_unreachable(add, path, err)
  elseif session.version == 0 then
    add("note", "store", "there is nothing in the store %s yet; the first run fills it", path)
    session:close()
  else
    found = inspect(add, session) or {}
  end
  add_disk(add, path, found.bytes or (core.stat(path) or {}).size or 0)
  return found
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

local function add_online(add, values)
  local shown = settings.shown("base_url", values.base_url)
  local answer, err = http.get(values.base_url, { timeout = 15, ca_file = values.ca_file, proxy = values.proxy })
  if not answer then
    return add("wrong", "online", "%s cannot be reached: %s", shown, err.message)
  end
  add("ok", "online", "%s can be reached (it answered %d to a plain request)", shown, answer.status)
  local theirs = format.read_http_date(answer.headers.date or "")
  if theirs and math.abs(theirs - clock.now()) > max_skew then
    add("wrong", "clock", "the clock is off by %d s from the API's", math.floor(clock.now() - theirs))
  end
end

---Checks everything. Waits.
---@param options {version: string, is_online: boolean} version: of this program; is_online: the API is asked too
---@return {level: "ok"|"note"|"wrong", about: string, text: string}[] findings
function doctor.examine(options)
  local findings = {}
  local function add(level, about, sentence, ...)
    findings[#findings + 1] = { level = level, about = about, text = sentence:format(...) }
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
  add_libraries(add, options.version, found.sqlite)
  if options.is_online then
    add_online(add, values)
  end
  return findings
end

return doctor
