-- SPDX-License-Identifier: MIT
-- What `cunnekt doctor` says of the store: whether its file can be read and written, its disk, its state and what waits in it.
-- The store is asked by operations, so a running host answers for itself. Nothing is changed.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local format = require "cunnekt.time.format"
local formats = require "cunnekt.store.formats"
local is_open_to_others = require("cunnekt.operate.doctor.settings").is_open_to_others
local location = require "cunnekt.store.location"
local operate = require "cunnekt.operate"
local status = require "cunnekt.provider.status"
local words = require "cunnekt.base.words"

local doctor_store = {}

-- Bytes: a disk with less free is about to be full, or is; a longer write-ahead log is not being checkpointed.
local min_free, max_log = 100 * 1024 * 1024, 256 * 1024 * 1024
-- Seconds: a clock that is off by more closes service windows that are still open.
local max_skew = 60

-- ---- files and disk ------------------------------------------------------------------------------------------------

local root = 0

-- Root may write everywhere, but the bot is another user: that of the folder. Files that root made in it are in its way.
local function check_owner(add, path, folder)
  local file, its_folder = core.stat(path), core.stat(folder)
  local may_all = tonumber("002", 8)
  if file and its_folder and file.owner ~= its_folder.owner and its_folder.mode & may_all == 0 and file.mode & may_all == 0 then
    add("wrong", "store", "%s is not the user's who has its folder, so the bot cannot write it: sudo chown --reference=%s %s", path, folder, path)
  end
end

local function remedy_of(problem)
  if problem:find("read-only", 1, true) then
    return "after an error of the disk the system mounts it so: see dmesg, and mount it anew"
  end
  return "run this as the bot's user, or give it that owner"
end

local function check_writable(add, path, folder)
  for _, suffix in ipairs { "", "-wal", "-shm", "-lock" } do
    local ok, problem = core.may_write(path .. suffix)
    if core.stat(path .. suffix) and not ok then
      add("wrong", "store", "%s cannot be written: %s; %s", path .. suffix, problem, remedy_of(problem))
    elseif core.user() == root then
      check_owner(add, path .. suffix, folder)
    end
  end
  local ok, problem = core.may_write(folder)
  if core.stat(folder) and not ok then
    add("wrong", "store", "no files can be made in %s, which the store needs: %s", folder, problem)
  end
end

local function add_disk(add, folder, bytes)
  local free, message = core.disk_free(folder)
  if not free then
    add("wrong", "disk", "the folder of the store, %s, cannot be used: %s; make it, or set CUNNEKT_STORE", folder, message)
  elseif free < operate.full_below then
    add("wrong", "disk", "the store's disk is full: webhooks are refused until you free space on it (df %s)", folder)
  elseif free < min_free then
    add("wrong", "disk", "only %s are free on the store's disk; when it is full, webhooks are refused", words.size(free))
  elseif free < 2 * bytes then
    add("note", "disk", "%s are free on the store's disk, less than the store and a copy of it need", words.size(free))
  else
    add("ok", "disk", "%s are free on the store's disk", words.size(free))
  end
end

-- ---- what is in it -------------------------------------------------------------------------------------------------

local function add_host(add, about)
  if about.silence then
    return add("wrong", "host", "the store is in use by %s, and of a host here: %s", about.owner or "no host", about.silence)
  elseif about.owner then
    return add("ok", "host", "%s has the database; one that is started here stands by", about.owner)
  elseif not about.is_running then
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
  if not (about.is_running or about.owner) and about.pending + about.queued > 0 then
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

-- A host of another version may not count them.
local function add_paused(add, about)
  local count = about.paused or 0
  if count > 0 then
    local since = about.paused_since and (" for up to %s"):format(format.age(about.paused_since)) or ""
    add("note", "dialogs", "%s paused%s, and nothing is handled there (%s came meanwhile); see cunnekt dialogs list --paused, "
      .. "and resume with cunnekt dialogs resume", words.count(count, "conversation") .. (count == 1 and " is" or " are"), since,
      words.count(about.paused_messages, "message"))
  end
end

local function add_check(add, found)
  add("ok", "store", "the store is of version %d and has %s", found.version, words.size(found.bytes))
  if found.version < formats.schema_version then
    add("note", "store", "the store is of version %d; the next start, or a command that does more than to check and copy it, brings it to %d", found.version, formats.schema_version)
  end
  local is_file = not (found.engine and found.engine:find "^PostgreSQL")
  if not is_file then
    add("ok", "store", "it is on %s, whose own tools check and copy it", found.engine)
  elseif not found.problems then
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

-- ---- scripts -------------------------------------------------------------------------------------------------------

local script_words = {
  old = { "note", "%s of %s need%s an older version of the script: the store keeps it, and they go on with it until they end; "
    .. "leave what it requires where it is" },
  missing = { "wrong", "%s of %s need%s an older version of the script, which the store does not have, and will break: put that "
    .. "version back, or end them with cunnekt dialogs end" },
  restart = { "note", "%s of %s will begin again at the next answer, because the script has changed and its dialog says so%s" },
  changed = { "note", "%s of %s began with another version of the script, which the store keeps%s: where the dialog has changed, "
    .. "they go on with that one until they end" },
}

-- `scripts`: of the operation dialogs.scripts.
local function add_scripts(add, scripts)
  for _, one in ipairs(scripts) do
    local its_words = script_words[one.state]
    if its_words then
      local whose = one.name:find(formats.handler_pattern) and "the handlers" or ("'%s'"):format(one.name)
      local verb = (one.state == "old" or one.state == "missing") and one.dialogs == 1 and "s" or ""
      add(its_words[1], "dialogs", its_words[2], words.count(one.dialogs, "open dialog"), whose, verb)
    end
  end
end

-- ---- all of it -----------------------------------------------------------------------------------------------------

local function ask(session, script)
  local about, err = session:call "host.about"
  local found
  if about then
    found, err = session:call "store.check"
  end
  if not found then
    return nil, err
  end
  -- Neither a store of an earlier version nor a host of one can be asked.
  local answer = found.version == formats.schema_version and session:call("dialogs.scripts", { script = script }) or {}
  return about, found, answer.scripts or {}
end

local function inspect(add, session, script)
  local about, found, scripts = ask(session, script)
  if about then
    about.owner, about.silence = session:owner(), session.silence
  end
  session:close()
  if not about then
    add("wrong", "store", "the store cannot be read: %s", found.message)
    return { is_running = session.is_running }
  end
  add_host(add, about)
  add_check(add, found)
  add_counts(add, about)
  add_paused(add, about)
  add_scripts(add, scripts)
  local engine = found.engine or (found.sqlite and "SQLite " .. found.sqlite)
  return { is_running = about.is_running, owner = about.owner, listen = about.listen, bytes = found.bytes, engine = engine }
end

-- Gives whether a host has the store that could not be asked.
local function add_unreachable(add, path, err)
  if err.kind == "not_found" then
    add("note", "store", "there is no store %s yet; the first run makes it", path)
  elseif err.message:find "^the store" then
    add("wrong", "store", "%s", err.message)
  else
    add("wrong", "store", "the store cannot be opened: %s", err.message)
  end
  return err.message:find("in use by process", 1, true) ~= nil
end

-- A database on a server: its disk and its files are its own.
local function check_postgres(add, url, script)
  local session, err = operate.reach(url, true)
  if not session then
    local is_away = err.message:find "connection to server"
    local advice = is_away and "; see that the database runs there and lets this user in: psql with the same URL says more" or ""
    add("wrong", "store", "%s%s", err.message, advice)
    return {}
  elseif session.version == 0 then
    add("note", "store", "there is nothing in the store on PostgreSQL yet; the first run fills it")
    session:close()
    return {}
  end
  for _, note in ipairs(session:notes()) do
    add("wrong", "store", "the store's database: %s", note)
  end
  return inspect(add, session, script)
end

---Checks the store. Waits.
---@param add fun(level: string, about: string, sentence: string, ...: any)
---@param url string the setting
---@param script? string the path of the script, where it is known
---@return {is_running: boolean?, owner: string?, listen: string?, engine: string?} found of the host on it
function doctor_store.check(add, url, script)
  local path, err = location.path(url)
  if not path or path == ":memory:" then
    add(path and "note" or "wrong", "store", "%s", path and "the store memory: ends with its host" or err.message)
    return {}
  elseif location.is_postgres(url) then
    return check_postgres(add, url, script)
  elseif is_open_to_others(path) then
    add("note", "store", "other users of this machine can read the store, with customers' numbers and texts; chmod 600 it")
  end
  local found = {}
  local session
  session, err = operate.reach(url, true)
  if not session then
    found.is_running = add_unreachable(add, path, err)
  elseif session.version == 0 then
    add("note", "store", "there is nothing in the store %s yet; the first run fills it", path)
    session:close()
  else
    found = inspect(add, session, script)
  end
  local folder = location.folder(path)
  check_writable(add, path, folder)
  add_disk(add, folder, found.bytes or (core.stat(path) or {}).size or 0)
  return found
end

return doctor_store
