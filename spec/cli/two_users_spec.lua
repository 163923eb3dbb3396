-- SPDX-License-Identifier: MIT
-- A bot as the systemd unit of docs/operations.md runs it, and an operator who is root: the state's folder is a link into
-- a folder that only root may enter, the bot has another user, its own /tmp, and may write to that folder only. Played with
-- a mount namespace.

local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local http = require "cunnekt.provider.http"
local process = require "spec.support.process"
local samples = require "cunnekt.sandbox.samples"

local NOBODY, STRANGER = "65534", "65533"

local can_play = process.run({ "sh", "-c", "test $(id -u) = 0 && unshare -m setpriv --reuid=65534 true" }).code == 0

-- What systemd does for DynamicUser, StateDirectory, ProtectSystem=strict and PrivateTmp.
local unit = [[
set -e
cd "$1"
mount --make-rprivate /
mount --bind lib/private/cunnekt stash
mount -t tmpfs -o mode=755 tmpfs lib/private
mkdir lib/private/cunnekt
mount --bind stash lib/private/cunnekt
mount --bind backups backups
mount -o remount,bind,ro backups
mount -t tmpfs -o mode=1777 tmpfs tmp
cd lib/cunnekt
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$1/cunnekt" run "$1/bot.lua"
]]

describe("an operator and a bot of another user", function()
  local folder, root, url, bot

  local function sh(command)
    return process.run({ "sh", "-c", command }, { cwd = root })
  end

  local function start()
    bot = process.start({ "unshare", "-m", "sh", root .. "/unit.sh", root }, {
      cwd = root, env = { CUNNEKT_API_KEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_STORE = url },
    })
    return bot:expect "listening on (%S+)"
  end

  local function stop(signal)
    bot:signal(signal or "TERM")
    bot:wait()
    bot = nil
  end

  before_each(function()
    if not can_play then
      return
    end
    folder = process.folder()
    root = folder.path
    url = "sqlite:" .. root .. "/lib/cunnekt/bot.db"
    process.write(root .. "/unit.sh", unit)
    process.write(root .. "/bot.lua", [[require("cunnekt").bot():on("text", function() error "no" end)]])
    assert.equal(0, sh(([[
      mkdir -p lib/private/cunnekt stash backups tmp && chmod 755 . && chmod 1777 tmp &&
      chown %s:%s lib/private/cunnekt && chmod 700 lib/private lib/private/cunnekt &&
      ln -s private/cunnekt lib/cunnekt && cp %s cunnekt
    ]]):format(NOBODY, NOBODY, process.quote(process.host))).code)
  end)

  after_each(function()
    if bot then
      stop "KILL"
    end
  end)

  local function run(...)
    return process.run({ process.host, ... }, { cwd = root, env = { CUNNEKT_STORE = url } })
  end

  local function play(name, fn)
    it(name, function()
      if not can_play then
        return pending "needs root, unshare and setpriv"
      end
      fn()
    end)
  end

  play("find each other while the bot runs", function()
    start()
    local result = run "doctor"
    assert.equal(0, result.code, result.out)
    assert.matches("\nok    a host runs on the store: process %d+", result.out)
    assert.matches("\nok    its integrity was checked and is sound\n", result.out)
    assert.equal("none\n", run("events", "list").out)
  end)

  play("say what a third user lacks", function()
    start()
    for _, words in ipairs { "doctor", "events list" } do
      local result = sh(("CUNNEKT_STORE=%s setpriv --reuid=%s --regid=%s --clear-groups ./cunnekt %s"):format(
        url, STRANGER, STRANGER, words
      ))
      assert.equal(1, result.code)
      assert.matches("cannot be reached: permission denied; run this as the bot's user, or with sudo", result.out .. result.err)
    end
  end)

  play("make a backup beside the store that is the bot's, also while the bot does not run", function()
    start()
    stop()
    local result = run("backup", root .. "/lib/cunnekt/copy.db")
    assert.equal(0, result.code, result.err)
    assert.equal("", sh(("find lib/private/cunnekt -not -user %s"):format(NOBODY)).out)
  end)

  play("make a backup beside the store, or say that the bot can write nowhere else", function()
    start()
    local result = run("backup", root .. "/lib/cunnekt/copy.db")
    assert.equal(0, result.code, result.err)
    assert.equal(0, sh("mv lib/cunnekt/copy.db backups").code)
    assert.matches("\nok    its integrity was checked", run("doctor", "--store", "sqlite:" .. root .. "/backups/copy.db").out)
    local advice = "name a file in its own folder, " .. root .. "/lib/cunnekt, and move it from there\n"
    result = run("backup", root .. "/backups/other.db")
    assert.equal(1, result.code)
    assert.equal(
      ("cunnekt backup: cannot back up to %s/backups/other.db: Read-only file system; the running bot writes the copy: %s"):format(
        root, advice), result.err)
    -- The bot's /tmp is not the operator's, where a copy of yesterday lies.
    process.write(root .. "/tmp/other.db", "old")
    result = run("backup", root .. "/tmp/other.db")
    assert.equal(1, result.code)
    assert.matches("wrote %S+/tmp/other%.db where only it can see it", result.err)
    assert.equal("old", process.read(root .. "/tmp/other.db"))
  end)

  play("share a database that root has made by a move, for it gets the owner of its folder", function()
    start()
    stop()
    local target = root .. "/lib/cunnekt/new.db"
    local result = run("store", "move", url, "sqlite:" .. target)
    assert.equal(0, result.code, result.err)
    assert.equal("", sh(("find lib/private/cunnekt -not -user %s"):format(NOBODY)).out)
    url = "sqlite:" .. target
    start()
    stop()
  end)

  play("learn which file keeps the bot from starting, and what to do", function()
    start()
    stop()
    for _, name in ipairs { "bot.db", "bot.db-lock", "bot.db-wal" } do
      assert.equal(0, sh(("touch lib/cunnekt/%s && chown root lib/cunnekt/%s && chmod 600 lib/cunnekt/%s"):format(name, name, name)).code)
      bot = process.start({ "unshare", "-m", "sh", root .. "/unit.sh", root }, {
        cwd = root, env = { CUNNEKT_API_KEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_STORE = url },
      })
      local ended = bot:wait()
      assert.equal(1, ended.code)
      assert.matches("cannot open the store .*" .. name:gsub("%-", "%%-") .. "[^\n]*: Permission denied; the bot's user must be able to write",
        ended.err)
      assert.matches("sudo chown --reference=", ended.err, 1, true)
      assert.equal(0, sh(("chown %s lib/private/cunnekt/*"):format(NOBODY)).code)
    end
    start()
  end)

  play("learn that the bot may not write its folder", function()
    assert.equal(0, sh("mkdir lib/private/cunnekt/new && chown root lib/private/cunnekt/new && chmod 755 lib/private/cunnekt/new").code)
    url = "sqlite:" .. root .. "/lib/cunnekt/new/bot.db"
    bot = process.start({ "unshare", "-m", "sh", root .. "/unit.sh", root }, {
      cwd = root, env = { CUNNEKT_API_KEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_STORE = url },
    })
    local ended = bot:wait()
    assert.equal(1, ended.code)
    assert.matches("Permission denied: the bot's user %(number " .. NOBODY .. "%) must be able to write its folder %(sudo chown " .. NOBODY, ended.err)
  end)

  -- Root restores a backup: SQLite calls the database read-only, which it is not.
  play("learn that the bot may not write the folder that it could write before", function()
    start()
    stop()
    assert.equal(0, sh("chown root lib/private/cunnekt && chmod 755 lib/private/cunnekt").code)
    bot = process.start({ "unshare", "-m", "sh", root .. "/unit.sh", root }, {
      cwd = root, env = { CUNNEKT_API_KEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_STORE = url },
    })
    local ended = bot:wait()
    assert.equal(1, ended.code)
    assert.matches("cannot open the store [^\n]*: no file can be made in its folder: Permission denied: the bot's user %(number " .. NOBODY
      .. "%) must be able to write its folder %(sudo chown " .. NOBODY .. " FOLDER%)", ended.err)
  end)

  play("share the files: what root does while the bot is stopped or was killed does not keep it from starting", function()
    local address = start()
    local body = json.encode(samples.build("text", { text = "x", from = "919000000001", id = "wamid.1" }))
    assert.equal(200, assert(http.post("http://" .. address .. "/webhook", body)).status)
    stop "KILL"
    assert.is_true(core.stat(root .. "/lib/cunnekt/bot.db-wal").size > 0)
    assert.equal(0, sh("rm lib/cunnekt/bot.db-lock").code)
    assert.matches("\nok    waiting: 1 event to be handled", run("doctor").out)
    assert.matches("text", run("events", "list", "--pending").out)
    assert.equal(0, run("backup", root .. "/backups/copy.db").code)
    assert.equal("", sh(("find lib/private/cunnekt -not -user %s"):format(NOBODY)).out)
    start()
    stop()
    -- A restore, as docs/operations.md has it.
    assert.equal(0, sh([[
      mkdir old && mv lib/cunnekt/bot.db* old && cp backups/copy.db lib/cunnekt/bot.db &&
      chown --reference=lib/cunnekt lib/cunnekt/bot.db
    ]]).code)
    start()
    assert.matches("\nok    waiting: 1 event to be handled", run("doctor").out)
  end)
end)
